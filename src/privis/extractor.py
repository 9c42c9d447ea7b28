"""``Extractor``: the core of a feature under an executor, between what an image's owner does before and after."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from privis.contributions import NOBODY, Contributions
from privis.errors import ParameterError, PrivisError, Problem, ProtocolError, ServiceError, UnsupportedError, refuse
from privis.features.feature import Feature
from privis.features.owner import grey, resize
from privis.privacy import Guarantee, Ledger, PixelRelease, Release, ReleaseKey, no_release
from privis.program import Program, digest
from privis.program.shapes import Shape
from privis.readings import Cost

Vector = NDArray[np.float32]
MOST_SHAPES = 32  # prepared programs kept at a time; a folder may hold any number of image sizes
Source = Callable[[], tuple[NDArray[np.uint8], str, str | None]]
"""Reads an image: its pixels, its label, and its record as in ``Extractor``."""


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


class Many(Protocol):
    """A program prepared for several images at once."""

    def check(self, *inputs: Any) -> None:
        """Raise DomainError or ParameterError where these inputs, of one image, cannot be computed on."""
        ...

    def __call__(self, images: Sequence[Sequence[Any]], /) -> list[Any]:
        """The outputs of each image, from its inputs."""
        ...


@runtime_checkable
class SharingExecutor(Executor, Protocol):
    """An executor that may be cheaper for several images at once."""

    def together(self, program: Program, expected: int | None = None) -> int:
        """How many images are computed as one where so many are ``expected``; 1: each on its own."""
        ...

    def prepare_many(self, program: Program, expected: int | None = None) -> Many:
        """Like ``prepare``, for many images at once."""
        ...


@dataclass(frozen=True, eq=False)
class Prepared:
    """The core of a feature for one input shape, ready to run; ``many`` where several images at once are cheaper."""

    program: Program
    run: Callable[..., Any]
    made_by: str
    many: Many | None = None

    @cached_property
    def digest(self) -> str:
        """The program's digest; hashing weights takes a while, so only when asked."""
        return digest(self.program)

    @cached_property
    def purpose(self) -> bytes:
        """What tells noise on this feature from any other noise."""
        return hashlib.sha256((self.made_by + self.digest).encode()).digest()


@dataclass(frozen=True, eq=False)
class Opened:
    """What an image's owner knows of it before the core runs."""

    core: NDArray[Any]
    shown: NDArray[np.uint8]
    whose: tuple[str, str]  # record and subject


@dataclass(eq=False)
class Extractor:
    """Turns images into vectors; keeps what was prepared for the last image shapes.

    ``expected`` is how many images there will be, for executors that several images may share.
    """

    feature: Feature
    under: Executor
    release: Release | None
    key: ReleaseKey | None
    ledger: Ledger | None
    contributions: Contributions = NOBODY
    expected: int = 1
    prepared: dict[Shape, Prepared] = field(default_factory=dict)

    def __call__(self, image: NDArray[np.uint8], label: str, record: str | None = None) -> Vector:
        """Extract from the decoded image ``label``.

        ``record`` names it towards the noise, and towards the ledger unless a subject does; without it ``label`` is
        a path, and the same file under another spelling of its path is the same record.
        """
        opened = self._opened(image, label, record)
        prepared = self.prepare(opened.core.shape)
        return self._closed(opened, prepared, prepared.run(opened.core))

    @property
    def shares(self) -> bool:
        """Whether several images at once may be cheaper."""
        return self.expected > 1 and isinstance(self.under, SharingExecutor)

    def many(self, images: Iterable[Source]) -> list[Vector | PrivisError]:
        """For each image, read when its turn comes, its vector, or what is wrong with it.

        Raises ServiceError and ProtocolError, which are no image's fault.
        """
        found: dict[int, Vector | PrivisError] = {}
        shapes: dict[Shape, list[tuple[int, Opened]]] = {}
        for number, read in enumerate(images):
            with _kept(found, number):
                opened = self._opened(*read())
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

    def _opened(self, image: NDArray[np.uint8], label: str, record: str | None) -> Opened:
        record = os.path.abspath(label) if record is None else record
        subject = self.contributions.admit(label) or record
        shown = self.owner_image(image)
        if isinstance(self.release, PixelRelease):
            shown = self._released(self.release, shown, (record, subject), shown, None)
        return Opened(self.feature.before(shown), shown, (record, subject))

    def _closed(self, opened: Opened, prepared: Prepared, values: Any) -> Vector:
        vector = self.feature.after(values)
        if self.release is not None and not isinstance(self.release, PixelRelease):
            vector = self._released(self.release, vector, opened.whose, opened.shown, prepared)
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
            self.prepared[shape] = self._prepared(program, shape)
        return self.prepared[shape]

    def together(self, shape: Shape) -> int:
        """How many images with cores of ``shape`` are computed at once; 1: each on its own."""
        if self.expected == 1 or not isinstance(self.under, SharingExecutor):
            return 1
        return self.under.together(self.feature.program(shape), self.expected)

    def _prepared(self, program: Program, shape: Shape) -> Prepared:
        made_by = repr(self.release) + repr(self.feature)
        if not isinstance(self.under, SharingExecutor) or self.together(shape) == 1:
            return Prepared(program, self.under.prepare(program), made_by)
        many = self.under.prepare_many(program, self.expected)
        return Prepared(program, lambda core: many([(core,)])[0], made_by, many)

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
    size = extractor.feature.size or shape[:2]
    return (*size,) if extractor.feature.luma_only or len(shape) == 2 else (*size, 3)
