"""Import rules of the ONNX nodes that are elementwise, linear or reductions, and the table of all rules."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from privis.program import Kind, Value, ops
from privis.program.onnx import movement_rules as movement
from privis.program.onnx import window_rules as windows
from privis.program.onnx.node import Call, Constant, Result

Rule = Callable[[Call], Result]
LEAST_EXPONENT = -80.0  # exp of it is 2e-35: nothing next to the 1 that every softmax sum holds


def _nonlinear(kind: Kind) -> Rule:
    return lambda call: call.x >> ops.Nonlinear(kind)


# Arithmetic


def _binary(combine: Callable[[Call, Any, Any], Value]) -> Rule:
    """A rule for two operands of which either may be public; a public one that is a single number comes as a float."""

    def rule(call: Call) -> Value:
        rank = max(len(x.shape) for x in call.operands if isinstance(x, Value))
        a, b = (_number(x, rank) for x in call.operands)
        return combine(call, a, b)

    return rule


def _number(x: Any, rank: int) -> Any:
    """A float for a constant of one element that broadcasts without adding axes."""
    return float(x.item()) if isinstance(x, np.ndarray) and x.size == 1 and x.ndim <= rank else x


def _div(call: Call, a: Any, b: Any) -> Value:
    if isinstance(b, Value):
        return (b >> ops.Nonlinear(Kind.RECIPROCAL)) * a
    if not np.all(b):
        call.refuse("a division by zero", "a divisor without zeros")
    return a * (1.0 / np.float64(b))


def _largest(call: Call) -> Value:
    """Max of several operands."""
    return functools.reduce(_larger, _secret_first(call))


def _least(call: Call) -> Value:
    """Min of several operands: minus the largest of their negatives."""
    return functools.reduce(_larger, [x * -1.0 for x in _secret_first(call)]) * -1.0  # type: ignore[operator]


def _secret_first(call: Call) -> list[Value]:
    return sorted(call.operands, key=lambda x: not isinstance(x, Value))  # type: ignore[return-value,arg-type]


def _larger(a: Value, b: Value | Constant) -> Value:
    if isinstance(b, Value) or b.size > 1:
        return (a - b).relu() + b
    return a.clip(float(b.item()), math.inf)


def _sum(call: Call) -> Value:
    return functools.reduce(operator.add, call.operands)  # type: ignore[arg-type,return-value]


def _mean(call: Call) -> Value:
    return _sum(call) * (1.0 / len(call.operands))


def _power(call: Call) -> Value:
    x, exponent = call.x, call.required(1, "exponent")
    match float(exponent.item()) if exponent.size == 1 else math.nan:
        case 1.0:
            return x
        case 2.0:
            return x * x
        case 3.0:
            return x * x * x
        case 0.5:
            return x.sqrt()
        case -1.0:
            return x >> ops.Nonlinear(Kind.RECIPROCAL)
        case -0.5:
            return x >> ops.Nonlinear(Kind.RSQRT)
        case other:
            call.refuse(f"exponent {other:g}", "1, 2, 3, 0.5, -1 or -0.5")


def _clip(call: Call) -> Value:
    """Bounds are attributes up to opset 10 and operands since."""
    bounds = [
        float(value.item()) if (value := call.constant(position, name)) is not None else call.attributes.get(name)
        for position, name in ((1, "min"), (2, "max"))
    ]
    low, high = ((-math.inf if bounds[0] is None else bounds[0]), (math.inf if bounds[1] is None else bounds[1]))
    return call.x if (low, high) == (-math.inf, math.inf) else call.x.clip(low, high)


def _sloped(x: Value, slope: float | Constant) -> Value:
    """x above zero and ``slope * x`` below."""
    return x * slope + x.relu() * (1.0 - slope)


def _elu(call: Call) -> Value:
    alpha = call.attributes.get("alpha", 1.0)
    below = call.x.clip(LEAST_EXPONENT, 0.0) >> ops.Nonlinear(Kind.EXP)
    return call.x.relu() + (below * alpha - alpha)


def _hard_sigmoid(x: Value, alpha: float, beta: float) -> Value:
    return (x >> ops.Affine(alpha, beta)).clip(0.0, 1.0)


def _softmax(call: Call) -> Value:
    """Stable, and with certain domains: exponents in [-80, 0], and a sum of at least the largest term, 1."""
    x = call.x
    axis = call.attributes.get("axis", -1 if call.opset >= 13 else 1) % len(x.shape)
    if call.opset >= 13 or axis == len(x.shape) - 1:
        return _softmax_along(x, axis)
    rows = math.prod(x.shape[:axis])
    return _softmax_along(x.reshape(rows, math.prod(x.shape) // rows), 1).reshape(*x.shape)


def _softmax_along(x: Value, axis: int) -> Value:
    below = (x - (x >> ops.Max((axis,), keep=True))).clip(LEAST_EXPONENT, 0.0)
    power = below >> ops.Nonlinear(Kind.EXP)
    total = power.sum(axis, keep=True).clip(1.0, float(x.shape[axis]))
    return power * (total >> ops.Nonlinear(Kind.RECIPROCAL))


# Linear


def _batch_normalisation(call: Call) -> Value:
    if call.attributes.get("training_mode", 0) or not call.attributes.get("spatial", 1):
        call.refuse("statistics of the batch", "the stored ones", "export the network in evaluation mode")
    names = ("scale", "bias", "mean", "variance")
    gain, bias, mean, variance = (call.required(k, n).astype(np.float64) for k, n in enumerate(names, 1))
    positive = variance + call.attributes.get("epsilon", 1e-5)
    if not (positive > 0).all():
        raise ValueError("a variance below zero")
    scale = gain / np.sqrt(positive)
    shape = (-1, *[1] * (len(call.x.shape) - 2))
    return call.x >> ops.Affine(scale.reshape(shape), (bias - mean * scale).reshape(shape))


def _gemm(call: Call) -> Value:
    a, b = (_matrix(call, k, name) for k, name in enumerate(("transA", "transB")))
    product = _product(call, a, b)
    alpha, beta = call.attributes.get("alpha", 1.0), call.attributes.get("beta", 1.0)
    product = product if alpha == 1.0 else product * alpha
    bias = call.operand(2)
    return product if bias is None or beta == 0.0 else product + (bias if beta == 1.0 else bias * beta)


def _matrix(call: Call, position: int, transposed: str) -> Value | Constant:
    matrix = call.operands[position]
    if matrix is None or len(matrix.shape) != 2:
        raise ValueError("an operand that is no matrix")
    return matrix.transpose(1, 0) if call.attributes.get(transposed, 0) else matrix


def _product(call: Call, a: Any, b: Any) -> Value:
    """Matrix product of which either side may be a public matrix."""
    match isinstance(a, Value), isinstance(b, Value):
        case True, True if min(len(a.shape), len(b.shape)) >= 2:
            return a @ b
        case True, False if b.ndim == 2:
            return a >> ops.Dense(b.T)
        case True, False if b.ndim == 1:
            return (a >> ops.Dense(b[None])).reshape(*a.shape[:-1])
        case False, True if a.ndim == 2 and len(b.shape) >= 2:
            swapped = (*range(len(b.shape) - 2), len(b.shape) - 1, len(b.shape) - 2)
            return (b.transpose(*swapped) >> ops.Dense(a)).transpose(*swapped)
    call.refuse(
        f"operands of {len(a.shape)} and {len(b.shape)} axes", "one constant matrix, or activations of 2 or more"
    )


# Reductions


def _reduction(reduce: Callable[[Value, tuple[int, ...], bool], Value]) -> Rule:
    def rule(call: Call) -> Value:
        axes = call.integers(1, "axes")
        if not axes:
            if call.attributes.get("noop_with_empty_axes", 0):
                call.refuse("noop_with_empty_axes", "axes")
            axes = tuple(range(len(call.x.shape)))
        return reduce(
            call.x, tuple(axis % len(call.x.shape) for axis in axes), bool(call.attributes.get("keepdims", 1))
        )

    return rule


def _mean_over(x: Value, axes: tuple[int, ...], keep: bool) -> Value:
    return x.sum(*axes, keep=keep) * (1.0 / math.prod(x.shape[axis] for axis in axes))


def _global(reduce: Callable[[Value, tuple[int, ...], bool], Value]) -> Rule:
    """Pooling over everything but batch and channels."""
    return lambda call: reduce(call.x, tuple(range(2, len(call.x.shape))), True)


def _max_over(x: Value, axes: tuple[int, ...], keep: bool) -> Value:
    return x >> ops.Max(axes, keep)


def _arg_max(call: Call) -> Value:
    if call.attributes.get("select_last_index", 0):
        call.refuse("select_last_index", "the first of equal elements")
    axis = call.attributes.get("axis", 0) % len(call.x.shape)
    result = call.x >> ops.ArgMax(axis)
    keep = call.attributes.get("keepdims", 1)
    return result.reshape(*result.shape[:axis], 1, *result.shape[axis:]) if keep else result


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "Abs": _nonlinear(Kind.ABS),
        "Add": _binary(lambda _, a, b: a + b),
        "ArgMax": _arg_max,
        "AveragePool": windows.average_pool,
        "BatchNormalization": _batch_normalisation,
        "Cast": movement.cast,
        "Clip": _clip,
        "Concat": movement.concat,
        "Conv": windows.conv,
        "DepthToSpace": movement.depth_to_space,
        "Div": _binary(_div),
        "Dropout": movement.identity,
        "Elu": _elu,
        "Exp": _nonlinear(Kind.EXP),
        "Flatten": movement.flatten,
        "Gather": movement.gather,
        "Gemm": _gemm,
        "GlobalAveragePool": _global(_mean_over),
        "GlobalMaxPool": _global(_max_over),
        "HardSigmoid": lambda call: _hard_sigmoid(
            call.x, call.attributes.get("alpha", 0.2), call.attributes.get("beta", 0.5)
        ),
        "HardSwish": lambda call: call.x * _hard_sigmoid(call.x, 1 / 6, 0.5),
        "Identity": movement.identity,
        "LeakyRelu": lambda call: _sloped(call.x, call.attributes.get("alpha", 0.01)),
        "MatMul": _binary(_product),
        "Max": _largest,
        "MaxPool": windows.max_pool,
        "Mean": _mean,
        "Min": _least,
        "Mul": _binary(lambda _, a, b: a * b),
        "Neg": lambda call: call.x * -1.0,
        "PRelu": lambda call: _sloped(call.x, call.required(1, "slope")),
        "Pad": windows.pad,
        "Pow": _power,
        "Reciprocal": _nonlinear(Kind.RECIPROCAL),
        "ReduceL2": _reduction(lambda x, axes, keep: (x * x).sum(*axes, keep=keep).sqrt()),
        "ReduceMax": _reduction(_max_over),
        "ReduceMean": _reduction(_mean_over),
        "ReduceMin": _reduction(lambda x, axes, keep: _max_over(x * -1.0, axes, keep) * -1.0),
        "ReduceSum": _reduction(lambda x, axes, keep: x.sum(*axes, keep=keep)),
        "ReduceSumSquare": _reduction(lambda x, axes, keep: (x * x).sum(*axes, keep=keep)),
        "Relu": lambda call: call.x.relu(),
        "Reshape": movement.reshape,
        "Resize": windows.resize,
        "Shape": movement.shape,
        "Sigmoid": _nonlinear(Kind.SIGMOID),
        "Slice": movement.cut,
        "Softmax": _softmax,
        "SpaceToDepth": movement.space_to_depth,
        "Split": movement.split,
        "Sqrt": _nonlinear(Kind.SQRT),
        "Squeeze": movement.squeeze,
        "Sub": _binary(lambda _, a, b: a - b),
        "Sum": _sum,
        "Tanh": _nonlinear(Kind.TANH),
        "Transpose": movement.transpose,
        "Unsqueeze": movement.unsqueeze,
        "Upsample": windows.resize,
    }
)  # fmt: skip
