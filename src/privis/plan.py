"""``extract``: one feature, one executor, one release, over images in memory or on disk."""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from privis.card import Card, described
from privis.contributions import NOBODY, Contributions, contributions
from privis.errors import ImageError, ParameterError, Problem, UnsupportedError, refuse
from privis.features.feature import Feature
from privis.features.owner import grey, resize
from privis.io import images as pictures
from privis.privacy import (
    FeatureRelease,
    Guarantee,
    Ledger,
    Patch,
    PixelRelease,
    Pixels,
    Release,
    ReleaseKey,
    no_release,
)
from privis.program import Program, digest
from privis.program.shapes import Shape
from privis.readings import Cost
from privis.readings import cost as count
from privis.run.clear import Clear
from privis.version import VERSION

Vector = NDArray[np.float32]
MOST_SHAPES = 32  # prepared programs kept at a time; a folder may hold any number of image sizes


class Executor(Protocol):
    """Who computes, and what they may see of the input."""

    @property
    def seen(self) -> str:
        """One sentence: who sees the images."""
        ...

    def supports(self, program: Program) -> list[Problem]:
        """All reasons why ``program`` cannot run here."""
        ...

    def cost(self, program: Program) -> Cost:
        """What ``program`` will take."""
        ...

    def prepare(self, program: Program) -> Callable[..., Any]:
        """A function of the inputs that computes the outputs."""
        ...


@dataclass(frozen=True)
class Result:
    """Features with everything needed to judge them.

    ``features`` is float32 ``(images, components)``; ``names`` names the components; ``guarantee`` is the weakest
    over the images; ``cost`` is counted, its seconds measured; ``card`` is the record to hand on.
    """

    features: Vector
    names: tuple[str, ...]
    guarantee: Guarantee
    cost: Cost
    card: Card


@dataclass(frozen=True, eq=False)
class Prepared:
    """The core of a feature for one input shape, ready to run."""

    program: Program
    run: Callable[..., Any]
    made_by: str

    @cached_property
    def digest(self) -> str:
        """The program's digest; hashing weights takes a while, so only when asked."""
        return digest(self.program)

    @cached_property
    def purpose(self) -> bytes:
        """What tells noise on this feature from any other noise."""
        return hashlib.sha256((self.made_by + self.digest).encode()).digest()


