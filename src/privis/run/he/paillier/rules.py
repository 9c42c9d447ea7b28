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
from privis.run.he.paillier.fixed_point import Held, Rounded, rounded
from privis.run.he.paillier.multi_exponentiation import Combination, zeros
from privis.run.he.paillier.scheme import Ciphertexts, PublicKey

LINEAR = (
    ops.Conv, ops.Dense, ops.Affine, ops.Add, ops.Sub, ops.Sum,
    ops.Reshape, ops.Transpose, ops.Slice, ops.Gather, ops.Window, ops.Pad, ops.Concat,
)  # fmt: skip
Run = Callable[[PublicKey, list[Ciphertexts]], Ciphertexts]


@dataclass(frozen=True)
class Step:
    """One node on ciphertexts; ``products`` counts modular products."""

    held: Held
    products: int
    run: Run


@dataclass(frozen=True)
class Site:
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


def step(op: Op, operands: list[Held], site: Site) -> Step:
    """The step of one linear op."""
    match op:
        case ops.Conv():
            return _conv(op, operands[0], site)
        case ops.Dense():
            return _dense(op, operands[0], site)
        case ops.Affine():
            return _affine(op, operands[0], site)
        case ops.Add() | ops.Sub():
            return _sum_of_two(isinstance(op, ops.Sub), operands, site)
        case ops.Sum():
            return _sum(op, operands[0], site)
        case ops.Pad():
            return _pad(op, operands[0], site)
        case _:
            return _moved(op, operands, site)


def _aligned(operands: Sequence[Held]) -> tuple[int, list[int]]:
    """The finest exponent, and the factors that bring every operand to it."""
    exponent = min(held.exponent for held in operands)
    return exponent, [1 << held.exponent - exponent for held in operands]


def _doublings(factors: Sequence[int], shapes: Sequence[Shape]) -> int:
    return sum((factor.bit_length() - 1) * math.prod(shape) for factor, shape in zip(factors, shapes, strict=True))


def _moved(op: Op, operands: list[Held], site: Site) -> Step:
    """Ciphertexts are moved as the definition moves numbers."""
    exponent, factors = _aligned(operands)

    def run(key: PublicKey, values: list[Ciphertexts]) -> Ciphertexts:
        scaled = [key.scale(x, factor) for x, factor in zip(values, factors, strict=True)]
        return evaluate_op(op, scaled, np)

    error = max(held.error for held in operands)
    return Step(Held(exponent, site.bound, error), _doublings(factors, site.taken), run)


def _sum_of_two(subtract: bool, operands: list[Held], site: Site) -> Step:
    exponent, (left, right) = _aligned(operands)

    def run(key: PublicKey, values: list[Ciphertexts]) -> Ciphertexts:
        return key.add(key.scale(values[0], left), key.scale(values[1], -right if subtract else right))

    products = site.size + _doublings((left, right), site.taken) + subtract * 6 * math.prod(site.taken[1])
    return Step(Held(exponent, site.bound, operands[0].error + operands[1].error), products, run)


def _sum(op: ops.Sum, x: Held, site: Site) -> Step:
    (shape,) = site.taken
    kept = [axis for axis in range(len(shape)) if axis not in op.axes]
    count = math.prod(shape[axis] for axis in op.axes)

    def run(key: PublicKey, values: list[Ciphertexts]) -> Ciphertexts:
        rows = values[0].transpose(*kept, *op.axes).reshape(-1, count)
        return functools.reduce(key.add, rows.T).reshape(site.made)

    return Step(Held(x.exponent, site.bound, x.error * count), site.size * (count - 1), run)


