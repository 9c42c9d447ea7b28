"""1:N matching of unit vectors by cosine, as programs on integers: what is asked, what is revealed, how to read it.

Vectors lie on the integer grid of ``2**bits`` steps per unit, so every inner product is an exact integer in the ring
and the answer is that of the rounded vectors, exactly (rounding moves a cosine by about 2**-bits). Of templates that
are equally similar the first one counts.

For the best template and its cosine each product carries its template's number: with ``span`` a power of two above
the number of candidates, ``key = span * product + (span - 1 - number)``. Keys are all different and in the wanted
order, so that one maximum gives both, for a single comparison and selection per candidate. (Top-k does the like by
itself; without it, SPU's selection, which opens comparisons of shuffled candidates, would show which scores are equal.)

A threshold adds candidates of its own, made of public numbers: they win where no template reaches the threshold.

======================  ============================================================  ==============================
question                what the receivers learn of each query                        where no template reaches it
======================  ============================================================  ==============================
`Best()`                index and cosine of the most similar template
`Best(score=False)`     its index
`Best(threshold=t)`     the same, for templates of cosine >= t                        that there is none
`Top(k)`                indices and cosines of the k most similar, in order
`Top(k, score=False)`   their indices, in order
`Top(k, threshold=t)`   the same, for templates of cosine >= t                        fewer than k
`AnyAbove(t)`           one bit: is any template's cosine >= t                        0
======================  ============================================================  ==============================
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.program import Input, Program, trace
from privis.program.graph import Value, concat
from privis.program.ops import Affine, ArgMax, Gather, Max, Pad, TopK, Transpose
from privis.validation import real_values, whole_number

MOST_BITS = 15
_RING_BITS = 60  # keys and their differences must stay inside 64-bit shares


@dataclass(frozen=True)
class Best:
    """The most similar template, if it reaches ``threshold``.

    Args:
        threshold: Smallest cosine that counts, in [-1, 1]; None: any.
        score: Whether its cosine is revealed beside its index.

    Raises:
        ParameterError: a threshold that is no cosine.
    """

    threshold: float | None = None
    score: bool = True

    def __post_init__(self) -> None:
        refuse(ParameterError, _threshold_problems("Best.threshold", self.threshold))

    @property
    def count(self) -> int:
        """Number of templates in an answer."""
        return 1

    @property
    def reveals(self) -> str:
        """What receivers learn, in words."""
        what = (
            "the index and the cosine of its most similar template" if self.score else "the index of the most similar"
        )
        return what if self.threshold is None else f"{what} if that reaches {self.threshold:g}, else that none does"


@dataclass(frozen=True)
class Top:
    """The ``count`` most similar templates in order, as far as they reach ``threshold``.

    Args:
        count: Templates in an answer, at least 1.
        threshold: Smallest cosine that counts, in [-1, 1]; None: any.
        score: Whether their cosines are revealed beside their indices.

    Raises:
        ParameterError: a threshold that is no cosine, or a count below 1.
    """

    count: int
    threshold: float | None = None
    score: bool = True

    def __post_init__(self) -> None:
        problems = whole_number("Top.count", self.count)
        refuse(ParameterError, problems + _threshold_problems("Top.threshold", self.threshold))

    @property
    def reveals(self) -> str:
        """What receivers learn, in words."""
        what = "the indices and the cosines" if self.score else "the indices, in order,"
        limit = "" if self.threshold is None else f", as far as they reach {self.threshold:g}"
        return f"{what} of its {self.count} most similar templates{limit}"


@dataclass(frozen=True)
class AnyAbove:
    """Whether any template's cosine is at least ``threshold``: one bit.

    Args:
        threshold: Smallest cosine that counts, in [-1, 1].

    Raises:
        ParameterError: a threshold that is no cosine.
    """

    threshold: float

    def __post_init__(self) -> None:
        refuse(ParameterError, _threshold_problems("AnyAbove.threshold", self.threshold))

    @property
    def reveals(self) -> str:
        """What receivers learn, in words."""
        return f"whether any template's cosine is at least {self.threshold:g}, one bit"


Question = Best | Top | AnyAbove


@dataclass(frozen=True)
class VectorGrid:
    """The integers that vectors become, for galleries of a bounded size.

    Args:
        dimension: Components of a vector.
        capacity: Most templates of a gallery.

    Raises:
        ParameterError: no grid is fine enough and fits into the ring of 2**64.

    >>> VectorGrid(512, 50_000).bits
    15
    """

    dimension: int
    capacity: int

    def __post_init__(self) -> None:
        problems = whole_number("dimension", self.dimension) + whole_number("capacity", self.capacity)
        refuse(ParameterError, problems)
        if self.bits < 8:
            got = f"{self.dimension} components and {self.capacity} templates"
            raise ParameterError(Problem("VectorGrid", got, "less: cosines would be good to less than 8 bits"))

    @property
    def span(self) -> int:
        """How many different candidates a key can tell apart; twice what is needed leaves room for thresholds."""
        return 1 << (2 * self.capacity).bit_length()

    @property
    def bits(self) -> int:
        """Binary digits of a component: products of any such vectors, certain bounds and not only likely ones, fit."""
        free = _RING_BITS - 2 - (self.span - 1).bit_length() - (self.dimension - 1).bit_length()
        return min(MOST_BITS, free // 2)

    @property
    def unit(self) -> int:
        """The product of two equal vectors: cosine 1."""
        return 1 << 2 * self.bits

    def vectors(self, rows: int) -> Input:
        """Declare vectors on the grid.

        Args:
            rows: How many.

        Returns:
            The declaration of an input (rows, dimension).
        """
        largest = float(1 << self.bits)
        return Input((rows, self.dimension), -largest, largest, 1.0)

    def unit_vectors(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Normalise real vectors and put them on the grid, at their owner.

        Args:
            values: Vectors (rows, dimension), of any length but zero.

        Returns:
            Integers (rows, dimension) of at most 2**bits.

        Raises:
            ParameterError: rows that are zero or not finite, which have no direction; all are named.

        >>> VectorGrid(2, 100).unit_vectors(np.array([[3.0, 4.0]])) / 2**15
        array([[0.6000061 , 0.79998779]])
        """
        rows = real_values("vectors", values)
        if rows.ndim != 2 or rows.shape[1] != self.dimension or not len(rows):
            raise ParameterError(Problem("vectors", f"shape {rows.shape}", f"(rows, {self.dimension}), at least one"))
        with np.errstate(invalid="ignore", over="ignore"):
            lengths = np.linalg.norm(rows, axis=1)
        bad = np.flatnonzero(~((lengths > 1e-150) & (lengths < 1e150)))
        if bad.size:
            got = f"{bad.size} rows of length zero or not finite, the first at {bad[0]}"
            raise ParameterError(Problem("vectors", got, "vectors that have a direction"))
        return np.rint(rows / lengths[:, None] * (1 << self.bits)).astype(np.int64)

    def product(self, threshold: float) -> int:
        """Find the smallest product that counts.

        Args:
            threshold: A cosine, in [-1, 1].

        Returns:
            The smallest product of two vectors on the grid whose cosine is at least that.
        """
        return math.ceil(threshold * self.unit)


