"""Other orders of the first answers: what an index is asked again once its most similar images are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.tasks.retrieval import NeighbourGraph
from privis.validation import integer_problem


@dataclass(frozen=True, eq=False)
class Candidates:
    """The most similar images of a query, as a search gave them.

    Args:
        ids: of each, the most similar first.
        similarities: (candidates,), inner products with the query.
        vectors: gives float32 (candidates, components), read when it is called.
    """

    ids: tuple[str, ...]
    similarities: NDArray[np.float64] = field(repr=False)
    vectors: Callable[[], NDArray[np.float32]] = field(repr=False)


class Reranker(Protocol):
    """Another order of the first answers."""

    @property
    def most(self) -> int:
        """How many of the most similar images it looks at."""
        ...

    def scores(self, image: Any, vector: NDArray[np.float32], candidates: Candidates) -> NDArray[np.float64]:
        """Score candidates anew.

        Args:
            image: the query, a path, a PIL image or an array.
            vector: float32 (components,), the query's.
            candidates: the most similar images.

        Returns:
            (candidates,), higher is more similar.
        """
        ...


@dataclass(frozen=True)
class Diffusion:
    """Similarity that spreads over the graph of nearest neighbours (`NeighbourGraph`): a query goes through its own.

    The graph is of the candidates alone, made for each query and kept nowhere, so that nothing of it is left to erase.

    Args:
        neighbours: nearest images of each.
        damping: how far similarity spreads, within [0, 1).
        most: candidates; the time grows with the square of their number.

    Raises:
        ParameterError: a number is out of its range.

    >>> Diffusion().most
    5000
    """

    identifier: ClassVar[str] = "privis.search-diffusion/1"

    neighbours: int = 15
    damping: float = 0.9
    most: int = 5000

    def __post_init__(self) -> None:
        problems = integer_problem("Diffusion.neighbours", self.neighbours, 1)
        problems += integer_problem("Diffusion.most", self.most, 2)
        if not 0 <= self.damping < 1:
            problems.append(Problem("Diffusion.damping", repr(self.damping), "a number within [0, 1)"))
        refuse(ParameterError, problems)

    def scores(self, image: Any, vector: NDArray[np.float32], candidates: Candidates) -> NDArray[np.float64]:
        """Spread the query's similarities over the candidates.

        Args:
            image: the query; it is not looked at.
            vector: float32 (components,), the query's; nor this.
            candidates: the most similar images.

        Returns:
            (candidates,), higher is more similar.
        """
        count = len(candidates.ids)
        if count < 3:
            return candidates.similarities
        graph = NeighbourGraph.of(candidates.vectors(), min(self.neighbours, count - 1), self.damping)
        return graph.scores(candidates.similarities[None])[0]


def reordered(scores: NDArray[np.float64], ids: Sequence[str]) -> list[int]:
    """Give the order of scores, the highest first and of equal ones the earlier.

    Args:
        scores: one for each id.
        ids: of the candidates.

    Returns:
        Places.

    Raises:
        ParameterError: another number of scores, or one that is NaN.

    >>> reordered(np.array([0.1, 0.3, 0.3]), ("a", "b", "c"))
    [1, 2, 0]
    """
    values = np.asarray(scores, np.float64)
    if values.shape != (len(ids),) or np.isnan(values).any():
        got = f"shape {values.shape}, NaN: {bool(np.isnan(values).any())}"
        raise ParameterError(Problem("Reranker.scores", got, f"{len(ids)} numbers"))
    return [int(place) for place in np.argsort(-values, kind="stable")]
