"""How much of a ranking is left where vectors are released: means over draws of the noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.estimators.search.released.released_vectors import ReleasedVectors
from privis.privacy import ReleaseKey, WholeImage
from privis.tasks.retrieval import average_precision, precision_at, relevance
from privis.validation import integer_problem

FIRST = 10


@dataclass(frozen=True)
class DrawnQuality:
    """Quality of rankings over draws of the noise.

    Args:
        mean_average_precision: mean over draws.
        deviation: standard deviation of it over draws; 0 of a single one.
        precision: among the first `FIRST`, mean over draws.
    """

    mean_average_precision: float
    deviation: float
    precision: float


@dataclass(frozen=True)
class ReleasedSearchEvaluation:
    """Quality of rankings, leave-one-out, where vectors are released per image.

    Args:
        exact: of exact vectors in the same directions.
        index: where the stored vectors are released, and queries exact.
        both: where queries are released, too, with noise of their own.
        images: that were ranked.
        queries: images that asked: those of a class with another image.
    """

    exact: DrawnQuality
    index: DrawnQuality
    both: DrawnQuality
    images: int
    queries: int


def evaluate_released_search(
    vectors: NDArray[np.float32],
    labels: Sequence[str],
    release: ReleasedVectors,
    draws: int = 8,
    on_progress: Callable[[float], None] = lambda share: None,
) -> ReleasedSearchEvaluation:
    """Release vectors in trial, and let every image ask all others.

    Nothing that is released here is shown or stored, and no ledger is charged; the figures are of exact images, and
    not private themselves.

    Args:
        vectors: exact ones, as ``release.projected`` gives them (images, components).
        labels: class of each image.
        release: whose epsilon and directions are tried; its key and ledger are not used.
        draws: of the noise, at least 1.
        on_progress: is told the share of draws that are done.

    Returns:
        Means over draws, each of them over the images of classes that have another image.

    Raises:
        ParameterError: another number of labels, no class of two images, or no draw.
    """
    known = np.asarray([str(label) for label in labels])
    names, counts = np.unique(known, return_counts=True)
    problems = integer_problem("evaluate_released_search.draws", draws, 1)
    if len(known) != len(vectors) or not (counts > 1).any():
        got = f"{len(known)} labels of {len(vectors)} images in {len(names)} classes"
        problems.append(Problem("evaluate_released_search.labels", got, "one each, and a class of at least two images"))
    refuse(ParameterError, problems)
    asking = np.flatnonzero(~np.isin(known, names[counts == 1]))

    def quality(queries: NDArray[np.float32], rows: NDArray[np.float32]) -> tuple[float, float]:
        scores = (queries[asking] @ rows.T).astype(np.float64)
        scores[np.arange(len(asking)), asking] = -np.inf
        found = relevance(scores, known[asking], known)
        first = min(FIRST, found.shape[1])
        return float(average_precision(found).mean()), float(precision_at(found, first).mean())

    records = [f"image {row}" for row in range(len(known))]
    index, both = [], []
    for number in range(draws):
        stored, asked = (
            replace(release, unit=WholeImage(), key=ReleaseKey.generate(), ledger=None).released_queries(
                vectors, records
            )
            for _ in range(2)
        )
        index.append(quality(vectors, stored))
        both.append(quality(asked, stored))
        on_progress((number + 1) / draws)
    exact = _drawn([quality(vectors, vectors)])
    return ReleasedSearchEvaluation(exact, _drawn(index), _drawn(both), len(known), len(asking))


def _drawn(found: Sequence[tuple[float, float]]) -> DrawnQuality:
    averages, firsts = np.array(found).T
    spread = float(averages.std(ddof=1)) if len(averages) > 1 else 0.0
    return DrawnQuality(float(averages.mean()), spread, float(firsts.mean()))
