"""``Extractor``: the core of a feature under an executor, between what an image's owner does before and after."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import (
    BudgetError,
    ImageError,
    ParameterError,
    PrivisError,
    Problem,
    ProtocolError,
    ServiceError,
    UnsupportedError,
    refuse,
)
from privis.extraction.contributions import NOBODY, Contributions
from privis.extraction.counts_of_pixels import count_problems, stated
from privis.extraction.programs.prepared_programs import MOST_SHAPES, PreparedFeature, PreparedPrograms, purpose_of
from privis.features.feature import Feature, core_shape
from privis.features.image_ops import owner_image, owner_image_shape
from privis.features.preprocessing.scaled_decoding import least_size
from privis.identity import identity
from privis.io.images.record import ImageRecord, Source
from privis.privacy import Guarantee, Ledger, Release, ReleaseKey, Stage
from privis.privacy.ledger.ledger_protocol import counts_images
from privis.privacy.ledger.records import former_records, record_of_pixels
from privis.program import digest
from privis.program.shapes import Shape
from privis.run.protocol import BatchingExecutor, Executor

Vector = NDArray[np.float32]


def named(record: str, subject: str | None) -> str:
    """What noise calls an image of a person; ``record`` is a name that `record_of_pixels` gives."""
    return record if subject is None else f"{record} of {subject}"


@dataclass(frozen=True)
class ExactSource:
    """What made exact features, and the shapes of the images (as ``Extractor.owner_image`` gives them), in order."""

    feature: Feature
    under: Executor
    shapes: tuple[Shape, ...]

    def purposes(self, release: Release) -> list[bytes]:
        """The purpose that noise of ``release`` on each image's feature has."""
        made_by = identity((release, self.feature, self.under), "extract")
        found = {}
        for shape in set(self.shapes):
            program = self.feature.program(core_shape(self.feature, shape))
            found[shape] = purpose_of(made_by, digest(program))
        return [found[shape] for shape in self.shapes]


@dataclass(frozen=True, eq=False)
class Opened:
    """What an image's owner knows of it before the core runs."""

    core: NDArray[Any]
    whose: Whose | None


@dataclass(frozen=True)
class Whose:
    """What a release of an image is called: its ``record``, its ``subject`` if one was named, and former names.

    ``label`` is what messages call it.
    """

    label: str
    record: str
    subject: str | None
    former: tuple[str, ...]


