"""Import rules of the ONNX nodes that are activation functions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from privis.program import Kind, Value, ops
from privis.program.onnx.node import Call, Constant, Rule

LEAST_EXPONENT = -80.0  # exp of it is 2e-35: nothing next to the 1 that every softmax sum holds


def nonlinear(kind: Kind) -> Rule:
    """A rule that applies one scalar function."""
    return lambda call: call.x >> ops.Nonlinear(kind)


def clip(call: Call) -> Value:
    """Bounds are attributes up to opset 10 and operands since."""
    bounds = [
        float(value.item()) if (value := call.constant(position, name)) is not None else call.attributes.get(name)
        for position, name in ((1, "min"), (2, "max"))
    ]
    low, high = ((-math.inf if bounds[0] is None else bounds[0]), (math.inf if bounds[1] is None else bounds[1]))
    return call.x if (low, high) == (-math.inf, math.inf) else call.x.clip(low, high)


def sloped(x: Value, slope: float | Constant) -> Value:
    """x above zero and ``slope * x`` below."""
    return x * slope + x.relu() * (1.0 - slope)


def _below_zero(x: Value, alpha: float) -> Value:
    """``alpha (exp(x) - 1)`` where x is below 0, else 0."""
    power = x.clip(LEAST_EXPONENT, 0.0) >> ops.Nonlinear(Kind.EXP)
    return power * alpha - alpha


def elu(call: Call) -> Value:
    """Elu: exponential below zero."""
    alpha = call.attributes.get("alpha", 1.0)
    return call.x.relu() + _below_zero(call.x, alpha)


def selu(call: Call) -> Value:
    """Selu: a scaled Elu."""
    alpha, gamma = call.attributes.get("alpha", 1.6732632423543772), call.attributes.get("gamma", 1.0507009873554805)
    return (call.x.relu() + _below_zero(call.x, alpha)) * gamma


def celu(call: Call) -> Value:
    """Celu: an Elu whose exponent is scaled."""
    alpha = call.attributes.get("alpha", 1.0)
    return call.x.relu() + _below_zero(call.x * (1.0 / alpha), alpha)


def thresholded(call: Call) -> Value:
    """ThresholdedRelu: x above alpha, else 0."""
    above = (call.x * -1.0).compare(-call.attributes.get("alpha", 1.0), step=2.0**-7, exact=False)
    return call.x * (above >> ops.Affine(-1.0, 1.0))


def shrunk(call: Call) -> Value:
    """Shrink: towards zero by ``bias`` outside of ``lambd``, 0 inside."""
    bias, threshold = call.attributes.get("bias", 0.0), call.attributes.get("lambd", 0.5)
    above, below = ((call.x * side).compare(threshold, step=2.0**-7, exact=False) for side in (1.0, -1.0))
    return (call.x - bias) * above + (call.x + bias) * below


def hard_sigmoid(x: Value, alpha: float, beta: float) -> Value:
    """A line from 0 to 1."""
    return (x >> ops.Affine(alpha, beta)).clip(0.0, 1.0)


def gelu(call: Call) -> Value:
    """Gelu: x times the normal distribution's share below it, or its form by tanh."""
    x = call.x
    if call.attributes.get("approximate", "none") == "tanh":
        inner = (x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)
        return x * (inner >> ops.Nonlinear(Kind.TANH)) * 0.5 + x * 0.5
    return x * ((x * math.sqrt(0.5)) >> ops.Nonlinear(Kind.ERF)) * 0.5 + x * 0.5


def swish(call: Call) -> Value:
    """Swish: x times a sigmoid."""
    return call.x * ((call.x * call.attributes.get("alpha", 1.0)) >> ops.Nonlinear(Kind.SIGMOID))


def mish(call: Call) -> Value:
    """Mish: x tanh(softplus(x))."""
    return call.x * ((call.x >> ops.Nonlinear(Kind.SOFTPLUS)) >> ops.Nonlinear(Kind.TANH))


def softsign(call: Call) -> Value:
    """Softsign: x / (1 + |x|)."""
    return call.x * (call.x.abs() >> ops.Nonlinear(Kind.RECIPROCAL, None, 1.0))


def softmax(call: Call) -> Value:
    """Stable, and with certain domains: exponents in [-80, 0], and a sum of at least the largest term, 1."""
    return _along_axis(call, _softmax_along)


def log_softmax(call: Call) -> Value:
    """The logarithm of a softmax: what is below the largest, less the logarithm of their sum."""
    return _along_axis(call, _log_softmax_along)


def _along_axis(call: Call, along: Callable[[Value, int], Value]) -> Value:
    x = call.x
    axis = call.attributes.get("axis", -1 if call.opset >= 13 else 1) % len(x.shape)
    if call.opset >= 13 or axis == len(x.shape) - 1:
        return along(x, axis)
    rows = math.prod(x.shape[:axis])
    return along(x.reshape(rows, math.prod(x.shape) // rows), 1).reshape(*x.shape)


def _powers(x: Value, axis: int) -> tuple[Value, Value, Value]:
    """What is below the largest, its exponential, and the sum of these."""
    below = x - (x >> ops.Max((axis,), keep=True))
    power = below.clip(LEAST_EXPONENT, 0.0) >> ops.Nonlinear(Kind.EXP)
    return below, power, power.sum(axis, keep=True).clip(1.0, float(x.shape[axis]))


def _softmax_along(x: Value, axis: int) -> Value:
    _, power, total = _powers(x, axis)
    return power * (total >> ops.Nonlinear(Kind.RECIPROCAL))


def _log_softmax_along(x: Value, axis: int) -> Value:
    below, _, total = _powers(x, axis)
    return below - (total >> ops.Nonlinear(Kind.LOG))


def log_sum_exp(x: Value, axes: tuple[int, ...], keep: bool) -> Value:
    """ReduceLogSumExp, stable as a softmax is."""
    largest = x >> ops.Max(axes, keep=True)
    power = (x - largest).clip(LEAST_EXPONENT, 0.0) >> ops.Nonlinear(Kind.EXP)
    count = math.prod(x.shape[axis] for axis in axes)
    made = largest + (power.sum(*axes, keep=True).clip(1.0, float(count)) >> ops.Nonlinear(Kind.LOG))
    return made if keep else made.reshape(*(n for k, n in enumerate(x.shape) if k not in axes))


def hardmax(call: Call) -> Value:
    """1 at the first of the largest elements along an axis."""
    axis = call.attributes.get("axis", -1) % len(call.x.shape)
    if call.opset < 13 and axis != len(call.x.shape) - 1:
        call.refuse("axes that are flattened", "the last axis", "export with opset 13 or newer")
    shape = call.x.shape
    place = (call.x >> ops.ArgMax(axis)).reshape(*shape[:axis], 1, *shape[axis + 1 :])
    index = np.arange(shape[axis], dtype=np.float64).reshape(-1, *[1] * (len(shape) - axis - 1))
    off = place * -1.0 + index  # whole numbers, 0 at the place
    return off.compare(0.0) - off.compare(1.0)