def matching_program(grid: VectorGrid, blocks: Sequence[int], queries: int, question: Question) -> Program:
    """Compare vectors with blocks of templates.

    Args:
        grid: Integers that vectors and templates become.
        blocks: Rows of each block of templates; a gallery grows by blocks.
        queries: Vectors that are compared in one run.
        question: What is revealed of each vector.

    Returns:
        A program of the vectors (queries, dimension) and then the blocks (rows, dimension), as ``grid`` encodes them;
        `read_answer` reads its output.

    Raises:
        ParameterError: the gallery is empty or too large for ``grid``, or smaller than what is asked for.
    """
    total = sum(blocks)
    asked = question.count if isinstance(question, Top) and question.threshold is None else 1
    if not asked <= total <= grid.capacity:
        raise ParameterError(Problem("gallery", f"{total} templates", f"{asked} to {grid.capacity}"))

    def build(query: Value, *templates: Value) -> Value:
        column = query >> Transpose((1, 0))  # the small operand: SPU multiplies by a transposed gallery 50 times slower
        products = concat(*(block @ column for block in templates)) >> Transpose((1, 0))
        if isinstance(question, AnyAbove):
            found = products.compare(float(grid.product(question.threshold)))
            return found.sum(1).compare(1.0)
        if isinstance(question, Best) and question.score:
            return _best(products, grid, question)
        for _ in range(_rivals(question)):  # behind the templates, so that equal ones come first
            products = products >> Pad(((0, 0), (0, 1)), float(grid.product(question.threshold or 0.0)))
        if isinstance(question, Best):
            return products >> ArgMax(1)
        found = products >> TopK(question.count)
        return found if question.score else found[1]

    return trace(build, grid.vectors(queries), *(grid.vectors(rows) for rows in blocks))