def _affine(op: ops.Affine, x: Held, site: Site) -> Step:
    """Weights are refined where the bias needs finer steps than the product has."""
    scale = rounded(op.scale, site.weight_bits)
    bias = rounded(op.bias, site.weight_bits, min(x.exponent + scale.exponent, site.finest()))
    exponent = x.exponent + scale.exponent
    if bias.integers.any():
        exponent = min(exponent, bias.exponent)
    finer = x.exponent + scale.exponent - exponent
    weights = np.broadcast_to(scale.integers, site.made)
    values, shift = np.unique(weights), max(0, bias.exponent - exponent)

    def run(key: PublicKey, operands: list[Ciphertexts]) -> Ciphertexts:
        source = np.broadcast_to(operands[0], site.made)
        made = zeros(site.made)
        for value in values[values != 0]:
            chosen = weights == value
            made[chosen] = key.scale(source[chosen], int(value) << finer)
        if not bias.integers.any():
            return made
        shifts, where = np.unique(bias.integers, return_inverse=True)
        plain = key.trivial(int(number) << shift for number in shifts)
        return key.add(made, np.broadcast_to(plain[where].reshape(bias.integers.shape), site.made))

    steepest, off, moved = (float(np.abs(part).max(initial=0.0)) for part in (op.scale, scale.error, bias.error))
    held = Held(exponent, site.bound, steepest * x.error + off * (x.bound + x.error) + moved)
    longest = max((int(value << finer) for value in np.abs(values)), default=0)
    return Step(held, site.size * (longest.bit_length() + bool((values < 0).any()) * 6 + 1), run)


def _pad(op: ops.Pad, x: Held, site: Site) -> Step:
    value = rounded(op.value, site.weight_bits, min(x.exponent, site.finest()))
    exponent = min(x.exponent, value.exponent) if op.value else x.exponent
    factor = 1 << x.exponent - exponent
    plain = int(value.integers) << max(0, value.exponent - exponent)

    def run(key: PublicKey, operands: list[Ciphertexts]) -> Ciphertexts:
        made = np.full(site.made, key.trivial([plain])[0], object)
        inside = tuple(slice(before, before + n) for (before, _), n in zip(op.widths, site.taken[0], strict=True))
        made[inside] = key.scale(operands[0], factor)
        return made

    error = max(x.error, float(value.error))
    return Step(Held(exponent, site.bound, error), _doublings([factor], site.taken), run)


def _linear_held(x: Held, weights: Rounded, matrix: NDArray[np.float64], site: Site) -> Held:
    """``matrix`` (outputs, terms) with the error of each weight in ``weights``, both against any bounded operand."""
    grown = float(np.abs(matrix).sum(1).max(initial=0.0)) * x.error
    off = float(weights.error.reshape(matrix.shape).sum(1).max(initial=0.0)) * (x.bound + x.error)
    return Held(x.exponent + weights.exponent, site.bound, grown + off)


def _dense(op: ops.Dense, x: Held, site: Site) -> Step:
    weights = rounded(op.matrix, site.weight_bits)
    combination = Combination(weights.integers)
    rows = math.prod(site.made[:-1])

    def run(key: PublicKey, operands: list[Ciphertexts]) -> Ciphertexts:
        tables = combination.tables(key, operands[0])
        outputs = combination(key, tables, lambda table, i: table[..., i], site.made[:-1])
        return np.stack(outputs, -1) if outputs else zeros(site.made)

    held = _linear_held(x, weights, np.asarray(op.matrix, np.float64), site)
    return Step(held, combination.products(rows, math.prod(site.taken[0])), run)


def _conv(op: ops.Conv, x: Held, site: Site) -> Step:
    weights = rounded(op.kernel, site.weight_bits)
    outputs, inputs, rows, columns = op.kernel.shape
    share = outputs // op.groups
    flat = weights.integers.reshape(outputs, -1)
    combinations = [Combination(flat[g * share : (g + 1) * share]) for g in range(op.groups)]
    lead, (height, width) = site.made[:-3], site.made[-2:]
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

    held = _linear_held(x, weights, np.asarray(op.kernel, np.float64).reshape(outputs, -1), site)
    positions, elements = math.prod(lead) * height * width, math.prod(site.taken[0]) // op.groups
    return Step(held, sum(part.products(positions, elements) for part in combinations), run)
