"""Matching of unit vectors by cosine, as programs on integers: what is revealed of a question, and how to read it.

Vectors lie on the integer grid of ``2**bits`` steps per unit, so every inner product is an exact integer in the ring
and the answer is that of the rounded vectors, exactly (rounding moves a cosine by about 2**-bits). Of templates that
are equally similar the first one counts. What each question reveals stands in `privis.tasks.questions`.

For the best template and its cosine each product carries its template's number: with ``span`` a power of two above
the number of candidates, ``key = span * product + (span - 1 - number)``. Keys are all different and in the wanted
order, so that one maximum gives both, for a single comparison and selection per candidate. (Top-k does the like by
itself; without it, SPU's selection, which opens comparisons of shuffled candidates, would show which scores are equal.)

A threshold adds candidates of its own, made of public numbers: they win where no template reaches the threshold.

Whoever asks could send a vector that is longer than others, and reach any threshold with it. So where there is a
threshold the program looks at the product of the query with itself too, and nothing matches one whose length is not 1
to within rounding. Templates' lengths are their owners' word.

Templates that match are a bit each, so their number is a sum. Where at most one is asked for, its index and payload are
sums of them too: of one bit at most, or the answer is blotted out because there are more. For the r-th of several, the
bits are added up along the gallery; the index is the number of templates before which fewer than r match.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.former_names import former_names
from privis.program import Input, Program, trace
from privis.program.graph import Value, concat
from privis.program.ops import Affine, ArgMax, Dense, Gather, Max, Pad, TopK, Transpose
from privis.tasks.matches import Matches, decided
from privis.tasks.payloads import PayloadFormat
from privis.tasks.questions import AllAbove, AnyAbove, Best, Claim, Count, Payload, Question, Top
from privis.tasks.vector_grid import VectorGrid

MOST_PLACES = 1 << 26
"""Most numbers that say of every query, place of the answer and template whether these belong together."""

_TOP_AS_IT_IS = 1 << 16
"""Templates up to which SPU's selection takes products of any bound; beyond, one below all makes the bound no power of
two, which fixed point holds."""

__getattr__ = former_names(__name__)


def matching_program(
    grid: VectorGrid, blocks: Sequence[int], queries: int, question: Question, payload: PayloadFormat | None = None
) -> Program:
    """Compare vectors with blocks of templates.

    Args:
        grid: Integers that vectors and templates become.
        blocks: Rows of each block of templates; a gallery grows by blocks.
        queries: Vectors that are compared in one run.
        question: What is revealed of each vector; a `Claim` has `claim_program`.
        payload: What templates carry, for the question `Payload`.

    Returns:
        A program of the vectors (queries, dimension), the blocks (rows, dimension), as ``grid`` encodes them, and for
        `Payload` the payloads of each block (rows, width); `read_answer` reads its output.

    Raises:
        ParameterError: the gallery is empty or smaller than what is asked for, too large for this question, or without
            payloads that are asked for; the answer needs more than `MOST_PLACES` numbers on the way; or the question is
            a `Claim`.
    """
    refuse(ParameterError, _program_problems(grid, sum(blocks), queries, question, payload))
    carried = [payload.declared(rows) for rows in blocks] if payload and isinstance(question, Payload) else []

    def build(query: Value, *given: Value) -> Value:
        templates, payloads = given[: len(blocks)], given[len(blocks) :]
        column = query >> Transpose((1, 0))  # the small operand: SPU multiplies by a transposed gallery 50 times slower
        products = concat(*(block @ column for block in templates)) >> Transpose((1, 0))
        if isinstance(question, Best | Top):
            return _most_similar(products, query, grid, question)
        found, valid = products.compare(float(grid.product(question.threshold))), _of_length_one(query, grid)
        if isinstance(question, AllAbove | Payload):
            listed = _listed(found, question, concat(*payloads) if payloads else None)
            return listed * valid.reshape(queries, 1)
        number = found.sum(1)
        return valid * (number if isinstance(question, Count) else number.compare(1.0))

    return trace(build, grid.vectors(queries), *(grid.vectors(rows) for rows in blocks), *carried)


def claim_program(grid: VectorGrid, blocks: Sequence[int], claims: Sequence[int], question: Claim) -> Program:
    """Compare each vector with the one template that it claims.

    Args:
        grid: Integers that vectors and templates become.
        blocks: Rows of each block of templates.
        claims: For each vector a row of all blocks together.
        question: The threshold.

    Returns:
        A program of the vectors (claims, dimension) and then the blocks (rows, dimension), as ``grid`` encodes them,
        with a bit for each vector; `read_answer` reads it.

    Raises:
        ParameterError: no claims, or claims of rows that are not there.
    """
    rows = np.asarray(claims, np.int64)
    if not rows.size or rows.min() < 0 or rows.max() >= sum(blocks):
        got = f"{rows.size} rows from {rows.min(initial=0)} to {rows.max(initial=0)}"
        raise ParameterError(Problem("claims", got, f"at least one, of rows from 0 to {sum(blocks) - 1}"))
    starts = np.cumsum([0, *blocks])
    taken = [rows[(start <= rows) & (rows < end)] - start for start, end in itertools.pairwise(starts)]
    order = np.argsort(np.argsort(np.searchsorted(starts, rows, "right"), kind="stable"), kind="stable")

    def build(query: Value, *templates: Value) -> Value:
        picked = [block >> Gather(kept, 0) for block, kept in zip(templates, taken, strict=True) if len(kept)]
        claimed = concat(*picked) if len(picked) > 1 else picked[0]
        claimed = claimed if (np.diff(order) == 1).all() else claimed >> Gather(order, 0)
        found = _row_products(claimed, query).compare(float(grid.product(question.threshold)))
        return found * _of_length_one(query, grid)

    return trace(build, grid.vectors(len(rows)), *(grid.vectors(rows) for rows in blocks))


def read_answer(grid: VectorGrid, templates: int, question: Question, revealed: NDArray[Any]) -> Matches:
    """Read what `matching_program` or `claim_program` revealed.

    Args:
        grid: Integers that vectors and templates became.
        templates: Rows of all blocks together.
        question: What was asked of each vector.
        revealed: The program's output, one row per vector.

    Returns:
        The answers, one row per vector.
    """
    numbers = np.rint(np.asarray(revealed, np.float64)) if revealed.dtype.kind == "f" else revealed
    match question:
        case AnyAbove() | Claim():
            return Matches(question, decisions=decided(numbers.astype(bool)))
        case Count():
            counts = numbers.astype(np.int64)
            return Matches(question, decisions=decided(counts > 0), counts=counts)
        case AllAbove() | Payload():
            return _read_listed(question, templates, numbers.astype(np.int64))
    if isinstance(question, Best) and question.score:
        rivals = _rivals(question, templates)
        keys, span = numbers.astype(np.int64)[:, None], grid.span_of(templates)
        indices, products = span - 1 - rivals - keys % span, keys // span
        known = indices >= 0
    else:
        products, indices = numbers if question.score else (None, numbers)
        width = min(question.count, templates)
        indices = indices.astype(np.int64).reshape(-1, width)
        known = indices < templates
        missing = ((0, 0), (0, question.count - width))
        indices, known = np.pad(indices, missing), np.pad(known, missing)
        products = None if products is None else np.pad(products.reshape(-1, width), missing)
    cosines = None if products is None else np.where(known, products / grid.unit, np.nan)
    decisions = None if question.threshold is None else decided(known.any(1))
    return Matches(question, indices=np.where(known, indices, -1), cosines=cosines, decisions=decisions)


def keep_program(form: VectorGrid | PayloadFormat, rows: int, kept: Sequence[int]) -> Program:
    """Rewrite a block of templates, or their payloads, without those that are not kept: their shares are gone.

    Args:
        form: Integers that templates become, or what payloads look like.
        rows: Templates of the block.
        kept: Numbers of the rows that stay, in their new order.

    Returns:
        A program of the block (rows, components) with the output (len(kept), components).
    """
    return trace(lambda block: block >> Gather(np.array(kept, np.int64), 0), declared_rows(form, rows))


def join_program(form: VectorGrid | PayloadFormat, first: int, second: int) -> Program:
    """Concatenate two blocks of templates, or of their payloads.

    Args:
        form: Integers that templates become, or what payloads look like.
        first: Rows of the first block.
        second: Rows of the second one.

    Returns:
        A program of both blocks with the output (first + second, components).
    """
    return trace(lambda a, b: concat(a, b), declared_rows(form, first), declared_rows(form, second))


def declared_rows(form: VectorGrid | PayloadFormat, rows: int) -> Input:
    """Declare a block of templates, or of their payloads.

    Args:
        form: Integers that templates become, or what payloads look like.
        rows: How many.

    Returns:
        The declaration of an input (rows, components).
    """
    return form.vectors(rows) if isinstance(form, VectorGrid) else form.declared(rows)


def _row_products(rows: Value, others: Value) -> Value:
    """The inner product of each row with the other of its number."""
    count, components = rows.shape
    return (rows.reshape(count, 1, components) @ others.reshape(count, components, 1)).reshape(count)


def _of_length_one(query: Value, grid: VectorGrid) -> Value:
    """A bit for each query: whether its length is 1, to within rounding."""
    count, (least, most) = query.shape[0], grid.squared_lengths
    squared = _row_products(query, query).reshape(count, 1)
    bits = concat(squared, squared * -1.0, axis=1).compare(np.array([float(least), -float(most)]))
    return (bits[:, :1] * bits[:, 1:]).reshape(count)


# The most similar ones


def _most_similar(products: Value, query: Value, grid: VectorGrid, question: Best | Top) -> Value:
    templates = products.shape[1]
    rivals = _rivals(question, templates)
    limit: Value | None = None
    if rivals:  # beyond all products where the query's length is wrong
        least, beyond = float(grid.product(question.threshold or 0.0)), float(grid.dimension * grid.unit + 1)
        valid = _of_length_one(query, grid).reshape(query.shape[0], 1)
        either = concat(valid, valid >> Affine(-1.0, 1.0), axis=1)
        limit = either >> Dense(
            np.array([[least, beyond]])
        )  # on the grid of whole numbers, which an offset would leave
    if isinstance(question, Best) and question.score:
        return _best(products, limit, grid)
    if limit is not None:  # behind the templates, so that equal ones come first
        products = concat(products, *[limit] * rivals, axis=1)
    if isinstance(question, Best):
        return products >> ArgMax(1)
    if templates > _TOP_AS_IT_IS and not rivals:
        products = products >> Pad(((0, 0), (0, 1)), -float(grid.dimension * grid.unit + 1))
    found = products >> TopK(min(question.count, templates))
    return found if question.score else found[1]


def _rivals(question: Best | Top, templates: int) -> int:
    """Candidates that stand for the threshold."""
    return 0 if question.threshold is None else min(question.count, templates)


def _best(products: Value, limit: Value | None, grid: VectorGrid) -> Value:
    """The largest key of all.

    A rival's lies between those of the last product below the threshold and the first that reaches it: templates'
    keys end in at most span - 1 - rivals, so the last ending is free.
    """
    numbers, span = np.arange(products.shape[1], dtype=np.float64), grid.span_of(products.shape[1])
    keys = products >> Affine(float(span), span - 1 - (limit is not None) - numbers)
    if limit is not None:
        keys = concat(keys, limit >> Affine(float(span), -1.0), axis=1)
    return keys >> Max((1,))


# Those that match


def _listed(found: Value, question: AllAbove | Payload, payloads: Value | None) -> Value:
    """How many match, up to one more than are asked for, and then each one's index less the number of templates, or
    its payload; zeros where there is none, and everywhere where there are more.
    """
    queries, templates = found.shape
    most, number = min(question.most, templates), found.sum(1).reshape(queries, 1)
    levels = most + (question.most < templates)
    state = (number >> Gather(np.zeros(levels, np.int64), 1)).compare(np.arange(1.0, levels + 1))
    if most == 1:
        at_place = found.reshape(queries, 1, templates)
        places = (found >> Affine(np.arange(templates) - float(templates), 0.0)).sum(1).reshape(queries, 1)
    else:
        running = _running_sum(found).reshape(queries, 1, templates) >> Gather(np.zeros(most, np.int64), 1)
        reached = running.compare(np.arange(1.0, most + 1)[:, None])
        at_place = reached - (reached[:, :, : templates - 1] >> Pad(((0, 0), (0, 0), (1, 0)), 0.0))
        places = reached.sum(2) * -1.0
    if payloads is not None:
        width = payloads.shape[1]
        places = (at_place.reshape(queries * most, templates) @ payloads).reshape(queries, most * width)
    if question.most < templates:
        places = places * (state[:, most:] >> Affine(-1.0, 1.0))
    return concat(state.sum(1, keep=True), places, axis=1)


def _running_sum(bits: Value) -> Value:
    """Sums of all bits up to each one, along the last axis: within lots of a square root of them, and of lots."""
    queries, length = bits.shape
    lot = math.isqrt(length - 1) + 1
    lots = -(-length // lot)
    padded = (bits >> Pad(((0, 0), (0, lot * lots - length)), 0.0)).reshape(queries, lots, lot)
    within = padded >> Dense(np.tril(np.ones((lot, lot))))
    before = padded.sum(2) >> Dense(np.tril(np.ones((lots, lots)), -1))
    return (within + before.reshape(queries, lots, 1)).reshape(queries, lot * lots)[:, :length]


def _read_listed(question: AllAbove | Payload, templates: int, numbers: NDArray[np.int64]) -> Matches:
    counts, listed = numbers[:, 0], numbers[:, 1:]
    decisions = decided(counts > 0, counts > question.most)
    width = min(question.most, templates)
    rows = np.pad(listed.reshape(len(listed), width, -1), ((0, 0), (0, question.most - width), (0, 0)))
    given = np.arange(question.most) < np.where(counts > question.most, 0, counts)[:, None]
    if isinstance(question, AllAbove):
        indices = np.where(given, templates + rows[..., 0], -1)
        return Matches(question, indices=indices, decisions=decisions, counts=counts)
    payloads = np.where(given[..., None], rows, -1)
    return Matches(question, decisions=decisions, counts=counts, payloads=payloads)


def _program_problems(
    grid: VectorGrid, templates: int, queries: int, question: Question, payload: PayloadFormat | None
) -> list[Problem]:
    asked = question.count if isinstance(question, Top) and question.threshold is None else 1
    problems = []
    if templates < asked:
        problems.append(Problem("gallery", f"{templates} templates", f"at least {asked}"))
    if templates > grid.most and (isinstance(question, Top) or (isinstance(question, Best) and question.score)):
        remedy = "ask Best without a score, or enrol on a grid of a larger capacity"
        expected = f"at most {grid.most} for cosines and Top on this grid"
        problems.append(Problem("gallery", f"{templates} templates", expected, remedy))
    if isinstance(question, AllAbove | Payload) and question.most > 1:
        places = queries * min(question.most, templates) * templates
        if places > MOST_PLACES:
            got = f"{queries} queries, {question.most} of {templates} templates in an answer"
            expected = f"a product of at most {MOST_PLACES:,}"
            problems.append(Problem("matching_program", got, expected, "ask fewer at once, or for fewer templates"))
    if isinstance(question, Payload) and payload is None:
        problems.append(Problem("gallery", "templates without payloads", "payloads, which are asked for"))
    if isinstance(question, Claim):
        problems.append(Problem("question", "Claim", "a question to a whole gallery", "use claim_program"))
    return problems
