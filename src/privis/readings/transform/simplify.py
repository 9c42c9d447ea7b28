"""Readings ``live`` and ``simplified``: the same program with fewer nodes."""

from __future__ import annotations

from itertools import zip_longest

import numpy as np

from privis.program import Program, Value, ops, trace
from privis.program.graph import Node, apply
from privis.program.shapes import Shape


def live(program: Program) -> Program:
    """Return ``program`` without the nodes that no output needs; regions are not kept.

    >>> from privis.program import Input
    >>> len(live(trace(lambda x: (x * x, x * 2.0)[1], Input((3,)))).nodes)
    1
    """
    first = len(program.inputs)
    needed = set(program.outputs)
    for index in range(len(program.nodes) - 1, -1, -1):
        if first + index in needed:
            needed.update(program.nodes[index].operands)
    kept = [index for index in range(len(program.nodes)) if first + index in needed]
    rename = {value: value for value in range(first)} | {first + old: first + new for new, old in enumerate(kept)}
    nodes = tuple(
        Node(program.nodes[index].op, tuple(rename[i] for i in program.nodes[index].operands)) for index in kept
    )
    return Program(program.inputs, nodes, tuple(rename[output] for output in program.outputs))


def simplified(program: Program) -> Program:
    """Return ``program`` without what only costs levels or movement under encryption; regions are not kept.

    A public factor and summand after a polynomial that nothing else reads go into its coefficients, sums and
    differences of polynomials of one value become one, affine maps that change nothing disappear, and a slice of a
    concatenation that is one of its parts becomes that part.

    >>> from privis.program import Input
    >>> made = simplified(trace(lambda x: (x >> ops.Poly((0.0, 1.0, 0.0, 0.5))) * 2.0 + 1.0, Input((3,))))
    >>> [node.op for node in made.nodes]
    [Poly(coefficients=(1.0, 2.0, 0.0, 1.0), domain=(-1.0, 1.0))]
    """
    readers = [0] * (len(program.inputs) + len(program.nodes))
    for value in (*(i for node in program.nodes for i in node.operands), *program.outputs):
        readers[value] += 1

    def build(*inputs: Value) -> tuple[Value, ...]:
        made = {x.index: x for x in inputs}

        def rule(_: int, node: Node, operands: list[Value]) -> Value:
            result = _shorter(node.op, operands, made, readers[node.operands[0]] == 1)
            return made.setdefault(result.index, result)

        values = program.read(rule, list(inputs))
        return tuple(values[output] for output in program.outputs)

    return live(trace(build, *program.inputs))


def _shorter(op: ops.Op, operands: list[Value], made: dict[int, Value], alone: bool) -> Value:
    """``op`` on ``operands``, or less that gives the same; ``alone``: nothing else reads the first operand."""
    x = operands[0]
    before = None if x.index < x.inputs else x.nodes[x.index - x.inputs]
    match op:
        case ops.Affine(scale, bias) if np.ndim(scale) == np.ndim(bias) == 0:
            if (scale, bias) == (1.0, 0.0):
                return x
            if alone and before is not None and isinstance(before.op, ops.Poly):
                first, *rest = (float(scale) * c for c in before.op.coefficients)
                return made[before.operands[0]] >> ops.Poly((first + float(bias), *rest), before.op.domain)
        case ops.Add() | ops.Sub():
            other = operands[1]
            after = None if other.index < other.inputs else other.nodes[other.index - other.inputs]
            if before is not None and after is not None and before.operands == after.operands:
                poly = _together(before.op, after.op, 1.0 if isinstance(op, ops.Add) else -1.0)
                if poly is not None:
                    return made[before.operands[0]] >> poly
        case ops.Slice(index) if before is not None and isinstance(before.op, ops.Concat):
            part = _part(before.op.axis, [made[i] for i in before.operands], index, x.shape)
            if part is not None:
                return part
    return apply(op, *operands)


def _together(a: ops.Op, b: ops.Op, sign: float) -> ops.Poly | None:
    """``a + sign * b`` for polynomials on one domain."""
    if not (isinstance(a, ops.Poly) and isinstance(b, ops.Poly) and a.domain == b.domain):
        return None
    pairs = zip_longest(a.coefficients, b.coefficients, fillvalue=0.0)
    return ops.Poly(tuple(x + sign * y for x, y in pairs), a.domain)


def _part(axis: int, parts: list[Value], index: tuple[tuple[int, int, int], ...], shape: Shape) -> Value | None:
    """The one of ``parts``, concatenated along ``axis`` to ``shape``, that ``index`` cuts out whole; or None."""
    if any(cut != (0, shape[a], 1) for a, cut in enumerate(index) if a != axis):
        return None
    start = 0
    for part in parts:
        stop = start + part.shape[axis]
        if index[axis] == (start, stop, 1):
            return part
        start = stop
    return None


__all__ = ["live", "simplified"]
