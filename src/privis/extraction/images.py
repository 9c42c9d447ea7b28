"""``extract``: one feature, one executor, one release, over images in memory or on disk."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from privis.errors import ImageError, ParameterError, PrivisError, Problem, refuse
from privis.extraction.card import Card, described
from privis.extraction.contributions import contributions
from privis.extraction.counts_of_pixels import feature_problems
from privis.extraction.extractor import ExactSource, Extractor, Vector, owner_shape
from privis.extraction.noise_level import warn_if_nothing_is_left
from privis.extraction.owner.scaled_reading import reading_problems
from privis.extraction.programs.prepared_programs import PreparedPrograms
from privis.features.feature import Feature, NamedTensor, core_shape, named_tensors
from privis.io.images import decode, image_headers
from privis.io.images.record import ImageRecord, Source
from privis.privacy import (
    Enrolment,
    FeatureRelease,
    Guarantee,
    Ledger,
    Patch,
    PixelRelease,
    Pixels,
    Release,
    ReleaseKey,
)
from privis.privacy.ledger.records import record_of_pixels
from privis.privacy.sampling.release_key import KeySource
from privis.privacy.stage import is_on_image
from privis.program.shapes import Shape
from privis.readings import Cost, PredictedError
from privis.run.clear import Clear
from privis.run.protocol import Executor
from privis.version import VERSION


@dataclass(frozen=True)
class Result:
    """Features with everything needed to judge them.

    Args:
        features: float32 (images, components).
        names: of the components.
        guarantee: the weakest over the images.
        cost: operations counted, seconds measured.
        card: the record to hand on.
        layout: names and shapes of the tensors that lie in each vector.
        source: what made exact features, and of images of what shapes, for `privis.release`.
    """

    features: Vector
    names: tuple[str, ...]
    guarantee: Guarantee
    cost: Cost
    card: Card
    layout: tuple[NamedTensor, ...] = ()
    source: ExactSource | None = field(default=None, repr=False, compare=False)

    @property
    def tensors(self) -> dict[str, Vector]:
        """What lies in the vectors, by name: float32 (images, *shape) each."""
        return named_tensors(self.layout, self.features)


def extract(
    feature: Feature,
    images: Iterable[Any],
    *,
    under: Executor | None = None,
    release: Release | None = None,
    ledger: Ledger | None = None,
    key: KeySource | None = None,
    subjects: Sequence[str | int] | None = None,
) -> Result:
    """Extract ``feature`` from ``images``: paths, PIL images or uint8 arrays ``(H, W)`` or ``(H, W, 3)``.

    ``under`` says who computes (default ``Clear()``), ``release`` what the output may say (default: everything).
    An image is its content: equal pixels are one image with one account, one release and one charge, whatever file,
    link or array holds them. Noise is a function of ``key`` (a `ReleaseKey` or the path of its file), the image, its
    subject if one is named, the release, the feature, who computes it, and the very values that are hidden: with the
    same key the same call is the same release; without one a fresh key is drawn and forgotten. ``ledger`` is charged
    before any noise is drawn, and every public reason against an image is found before anything is charged. With a
    PixelRelease the image is brought to the feature's size, and to luma where the feature reads no more, before the
    noise: its unit means those pixels. ``subjects`` says whose image each is: a ledger per person then keeps one budget
    per person, and a release that hides a person takes no more images of one than it says. What an id is,
    `privis.subjects` says: a missing one is refused, and so is one image under two ids.

    Args:
        feature: what is extracted.
        images: paths, PIL images or uint8 arrays (H, W) or (H, W, 3).
        under: who computes; None: `Clear`.
        release: what the output may say; None: everything.
        ledger: budget that is charged before any noise is drawn.
        key: secret that noise is a function of; None: a fresh one.
        subjects: id of the person in each image.

    Returns:
        float32 features (images, components), their names, the guarantee, the cost and the card.

    Raises:
        ImageError: naming every image that cannot be used.
        ParameterError: an option is wrong, or the release does not fit the feature.
        UnsupportedError: the executor cannot run the feature's program.
        BudgetError: the budget does not allow the release.

    Warns:
        NoiseWarning: the noise is to leave nothing of the first image, by what is public; it is said before the charge.

    >>> from privis import ColourHistogram
    >>> white = np.full((4, 4, 3), 255, np.uint8)
    >>> extract(ColourHistogram(bins=2), [white]).features.tolist()
    [[0.0, 16.0, 0.0, 16.0, 0.0, 16.0]]
    """
    return extracted(feature, listed_images(images), under or Clear(), release, ledger, key, subjects)


def extracted(
    feature: Feature,
    sources: Sequence[Any],
    under: Executor,
    release: Release | None,
    ledger: Ledger | None,
    key: KeySource | None,
    subjects: Sequence[str | int] | None,
    programs: PreparedPrograms | None = None,
    expected: int | None = None,
) -> Result:
    """What `extract` returns, by ``programs`` that are kept, for ``expected`` images (None: as many as ``sources``)."""
    start = time.perf_counter()
    if programs is None:  # else it was checked when they were made
        check_release(release, ledger, feature)
    warn_if_nothing_is_left(feature, release, public_shape(sources[0]))
    fresh = release is not None and key is None
    kept = None
    if release is not None:
        kept = ReleaseKey.generate() if key is None else ReleaseKey.of(key)
    labels = [label_of(i, source) for i, source in enumerate(sources)]
    whose = contributions(labels, subjects, release, ledger, sources, repeatable(release, under))
    images = len(sources) if expected is None else expected
    extractor = Extractor(feature, under, release, kept, ledger, whose, images, programs=programs)
    if ledger is not None:
        check_images([extractor], sources)
    with resumable_call([extractor], fresh):
        rows, shapes = _rows(extractor, sources)
    return result_of(extractor, rows, shapes, start)


def result_of(extractor: Extractor, rows: Vector, shapes: list[Shape], start: float) -> Result:
    """What was extracted since ``start``, with names, guarantee, cost and card."""
    core = core_shape(extractor.feature, shapes[0])
    first = extractor.prepare(core)
    guarantee = weakest_guarantee(extractor, shapes, len(rows[0]))
    seconds = time.perf_counter() - start
    cost = replace(first.cost, operations=(first.cost.operations or 0) * len(rows), seconds=seconds)
    digests = tuple(p.digest for p in list(extractor.prepared.values())[:16])
    card = card_of(extractor, guarantee, digests, len(rows), first.error)
    source = ExactSource(extractor.feature, extractor.under, tuple(shapes)) if extractor.release is None else None
    return Result(rows, first.names, guarantee, cost, card, first.layout, source)


def image_record(source: Any) -> str:
    """Name an image as noise and ledgers do, by its content: equal pixels are one image.

    Args:
        source: a path, a PIL image or a uint8 array (H, W) or (H, W, 3).

    Returns:
        The name: a digest of shape and pixels.

    Raises:
        ImageError: it cannot be read.

    >>> image_record(np.zeros((2, 2), np.uint8)) == image_record(np.zeros((2, 2, 3), np.uint8))
    True
    """
    return record_of_pixels(decode.load(source))


def check_release(release: Release | None, ledger: Ledger | None, feature: Feature) -> None:
    """Raise ParameterError for what cannot be kept, before any image is touched.

    Noise that hides a whole image spreads epsilon over its pixels: only then does the image decide.
    """
    if isinstance(feature, type) or not isinstance(feature, Feature):
        got = feature.__name__ if isinstance(feature, type) else repr(feature)
        remedy = "pass an object, as in privis.HOG(); names are for the command line"
        raise ParameterError(Problem("feature", got, "a feature", remedy))
    refuse(ParameterError, feature_problems(feature, release) + reading_problems(feature, ledger))
    if release is not None and isinstance(release.unit, Enrolment):
        expected = "a unit of single images: a person's images are one vector only once all of them are extracted"
        remedy = "extract without a release, and give the vectors to privis.release with subjects="
        raise ParameterError(Problem(f"{type(release).__name__}.unit", repr(release.unit), expected, remedy))
    if release is None and ledger is not None:
        remedy = "exact results have no epsilon that a budget could allow: choose a release, or no ledger"
        raise ParameterError(Problem("ledger", "a ledger without a release", "a release to charge", remedy))
    match release:
        case PixelRelease(unit=Pixels() | Patch()):
            release.guarantee((release.block, release.block))
        case FeatureRelease():
            release.guarantee((1,))


def repeatable(release: Release | None, under: Executor) -> bool:
    """Whether equal images get equal noise: encrypted and shared arithmetic err a little differently each time."""
    return is_on_image(release) or isinstance(under, Clear)


def card_of(
    extractor: Extractor,
    guarantee: Guarantee,
    programs: tuple[str, ...],
    images: int,
    error: PredictedError | None = None,
) -> Card:
    """The card of ``images`` images that ``extractor`` turned into features; ``error`` is predicted for the first."""
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
        error,
    )


def listed_images(images: Iterable[Any]) -> list[Any]:
    """Give the images as a list; ParameterError for what is one image, or none."""
    listed = isinstance(images, np.ndarray) and (images.ndim > 3 or (images.ndim == 1 and images.dtype.kind in "OUT"))
    if isinstance(images, str | Path) or (isinstance(images, np.ndarray) and not listed):
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


def public_shape(source: Any) -> Shape | None:
    """The dimensions of an image, without its pixels; None where only reading it would tell them."""
    if isinstance(source, str | Path):
        return image_headers.shape(str(source))
    shape, size = getattr(source, "shape", None), getattr(source, "size", None)
    if isinstance(size, tuple):  # of Pillow, width first
        return (size[1], size[0]) if getattr(source, "mode", "") in ("1", "L") else (size[1], size[0], 3)
    return shape[:2] + (3,) * (len(shape) - 2) if isinstance(shape, tuple) and len(shape) in (2, 3) else None


def check_images(extractors: Sequence[Extractor], sources: Sequence[Any]) -> None:
    """Raise every public reason against the images, for any feature, before the first one is charged.

    Each is decoded for that, and once more when its turn comes: memory holds one.
    """
    problems: list[Problem] = []
    for index, source in enumerate(sources):
        label = label_of(index, source)
        try:
            for extractor in extractors:
                extractor.contributions.admit(label)
            shape = decode.load(source).shape
        except (ImageError, ParameterError) as error:
            problems += [_located(label, problem) for problem in error.problems]
            continue
        for extractor in extractors:
            try:
                length = extractor.check(shape)
                extractor.length = length if extractor.length is None else extractor.length
            except (ImageError, ParameterError) as error:
                problems += [_located(label, problem) for problem in error.problems]
    refuse(ImageError, list(dict.fromkeys(problems)))


@contextlib.contextmanager
def resumable_call(extractors: Sequence[Extractor], fresh: bool) -> Iterator[None]:
    """Say of a failure after the first charge how to go on, or that charges were for nothing."""
    try:
        yield
    except BaseException as error:
        if not any(extractor.charges for extractor in extractors):
            raise
        problem = _after_charges(extractors, fresh)
        if isinstance(error, PrivisError):
            raise type(error)(*error.problems, problem) from error
        error.add_note(str(problem))  # an interrupt, no memory left: as it came
        raise


def _after_charges(extractors: Sequence[Extractor], fresh: bool) -> Problem:
    charges = sum(extractor.charges for extractor in extractors)
    paid = "1 release" if charges == 1 else f"{charges} releases"
    got = f"a failure after {paid} had been paid for, with {'a key that is gone' if fresh else 'your key'}"
    if not all(repeatable(extractor.release, extractor.under) for extractor in extractors):
        remedy = "what was charged is spent: this executor errs a little differently each time, so a repeat costs again"
    elif fresh:
        remedy = "pass key=ReleaseKey.generate(), and keep it: then the same call goes on, and repeats are free"
    else:
        remedy = "call again with the same key: what was charged already is the same release, and free"
    return Problem("extract.ledger", got, "a call that ends", remedy)


def _rows(extractor: Extractor, sources: Sequence[Any]) -> tuple[Vector, list[Shape]]:
    """A vector and the owner's image shape per source; every unusable image is named in one ImageError."""
    labels = [label_of(index, source) for index, source in enumerate(sources)]
    sizes: dict[str, Shape] = {}
    return collected_rows(extractor, labels, sizes, sharing_rows(extractor, labels, sources, sizes))


