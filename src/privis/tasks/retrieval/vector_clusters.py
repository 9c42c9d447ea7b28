"""Clusters of an index by direction, none larger than a public size: what a search looks through instead of everything.

Spherical k-means (I. S. Dhillon, D. S. Modha, "Concept Decompositions for Large Sparse Text Data Using Clustering",
Machine Learning 42, 2001, doi:10.1023/A:1007612920971) on a sample finds centres. Rows then choose clusters and full
clusters keep those that are nearest to their centres, until nobody is turned away: the stable assignment of D. Gale and
L. S. Shapley, "College Admissions and the Stability of Marriage", 1962, doi:10.2307/2312726, in which no row lies in a
cluster while a nearer one has room or holds a row that is less near to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.tasks.retrieval.similarity import finite_matrix, unit_length
from privis.validation import integer_problem

Floats = npt.NDArray[np.float64]

ROOM = 1.25
"""Places per row where the number of clusters is not chosen: with less room more rows end up in a second choice."""

_ROUNDS = 15
_SAMPLE = 256  # rows per cluster that its centre is learnt from


@dataclass(frozen=True, eq=False)
class ClusterCentres:
    """Directions of the centres of clusters: what a client needs to know of an index to ask for parts of it.

    They are means of the index's vectors, and say about them what means of some thousand rows say.

    Args:
        directions: float32 (clusters, components) of length 1.

    Raises:
        ParameterError: they are no matrix of such numbers.

    >>> ClusterCentres(np.eye(3, dtype=np.float32)).nearest([[0.1, 0.9, 0.3]], 2).tolist()
    [[1, 2]]
    """

    directions: npt.NDArray[np.float32] = field(repr=False)

    def __post_init__(self) -> None:
        values = finite_matrix("ClusterCentres.directions", self.directions)
        if np.abs(np.linalg.norm(values, axis=1) - 1).max() > 1e-3:
            raise ParameterError(Problem("ClusterCentres.directions", "another length", "directions of length 1"))
        object.__setattr__(self, "directions", values.astype(np.float32))

    def __len__(self) -> int:
        return len(self.directions)

    def nearest(self, queries: npt.ArrayLike, count: int) -> npt.NDArray[np.int64]:
        """Find the clusters whose centres have the largest inner products with each query.

        Args:
            queries: (queries, components), finite.
            count: at least 1, at most as many as there are clusters.

        Returns:
            (queries, count), the nearest first; of equal ones the lower number.

        Raises:
            ParameterError: queries of another length or not finite, or a count out of range.
        """
        values = finite_matrix("ClusterCentres.queries", queries, self.directions.shape[1])
        refuse(ParameterError, integer_problem("ClusterCentres.count", count, 1, len(self)))
        scores = values @ self.directions.T.astype(np.float64)
        return np.argsort(-scores, axis=1, kind="stable")[:, :count].astype(np.int64)


@dataclass(frozen=True, eq=False)
class VectorClusters:
    """Which rows of an index lie in which cluster.

    Args:
        centres: of the clusters.
        members: by cluster, the rows in it, in ascending order, at least one; every row in one cluster.
        capacity: most rows of a cluster; public, and what clusters are padded to.
    """

    centres: ClusterCentres
    members: tuple[npt.NDArray[np.int64], ...] = field(repr=False)
    capacity: int

    @classmethod
    def of(cls, vectors: npt.NDArray[Any], capacity: int, clusters: int | None = None, seed: int = 0) -> VectorClusters:
        """Cluster the rows of an index by their directions.

        Args:
            vectors: (rows, components), finite, none of length 0.
            capacity: most rows of a cluster.
            clusters: how many at the most; None: room for a quarter more rows than there are.
            seed: of the sample and of the first centres.

        Returns:
            The clusters; equal arguments give equal ones. Takes 12 bytes per row and cluster.

        Raises:
            ParameterError: vectors without a direction, or not enough room.

        >>> rows = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
        >>> sorted(part.tolist() for part in VectorClusters.of(rows, capacity=2, clusters=2).members)
        [[0, 1], [2, 3]]
        """
        values = np.asanyarray(vectors)
        count = len(finite_matrix("VectorClusters.vectors", values))
        lengths = np.linalg.norm(values, axis=1)
        problems = integer_problem("VectorClusters.capacity", capacity, 1)
        if not lengths.all():
            row = int(np.flatnonzero(lengths == 0)[0])
            problems.append(Problem(f"VectorClusters.vectors row {row}", "length 0", "a vector that has a direction"))
        if clusters is not None:
            problems += integer_problem("VectorClusters.clusters", clusters, 1, count)
        refuse(ParameterError, problems)
        needed = -(-count // capacity)
        number = min(count, max(needed, round(ROOM * count / capacity))) if clusters is None else int(clusters)
        if number < needed:
            got = f"{number} clusters of {capacity} rows for {count} rows"
            raise ParameterError(Problem("VectorClusters.clusters", got, f"at least {needed} clusters"))
        unit = (values / lengths[:, None]).astype(np.float32)
        random = np.random.default_rng(seed)
        sample = np.sort(random.choice(count, min(count, _SAMPLE * number), replace=False))
        centres = _spherical_means(unit[sample], number, random)
        chosen = _stable_assignment(unit @ centres.T, capacity)
        used = np.unique(chosen)  # a centre that is nobody's first choice is left out
        members = tuple(np.flatnonzero(chosen == cluster) for cluster in used)
        means = unit_length(np.array([unit[rows].mean(0, dtype=np.float64) for rows in members]))
        kept = np.where(np.linalg.norm(means, axis=1, keepdims=True) > 0, means, centres[used])
        return cls(ClusterCentres(kept.astype(np.float32)), members, int(capacity))

    def __len__(self) -> int:
        return len(self.members)

    def search(
        self, vectors: npt.NDArray[Any], queries: npt.ArrayLike, probes: int, top: int
    ) -> list[tuple[npt.NDArray[np.int64], Floats]]:
        """Search in the clear: the clusters nearest to each query are scanned, the others are not.

        Args:
            vectors: (rows, components) that were clustered.
            queries: (queries, components).
            probes: how many clusters are scanned.
            top: how many rows are wanted.

        Returns:
            By query, rows and inner products, the largest first; of equal ones the earlier row.

        Raises:
            ParameterError: as `ClusterCentres.nearest`, or ``top`` below 1.
        """
        refuse(ParameterError, integer_problem("VectorClusters.top", top, 1))
        found = []
        asked = np.asarray(queries, np.float64)
        for query, near in zip(asked, self.centres.nearest(asked, probes), strict=True):
            rows = np.sort(np.concatenate([self.members[cluster] for cluster in near]))
            scores = np.asarray(vectors[rows], np.float64) @ query
            order = np.argsort(-scores, kind="stable")[:top]
            found.append((rows[order], scores[order]))
        return found


def _spherical_means(unit: npt.NDArray[np.float32], number: int, random: np.random.Generator) -> Any:
    """Centres (number, components) after some rounds from distinct rows; an empty cluster takes the loneliest row."""
    centres = unit[np.sort(random.choice(len(unit), number, replace=False))]
    before = None
    for _ in range(_ROUNDS):
        scores = unit @ centres.T
        nearest = scores.argmax(1)
        if before is not None and (nearest == before).all():
            break
        before = nearest
        sums = np.zeros((number, unit.shape[1]))
        np.add.at(sums, nearest, unit)
        lengths = np.linalg.norm(sums, axis=1)
        lonely = iter(np.argsort(scores.max(1), kind="stable"))
        for cluster in np.flatnonzero(lengths < 1e-9):
            sums[cluster] = unit[next(lonely)]
        centres = unit_length(sums).astype(np.float32)
    return centres


def _stable_assignment(scores: npt.NDArray[np.float32], capacity: int) -> npt.NDArray[np.int64]:
    """The cluster of each row (rows,), from similarities (rows, clusters) that leave room for all."""
    wishes = np.argsort(-scores, axis=1, kind="stable")
    rows = len(scores)
    turned_away = np.zeros(rows, np.int64)  # how many clusters were full of nearer rows
    chosen = np.full(rows, -1)
    waiting = np.arange(rows)
    while len(waiting):
        chosen[waiting] = wishes[waiting, turned_away[waiting]]
        out = []
        for cluster in np.unique(chosen[waiting]):
            here = np.flatnonzero(chosen == cluster)
            if len(here) > capacity:
                out.append(here[np.argsort(-scores[here, cluster], kind="stable")[capacity:]])
        waiting = np.concatenate(out) if out else np.zeros(0, np.int64)
        chosen[waiting] = -1
        turned_away[waiting] += 1
    return chosen
