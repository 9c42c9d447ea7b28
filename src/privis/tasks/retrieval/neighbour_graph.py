"""Re-ranking by diffusion on the graph of nearest neighbours of an index: images that are linked by similar ones rise.

A. Iscen, G. Tolias, Y. Avrithis, T. Furon, O. Chum, "Efficient Diffusion on Region Manifolds: Recovering Small Objects
with Compact CNN Representations", CVPR 2017, arXiv:1611.05113, sections 3 and 4: affinities are cubes of cosines, kept
where both images are among each other's nearest; a query that is not in the graph enters it by its own nearest images.
Deviation: the conjugate gradients run to a stated residual instead of a fixed number of steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.tasks.retrieval.similarity import finite_matrix
from privis.validation import integer_problem

Floats = npt.NDArray[np.float64]
POWER = 3
RESIDUAL = 1e-6
_BLOCK = 1 << 24  # similarities that are held at a time


@dataclass(frozen=True, eq=False)
class NeighbourGraph:
    """Which images of an index are each other's nearest neighbours, and how near.

    Args:
        affinity: sparse (images, images), symmetric, D^(-1/2) W D^(-1/2) of the cubed cosines W.
        neighbours: nearest images of each that were looked at.
        damping: how far similarity spreads, within [0, 1): 0 keeps the query's own neighbours.

    >>> graph = NeighbourGraph.of(np.eye(3)[[0, 0, 1, 1, 2, 2]], neighbours=1)
    >>> (graph.scores([[0.9, 0.8, 0.1, 0.1, 0.0, 0.0]])[0] > 0.1).tolist()
    [True, True, False, False, False, False]
    """

    affinity: Any = field(repr=False)  # Any: scipy.sparse has no types
    neighbours: int
    damping: float

    @classmethod
    def of(cls, vectors: npt.ArrayLike, neighbours: int = 15, damping: float = 0.9) -> NeighbourGraph:
        """Find the nearest neighbours of all images.

        Args:
            vectors: (images, components) of length 1, or 0.
            neighbours: nearest images of each, fewer than there are images.
            damping: within [0, 1).

        Returns:
            The graph; the time grows with the square of the number of images.

        Raises:
            ParameterError: vectors are no finite matrix, or a number is out of range.
        """
        values = finite_matrix("NeighbourGraph.vectors", vectors)
        _require(neighbours, len(values) - 1, damping)
        return cls(_affinity(*_nearest_of_all(values, neighbours)), neighbours, float(damping))

    @classmethod
    def without_each(
        cls, vectors: npt.ArrayLike, neighbours: int = 15, damping: float = 0.9
    ) -> Callable[[int], NeighbourGraph]:
        """Prepare the graphs in which one image each is missing, for a leave-one-out evaluation.

        Args:
            vectors: (images, components) of length 1, or 0; at least three images.
            neighbours: nearest images of each; fewer where there are fewer.
            damping: within [0, 1).

        Returns:
            A function that gives, for the number of an image, the graph of all others, as `of` gives it.

        Raises:
            ParameterError: vectors are no finite matrix, or a number is out of range.

        >>> graph = NeighbourGraph.without_each(np.eye(3)[[0, 0, 1, 1, 2]], neighbours=1)(4)
        >>> len(graph), graph.affinity.nnz
        (4, 4)
        """
        values = finite_matrix("NeighbourGraph.vectors", vectors)
        count = min(neighbours, len(values) - 2)
        _require(count, len(values) - 2, damping)
        near, cubes = _nearest_of_all(values, count + 1)
        order = np.argsort(-cubes, axis=1, kind="stable")
        near, cubes = np.take_along_axis(near, order, 1), np.take_along_axis(cubes, order, 1)

        def without(image: int) -> NeighbourGraph:
            others = np.delete(np.arange(len(values)), image)
            columns, weights = near[others], cubes[others]
            kept = np.argsort(columns == image, axis=1, kind="stable")[:, :count]  # its place goes to the next nearest
            columns, weights = np.take_along_axis(columns, kept, 1), np.take_along_axis(weights, kept, 1)
            return cls(_affinity(columns - (columns > image), weights), count, float(damping))

        return without

    def __len__(self) -> int:
        return int(self.affinity.shape[0])

    def scores(self, similarities: npt.ArrayLike) -> Floats:
        """Spread the similarity of queries over the graph: solve (I - damping * affinity) f = y.

        ``y`` holds the cubed cosines of a query's nearest images. Images that the query does not reach at all follow
        after all others, in the order of their cosines.

        Args:
            similarities: (queries, images), cosines of queries that need not be in the index.

        Returns:
            (queries, images); the order is what counts.

        Raises:
            ParameterError: another number of images than the graph has, or a number that is not finite.
        """
        import scipy.sparse
        from scipy.sparse.linalg import cg

        cosines = finite_matrix("NeighbourGraph.scores", similarities, len(self))
        system = scipy.sparse.identity(len(self), format="csr") - self.damping * self.affinity
        spread = np.zeros(cosines.shape)
        near, cubes = _nearest(cosines, min(self.neighbours, len(self)), None)
        for row, (columns, weights) in enumerate(zip(near, cubes, strict=True)):
            start = np.zeros(len(self))
            start[columns] = weights
            if start.any():
                spread[row] = cg(system, start, rtol=RESIDUAL)[0]
        least = RESIDUAL * np.maximum(np.abs(spread).max(1, keepdims=True), RESIDUAL)
        unreached: Floats = np.where(spread > least, spread, least * (cosines - 2) / 4)
        return unreached


def _require(neighbours: int, most: int, damping: float) -> None:
    problems = integer_problem("NeighbourGraph.neighbours", neighbours, 1, most)
    if not 0 <= damping < 1:
        problems.append(Problem("NeighbourGraph.damping", repr(damping), "a number within [0, 1)"))
    refuse(ParameterError, problems)


def _nearest_of_all(values: Floats, neighbours: int) -> tuple[npt.NDArray[np.intp], Floats]:
    """Nearest images of each, itself left out, and their cubed cosines."""
    unit, columns, weights = values.astype(np.float32), [], []
    step = max(1, _BLOCK // len(unit))
    for start in range(0, len(unit), step):
        near, cubes = _nearest(unit[start : start + step] @ unit.T, neighbours, start)
        columns.append(near)
        weights.append(cubes)
    return np.concatenate(columns), np.concatenate(weights)


def _affinity(near: npt.NDArray[np.intp], cubes: Floats) -> Any:
    """Sparse (images, images): cubes where each is among the other's nearest, normalised on both sides."""
    import scipy.sparse

    count, neighbours = near.shape
    rows = np.repeat(np.arange(count), neighbours)
    one_way = scipy.sparse.csr_matrix((cubes.ravel(), (rows, near.ravel())), shape=(count, count))
    both_ways = one_way.minimum(one_way.T).tocsr()  # zero unless each is among the other's nearest
    both_ways.eliminate_zeros()
    degrees = np.asarray(both_ways.sum(1)).ravel()
    scale = scipy.sparse.diags(np.divide(1.0, np.sqrt(degrees), out=np.zeros(count), where=degrees > 0))
    return (scale @ both_ways @ scale).tocsr()


def _nearest(cosines: npt.NDArray[Any], count: int, first: int | None) -> tuple[npt.NDArray[np.intp], Floats]:
    """Columns of the largest cosines of each row, and their cubes; ``first``: row r is image first + r itself."""
    values = np.array(cosines, np.float64)
    if first is not None:
        rows = np.arange(len(values))
        values[rows, first + rows] = -np.inf
    near = np.argpartition(-values, count - 1, axis=1)[:, :count]
    return near, np.maximum(np.take_along_axis(values, near, 1), 0.0) ** POWER
