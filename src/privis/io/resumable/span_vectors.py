"""From the paths of a span to its vectors: what a worker does, wherever it runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from privis.errors import (
    AnswerLimitError,
    DamagedLedgerError,
    MissingExtraError,
    OutputError,
    PrivisError,
    ProtocolError,
    ServiceError,
)
from privis.io.images.decode import Decoding
from privis.io.images.record import ImageRecord, Source
from privis.io.objects.source_bytes import SourceBytes
from privis.io.resumable.contents import Observation
from privis.io.resumable.parts import Part, Shape, Span
from privis.io.resumable.span_scheduler import Compute

NO_IMAGES_FAULT = (ServiceError, ProtocolError, OutputError, DamagedLedgerError, AnswerLimitError, MissingExtraError)
"""What ends a run: the next image would meet it too, and it must not be lost for it."""

Extractor = Callable[[ImageRecord], NDArray[np.float32]]
"""A decoded image to a float32 vector; whatever it raises makes the image a listed failure."""


@runtime_checkable
class SharingExtractor(Protocol):
    """An extractor that may be cheaper for several images at once."""

    @property
    def shares(self) -> bool:
        """Whether several images are cheaper together."""
        ...

    def __call__(self, image: ImageRecord, /) -> NDArray[np.float32]:
        """As an ``Extractor``, for one."""
        ...

    def many(self, images: Iterable[Source]) -> Sequence[NDArray[np.float32] | PrivisError]:
        """For each image, read when its turn comes, a vector or what is wrong with it."""
        ...


Decode = Callable[[str | SourceBytes], NDArray[np.uint8]]
Found = tuple[NDArray[np.float32] | str, Shape]  # a vector or why there is none, and the decoded image's shape or ()


@dataclass(frozen=True)
class MakeParts:
    """Picklable: makes, in the worker, the function that turns a span into its part, without the mark of an account."""

    make_extractor: Callable[[], Extractor]
    decoding: Decoding

    def __call__(self) -> Compute[Part]:
        """Make the extractor, once for all spans of a worker."""
        return functools.partial(_part, self.make_extractor(), self.decoding)


def _part(extractor: Extractor, decoding: Decoding, span: Span, paths: Sequence[str]) -> Part:
    with Observation(paths, decoding) as observed:
        if isinstance(extractor, SharingExtractor) and extractor.shares and len(paths) > 1:
            found = vectors_of(paths, extractor, observed)
        else:
            found = _one_by_one(paths, extractor, observed)
        vectors, shapes = zip(*found, strict=True)
        return Part.of(vectors, observed.contents(), shapes)


def vectors_of(paths: Sequence[str], extractor: SharingExtractor, decoding: Observation) -> list[Found]:
    """The vectors of several files, computed together where their extractor can."""
    shapes: list[Shape] = [()] * len(paths)

    decode = reading(decoding, at_least_of(extractor))

    def read(place: int) -> ImageRecord:
        pixels = decode(paths[place])
        shapes[place] = pixels.shape
        return ImageRecord(pixels, paths[place])

    try:
        found = extractor.many([functools.partial(read, place) for place in range(len(paths))])
    except PrivisError:
        raise
    except Exception:  # one of them: which, and all others on their own
        return _one_by_one(paths, extractor, decoding)
    return list(zip(map(result_of, paths, found), shapes, strict=True))


def _one_by_one(paths: Sequence[str], extractor: Extractor, decoding: Observation) -> list[Found]:
    decode = reading(decoding, at_least_of(extractor))
    return [_vector(path, extractor, decode) for path in paths]


def _vector(path: str, extractor: Extractor, decode: Decode) -> Found:
    shape: Shape = ()
    try:
        shape = (pixels := decode(path)).shape
        return result_of(path, extractor(ImageRecord(pixels, path))), shape
    except PrivisError as error:
        return result_of(path, error), shape
    except Exception as error:  # one image must never end a run of a million
        return f"{type(error).__name__}: {error}", shape


def at_least_of(extractor: object) -> tuple[int, int] | None:
    """(height, width) in pixels that a JPEG must still have when it is decoded, by an extractor's word ``at_least``.

    None, where it says nothing: pictures are read whole.
    """
    size: tuple[int, int] | None = getattr(extractor, "at_least", None)
    return size


def reading(decoding: Decoding | Observation, at_least: tuple[int, int] | None) -> Decode:
    """How files become pixels for extractors that need pictures of a size."""
    return decoding if at_least is None else functools.partial(decoding, at_least=at_least)


def result_of(path: str, found: NDArray[np.float32] | PrivisError) -> NDArray[np.float32] | str:
    """A vector, or why there is none; raises what is no image's fault."""
    if isinstance(found, NO_IMAGES_FAULT):
        raise found
    if isinstance(found, PrivisError):
        return "; ".join(str(problem).removeprefix(f"{path}: ") for problem in found.problems)
    vector = np.asarray(found, dtype=np.float32)
    if vector.ndim != 1 or not vector.size:
        return f"got a feature of shape {vector.shape}, expected a vector"
    return vector
