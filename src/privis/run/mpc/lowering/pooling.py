"""Networks before they run on shares: max-pooling with as few comparisons as its definition allows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privis.program import Kind, Program, ops
from privis.program.graph import Node


@dataclass(frozen=True)
class MaxPooling:
    """The largest of each window of ``size`` and ``stride`` over the last two axes of value ``operand``."""

    operand: int
    size: tuple[int, int]
    stride: tuple[int, int]


def max_poolings(program: Program) -> dict[int, MaxPooling]:
    """Find the nodes that are max-pooling, by their number: a ``Max`` over both axes of windows."""
    first, found = len(program.inputs), {}
    shapes = program.shapes
    for index, node in enumerate(program.nodes):
        source = node.operands[0] - first
        before = program.nodes[source] if source >= 0 else None
        if isinstance(node.op, ops.Max) and before is not None and isinstance(before.op, ops.Window):
            rank = len(shapes[node.operands[0]])
            if not node.op.keep and sorted(axis % rank for axis in node.op.axes) == [rank - 2, rank - 1]:
                found[index] = MaxPooling(before.operands[0], before.op.size, before.op.stride)
    return found


def clipped_after_pooling(program: Program) -> Program:
    """Clip what max-pooling lets through instead of what it reads, which is more: a clip is monotone, so all is equal.

    It holds for a clip, or several alike that are concatenated, which one max-pooling alone reads. What they promise of
    their totals becomes a promise of the pooled total: as many times as large as there are windows that may hold one
    element, and clips. Nodes from the last clip to the pooling change their numbers, all others keep them.
    """
    for index in max_poolings(program):
        changed = _clipped_after(program, index)
        if changed is not program:
            return clipped_after_pooling(changed)
    return program


def _clipped_after(program: Program, pooling: int) -> Program:
    """``program`` with the clips before node ``pooling`` behind it; itself where that saves no comparison."""
    first, shapes, nodes = len(program.inputs), program.shapes, program.nodes
    window = nodes[pooling].operands[0]
    chain, gathers = [window, *nodes[window - first].operands], []
    while chain[-1] >= first and isinstance(op := nodes[chain[-1] - first].op, ops.Gather):
        gathers.insert(0, op)
        chain.extend(nodes[chain[-1] - first].operands)
    plane, clips = shapes[chain[-1]], (chain[-1],)
    if chain[-1] >= first and isinstance(nodes[chain[-1] - first].op, ops.Concat):
        clips = nodes[chain[-1] - first].operands
    uses = [operand for node in nodes for operand in node.operands] + list(program.outputs)
    if min(clips) < first or any(uses.count(value) != 1 for value in {*chain, *clips}):
        return program
    clip = _common_clip([nodes[value - first].op for value in clips])
    fewer = math.prod(shapes[first + pooling]) < sum(math.prod(shapes[value]) for value in clips)
    if clip is None or not fewer or any(op.axis % len(plane) < len(plane) - 2 or op.index.ndim > 1 for op in gathers):
        return program
    moved = nodes[window - first].op
    assert isinstance(moved, ops.Window)
    times = len(clips)
    for axis, size, stride in zip((-2, -1), moved.size, moved.stride, strict=True):
        taken = [op.index for op in gathers if op.axis % len(plane) - len(plane) == axis]
        times *= _windows_of_one(plane[axis], taken, size, stride)
    return _behind(program, [value - first for value in clips], pooling, _widened(clip, times))


def _common_clip(found: Sequence[ops.Op]) -> ops.Nonlinear | None:
    """The clip that all ops of ``found`` are, or None."""
    clips = [op for op in found if isinstance(op, ops.Nonlinear) and op.kind is Kind.CLIP]
    alike = len({(op.a, op.b, op.domain) for op in clips}) == 1 and len(clips) == len(found)
    return clips[0] if alike else None


def _windows_of_one(length: int, taken: Sequence[NDArray[np.integer]], size: int, stride: int) -> int:
    """How many windows along an axis of ``length`` hold the same element, after gathers that have taken some twice."""
    places = np.arange(length)
    for index in taken:
        places = places[index]
    counts = np.zeros(length, np.int64)
    for start in range(0, len(places) - size + 1, stride):
        counts[np.unique(places[start : start + size])] += 1
    return int(counts.max(initial=1))


def _widened(clip: ops.Nonlinear, times: int) -> ops.Nonlinear:
    """``clip`` with a promise of ``times`` the total above its lower limit."""
    if clip.domain is None or not math.isfinite(clip.a):
        return clip
    low, high = clip.domain
    return dataclasses.replace(clip, domain=(low, clip.a + times * max(high - clip.a, 0.0)))


def _behind(program: Program, clips: Sequence[int], pooling: int, clip: ops.Nonlinear) -> Program:
    """``program`` without nodes ``clips``, and with ``clip`` right behind node ``pooling``, in its place."""
    first, last = len(program.inputs), max(clips)
    nodes = list(program.nodes)
    for index in clips:
        nodes[index] = Node(ops.Affine(1.0, 0.0), nodes[index].operands)
    before = nodes.pop(last).operands[0]
    nodes.insert(pooling, Node(clip, (first + pooling - 1,)))

    def renamed(value: int) -> int:
        index = value - first
        return before if index == last else value - 1 if last < index < pooling else value

    kept = [node if i == pooling else Node(node.op, tuple(map(renamed, node.operands))) for i, node in enumerate(nodes)]
    return Program(program.inputs, tuple(kept), tuple(map(renamed, program.outputs)))
