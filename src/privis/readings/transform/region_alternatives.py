"""Reading ``alternative``: the program with every region replaced by the polynomial alternative its feature states."""

from __future__ import annotations

from privis.program import Program, Region, Value, trace
from privis.program.graph import Node, apply


def alternative(program: Program) -> Program:
    """Return ``program`` with the polynomial alternative of each region in the place of the region's nodes.

    Regions without one stay, and so does a region whose inner values are read outside of it. The result has no
    regions.

    >>> from privis.program import Input, region
    >>> double = lambda x: region("double", lambda v: v.abs() + v.abs(), x, polynomial=lambda v: v * 2.0)
    >>> [type(node.op).__name__ for node in alternative(trace(double, Input((3,)))).nodes]
    ['Affine']
    """
    replaced = {region.last: region for region in program.regions if region.polynomial and _closed(program, region)}
    skipped = {index for region in replaced.values() for index in range(region.first, region.last)}
    if not replaced:
        return Program(program.inputs, program.nodes, program.outputs)

    def build(*inputs: Value) -> tuple[Value, ...]:
        values: list[Value | None] = list(inputs)
        for index, node in enumerate(program.nodes):
            if index in replaced:
                values.append(_inline(replaced[index], values))
            else:
                values.append(None if index in skipped else apply(node.op, *_known(values, node.operands)))
        return tuple(_known(values, program.outputs))

    return trace(build, *program.inputs)


def _closed(program: Program, region: Region) -> bool:
    """Nobody outside reads a value inside, except the last one."""
    first = len(program.inputs)
    inside = range(first + region.first, first + region.last)
    outside = [node for index, node in enumerate(program.nodes) if not region.first <= index <= region.last]
    read = [operand for node in outside for operand in node.operands]
    return not any(value in inside for value in (*read, *program.outputs))


def _inline(region: Region, values: list[Value | None]) -> Value:
    stated = region.polynomial
    assert stated is not None

    def rule(_: int, node: Node, operands: list[Value]) -> Value:
        return apply(node.op, *operands)

    return stated.read(rule, _known(values, region.inputs))[stated.outputs[0]]


def _known(values: list[Value | None], indices: tuple[int, ...]) -> list[Value]:
    found = [values[index] for index in indices]
    assert all(value is not None for value in found)  # regions are closed
    return [value for value in found if value is not None]


__all__ = ["alternative"]
