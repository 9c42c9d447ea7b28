"""Import rules of the ONNX nodes that compare, decide and choose; what is true is 1, what is false 0."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from privis.program import Kind, Value, ops
from privis.program.onnx.node import Call, Constant, Operand
from privis.program.onnx.operators.patterns import made_by

BLUR = 2.0**-7  # width around a threshold that polynomial forms may blur
REAL_TYPES = frozenset({1, 10, 11, 16})  # FLOAT, FLOAT16, DOUBLE, BFLOAT16: a program's values are real numbers


def _difference(call: Call) -> Value:
    a, b = call.operands[0], call.operands[1]
    return b * -1.0 + a if isinstance(b, Value) and not isinstance(a, Value) else a - b  # type: ignore[operator]


def _at_least_zero(x: Value) -> Value:
    return x.compare(0.0, step=BLUR, exact=False)


def greater_or_equal(call: Call) -> Value:
    """1 where the first is at least the second."""
    return _at_least_zero(_difference(call))


def less_or_equal(call: Call) -> Value:
    """1 where the second is at least the first."""
    return _at_least_zero(_difference(call) * -1.0)


def greater(call: Call) -> Value:
    """What is not less or equal."""
    return negated(less_or_equal(call))


def less(call: Call) -> Value:
    """What is not greater or equal."""
    return negated(greater_or_equal(call))


def negated(x: Value) -> Value:
    """1 where it was 0."""
    return x >> ops.Affine(-1.0, 1.0)


def logical_not(call: Call) -> Value:
    """Negate a truth value of 0 or 1."""
    return negated(call.x)


def _truths(call: Call) -> tuple[Value | Constant, Value | Constant]:
    a, b = (x if isinstance(x, Value) else np.asarray(x, np.float64) for x in call.operands)
    return (a, b) if isinstance(a, Value) else (b, a)


def logical_and(call: Call) -> Value:
    """And: a product."""
    a, b = _truths(call)
    return a * b


def logical_or(call: Call) -> Value:
    """Or: a + b - a b."""
    a, b = _truths(call)
    return a + b - a * b


def logical_xor(call: Call) -> Value:
    """Exclusive or: a + b - 2 a b."""
    a, b = _truths(call)
    return a + b - (a * b) * 2.0


def sign(call: Call) -> Value:
    """1, 0 or -1."""
    return _at_least_zero(call.x) - _at_least_zero(call.x * -1.0)


def where(call: Call) -> Value:
    """The second where the first is true, else the third: ``b + condition * (a - b)``."""
    condition, a, b = call.operands
    if isinstance(condition, Value):
        return _chosen(condition, a, b, call)
    truth = np.asarray(condition, bool)
    if truth.all() or not truth.any():
        kept = a if truth.all() else b
        shape = np.broadcast_shapes(*(x.shape for x in (truth, a, b) if x is not None))
        return repeated(kept if isinstance(kept, Value) else _zero_like(call) + kept, shape)
    weight, other = truth.astype(np.float64), (~truth).astype(np.float64)
    parts = [_masked(x, mask, call) for x, mask in ((a, weight), (b, other))]
    secret = sorted(parts, key=lambda part: not isinstance(part, Value))
    return secret[0] + secret[1]  # type: ignore[operator,return-value]


def _masked(x: Operand, mask: Constant, call: Call) -> Value | Constant:
    if isinstance(x, Value):
        return x * mask
    values = np.asarray(x, np.float64)
    if not np.isfinite(np.broadcast_to(values, np.broadcast_shapes(values.shape, mask.shape))[_on(mask, values)]).all():
        call.refuse("an infinity that a mask puts in", "finite numbers", "mask with -1e4 instead of -inf")
    return np.where(mask > 0, values, 0.0)


def _on(mask: Constant, values: Constant) -> Constant:
    return np.broadcast_to(mask > 0, np.broadcast_shapes(values.shape, mask.shape))


def _chosen(condition: Value, a: Operand, b: Operand, call: Call) -> Value:
    for x in (a, b):
        if not isinstance(x, Value) and not np.isfinite(np.asarray(x)).all():
            call.refuse("an infinity behind a condition", "finite numbers", "put in a large finite number instead")
    if isinstance(a, Value) and isinstance(b, Value):
        return b + condition * (a - b)
    if isinstance(a, Value):
        return condition * (a - b) + b  # type: ignore[operator]
    if isinstance(b, Value):
        return b + condition * (b * -1.0 + a)  # type: ignore[operator]
    return condition * (np.asarray(a, np.float64) - b) + b  # type: ignore[operator]


def _zero_like(call: Call) -> Value:
    source = next(x for x in call.operands if isinstance(x, Value))
    return source.reshape(-1)[0:1] * 0.0


def repeated(x: Value, shape: tuple[int, ...]) -> Value:
    """Broadcast to ``shape`` as numpy does: what is repeated is gathered, so that nothing is computed."""
    x = x.reshape(*(1,) * (len(shape) - len(x.shape)), *x.shape)
    for axis, (before, after) in enumerate(zip(x.shape, shape, strict=True)):
        if before != after:
            x = x >> ops.Gather(np.zeros(after, np.int64), axis)
    return x


def cast(call: Call) -> Value:
    """Casts between real numbers change nothing; so do those to integers of values that are whole."""
    to = call.attributes.get("to", 1)
    if to in REAL_TYPES or is_whole(call.x, call.x.index):
        return call.x
    remedy = "leave the cast out, or round explicitly in the network (torch.round)"
    return call.refuse(f"a cast of activations to ONNX type {to}", "FLOAT, FLOAT16, BFLOAT16 or DOUBLE", remedy)


def is_whole(value: Value, index: int) -> bool:
    """Whether ``value`` holds whole numbers by what makes it: comparisons, indices, roundings and what moves them."""
    op = made_by(value, index)
    if op is None:
        return False
    operands = value.nodes[index - value.inputs].operands
    match op:
        case ops.Compare() | ops.ArgMax() | ops.Histogram() | ops.Nonlinear(Kind.ROUND):
            return True
        case ops.Affine(scale, bias):
            return bool((np.mod(scale, 1) == 0).all() and (np.mod(bias, 1) == 0).all()) and is_whole(value, operands[0])
        case ops.Add() | ops.Sub() | ops.Mul() | ops.Sum() | ops.Max() | ops.Gather() | ops.Slice() | ops.Reshape():
            return all(is_whole(value, operand) for operand in operands)
        case ops.Transpose() | ops.Concat():
            return all(is_whole(value, operand) for operand in operands)
        case _:
            return False


def _scale_and_zero(call: Call) -> tuple[Constant, Constant]:
    """Scale and zero point, of one number or one per channel along ``axis``."""
    scale = call.required(1, "scale").astype(np.float64)
    zero = call.constant(2, "zero point")
    zero = np.zeros(scale.shape) if zero is None else zero.astype(np.float64)
    if call.attributes.get("block_size", 0):
        call.refuse("block_size", "one scale for all or one per channel", "quantise per channel")
    if scale.size == 1:
        return scale.reshape(()), zero.reshape(())
    rank, axis = len(call.x.shape), call.attributes.get("axis", 1)
    shape = [1] * rank
    shape[axis % rank] = scale.size
    return scale.reshape(shape), zero.reshape(shape)


def quantise(call: Call) -> Value:
    """QuantizeLinear with a constant scale: rounded and clipped to what the stored type holds."""
    scale, zero = _scale_and_zero(call)
    given = call.operand(2)
    stored = np.dtype(np.uint8) if given is None else np.asarray(given).dtype
    if stored.kind not in "iu" or stored.itemsize > 2:
        call.refuse(f"quantised numbers of {stored}", "8 or 16 bits", "quantise to int8 or uint8")
    limits = np.iinfo(stored)
    whole = (call.x >> ops.Affine(1.0 / scale if scale.ndim else float(1 / scale))) >> ops.Nonlinear(Kind.ROUND)
    shifted = whole + (zero if zero.ndim else float(zero)) if zero.any() else whole
    return shifted.clip(float(limits.min), float(limits.max))


def dequantise(call: Call) -> Value:
    """DequantizeLinear of quantised activations: an affine map."""
    scale, zero = _scale_and_zero(call)
    bias = -scale * zero
    return call.x >> (ops.Affine(scale, bias) if scale.ndim else ops.Affine(float(scale), float(bias)))


def top(call: Call) -> tuple[Value, Value]:
    """TopK: the largest or smallest along an axis, in order, and where they were."""
    count = call.required(1, "count") if call.opset >= 10 else call.attributes["k"]
    rank = len(call.x.shape)
    axis = call.attributes.get("axis", -1) % rank
    order = (*(k for k in range(rank) if k != axis), axis)
    back: tuple[int, ...] = tuple(map(int, np.argsort(order)))
    x = call.x if call.attributes.get("largest", 1) else call.x * -1.0
    found = (x if axis == rank - 1 else x.transpose(*order)) >> ops.TopK(int(np.ravel(count)[0]))
    values, places = found[0], found[1]
    values = values if call.attributes.get("largest", 1) else values * -1.0
    return (values, places) if axis == rank - 1 else (values.transpose(*back), places.transpose(*back))


COMPARISONS: dict[str, Callable[[Call], Value]] = {
    "And": logical_and,
    "Greater": greater,
    "GreaterOrEqual": greater_or_equal,
    "Less": less,
    "LessOrEqual": less_or_equal,
    "Not": logical_not,
    "Or": logical_or,
    "Sign": sign,
    "Where": where,
    "Xor": logical_xor,
}
