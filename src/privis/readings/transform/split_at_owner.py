"""Reading ``split_at_owner``: what is computed on hidden values, and what the owner does after decryption."""

from __future__ import annotations

import dataclasses
import math

from privis.program import Input, Program, Region, ops
from privis.program.graph import Node
from privis.readings.analysis.ranges import ranges

PURE_MOVEMENT = ops.Reshape | ops.Transpose | ops.Slice | ops.Gather | ops.Window | ops.Pad | ops.Concat


def split_at_owner(program: Program) -> tuple[Program, Program]:
    """Split ``program`` into ``head`` and ``tail``: the tail begins at ``Normalise`` and holds all that depends on it.

    ``head >> tail`` computes what ``program`` computes. Normalisation is cheap in the clear and dear under encryption,
    and its result tells whoever holds the key no more than the numbers before it. Movement that only the tail reads
    and that does not shrink its operand goes to the tail, so that less has to be decrypted. The tail's inputs are the
    head's outputs, real numbers in the ranges that analysis finds; a program without ``Normalise`` has a tail that
    passes its inputs on. Regions stay on the side that holds them whole.

    >>> from privis.program import trace
    >>> unit = trace(lambda x: (x * 2.0) >> ops.Normalise((1.0, 9.0)), Input((3,)))
    >>> [[type(n.op).__name__ for n in part.nodes] for part in split_at_owner(unit)]
    [['Affine'], ['Normalise']]
    """
    first = len(program.inputs)
    late = _late(program)
    crossing = _crossing(program, late)
    head = _part(program, program.inputs, {i: i for i in range(first)}, late, False, crossing)
    known, shapes = ranges(program), program.shapes
    inputs = tuple(Input(shapes[value], *known[value].bounds, step=None) for value in crossing)
    renamed = {value: index for index, value in enumerate(crossing)}
    return head, _part(program, inputs, renamed, late, True, program.outputs)


def _late(program: Program) -> set[int]:
    """Nodes of the tail."""
    first = len(program.inputs)
    late: set[int] = set()
    for index, node in enumerate(program.nodes):
        if isinstance(node.op, ops.Normalise) or any(operand - first in late for operand in node.operands):
            late.add(index)
    shapes, outputs = program.shapes, set(program.outputs)
    readers: list[set[int]] = [set() for _ in shapes]
    for index, node in enumerate(program.nodes):
        for operand in node.operands:
            readers[operand].add(index)
    for index in range(len(program.nodes) - 1, -1, -1):
        node, value = program.nodes[index], first + index
        grows = math.prod(shapes[value]) >= sum(math.prod(shapes[operand]) for operand in set(node.operands))
        if isinstance(node.op, PURE_MOVEMENT) and grows and readers[value] and readers[value] <= late:
            late |= {index} if value not in outputs else set()
    return late


def _crossing(program: Program, late: set[int]) -> tuple[int, ...]:
    """Values of the head that the tail or the caller reads, in order."""
    first = len(program.inputs)
    read = [operand for index in sorted(late) for operand in program.nodes[index].operands] + list(program.outputs)
    return tuple(sorted({value for value in read if value < first or value - first not in late}))


def _part(
    program: Program,
    inputs: tuple[Input, ...],
    renamed: dict[int, int],
    late: set[int],
    is_tail: bool,
    outputs: tuple[int, ...],
) -> Program:
    """The nodes on one side, renumbered."""
    first, nodes, places = len(program.inputs), [], {}
    for index, node in enumerate(program.nodes):
        if (index in late) == is_tail:
            places[index] = len(nodes)
            renamed[first + index] = len(inputs) + len(nodes)
            nodes.append(Node(node.op, tuple(renamed[operand] for operand in node.operands)))
    regions = tuple(
        _moved(region, places, renamed)
        for region in program.regions
        if all(index in places for index in range(region.first, region.last + 1))
        and all(value in renamed for value in region.inputs)
    )
    return Program(inputs, tuple(nodes), tuple(renamed[output] for output in outputs), regions)


def _moved(region: Region, places: dict[int, int], renamed: dict[int, int]) -> Region:
    inputs = tuple(renamed[value] for value in region.inputs)
    return dataclasses.replace(region, first=places[region.first], last=places[region.last], inputs=inputs)


__all__ = ["split_at_owner"]
