"""``extract_many``: several features of the same images, each decoded once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from privis.errors import ImageError, ParameterError, PrivisError, Problem, refuse
from privis.extraction.contributions import contributions
from privis.extraction.extractor import Extractor, Vector
from privis.extraction.images import (
    Result,
    check_images,
    check_release,
    collected_rows,
    label_of,
    listed_images,
    one_by_one,
    public_shape,
    repeatable,
    result_of,
    resumable_call,
    sharing_rows,
)
from privis.extraction.noise_level import warn_if_nothing_is_left
from privis.features.feature import Feature
from privis.io.images import decode
from privis.io.images.record import ImageRecord
from privis.privacy import Ledger, Release, ReleaseKey
from privis.privacy.sampling.release_key import KeySource
from privis.program.shapes import Shape
from privis.run.clear import Clear
from privis.run.protocol import Executor


def extract_many(
    features: Sequence[Feature],
    images: Iterable[Any],
    *,
    under: Executor | None = None,
    release: Release | Sequence[Release | None] | None = None,
    ledger: Ledger | None = None,
    key: KeySource | None = None,
    subjects: Sequence[str | int] | None = None,
) -> tuple[Result, ...]:
    """Extract several features from ``images``; every result is the one that `extract` gives with the same key.

    Each image is decoded once for all features, and once more beforehand where a ledger is charged: every public reason
    against any image and any feature is found before anything is charged. Every release is charged on its own; noise on
    the pixels is one release, charged once for all features that read the image at one size and in the same colours.

    Args:
        features: what is extracted.
        images: paths, PIL images or uint8 arrays (H, W) or (H, W, 3).
        under: who computes; None: `Clear`.
        release: what the outputs may say: one release for all features, or one for each; None: everything.
        ledger: budget that is charged before any noise is drawn.
        key: secret that noise is a function of, for all features; None: a fresh one.
        subjects: id of the person in each image.

    Returns:
        A result for each feature; the seconds of its cost are those of the whole call.

    Raises:
        ImageError: naming every image that cannot be used, and for which feature.
        ParameterError: no feature, not a release for each, or as of `extract`.
        UnsupportedError: the executor cannot run a feature's program.
        BudgetError: the budget does not allow a release.

    >>> import numpy as np
    >>> from privis import ColourHistogram, LBP
    >>> white = np.full((4, 4, 3), 255, np.uint8)
    >>> [result.features.shape for result in extract_many([ColourHistogram(bins=2), LBP()], [white])]
    [(1, 6), (1, 256)]
    """
    start = time.perf_counter()
    releases, sources = releases_of("extract_many", features, release), listed_images(images)
    for feature, wanted in zip(features, releases, strict=True):
        check_release(wanted, ledger, feature)
        warn_if_nothing_is_left(feature, wanted, public_shape(sources[0]))
    fresh, kept = any(releases) and key is None, None
    if any(releases):
        kept = ReleaseKey.generate() if key is None else ReleaseKey.of(key)
    under = under or Clear()
    labels = [label_of(index, source) for index, source in enumerate(sources)]
    extractors = []
    for feature, wanted in zip(features, releases, strict=True):
        whose = contributions(labels, subjects, wanted, ledger, sources, repeatable(wanted, under))
        own_key = None if wanted is None else kept
        extractors.append(Extractor(feature, under, wanted, own_key, ledger, whose, len(sources)))
    if ledger is not None:
        check_images(extractors, sources)
    with resumable_call(extractors, fresh):
        found, sizes = _vectors(extractors, labels, sources)
        each = zip(extractors, sizes, found, strict=True)
        gathered = [_gathered(extractor, labels, own, vectors) for extractor, own, vectors in each]
        refuse(ImageError, [problem for _, problems in gathered for problem in problems])
    made = [result_of(extractor, *rows, start) for extractor, (rows, _) in zip(extractors, gathered, strict=True)]
    seconds = time.perf_counter() - start
    return tuple(replace(result, cost=replace(result.cost, seconds=seconds)) for result in made)


def releases_of(
    where: str, features: Sequence[Feature], release: Release | Sequence[Release | None] | None
) -> list[Release | None]:
    """A release, or None, for each feature; ParameterError for no feature, or another number of releases."""
    if not features:
        raise ParameterError(Problem(f"{where}.features", "none", "at least one"))
    if release is None or not isinstance(release, Sequence):
        return [release] * len(features)
    if len(release) != len(features):
        expected = f"one, or one for each of {len(features)} features"
        raise ParameterError(Problem(f"{where}.release", f"{len(release)} releases", expected))
    return list(release)


def _vectors(
    extractors: Sequence[Extractor], labels: Sequence[str], sources: Sequence[Any]
) -> tuple[list[list[Vector | PrivisError]], list[dict[str, Shape]]]:
    """For each extractor a vector, or what is wrong, of each image; and the shapes of the images as it reads them."""
    found: list[list[Vector | PrivisError]] = [[] for _ in extractors]
    sizes: list[dict[str, Shape]] = [{} for _ in extractors]
    together = [place for place, extractor in enumerate(extractors) if extractor.shares]
    for label, source in zip(labels, sources, strict=True) if len(together) < len(extractors) else ():
        images: dict[tuple[int, int] | None, ImageRecord | ImageError] = {}
        for place, extractor in enumerate(extractors):
            if place not in together:
                if extractor.at_least not in images:
                    images[extractor.at_least] = _decoded(label, source, extractor.at_least)
                image = images[extractor.at_least]
                if isinstance(image, ImageError):
                    found[place].append(image)
                else:
                    sizes[place][label] = image.pixels.shape
                    found[place].append(one_by_one(extractor)(partial(_same, image)))
    for place in together:
        found[place] = list(sharing_rows(extractors[place], labels, sources, sizes[place]))
    return found, sizes


def _decoded(label: str, source: Any, at_least: tuple[int, int] | None) -> ImageRecord | ImageError:
    """The image, or what is wrong with it."""
    try:
        return ImageRecord(decode.load(source, at_least=at_least), label, isinstance(source, str | Path))
    except ImageError as error:
        return error


def _same(image: ImageRecord) -> ImageRecord:
    return image


def _gathered(
    extractor: Extractor, labels: Sequence[str], sizes: dict[str, Shape], found: Sequence[Vector | PrivisError]
) -> tuple[tuple[Vector, list[Shape]], list[Problem]]:
    """Rows and shapes of one feature, or what is wrong with images for it."""
    try:
        return collected_rows(extractor, labels, sizes, found), []
    except ImageError as error:
        name = extractor.feature.name
        return (np.empty((0, 0), np.float32), []), [
            replace(problem, where=f"{name}, {problem.where}") for problem in error.problems
        ]
