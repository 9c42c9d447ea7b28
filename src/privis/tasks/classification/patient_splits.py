"""Splits by patient: images that belong together stay on one side, and what stands on two sides is found.

Images belong together that are one patient's, or have the same pixels. Chains count: if an image of Ann's has the
pixels of one of Bob's, all of both stay together.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.extras import optional_import

Numbers = npt.NDArray[np.int64]
PATIENT, PIXELS = "the same patient", "the same pixels"
_ATTEMPTS = 20
"""Orders that are tried until every class can be learned where one of its folds is left out."""


@dataclass(frozen=True)
class Leak:
    """An image that must not be where it is.

    Args:
        place: of the image among those that are tested.
        why: what it shares with those of the other side.
    """

    place: int
    why: str


def linked_images(images: int, *keys: Sequence[Hashable] | None) -> Numbers:
    """Number the groups of images that belong together.

    Args:
        images: how many there are.
        keys: sequences with a value for each image, such as patients and digests of pixels; images of one value in any
            of them are linked. None: nothing is known.

    Returns:
        Int64 (images,), from 0.

    Raises:
        ParameterError: a sequence is of another length.

    >>> linked_images(4, ["ann", "ann", "bob", "eve"], ["x", "y", "y", "z"]).tolist()
    [0, 0, 0, 1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    given = [each for each in keys if each is not None]
    refuse(
        ParameterError,
        [
            Problem("linked_images", f"{len(each)} values", f"{images}, one for each image")
            for each in given
            if len(each) != images
        ],
    )
    rows, columns = [], []
    for each in given:
        first: dict[Hashable, int] = {}
        for place, value in enumerate(each):
            rows.append(place)
            columns.append(first.setdefault(value, place))
    links = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(images, images))
    return np.asarray(connected_components(links, directed=False)[1], np.int64) if images else np.empty(0, np.int64)


def stratified_folds(labels: Sequence[str], groups: Numbers, folds: int, seed: int = 0) -> Numbers:
    """Deal groups of images out to folds, so that classes are spread evenly.

    Args:
        labels: class of each image.
        groups: of images that stay together, (images,).
        folds: at least 2, and no more than some class has groups.
        seed: of the order; the same images and seed give the same folds.

    Returns:
        Int64 (images,): number of the fold of each.

    Raises:
        ParameterError: too few groups for as many folds, or patients of several classes that are not spread.
        MissingExtraError: scikit-learn is not installed.

    >>> int(stratified_folds(["a", "a", "b", "b"], np.arange(4), 2).sum())
    2
    """
    with optional_import("sklearn", "splits"):
        from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    classes = sorted(set(labels))
    most = max((len(set(groups[np.array([each == name for each in labels])])) for name in classes), default=0)
    if folds < 2 or folds > most:
        got, expected = f"{folds} folds of classes with at most {most} patients", "from 2 folds to as many"
        raise ParameterError(Problem("stratified_folds.folds", got, expected, "take fewer folds, or more images"))
    single = len(set(groups.tolist())) == len(labels)
    members = {name: np.array([each == name for each in labels]) for name in classes}
    several = [name for name in classes if len(set(groups[members[name]].tolist())) > 1]
    for attempt in range(seed, seed + _ATTEMPTS):
        split = (StratifiedKFold if single else StratifiedGroupKFold)(folds, shuffle=True, random_state=attempt)
        found = np.zeros(len(labels), np.int64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of classes with fewer members than folds
            for number, (_, tested) in enumerate(split.split(np.zeros(len(labels)), list(labels), groups)):
                found[tested] = number
        alone = [name for name in several if len(set(found[members[name]].tolist())) == 1]
        if not alone:
            return found
    got = f"all patients of {', '.join(alone)} in one fold, in {_ATTEMPTS} orders"
    expected, remedy = "some in another, from which the class is learned", "take other folds, or more patients"
    raise ParameterError(Problem("stratified_folds.folds", got, expected, remedy))


def leaks_between(
    trained: Sequence[Sequence[Hashable]], tested: Sequence[Sequence[Hashable] | None]
) -> tuple[Leak, ...]:
    """Find images of a test that share a patient or pixels with a training.

    Args:
        trained: patients, then digests of pixels, that were trained on.
        tested: the same of the images that are tested, a value for each; None: not known.

    Returns:
        One for each image that leaks, in the order of the images.

    >>> leaks_between([["ann"], ["x", "y"]], [["bob", "ann"], ["x", "z"]])
    (Leak(place=0, why='the same pixels'), Leak(place=1, why='the same patient'))
    """
    found: dict[int, list[str]] = {}
    for why, seen, asked in zip((PATIENT, PIXELS), trained, tested, strict=True):
        known = set(seen)
        for place, value in enumerate(asked or ()):
            if value in known:
                found.setdefault(place, []).append(why)
    return tuple(Leak(place, " and ".join(found[place])) for place in sorted(found))