@dataclass(eq=False)
class Extractor:
    """Turns images into vectors; keeps what was prepared for the last image shapes.

    ``expected`` is how many images there will be, for executors that several images may share. ``length`` is how many
    components every vector must have, where that is known: an image of another length is refused before it is charged.
    ``charges`` counts what was charged so far, repeated releases included. ``programs`` are what other extractors of
    the same feature, executor and release prepared, and will.
    """

    feature: Feature
    under: Executor
    release: Release | None
    key: ReleaseKey | None
    ledger: Ledger | None
    contributions: Contributions = NOBODY
    expected: int = 1
    length: int | None = None
    charges: int = 0
    programs: PreparedPrograms | None = None
    prepared: dict[Shape, PreparedFeature] = field(default_factory=dict)
    _checked: dict[Shape, int] = field(default_factory=dict)
    _given: dict[str, set[str]] = field(default_factory=dict)

    def __call__(self, image: ImageRecord) -> Vector:
        """Extract from a decoded image.

        Towards noise and ledger an image is its content (`privis.privacy.ledger.records`), whatever it is called.
        """
        opened = self._opened(image)
        prepared = self.prepare(opened.core.shape)
        return self._closed(opened, prepared, prepared.run(opened.core))

    @property
    def shares(self) -> bool:
        """Whether several images at once may be cheaper."""
        return self.expected > 1 and isinstance(self.under, BatchingExecutor)

    @property
    def at_least(self) -> tuple[int, int] | None:
        """(height, width) in pixels that a JPEG still has after scaled decoding; None: images are read whole."""
        return least_size(self.feature)

    @property
    def charging(self) -> bool:
        """Whether a ledger is charged for images."""
        return self.ledger is not None

    def examine(self, image: ImageRecord) -> None:
        """Raise everything public that speaks against ``image``, and charge nothing."""
        self.contributions.admit(image.label)
        self.check(image.pixels.shape)

    def many(self, images: Iterable[Source]) -> list[Vector | PrivisError]:
        """For each image, read when its turn comes, its vector, or what is wrong with it.

        Raises ServiceError and ProtocolError, which are no image's fault.
        """
        found: dict[int, Vector | PrivisError] = {}
        shapes: dict[Shape, list[tuple[int, Opened]]] = {}
        for number, read in enumerate(images):
            with _kept(found, number):
                opened = self._opened(read())
                shapes.setdefault(opened.core.shape, []).append((number, opened))
        for shape, own in shapes.items():
            self._together(shape, own, found)
        return [found[number] for number in range(len(found))]

    def _together(self, shape: Shape, images: list[tuple[int, Opened]], found: dict[int, Vector | PrivisError]) -> None:
        """The vectors of images whose cores have one ``shape``."""
        prepared, fitting = None, []
        for number, opened in images:
            with _kept(found, number):
                prepared = self.prepare(shape)
                if prepared.many is None:
                    found[number] = self._closed(opened, prepared, prepared.run(opened.core))
                else:
                    prepared.many.check(opened.core)
                    fitting.append((number, opened))
        if prepared is None or prepared.many is None or not fitting:
            return
        outputs = prepared.many([(opened.core,) for _, opened in fitting])
        for (number, opened), values in zip(fitting, outputs, strict=True):
            with _kept(found, number):
                found[number] = self._closed(opened, prepared, values)

    def _opened(self, image: ImageRecord) -> Opened:
        subject = self.contributions.admit(image.label)
        if self.release is None:
            return Opened(self.feature.before(self.owner_image(image.pixels)), None)
        self.check(image.pixels.shape)
        path = image.label if image.is_file else None
        former = former_records(image.pixels, path, subject) if self._has_former_names else ()
        whose = Whose(image.label, record_of_pixels(image.pixels), subject, former)
        shown = self.owner_image(image.pixels)
        if self.release.stage is Stage.IMAGE:
            shown = self._released(self.release, shown, whose, self._pixel_purpose)
        return Opened(self.feature.before(shown), whose)

    def _closed(self, opened: Opened, prepared: PreparedFeature, values: Any) -> Vector:
        vector = self.feature.after(values)
        if self.release is None or opened.whose is None or self.release.stage is Stage.IMAGE:
            return vector
        self._refuse_length(len(vector))
        return self._released(self.release, vector, opened.whose, prepared.purpose)

    def check(self, shape: Shape) -> int:
        """Raise every public reason against an image of ``shape``, before anything is charged for it.

        Args:
            shape: of the decoded image, (H, W) or (H, W, 3).

        Returns:
            How many components its vector will have.

        Raises:
            ImageError, ParameterError: the image is too small for the feature, or its vector is not of ``length``.
            UnsupportedError: the executor cannot run the program.
        """
        owner = owner_shape(self, shape)
        if owner not in self._checked:
            core = core_shape(self.feature, owner)
            self._checked[owner] = len(self.prepare(core).names)
        self._refuse_length(self._checked[owner])
        return self._checked[owner]

    def _refuse_length(self, length: int) -> None:
        if self.length is not None and length != self.length:
            remedy = "pass size=(height, width) to the feature"
            got, expected = f"a feature of {length} components", f"{self.length} as from the first image"
            raise ImageError(Problem("image", got, expected, remedy))

    def owner_image(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What noise on pixels protects: the image at the feature's size; luma alone where that is all it reads."""
        return owner_image(self.feature, image)

    def prepare(self, shape: Shape) -> PreparedFeature:
        """Return the core for inputs of ``shape``; UnsupportedError lists all that the executor cannot run."""
        if shape not in self.prepared:
            made = self._prepared(shape) if self.programs is None else self._found(self.programs, shape)
            while len(self.prepared) >= MOST_SHAPES:
                del self.prepared[next(iter(self.prepared))]
            self.prepared[shape] = made
        return self.prepared[shape]

    def _found(self, programs: PreparedPrograms, shape: Shape) -> PreparedFeature:
        return programs.found(shape, self.expected, lambda: self.together(shape), lambda: self._prepared(shape))

    def together(self, shape: Shape) -> int:
        """How many images with cores of ``shape`` are computed at once; 1: each on its own."""
        if self.expected == 1 or not isinstance(self.under, BatchingExecutor):
            return 1
        return self.under.together(self.feature.program(shape), self.expected)

    def _prepared(self, shape: Shape) -> PreparedFeature:
        program = self.feature.program(shape)
        refuse(ParameterError, count_problems(self.feature, self.release, program, shape))
        refuse(UnsupportedError, self.under.supports(program))
        made_by = b"" if self.release is None else self._made_by
        if not isinstance(self.under, BatchingExecutor) or self.together(shape) == 1:
            return PreparedFeature(self.feature, self.under, shape, program, self.under.prepare(program), made_by)
        many = self.under.prepare_many(program, self.expected)
        return PreparedFeature(self.feature, self.under, shape, program, lambda core: many([(core,)])[0], made_by, many)

    def guarantee(self, image_shape: Shape, length: int) -> Guarantee:
        """The guarantee for an image of ``image_shape`` (as ``owner_image`` gives it), ``length`` components."""
        return stated(self.feature, self.release, image_shape, length)

    @cached_property
    def _made_by(self) -> bytes:
        """Who computes what: noise on a feature is another one for every feature, release and executor."""
        return identity((self.release, self.feature, self.under), "extract")

    @cached_property
    def _pixel_purpose(self) -> bytes:
        """Noise on pixels is one release, whatever is extracted from it and by whom."""
        return identity((self.release,), "extract.release")

    @cached_property
    def _per_image(self) -> bool:
        return counts_images(self.ledger)

    @cached_property
    def _has_former_names(self) -> bool:
        return self.ledger is not None and self._per_image

    def _released(self, release: Release, values: Any, whose: Whose, purpose: bytes) -> Any:
        """Charge, then sample: a refusal must reveal nothing.

        The noise is a function of the very values that it hides, too: an executor that errs a little differently each
        time, or code that changed, must not share noise with an earlier release of almost equal values.
        """
        if self.key is None:
            raise ParameterError(Problem("extract.key", "no key", "a ReleaseKey for a release with noise"))
        release.check(values)
        guarantee = release.guarantee(values.shape)
        subject = whose.subject
        record = named(whose.record, subject)
        stream = self.key.stream(record, identity(np.asarray(values)), purpose)
        # Taken from the stream, so that another key (other noise: a second release) has another identity.
        release_id = stream.narrowed(b"release id").words(0, 2).tobytes().hex()
        self._refuse_beyond(whose, release_id)
        if self.ledger is not None:
            account = whose.record if self._per_image or subject is None else subject
            self._charge(self.ledger, account, guarantee, release_id, whose)
        return release.apply(values, stream)

    def _refuse_beyond(self, whose: Whose, release_id: str) -> None:
        """Refuse what was taken for a copy and is another release: of other values, or of a file that was replaced."""
        most = self.contributions.most
        if most is None or whose.subject not in self.contributions.copied:
            return
        given = self._given.setdefault(whose.subject, set())
        if release_id not in given and len(given) >= most:
            raise ImageError(self.contributions.one_too_many(whose.label))
        given.add(release_id)

    def _charge(self, ledger: Ledger, account: str, guarantee: Guarantee, release_id: str, whose: Whose) -> None:
        try:
            if whose.former:
                ledger.charge(account, guarantee, release_id, formerly=whose.former)
            else:
                ledger.charge(account, guarantee, release_id)
        except BudgetError as error:  # nobody knows an image by its digest
            problems = [replace(p, where=whose.label) if p.where == whose.record else p for p in error.problems]
            raise type(error)(*problems) from error
        self.charges += 1


@contextlib.contextmanager
def _kept(found: dict[int, Vector | PrivisError], number: int) -> Iterator[None]:
    """Keep what is wrong with an image as its result."""
    try:
        yield
    except (ServiceError, ProtocolError):
        raise
    except PrivisError as error:
        found[number] = error


def owner_shape(extractor: Extractor, shape: Shape) -> Shape:
    """The shape ``Extractor.owner_image`` gives an image of ``shape``."""
    return owner_image_shape(extractor.feature, shape)
