"""How good rankings are: average precision of whole rankings, and precision among the first.

C. D. Manning, P. Raghavan, H. Schütze, "Introduction to Information Retrieval", section 8.4,
doi:10.1017/CBO9780511809071.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.validation import integer_problem

Floats = npt.NDArray[np.float64]


def relevance(scores: npt.ArrayLike, query_labels: npt.ArrayLike, labels: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Tell which images of a ranking have the label of the query.

    Args:
        scores: (queries, images), higher is more similar; an image with the score −∞ is left out of that query's
            ranking (itself, in a leave-one-out evaluation). Every query leaves out equally many.
        query_labels: (queries,).
        labels: (images,).

    Returns:
        (queries, ranked images), the most similar first; of equal scores the earlier image.

    Raises:
        ParameterError: shapes do not fit, a score is NaN or +∞, or queries leave out different numbers of images.

    >>> relevance([[0.1, 0.9, 0.5]], ["cat"], ["cat", "dog", "cat"]).tolist()
    [[False, True, True]]
    """
    values = np.asarray(scores, np.float64)
    asked, known = np.asarray(query_labels), np.asarray(labels)
    problems = []
    if values.ndim != 2 or values.shape != (asked.size, known.size) or not values.size:
        got = f"shape {values.shape} for {asked.size} and {known.size} labels"
        problems.append(Problem("relevance.scores", got, "(queries, images), neither empty"))
        refuse(ParameterError, problems)
    if np.isnan(values).any() or np.isposinf(values).any():
        problems.append(Problem("relevance.scores", "NaN or +∞", "numbers, −∞ where an image is left out"))
    kept = (~np.isneginf(values)).sum(1)
    if kept.min() != kept.max():
        got = f"{kept.min()} to {kept.max()} images in a ranking"
        problems.append(Problem("relevance.scores", got, "as many for every query"))
    refuse(ParameterError, problems)
    order = np.argsort(-values, axis=1, kind="stable")[:, : kept[0]]
    found: npt.NDArray[np.bool_] = known[order] == asked[:, None]
    return found


def average_precision(relevant: npt.ArrayLike) -> Floats:
    """Average the precision at the rank of every relevant image; the mean over queries is called mAP.

    Args:
        relevant: (queries, ranked images) of bool, the most similar first.

    Returns:
        (queries,), within (0, 1].

    Raises:
        ParameterError: no matrix, or a query without relevant images, whose average is undefined.

    >>> average_precision([[True, True, False], [False, False, True]]).round(4).tolist()
    [1.0, 0.3333]
    """
    found = _matrix(relevant, "average_precision")
    counts = found.sum(1)
    if not counts.all():
        got = f"{int((counts == 0).sum())} queries without a relevant image"
        raise ParameterError(Problem("average_precision", got, "at least one for each", "leave such queries out"))
    precisions = found.cumsum(1) / np.arange(1, found.shape[1] + 1)
    averages: Floats = (precisions * found).sum(1) / counts
    return averages


def precision_at(relevant: npt.ArrayLike, rank: int) -> Floats:
    """Give the share of relevant images among the first.

    Args:
        relevant: (queries, ranked images) of bool, the most similar first.
        rank: how many of the first count, at most as many as are ranked.

    Returns:
        (queries,), within [0, 1].

    Raises:
        ParameterError: no matrix, or fewer images than ``rank``.

    >>> precision_at([[True, False, True, True]], 2).tolist()
    [0.5]
    """
    found = _matrix(relevant, "precision_at")
    refuse(ParameterError, integer_problem("precision_at.rank", rank, 1, found.shape[1]))
    shares: Floats = found[:, :rank].mean(1)
    return shares


def _matrix(relevant: npt.ArrayLike, where: str) -> npt.NDArray[np.bool_]:
    found = np.asarray(relevant)
    if found.ndim != 2 or found.dtype != np.bool_ or not found.size:
        got = f"{found.dtype} of shape {found.shape}"
        raise ParameterError(Problem(f"{where}.relevant", got, "bool of shape (queries, ranked images)"))
    return found