def sharing_rows(
    extractor: Extractor, labels: Sequence[str], sources: Sequence[Any], sizes: dict[str, Shape]
) -> Iterable[Vector | PrivisError]:
    """A vector of each source, or what is wrong with it; ``sizes`` gets the shapes of those that can be read."""

    def read(label: str, source: Any) -> ImageRecord:
        pixels = decode.load(source, at_least=extractor.at_least)
        sizes[label] = pixels.shape
        return ImageRecord(pixels, label, isinstance(source, str | Path))

    readers = [partial(read, label, source) for label, source in zip(labels, sources, strict=True)]
    return extractor.many(readers) if extractor.shares else map(one_by_one(extractor), readers)


def collected_rows(
    extractor: Extractor, labels: Sequence[str], sizes: dict[str, Shape], found: Iterable[Vector | PrivisError]
) -> tuple[Vector, list[Shape]]:
    """Rows (images, components), and the owner's image shape of each; one ImageError names every unusable image."""
    rows, shapes = np.empty((0, 0), np.float32), list[Shape]()
    problems: list[Problem] = []
    for label, vector in zip(labels, found, strict=True):
        if isinstance(vector, ImageError | ParameterError):
            problems += [_located(label, problem) for problem in vector.problems]
        elif isinstance(vector, PrivisError):
            raise vector
        elif shapes and len(vector) != rows.shape[1]:
            got, remedy = f"{len(vector)} components from {sizes[label]}", "pass size=(height, width) to the feature"
            problems.append(Problem(label, got, f"{rows.shape[1]} as from the first image", remedy))
        else:
            rows = rows if shapes else np.empty((len(labels), len(vector)), vector.dtype)
            rows[len(shapes)] = vector  # at once: the next one then lies where it lay, which is still in the cache
            shapes.append(owner_shape(extractor, sizes[label]))
    refuse(ImageError, problems)
    return rows[: len(shapes)], shapes