@dataclass(eq=False)
class Extractor:
    """Turns one image after another into vectors; keeps what was prepared for the last image shapes."""

    feature: Feature
    under: Executor
    release: Release | None
    key: ReleaseKey | None
    ledger: Ledger | None
    contributions: Contributions = NOBODY
    prepared: dict[Shape, Prepared] = field(default_factory=dict)

    def __call__(self, image: NDArray[np.uint8], label: str, record: str | None = None) -> Vector:
        """Extract from the decoded image ``label``.

        ``record`` names it towards the noise, and towards the ledger unless a subject does; without it ``label`` is
        a path, and the same file under another spelling of its path is the same record.
        """
        record = os.path.abspath(label) if record is None else record
        subject = self.contributions.admit(label) or record
        shown = self.owner_image(image)
        if isinstance(self.release, PixelRelease):
            shown = self._released(self.release, shown, (record, subject), shown, None)
        core = self.feature.before(shown)
        prepared = self.prepare(core.shape)
        vector = self.feature.after(prepared.run(core))
        if self.release is not None and not isinstance(self.release, PixelRelease):
            vector = self._released(self.release, vector, (record, subject), shown, prepared)
        return vector

    def owner_image(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What noise on pixels protects: the image at the feature's size; luma alone where that is all it reads."""
        image = resize(image, self.feature.size)
        return grey(image) if self.feature.luma_only else image

    def prepare(self, shape: Shape) -> Prepared:
        """Return the core for inputs of ``shape``; UnsupportedError lists all that the executor cannot run."""
        if shape not in self.prepared:
            program = self.feature.program(shape)
            refuse(UnsupportedError, self.under.supports(program))
            while len(self.prepared) >= MOST_SHAPES:
                del self.prepared[next(iter(self.prepared))]
            run, made_by = self.under.prepare(program), repr(self.release) + repr(self.feature)
            self.prepared[shape] = Prepared(program, run, made_by)
        return self.prepared[shape]

    def guarantee(self, image_shape: Shape, length: int) -> Guarantee:
        """The guarantee for an image of ``image_shape`` (as ``owner_image`` gives it), ``length`` components."""
        match self.release:
            case PixelRelease():
                return self.release.guarantee(image_shape)
            case None:
                return no_release()
            case _:
                return self.release.guarantee((length,))

    @cached_property
    def _pixel_purpose(self) -> bytes:
        return hashlib.sha256(repr(self.release).encode()).digest()

    def _released(
        self, release: Release, values: Any, whose: tuple[str, str], image: NDArray[np.uint8], prepared: Prepared | None
    ) -> Any:
        """Charge, then sample: a refusal must reveal nothing."""
        if self.key is None:
            raise ParameterError(Problem("extract.key", "no key", "a ReleaseKey for a release with noise"))
        content = hashlib.sha256(repr(image.shape).encode())
        content.update(np.ascontiguousarray(image).data)
        # Noise on pixels is one release whatever is extracted from it; noise on a feature is one per feature.
        purpose = prepared.purpose if prepared else self._pixel_purpose
        record, subject = whose
        stream = self.key.stream(record, content.digest(), purpose)
        if self.ledger is not None:
            # Taken from the stream, so that another key (other noise: a second release) has another identity.
            release_id = stream.narrowed(b"release id").words(0, 2).tobytes().hex()
            self.ledger.charge(subject, release.guarantee(values.shape), release_id)
        return release.apply(values, stream)


def extract(
    feature: Feature,
    images: Iterable[Any],
    *,
    under: Executor | None = None,
    release: Release | None = None,
    ledger: Ledger | None = None,
    key: ReleaseKey | None = None,
    subjects: Sequence[str] | None = None,
) -> Result:
    """Extract ``feature`` from ``images``: paths, PIL images or uint8 arrays ``(H, W)`` or ``(H, W, 3)``.

    ``under`` says who computes (default ``Clear()``), ``release`` what the output may say (default: everything).
    Noise is a function of ``key``, the record, the image and the release: with the same key the same call gives the
    same noise; without one a fresh key is drawn and forgotten. The record of a file is its absolute path, that of any
    other image its content (and which of several equal ones it is). ``ledger`` is charged before any noise is drawn.
    With a PixelRelease the image is brought to the feature's size, and to luma where the feature
    reads no more, before the noise: its unit means those pixels. ``subjects`` says whose image each is: the ledger
    then keeps one budget per person, and a release that hides a person takes no more images of one than it says.

    Raises ImageError naming every image that cannot be used, ParameterError, UnsupportedError, BudgetError.

    >>> from privis import ColourHistogram
    >>> white = np.full((4, 4, 3), 255, np.uint8)
    >>> extract(ColourHistogram(bins=2), [white]).features.tolist()
    [[0.0, 16.0, 0.0, 16.0, 0.0, 16.0]]
    """
    sources = _listed(images)
    start = time.perf_counter()
    check_release(release, ledger)
    if release is not None and key is None:
        key = ReleaseKey.generate()
    whose = contributions([_label(i, source) for i, source in enumerate(sources)], subjects, release, ledger)
    extractor = Extractor(feature, under or Clear(), release, key, ledger, whose)
    rows, shapes = _rows(extractor, sources)
    core_shape = extractor.feature.before(np.zeros(shapes[0], np.uint8)).shape
    first = extractor.prepare(core_shape)
    names = feature.names(core_shape)
    guarantee = weakest_guarantee(extractor, shapes, len(rows[0]))
    seconds = time.perf_counter() - start
    counted = count(first.program)
    cost = replace(counted, operations=(counted.operations or 0) * len(rows), seconds=seconds)
    digests = tuple(p.digest for p in list(extractor.prepared.values())[:16])
    card = card_of(extractor, guarantee, digests, len(rows))
    return Result(np.stack(rows), names, guarantee, cost, card)


def check_release(release: Release | None, ledger: Ledger | None) -> None:
    """Raise ParameterError for what cannot be kept, before any image is touched.

    That is a budget for exact results, and an epsilon that no noise can keep. Noise that hides a whole image spreads
    epsilon over its pixels: only then does the image decide.
    """
    if release is None and ledger is not None:
        remedy = "exact results have no epsilon that a budget could allow: choose a release, or no ledger"
        raise ParameterError(Problem("ledger", "a ledger without a release", "a release to charge", remedy))
    match release:
        case PixelRelease(unit=Pixels() | Patch()):
            release.guarantee((release.block, release.block))
        case FeatureRelease():
            release.guarantee((1,))


def card_of(extractor: Extractor, guarantee: Guarantee, programs: tuple[str, ...], images: int) -> Card:
    """The card of ``images`` images that ``extractor`` turned into features."""
    release = None if extractor.release is None else described(extractor.release)
    return Card(
        {"name": extractor.feature.name, **described(extractor.feature)},
        described(extractor.under),
        release,
        guarantee,
        programs,
        images,
        VERSION,
        extractor.under.seen,
    )


def _listed(images: Iterable[Any]) -> list[Any]:
    if isinstance(images, str | Path) or (isinstance(images, np.ndarray) and images.ndim < 4):
        got = f"one {type(images).__name__}"
        raise ParameterError(Problem("extract.images", got, "a list of images", "wrap it in a list: [image]"))
    try:
        sources = list(images)
    except TypeError:
        got = f"a {type(images).__name__}"
        raise ParameterError(Problem("extract.images", got, "a list of images", "wrap it in a list")) from None
    if not sources:
        raise ParameterError(Problem("extract.images", "no image", "at least one"))
    return sources


def _rows(extractor: Extractor, sources: Sequence[Any]) -> tuple[list[Vector], list[Shape]]:
    """A vector and the owner's image shape per source; every unusable image is named in one ImageError."""
    rows: list[Vector] = []
    shapes: list[Shape] = []
    problems: list[Problem] = []
    seen: Counter[str] = Counter()
    for index, source in enumerate(sources):
        label = _label(index, source)
        try:
            image = pictures.load(source)
            vector = extractor(image, label, None if isinstance(source, str | Path) else _record(image, seen))
        except (ImageError, ParameterError) as error:
            problems += [_located(label, problem) for problem in error.problems]
            continue
        if rows and len(vector) != len(rows[0]):
            got, remedy = f"{len(vector)} components from {image.shape}", "pass size=(height, width) to the feature"
            problems.append(Problem(label, got, f"{len(rows[0])} as from the first image", remedy))
            continue
        rows.append(vector)
        shapes.append(owner_shape(extractor, image.shape))
    refuse(ImageError, problems)
    return rows, shapes


def _label(index: int, source: Any) -> str:
    """What messages call an image: its path, or its position."""
    return str(source) if isinstance(source, str | Path) else f"image {index}"


def _record(image: NDArray[np.uint8], seen: Counter[str]) -> str:
    """The identity of an image without a path, the same in every call; equal images in one call are told apart."""
    content = hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()
    seen[content] += 1
    return f"sha256 {content} #{seen[content]}"


def _located(label: str, problem: Problem) -> Problem:
    return problem if label in problem.where else replace(problem, where=f"{label}: {problem.where}")


def owner_shape(extractor: Extractor, shape: Shape) -> Shape:
    """The shape ``Extractor.owner_image`` gives an image of ``shape``."""
    size = extractor.feature.size or shape[:2]
    return (*size,) if extractor.feature.luma_only or len(shape) == 2 else (*size, 3)


def weakest_guarantee(extractor: Extractor, shapes: Iterable[Shape], length: int) -> Guarantee:
    """The guarantee that holds for every image: that of the one with the most pixels."""
    largest = max(set(shapes), key=lambda shape: int(np.prod(shape)))
    return extractor.guarantee(largest, length)