def read_answer(grid: VectorGrid, templates: int, question: Question, revealed: NDArray[Any]) -> Matches:
    """Read what `matching_program` revealed.

    Args:
        grid: Integers that vectors and templates became.
        templates: Rows of all blocks together.
        question: What was asked of each vector.
        revealed: The program's output, one row per vector.

    Returns:
        The answers, one row per vector.
    """
    numbers = np.rint(np.asarray(revealed, np.float64)) if revealed.dtype.kind == "f" else revealed
    if isinstance(question, AnyAbove):
        return Matches(question, found=numbers.astype(bool))
    scored, rivals = isinstance(question, Best) and question.score, _rivals(question)
    if scored:
        keys = numbers.astype(np.int64)[:, None]
        indices, products = grid.span - 1 - rivals - keys % grid.span, keys // grid.span
        known = indices >= 0
    else:
        products, indices = numbers if question.score else (None, numbers)
        indices = indices.astype(np.int64).reshape(-1, question.count)
        known = indices < templates
    cosines = None if products is None else np.where(known, products / grid.unit, np.nan)
    return Matches(question, indices=np.where(known, indices, -1), cosines=cosines)


@dataclass(frozen=True)
class Matches:
    """The answer, one row per query; what was not asked for is None.

    Args:
        question: What was asked.
        indices: Rows of the gallery (queries, count); -1 where none reaches the threshold.
        cosines: Their cosines (queries, count); NaN where none reaches the threshold.
        found: Whether any reaches the threshold (queries,).
    """

    question: Question
    indices: NDArray[np.int64] | None = None
    cosines: NDArray[np.float64] | None = None
    found: NDArray[np.bool_] | None = None


def matches_of(question: Question, cosines: NDArray[np.floating]) -> Matches:
    """Answer ``question`` from cosines in the clear: what whoever decrypted them does, or a trial without protection.

    Args:
        question: what is asked of each query.
        cosines: real numbers (queries, templates); of equal ones the first template counts.

    Returns:
        The answer as `read_answer` gives it. A `Top` of more than there are templates ends in -1 and NaN.

    >>> matches_of(Top(2, threshold=0.5), np.array([[0.1, 0.9, 0.4]])).indices
    array([[ 1, -1]])
    """
    if isinstance(question, AnyAbove):
        return Matches(question, found=(cosines >= question.threshold).any(1))
    order = np.argsort(-cosines, axis=1, kind="stable")[:, : question.count]
    best = np.take_along_axis(cosines, order, 1)
    known = best >= (-np.inf if question.threshold is None else question.threshold)
    missing = ((0, 0), (0, question.count - order.shape[1]))
    indices = np.pad(np.where(known, order, -1), missing, constant_values=-1)
    values = np.pad(np.where(known, best, np.nan), missing, constant_values=np.nan)
    return Matches(question, indices=indices, cosines=values if question.score else None)


def _rivals(question: Best | Top) -> int:
    """Candidates that stand for the threshold."""
    return 0 if question.threshold is None else question.count


def _best(products: Value, grid: VectorGrid, question: Best) -> Value:
    """The largest key of all.

    A rival's lies between those of the last product below the threshold and the first that reaches it: templates'
    keys end in at most span - 1 - rivals, so the last ending is free.
    """
    numbers = np.arange(products.shape[1], dtype=np.float64)
    keys = products >> Affine(float(grid.span), grid.span - 1 - _rivals(question) - numbers)
    if question.threshold is not None:
        keys = keys >> Pad(((0, 0), (0, 1)), float(grid.product(question.threshold) * grid.span - 1))
    return keys >> Max((1,))


def keep_program(grid: VectorGrid, rows: int, kept: Sequence[int]) -> Program:
    """Rewrite a block of templates without those that are not kept: their shares are gone.

    Args:
        grid: Integers that templates become.
        rows: Templates of the block.
        kept: Numbers of the rows that stay, in their new order.

    Returns:
        A program of the block (rows, dimension) with the output (len(kept), dimension).
    """
    return trace(lambda block: block >> Gather(np.array(kept, np.int64), 0), grid.vectors(rows))


def join_program(grid: VectorGrid, first: int, second: int) -> Program:
    """Concatenate two blocks of templates.

    Args:
        grid: Integers that templates become.
        first: Rows of the first block.
        second: Rows of the second one.

    Returns:
        A program of both blocks with the output (first + second, dimension).
    """
    return trace(lambda a, b: concat(a, b), grid.vectors(first), grid.vectors(second))


def _threshold_problems(where: str, threshold: float | None) -> list[Problem]:
    if threshold is None or (isinstance(threshold, int | float) and -1 <= threshold <= 1):
        return []
    return [Problem(where, repr(threshold), "a cosine from -1 to 1")]
