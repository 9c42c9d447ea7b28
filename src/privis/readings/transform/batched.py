"""Reading ``batched``: the same program on several inputs at once, as one program."""

from __future__ import annotations

from dataclasses import replace

from privis.program import Program, Value, ops, trace
from privis.program.graph import Node, apply
from privis.program.ops import Op
from privis.program.shapes import Shape


def batched(program: Program, count: int) -> Program:
    """Return the program that applies ``program`` to each of ``count`` inputs, stacked along a new first axis.

    Every input and output gets that axis. Protocols that pay for each message, not for each number, run a batch in
    little more than the time of one; every other reading reads the result like any program. Regions are not kept.

    >>> from privis.program import Input
    >>> batched(trace(lambda x: x.sum(0), Input((3, 4))), 8).output_shapes
    ((8, 4),)
    """
    shapes = program.shapes
    inputs = [replace(declared, shape=(count, *declared.shape)) for declared in program.inputs]

    def build(*values: Value) -> tuple[Value, ...]:
        def rule(index: int, node: Node, operands: list[Value]) -> Value:
            made = shapes[len(inputs) + index]
            return _with_batch(node.op, operands, made)

        made = program.read(rule, list(values))
        return tuple(made[output] for output in program.outputs)

    return trace(build, *inputs)


def _with_batch(op: Op, operands: list[Value], made: Shape) -> Value:
    """``op`` on operands with a leading axis; ``made`` is the shape of its result without one."""
    match op:
        case ops.Add() | ops.Sub() | ops.Mul() | ops.MatMul():
            return apply(op, *(_aligned(x, len(made)) for x in operands))
        case ops.Affine() | ops.Compare():
            return _aligned(operands[0], len(made)) >> op
        case ops.Histogram() | ops.TopK():
            return _first_axis_kept(op, operands[0])
        case ops.Sum(axes) | ops.Max(axes):
            return operands[0] >> replace(op, axes=tuple(axis + 1 for axis in axes))
        case ops.Gather(_, axis) | ops.ArgMax(axis) | ops.Concat(axis):
            return apply(replace(op, axis=axis + 1), *operands)
        case ops.Reshape(shape):
            return operands[0].reshape(operands[0].shape[0], *shape)
        case ops.Transpose(order):
            return operands[0].transpose(0, *(axis + 1 for axis in order))
        case ops.Slice(index):
            return operands[0] >> ops.Slice(((0, operands[0].shape[0], 1), *index))
        case ops.Pad(widths):
            return operands[0] >> replace(op, widths=((0, 0), *widths))
        case _:  # works on the last axes, whatever comes before them
            return apply(op, *operands)


def _aligned(x: Value, axes: int) -> Value:
    """``x`` with as many axes after the first as the result has: broadcasting would put the batch elsewhere."""
    count, *own = x.shape
    return x.reshape(count, *(1,) * (axes - len(own)), *own)


def _first_axis_kept(op: ops.Histogram | ops.TopK, x: Value) -> Value:
    """Ops whose first axis means something: the batch takes the second place for as long as they work."""
    if isinstance(op, ops.Histogram):
        return x.transpose(1, 0, *range(2, len(x.shape))) >> op
    made = x >> op
    return made.transpose(1, 0, *range(2, len(made.shape)))
