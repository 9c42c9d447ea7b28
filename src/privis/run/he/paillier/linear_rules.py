"""Every linear op as a step on ciphertexts: how its result is held, what it takes, and how to do it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privis.program import ops
from privis.program.ops import Op
from privis.program.shapes import Shape
from privis.readings.evaluate import evaluate_op
from privis.run.he.paillier.fixed_point_encoding import FixedPointEncoding, Rounded, rounded
from privis.run.he.paillier.multi_exponentiation import Combination, zeros
from privis.run.he.paillier.scheme import Ciphertexts, PublicKey

LINEAR = (
    ops.Conv, ops.Dense, ops.Affine, ops.Add, ops.Sub, ops.Sum,
    ops.Reshape, ops.Transpose, ops.Slice, ops.Gather, ops.Window, ops.Pad, ops.Concat,
)  # fmt: skip
Run = Callable[[PublicKey, list[Ciphertexts]], Ciphertexts]


@dataclass(frozen=True)
class LinearStep:
    """One node on ciphertexts; ``products`` counts modular products."""

    held: FixedPointEncoding
    products: int
    run: Run


@dataclass(frozen=True)
class NodeContext:
    """What a step may need to know of its node: shapes of operands and result, bound of the result, bits of weights."""

    taken: list[Shape]
    made: Shape
    bound: float
    weight_bits: int

    @property
    def size(self) -> int:
        """Elements of the result."""
        return math.prod(self.made)

    def finest(self) -> int:
        """The exponent at which constants that are added to the result are rounded, if nothing is finer."""
        return math.frexp(self.bound)[1] - self.weight_bits


def linear_step(op: Op, operands: list[FixedPointEncoding], context: NodeContext) -> LinearStep:
    """Lower one linear op to a step on ciphertexts."""
    match op:
        case ops.Conv():
            return _conv(op, operands[0], context)
        case ops.Dense():
            return _dense(op, operands[0], context)
        case ops.Affine():
            return _affine(op, operands[0], context)
        case ops.Add() | ops.Sub():
            return _sum_of_two(isinstance(op, ops.Sub), operands, context)
        case ops.Sum():
            return _sum(op, operands[0], context)
        case ops.Pad():
            return _pad(op, operands[0], context)
        case _:
            return _moved(op, operands, context)


def _aligned(operands: Sequence[FixedPointEncoding]) -> tuple[int, list[int]]:
    """The finest exponent, and the factors that bring every operand to it."""
    exponent = min(held.exponent for held in operands)
    return exponent, [1 << held.exponent - exponent for held in operands]


def _doublings(factors: Sequence[int], shapes: Sequence[Shape]) -> int:
    return sum((factor.bit_length() - 1) * math.prod(shape) for factor, shape in zip(factors, shapes, strict=True))


def _moved(op: Op, operands: list[FixedPointEncoding], context: NodeContext) -> LinearStep:
    """Ciphertexts are moved as the definition moves numbers."""
    exponent, factors = _aligned(operands)

    def run(key: PublicKey, values: list[Ciphertexts]) -> Ciphertexts:
        scaled = [key.scale(x, factor) for x, factor in zip(values, factors, strict=True)]
        return evaluate_op(op, scaled, np)

    error = max(held.error for held in operands)
    return LinearStep(FixedPointEncoding(exponent, context.bound, error), _doublings(factors, context.taken), run)


def _sum_of_two(subtract: bool, operands: list[FixedPointEncoding], context: NodeContext) -> LinearStep:
    exponent, (left, right) = _aligned(operands)

    def run(key: PublicKey, values: list[Ciphertexts]) -> Ciphertexts:
        return key.add(key.scale(values[0], left), key.scale(values[1], -right if subtract else right))

    products = context.size + _doublings((left, right), context.taken) + subtract * 6 * math.prod(context.taken[1])
    return LinearStep(FixedPointEncoding(exponent, context.bound, operands[0].error + operands[1].error), products, run)


def _sum(op: ops.Sum, x: FixedPointEncoding, context: NodeContext) -> LinearStep:
    (shape,) = context.taken
    kept = [axis for axis in range(len(shape)) if axis not in op.axes]
    count = math.prod(shape[axis] for axis in op.axes)

    def run(key: PublicKey, values: list[Ciphertexts]) -> Ciphertexts:
        rows = values[0].transpose(*kept, *op.axes).reshape(-1, count)
        return functools.reduce(key.add, rows.T).reshape(context.made)

    return LinearStep(FixedPointEncoding(x.exponent, context.bound, x.error * count), context.size * (count - 1), run)


def _affine(op: ops.Affine, x: FixedPointEncoding, context: NodeContext) -> LinearStep:
    """Weights are refined where the bias needs finer steps than the product has."""
    scale = rounded(op.scale, context.weight_bits)
    bias = rounded(op.bias, context.weight_bits, min(x.exponent + scale.exponent, context.finest()))
    exponent = x.exponent + scale.exponent
    if bias.integers.any():
        exponent = min(exponent, bias.exponent)
    finer = x.exponent + scale.exponent - exponent
    weights = np.broadcast_to(scale.integers, context.made)
    values, shift = np.unique(weights), max(0, bias.exponent - exponent)

    def run(key: PublicKey, operands: list[Ciphertexts]) -> Ciphertexts:
        source = np.broadcast_to(operands[0], context.made)
        made = zeros(context.made)
        for value in values[values != 0]:
            chosen = weights == value
            made[chosen] = key.scale(source[chosen], int(value) << finer)
        if not bias.integers.any():
            return made
        shifts, where = np.unique(bias.integers, return_inverse=True)
        plain = key.trivial(int(number) << shift for number in shifts)
        return key.add(made, np.broadcast_to(plain[where].reshape(bias.integers.shape), context.made))

    steepest, off, moved = (float(np.abs(part).max(initial=0.0)) for part in (op.scale, scale.error, bias.error))
    held = FixedPointEncoding(exponent, context.bound, steepest * x.error + off * (x.bound + x.error) + moved)
    longest = max((int(value << finer) for value in np.abs(values)), default=0)
    return LinearStep(held, context.size * (longest.bit_length() + bool((values < 0).any()) * 6 + 1), run)


def _pad(op: ops.Pad, x: FixedPointEncoding, context: NodeContext) -> LinearStep:
    value = rounded(op.value, context.weight_bits, min(x.exponent, context.finest()))
    exponent = min(x.exponent, value.exponent) if op.value else x.exponent
    factor = 1 << x.exponent - exponent
    plain = int(value.integers) << max(0, value.exponent - exponent)

    def run(key: PublicKey, operands: list[Ciphertexts]) -> Ciphertexts:
        made = np.full(context.made, key.trivial([plain])[0], object)
        inside = tuple(slice(before, before + n) for (before, _), n in zip(op.widths, context.taken[0], strict=True))
        made[inside] = key.scale(operands[0], factor)
        return made

    error = max(x.error, float(value.error))
    return LinearStep(FixedPointEncoding(exponent, context.bound, error), _doublings([factor], context.taken), run)


def _linear_held(
    x: FixedPointEncoding, weights: Rounded, matrix: NDArray[np.float64], context: NodeContext
) -> FixedPointEncoding:
    """``matrix`` (outputs, terms) with the error of each weight in ``weights``, both against any bounded operand."""
    grown = float(np.abs(matrix).sum(1).max(initial=0.0)) * x.error
    off = float(weights.error.reshape(matrix.shape).sum(1).max(initial=0.0)) * (x.bound + x.error)
    return FixedPointEncoding(x.exponent + weights.exponent, context.bound, grown + off)


def _dense(op: ops.Dense, x: FixedPointEncoding, context: NodeContext) -> LinearStep:
    weights = rounded(op.matrix, context.weight_bits)
    combination = Combination(weights.integers)
    rows = math.prod(context.made[:-1])

    def run(key: PublicKey, operands: list[Ciphertexts]) -> Ciphertexts:
        tables = combination.tables(key, operands[0])
        outputs = combination(key, tables, lambda table, i: table[..., i], context.made[:-1])
        return np.stack(outputs, -1) if outputs else zeros(context.made)

    held = _linear_held(x, weights, np.asarray(op.matrix, np.float64), context)
    return LinearStep(held, combination.products(rows, math.prod(context.taken[0])), run)


def _conv(op: ops.Conv, x: FixedPointEncoding, context: NodeContext) -> LinearStep:
    weights = rounded(op.kernel, context.weight_bits)
    outputs, inputs, rows, columns = op.kernel.shape
    share = outputs // op.groups
    flat = weights.integers.reshape(outputs, -1)
    combinations = [Combination(flat[g * share : (g + 1) * share]) for g in range(op.groups)]
    lead, (height, width) = context.made[:-3], context.made[-2:]
    top, left, bottom, right = op.pad

    def tap(table: Ciphertexts, i: int) -> Ciphertexts:
        channel, row, column = np.unravel_index(i, (inputs, rows, columns))
        first = (int(row) * op.dilation[0], int(column) * op.dilation[1])
        last = [at + (n - 1) * s + 1 for at, n, s in zip(first, (height, width), op.stride, strict=True)]
        return table[..., channel, first[0] : last[0] : op.stride[0], first[1] : last[1] : op.stride[1]]

    def run(key: PublicKey, operands: list[Ciphertexts]) -> Ciphertexts:
        border = [(0, 0)] * (operands[0].ndim - 2) + [(top, bottom), (left, right)]
        made = []
        for group, combination in enumerate(combinations):
            seen = operands[0][..., group * inputs : (group + 1) * inputs, :, :]
            tables = combination.tables(key, seen)
            padded = {digit: np.pad(table, border, constant_values=zeros(())[()]) for digit, table in tables.items()}
            made += combination(key, padded, tap, (*lead, height, width))
        return np.stack(made, -3)

    held = _linear_held(x, weights, np.asarray(op.kernel, np.float64).reshape(outputs, -1), context)
    positions, elements = math.prod(lead) * height * width, math.prod(context.taken[0]) // op.groups
    return LinearStep(held, sum(part.products(positions, elements) for part in combinations), run)
