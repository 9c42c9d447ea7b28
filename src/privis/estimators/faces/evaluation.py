"""Error rates on pictures of people who are known: genuine and impostor scores of all pairs, or of listed ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, ParameterError, Problem, refuse
from privis.estimators.faces.face_comparison import FaceComparison, FaceVectors
from privis.extraction.faces.face_templates import RefusedFace
from privis.extraction.images import image_record, listed_images
from privis.subjects import subject_ids, warn_of_alike
from privis.tasks.verification import ErrorRates


@dataclass(frozen=True, eq=False)
class FaceEvaluation:
    """Scores of pairs of pictures.

    Args:
        rates: scores of the pairs of one person and of two.
        rows: (usable pictures, components) of length 1.
        places: (usable pictures,) number of each among those that were given.
        refused: why, by the number of each other picture.
        repeated: pairs that are one image twice; they are left out.
    """

    rates: ErrorRates
    rows: NDArray[np.float32] = field(repr=False)
    places: NDArray[np.int64] = field(repr=False)
    refused: dict[int, RefusedFace]
    repeated: int


def evaluate_people(
    comparison: FaceComparison,
    images: Iterable[Any],
    subjects: Sequence[Any],
    on_progress: Callable[[float], None] = lambda share: None,
) -> FaceEvaluation:
    """Measure all pairs of pictures, one picture against one, in the clear.

    Args:
        comparison: makes the templates.
        images: paths, PIL images or uint8 arrays (H, W) or (H, W, 3) RGB, one person in each.
        subjects: whose each is, by the rules of `privis.subjects`.
        on_progress: is told the share of the pictures that have a template, in (0, 1].

    Returns:
        The scores. Pictures without a template are in no pair.

    Raises:
        ImageError: no picture has a template.
        ParameterError: no pair of one person or of two people, another number of subjects, or subjects that are no ids.

    Warns:
        SubjectWarning: ids that may be one person's.
    """
    listed = listed_images(images)
    ids = subject_ids(subjects)
    if len(ids) != len(listed):
        raise ParameterError(Problem("subjects", f"{len(ids)} ids", f"{len(listed)}, one for each image"))
    warn_of_alike(ids)
    found = _usable(comparison, listed, on_progress)
    first, second = np.triu_indices(len(found.rows), 1)
    people = np.unique([ids[place] for place in found.places], return_inverse=True)[1].reshape(-1)
    return _measured(listed, found, first, second, people[first] == people[second])


def evaluate_pairs(
    comparison: FaceComparison,
    pairs: Sequence[tuple[Any, Any, bool]],
    on_progress: Callable[[float], None] = lambda share: None,
) -> FaceEvaluation:
    """Measure pairs of which it is known whether they are one person's.

    Args:
        comparison: makes the templates.
        pairs: two pictures each, as paths, and whether they show one person.
        on_progress: is told the share of the pictures that have a template, in (0, 1].

    Returns:
        The scores; pictures are numbered in the order in which they come first. Pairs with a picture that has no
        template are left out.

    Raises:
        ImageError: no picture has a template.
        ParameterError: no pair of one person or of two people is left.
    """
    numbers: dict[str, int] = {}
    for first, second, _ in pairs:
        for each in (first, second):
            numbers.setdefault(str(each), len(numbers))
    listed = listed_images(list(numbers))
    found = _usable(comparison, listed, on_progress)
    rows = {int(place): row for row, place in enumerate(found.places)}
    places = [(numbers[str(a)], numbers[str(b)], same) for a, b, same in pairs]
    kept = [(rows[a], rows[b], same) for a, b, same in places if a in rows and b in rows]
    columns = np.array(kept, np.int64).reshape(-1, 3)
    return _measured(listed, found, columns[:, 0], columns[:, 1], columns[:, 2].astype(bool))


def _usable(comparison: FaceComparison, listed: Sequence[Any], on_progress: Callable[[float], None]) -> FaceVectors:
    found = comparison.vectors(listed, on_progress)
    if not len(found.rows):
        refuse(ImageError, [problem for why in found.refused.values() for problem in why.problems])
    return found


def _measured(
    listed: Sequence[Any],
    found: FaceVectors,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    same: NDArray[np.bool_],
) -> FaceEvaluation:
    records = np.unique([image_record(listed[place]) for place in found.places], return_inverse=True)[1].reshape(-1)
    once = records[first] != records[second]
    rows = found.rows.astype(np.float64)
    step = 1 << 16  # pairs at a time
    lots = range(0, len(first), step)
    parts = [(rows[first[lot : lot + step]] * rows[second[lot : lot + step]]).sum(1) for lot in lots]
    scores = np.concatenate(parts) if parts else np.zeros(0)
    rates = ErrorRates(scores[same & once], scores[~same & once])
    return FaceEvaluation(rates, found.rows, found.places, found.refused, int((~once).sum()))
