"""Readings ``side_by_side`` and ``packed``: several programs as one, and several inputs and outputs as one of each."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from itertools import accumulate

from privis.errors import Problem, ProgramError
from privis.program import Input, Program, Value, concat, trace
from privis.program.graph import Node


def side_by_side(programs: Sequence[Program]) -> Program:
    """Return one program that has all inputs, and all outputs, of ``programs`` in order; regions are kept.

    Args:
        programs: at least one; they share nothing.

    Returns:
        The program.

    Raises:
        ProgramError: there is none.

    >>> double = trace(lambda x: x * 2.0, Input((3,)))
    >>> side_by_side([double, double]).output_shapes
    ((3,), (3,))
    """
    if not programs:
        raise ProgramError(Problem("side_by_side", "no program", "at least one"))
    inputs = tuple(declared for program in programs for declared in program.inputs)
    nodes: list[Node] = []
    outputs: list[int] = []
    regions = []
    taken = 0
    for program in programs:
        own, before, start = len(program.inputs), taken, len(nodes)
        place = [
            before + value if value < own else len(inputs) + start + value - own
            for value in range(own + len(program.nodes))
        ]
        nodes += [Node(node.op, tuple(place[operand] for operand in node.operands)) for node in program.nodes]
        outputs += [place[output] for output in program.outputs]
        regions += [
            dataclasses.replace(
                region,
                first=region.first + start,
                last=region.last + start,
                inputs=tuple(place[value] for value in region.inputs),
            )
            for region in program.regions
        ]
        taken += own
    return Program(inputs, tuple(nodes), tuple(outputs), tuple(regions))


def packed(program: Program) -> Program:
    """Return ``program`` with one flat input and one flat output.

    They hold all inputs, and all outputs, one after another in C order. That is movement alone: whoever knows the
    shapes cuts the flat vectors. Several inputs must be declared alike, because one input has one range and one grid.

    Args:
        program: of any number of inputs and outputs.

    Returns:
        The program of an input (elements,) with the output (elements,).

    Raises:
        ProgramError: inputs are declared in different ranges or on different grids.

    >>> both = trace(lambda x, y: (x + y, (x * y).sum(0)), Input((2, 3)), Input((2, 3)))
    >>> packed(both).inputs[0].shape, packed(both).output_shapes
    ((12,), ((9,),))
    """
    declared = {(given.low, given.high, given.step) for given in program.inputs}
    if len(declared) > 1:
        got = "; ".join(f"{low:g} to {high:g}, step {step}" for low, high, step in sorted(declared, key=repr))
        remedy = "declare them alike, and scale inside the program"
        raise ProgramError(Problem("packed", f"inputs of different ranges ({got})", "one range and grid", remedy))
    low, high, step = declared.pop()
    sizes = [math.prod(given.shape) for given in program.inputs]
    ends = list(accumulate(sizes))

    def cut(x: Value) -> tuple[Value, ...]:
        parts = zip(program.inputs, sizes, ends, strict=True)
        return tuple(x[end - size : end].reshape(*given.shape) for given, size, end in parts)

    def joined(*values: Value) -> Value:
        return concat(*(value.reshape(-1) for value in values))

    made = [Input(shape, -math.inf, math.inf, None) for shape in program.output_shapes]
    return trace(cut, Input((ends[-1],), low, high, step)) >> program >> trace(joined, *made)


__all__ = ["packed", "side_by_side"]
