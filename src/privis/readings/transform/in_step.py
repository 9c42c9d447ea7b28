"""Reading ``in_step``: programs that differ in shapes alone, as one that takes every costly step for all of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from privis.errors import Problem, ProgramError
from privis.program import Program, Value, concat, ops, trace
from privis.program.graph import apply
from privis.program.ops import Op
from privis.readings.transform.folded_gradients import folded_blocks


def in_step(programs: Sequence[Program]) -> Program:
    """Return one program with all inputs, and all outputs, of ``programs`` in order, which takes their steps together.

    Node by node it does the same to every program's values: comparisons, products, scalar functions and normalisations
    are one node for all of them, because protocols pay for each message, not for each number. Regions
    ``interpolated_gradient_blocks`` are computed with fewer comparisons, equal up to the rounding of their weights.

    Args:
        programs: at least one; alike but for shapes, such as one feature at the levels of a pyramid.

    Returns:
        The program; it has no regions.

    Raises:
        ProgramError: there is none, or they are not alike.

    >>> from privis.program import Input
    >>> small, large = (trace(lambda x: x.relu(), Input((n,))) for n in (2, 5))
    >>> joined = in_step([small, large])
    >>> joined.output_shapes, sum(isinstance(node.op, ops.Nonlinear) for node in joined.nodes)
    (((2,), (5,)), 1)
    """
    if not programs:
        raise ProgramError(Problem("in_step", "no program", "at least one"))
    first = programs[0]
    for place, program in enumerate(programs):
        alike = [(type(a.op), a.operands) for a in first.nodes] == [(type(b.op), b.operands) for b in program.nodes]
        if not alike or len(first.inputs) != len(program.inputs) or first.outputs != program.outputs:
            expected = "the nodes of the first, for other shapes"
            raise ProgramError(Problem(f"in_step, program {place}", "other nodes", expected, "join it separately"))
    known = {region.last: (region, found) for region in first.regions if (found := folded_blocks(first, region))}
    inside = {index for region, _ in known.values() for index in range(region.first, region.last)}
    taken = len(first.inputs)

    def build(*inputs: Value) -> tuple[Value, ...]:
        values: list[list[Value]] = [list(inputs[k::taken]) for k in range(taken)]
        for index, node in enumerate(first.nodes):
            if index in known:
                region, together = known[index]
                values.append(together([each for k in region.inputs for each in values[k]]))
            elif index in inside:
                values.append([])
            else:
                values.append(_step([p.nodes[index].op for p in programs], [values[k] for k in node.operands]))
        return tuple(values[output][place] for place in range(len(programs)) for output in first.outputs)

    return trace(build, *(declared for program in programs for declared in program.inputs))


def _step(found: Sequence[Op], operands: Sequence[Sequence[Value]]) -> list[Value]:
    """One node of every program: together where that saves messages."""
    if not _joins(found, operands):
        return [apply(op, *(values[place] for values in operands)) for place, op in enumerate(found)]
    op, own = found[0], operands[0]
    rows = isinstance(op, ops.Normalise | ops.Dense)  # they work on the last axis
    flat = [
        concat(*(each.reshape(*((-1, each.shape[-1]) if rows else (-1,))) for each in values)) for values in operands
    ]
    made = apply(op, *flat)
    parts, start = [], 0
    for each in own:
        length = math.prod(each.shape[:-1]) if rows else math.prod(each.shape)
        shape = (*each.shape[:-1], made.shape[-1]) if rows else each.shape
        parts.append(made[start : start + length].reshape(*shape))
        start += length
    return parts


def _joins(found: Sequence[Op], operands: Sequence[Sequence[Value]]) -> bool:
    """Whether the nodes of all programs are one op, which takes their elements, or rows, as they come."""
    match found[0]:
        case _ if len(found) < 2:
            return False
        case ops.Mul():
            return all(x.shape == y.shape for x, y in zip(*operands, strict=True))
        case ops.Dense() | ops.Normalise():
            return _alike(found) and len({each.shape[-1] for each in operands[0]}) == 1
        case ops.Compare(threshold):
            return np.ndim(threshold) == 0 and _alike(found)
        case ops.Nonlinear() | ops.Poly():
            return _alike(found)
        case _:
            return False


def _alike(found: Sequence[Op]) -> bool:
    """Whether ops of one kind have the same constants."""
    first, *others = ([getattr(op, field.name) for field in dataclasses.fields(op)] for op in found)
    return all(np.array_equal(a, b) for other in others for a, b in zip(first, other, strict=True))


__all__ = ["in_step"]