def one_by_one(extractor: Extractor) -> Callable[[Source], Vector | PrivisError]:
    """One image after another, so that memory holds one."""

    def one(read: Source) -> Vector | PrivisError:
        try:
            return extractor(read())
        except (ImageError, ParameterError) as error:
            return error

    return one


def label_of(index: int, source: Any) -> str:
    """What messages call an image: its path, or its position."""
    return str(source) if isinstance(source, str | Path) else f"image {index}"


def _located(label: str, problem: Problem) -> Problem:
    return problem if label in problem.where else replace(problem, where=f"{label}: {problem.where}")


def weakest_guarantee(extractor: Extractor, shapes: Iterable[Shape], length: int) -> Guarantee:
    """The guarantee that holds for every image of ``shapes``, as ``Extractor.owner_image`` gives them.

    One image may be the weakest for the unit and another for whole images. Where no image is the weakest in epsilon and
    delta of both, each of the four is the largest of any image, and all else is of the one with the largest epsilon for
    whole images.
    """
    distinct = sorted(set(shapes))
    if not is_on_image(extractor.release):
        distinct = distinct[:1]  # all else depends on the vector's length alone
    found = [extractor.guarantee(shape, length) for shape in distinct]
    epsilon, delta = max(g.epsilon for g in found), max(g.delta for g in found)
    whole, whole_delta = max(g.whole_image_epsilon for g in found), max(g.whole_image_delta for g in found)
    weakest = max(found, key=lambda g: (g.whole_image_epsilon, g.whole_image_delta, g.epsilon, g.delta))
    largest = replace(weakest, epsilon=epsilon, delta=delta, whole_image_epsilon=whole, whole_image_delta=whole_delta)
    if largest == weakest:
        return weakest
    reason = f"{weakest.sensitivity_reason}; the largest epsilon and delta of images of {len(found)} shapes"
    return replace(largest, sensitivity_reason=reason)
