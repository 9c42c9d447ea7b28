"""Exact nearest neighbours by inner product: a scan of 8-bit codes with a proved error, then the vectors themselves.

A row x is c s + e, with whole numbers c from -127 to 127; a query q is d t + f, with d of 16 bits. Then
|<x, q> - s t <c, d>| <= |e| |q| + |c s| |f| by Cauchy and Schwarz. Rows whose upper bound is below the k-th largest
lower bound are not among the first k, so only the others are compared by their vectors: the answer is that of a scan of
all vectors in double precision, not an approximation of it.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.validation import integer_problem

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Exact = Callable[[Rows], npt.NDArray[Any]]
"""Gives the vectors (rows, components) of some rows, in float16, float32 or float64."""

LARGEST = 1e15
"""Magnitude of a component: bounds and scores of larger ones would not fit into float32."""

_LEVELS, _FINE_LEVELS = 127, 8191
_LARGEST_SUM = 2**31 - 1
_ROUNDING = 1e-5  # covers float32 in scales, bounds and sums, relative to the lengths of both vectors
_AT_ONCE = 1 << 22  # numbers that are coded, or compared by their vectors, at a time
_SCORES_AT_ONCE = 1 << 24
_BLOCK = 128  # rows whose largest score is looked at first
_SMALLEST_SHARE = 1 << 12  # rows that are worth a thread
_PIECES = 8  # of a thread's share


@dataclass(frozen=True)
class NearestRows:
    """The most similar rows of each query.

    Args:
        rows: (queries, found), the most similar first; of equal ones the earlier row.
        scores: (queries, found), inner products in double precision.
    """

    rows: Rows
    scores: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ExactScan:
    """Codes of vectors, a byte per component, to be scanned.

    Args:
        codes: (rows, components).
        scales: (rows,), a step of each row's code.
        lengths: (rows,), of the coded vectors; at least their true length.
        residuals: (rows,), of what the codes leave out; at least their true length.

    >>> vectors = np.array([[0.6, 0.8], [1.0, 0.0], [0.0, 1.0]])
    >>> found = ExactScan.of(vectors).search([[0.0, 2.0]], 2, vectors.__getitem__)
    >>> found.rows.tolist(), found.scores.tolist()
    ([[2, 0]], [[2.0, 1.6]])
    """

    codes: npt.NDArray[np.int8] = field(repr=False)
    scales: Floats = field(repr=False)
    lengths: Floats = field(repr=False)
    residuals: Floats = field(repr=False)

    @classmethod
    def of(cls, vectors: npt.NDArray[Any]) -> ExactScan:
        """Code vectors, some megabytes at a time, so that a memory-mapped array need not fit.

        Args:
            vectors: (rows, components) of float16, float32 or float64, finite.

        Returns:
            Their codes.

        Raises:
            ParameterError: they are no matrix of such numbers.
        """
        given = np.asanyarray(vectors)
        if given.ndim != 2 or given.shape[1] == 0 or given.dtype.kind != "f" or given.dtype.itemsize > 8:
            got = f"{given.dtype} of shape {given.shape}"
            raise ParameterError(Problem("ExactScan.vectors", got, "float16, float32 or float64, (rows, components)"))
        rows, components = given.shape
        made = cls(
            np.empty((rows, components), np.int8), *(np.empty(rows, np.float32) for _ in ("scales", "lengths", "rest"))
        )
        step = max(1, _AT_ONCE // components)
        for start in range(0, rows, step):
            made._code(start, np.asarray(given[start : start + step], np.float64))
        return made

    def _code(self, start: int, values: npt.NDArray[np.float64]) -> None:
        fits = (np.abs(values) <= LARGEST).all(1)  # False for NaN
        if not fits.all():
            where = f"ExactScan.vectors row {start + int(np.flatnonzero(~fits)[0])}"
            raise ParameterError(Problem(where, f"NaN, infinity or beyond {LARGEST:g}", "finite numbers"))
        here = slice(start, start + len(values))
        scales = np.float32(np.abs(values).max(1) / _LEVELS)
        steps = scales.astype(np.float64)[:, None]
        codes = np.rint(np.divide(values, steps, out=np.zeros_like(values), where=steps > 0)).clip(-_LEVELS, _LEVELS)
        self.codes[here], self.scales[here] = codes, scales
        self.lengths[here] = np.linalg.norm(codes * steps, axis=1) * (1 + _ROUNDING)
        rest = np.linalg.norm(values - codes * steps, axis=1) * (1 + _ROUNDING)
        self.residuals[here] = np.maximum(rest, np.finfo(np.float32).tiny)  # float32 would round less down to 0

    def __len__(self) -> int:
        return len(self.scales)

    @property
    def components(self) -> int:
        """Components of a vector."""
        return int(self.codes.shape[1])

    def appended(self, vectors: npt.NDArray[Any]) -> ExactScan:
        """Add rows at the end.

        Args:
            vectors: (new rows, components).

        Returns:
            The codes of all; those that were there are copied, not computed again.

        Raises:
            ParameterError: as `of`, or vectors of another length.
        """
        more = ExactScan.of(vectors)
        self._require(more.components, "ExactScan.appended")
        pairs = ((getattr(self, name), getattr(more, name)) for name in ("codes", "scales", "lengths", "residuals"))
        return ExactScan(*(np.concatenate(pair) for pair in pairs))

    def kept(self, rows: npt.NDArray[Any]) -> ExactScan:
        """Leave rows out; those that remain are copied, so that nothing refers to the others.

        Args:
            rows: which remain: indices, or (rows,) of bool.

        Returns:
            The codes of these.
        """
        return ExactScan(self.codes[rows], self.scales[rows], self.lengths[rows], self.residuals[rows])

    def search(
        self, queries: npt.ArrayLike, top: int, exact: Exact, allowed: npt.NDArray[np.bool_] | None = None
    ) -> NearestRows:
        """Find the rows with the largest inner products.

        Args:
            queries: (queries, components), finite.
            top: how many are wanted; fewer are found where fewer are there or allowed.
            exact: gives the vectors that were coded; it is asked for some tens of rows per query.
            allowed: (rows,), False for rows that do not count.

        Returns:
            Rows and scores, exactly those of a scan of all vectors in double precision.

        Raises:
            ParameterError: queries of another length or not finite, ``top`` below 1, or ``allowed`` of another length.
        """
        asked = np.asarray(queries, np.float64)
        problems = integer_problem("ExactScan.top", top, 1)
        if asked.ndim != 2 or not (np.abs(asked) <= LARGEST).all():
            problems.append(
                Problem("ExactScan.queries", f"shape {asked.shape}", "finite numbers, (queries, components)")
            )
        if allowed is not None and (allowed.shape != (len(self),) or allowed.dtype != np.bool_):
            got = f"{allowed.dtype} of shape {allowed.shape}"
            problems.append(Problem("ExactScan.allowed", got, f"bool of shape ({len(self)},)"))
        refuse(ParameterError, problems)
        self._require(asked.shape[1], "ExactScan.queries")
        found = min(top, len(self) if allowed is None else int(allowed.sum()))
        rows, scores = np.empty((len(asked), found), np.int64), np.empty((len(asked), found))
        step = max(1, _SCORES_AT_ONCE // max(1, len(self)))
        for start in range(0, len(asked) if found else 0, step):
            some = asked[start : start + step]
            for place, (estimate, query) in enumerate(zip(*self._estimated(some), strict=True), start):
                slack = self._slack(query)
                if allowed is not None:
                    estimate[~allowed] = -np.inf
                rows[place], scores[place] = _best(estimate, slack, query[0], found, exact)
        return NearestRows(rows, scores)

    def _require(self, components: int, where: str) -> None:
        if components != self.components:
            raise ParameterError(Problem(where, f"{components} components", f"{self.components}"))

    def _estimated(self, queries: npt.NDArray[np.float64]) -> tuple[Floats, list[tuple[Any, float, float]]]:
        """Scores of the codes (queries, rows); of each query itself, its length, and the length of its residual."""
        from privis.stores.scan_kernels import scan

        levels = min(_FINE_LEVELS, _LARGEST_SUM // (_LEVELS * self.components))
        scales = np.float32(np.abs(queries).max(1) / levels)
        steps = scales.astype(np.float64)[:, None]
        codes = np.rint(np.divide(queries, steps, out=np.zeros_like(queries), where=steps > 0)).clip(-levels, levels)
        rest = np.linalg.norm(queries - codes * steps, axis=1)
        about = [
            (query, float(np.linalg.norm(query)), float(length)) for query, length in zip(queries, rest, strict=True)
        ]
        scores = np.empty((len(queries), len(self)), np.float32)
        fine = codes.astype(np.int16)
        shares = max(1, min(os.cpu_count() or 1, len(self) // _SMALLEST_SHARE))
        pieces = itertools.pairwise(np.linspace(0, len(self), _PIECES * shares + 1).astype(int))
        left = iter(
            list(pieces)
        )  # each piece is taken by whichever thread asks next: none waits for one that starts late

        def work() -> None:
            for first, last in left:
                scan(self.codes, fine, self.scales, scales, first, last, scores)

        with ThreadPoolExecutor(max(1, shares - 1)) as pool:  # it starts a thread per job, so none where there is one
            jobs = [pool.submit(work) for _ in range(shares - 1)]
            work()
            for job in jobs:
                job.result()
        return scores, about

    def _slack(self, query: tuple[Any, float, float]) -> Floats:
        """By row: how far the true inner product may be from that of the codes."""
        _, length, rest = query
        bound = self.residuals * np.float32(length) + self.lengths * np.float32(rest + _ROUNDING * length)
        return bound * np.float32(1 + _ROUNDING)


def _least_of_first(values: Floats, found: int) -> np.float32:
    """The ``found``-th largest value: blocks whose largest is below that of ``found`` others hold none of the first."""
    kept, whole = values, len(values) // _BLOCK
    if whole > 2 * found:
        largest = values[: whole * _BLOCK].reshape(whole, _BLOCK).max(1)
        bound = np.partition(largest, whole - found)[whole - found]
        kept = values[values >= bound]
    least: np.float32 = np.partition(kept, len(kept) - found)[len(kept) - found]
    return least


def _best(
    estimate: Floats, slack: Floats, query: npt.NDArray[np.float64], found: int, exact: Exact
) -> tuple[Rows, npt.NDArray[np.float64]]:
    """The first ``found`` rows by their vectors; those that bounds leave over are compared, the likeliest first."""
    near = np.flatnonzero(estimate + slack >= _least_of_first(estimate - slack, found)).astype(np.int64)
    near = near[np.argsort(-estimate[near], kind="stable")]
    first = near[: 2 * found]
    scores = _exact_scores(first, query, exact)
    least = np.partition(scores, len(scores) - found)[len(scores) - found]
    rest = near[2 * found :]
    rest = rest[estimate[rest].astype(np.float64) + slack[rest] >= least]
    if len(rest):
        first, scores = np.concatenate([first, rest]), np.concatenate([scores, _exact_scores(rest, query, exact)])
    order = np.lexsort((first, -scores))[:found]
    return first[order], scores[order]


def _exact_scores(rows: Rows, query: npt.NDArray[np.float64], exact: Exact) -> npt.NDArray[np.float64]:
    """Inner products of the vectors themselves, some megabytes of these at a time."""
    step = max(1, _AT_ONCE // len(query))
    parts = [np.asarray(exact(rows[start : start + step]), np.float64) @ query for start in range(0, len(rows), step)]
    scores: npt.NDArray[np.float64] = np.concatenate(parts)
    return scores
