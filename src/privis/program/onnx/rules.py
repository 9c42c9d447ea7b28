"""Import rules of the ONNX nodes that are arithmetic or reductions, and the table of all rules."""

from __future__ import annotations

import dataclasses
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
from privis.program.onnx.node import Call, Constant, Rule
from privis.program.onnx.operators import activation_rules as activations
from privis.program.onnx.operators import logic_rules as logic
from privis.program.onnx.operators import normalisation_rules as normalisations
from privis.program.onnx.operators import product_rules as products
from privis.program.onnx.operators.patterns import divided, over_reciprocal
from privis.program.onnx.resampling_rules import resize

LARGEST_POWER = 16  # factors of a product that a power may become

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
        whole = divided(a, b) if isinstance(a, Value) else None
        return (b >> ops.Nonlinear(Kind.RECIPROCAL)) * a if whole is None else whole
    if not np.all(b):
        call.refuse("a division by zero", "a divisor without zeros")
    return a * (1.0 / np.float64(b))


def _times(call: Call, a: Any, b: Any) -> Value:
    if not (isinstance(a, Value) and isinstance(b, Value)):
        return a * b
    whole = over_reciprocal(a, b) or over_reciprocal(b, a)
    return a * b if whole is None else whole


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
    if not isinstance(call.operands[0], Value):
        return _exponential(call)
    x, exponent = call.x, call.required(1, "exponent")
    match float(exponent.item()) if exponent.size == 1 else math.nan:
        case 1.0:
            return x
        case 0.5:
            return x.sqrt()
        case -1.0:
            return x >> ops.Nonlinear(Kind.RECIPROCAL)
        case -0.5:
            return x >> ops.Nonlinear(Kind.RSQRT)
        case 1.5:
            return x * x.sqrt()
        case other if other.is_integer() and 2 <= other <= LARGEST_POWER:
            return functools.reduce(operator.mul, [x] * int(other))
        case other if math.isfinite(other) and not other.is_integer():
            return normalisations.power(x, other)
        case other:
            remedy = "write it as products and quotients"
            call.refuse(
                f"exponent {other:g}", f"one number: a fraction, -1, or a whole number up to {LARGEST_POWER}", remedy
            )


def _exponential(call: Call) -> Value:
    """A public base to a secret exponent."""
    base, exponent = call.required(0, "base"), call.operands[1]
    assert isinstance(exponent, Value)
    if base.size != 1 or base.item() <= 0:
        call.refuse("a base that is no single number above 0", "one positive number", "use exp and a constant factor")
    return (exponent * math.log(float(base.item()))) >> ops.Nonlinear(Kind.EXP)


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


def _logarithm(x: Value) -> Value:
    return x >> ops.Nonlinear(Kind.LOG)


def _arg_min(call: Call) -> Value:
    return _arg_max(dataclasses.replace(call, operands=(call.x * -1.0,)))


def _arg_max(call: Call) -> Value:
    if call.attributes.get("select_last_index", 0):
        call.refuse("select_last_index", "the first of equal elements")
    axis = call.attributes.get("axis", 0) % len(call.x.shape)
    result = call.x >> ops.ArgMax(axis)
    keep = call.attributes.get("keepdims", 1)
    return result.reshape(*result.shape[:axis], 1, *result.shape[axis:]) if keep else result


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        **logic.COMPARISONS,
        "Abs": activations.nonlinear(Kind.ABS),
        "Add": _binary(lambda _, a, b: a + b),
        "ArgMax": _arg_max,
        "ArgMin": _arg_min,
        "AveragePool": windows.average_pool,
        "BatchNormalization": normalisations.batch_normalisation,
        "Cast": logic.cast,
        "CastLike": lambda call: call.x,
        "Celu": activations.celu,
        "Clip": activations.clip,
        "Concat": movement.concat,
        "Conv": windows.conv,
        "ConvTranspose": products.transposed_convolution,
        "CumSum": products.cumulative_sum,
        "DepthToSpace": movement.depth_to_space,
        "DequantizeLinear": logic.dequantise,
        "Div": _binary(_div),
        "Dropout": movement.identity,
        "Einsum": products.einsum,
        "Elu": activations.elu,
        "Erf": activations.nonlinear(Kind.ERF),
        "Exp": activations.nonlinear(Kind.EXP),
        "Expand": movement.expand,
        "EyeLike": movement.ones_like,
        "Flatten": movement.flatten,
        "Gather": movement.gather,
        "GatherElements": movement.gather_elements,
        "GatherND": movement.gather_nd,
        "Gelu": activations.gelu,
        "Gemm": products.gemm,
        "GlobalAveragePool": _global(_mean_over),
        "GlobalMaxPool": _global(_max_over),
        "GroupNormalization": normalisations.group_normalisation,
        "HardSigmoid": lambda call: activations.hard_sigmoid(
            call.x, call.attributes.get("alpha", 0.2), call.attributes.get("beta", 0.5)
        ),
        "HardSwish": lambda call: call.x * activations.hard_sigmoid(call.x, 1 / 6, 0.5),
        "Hardmax": activations.hardmax,
        "Identity": movement.identity,
        "InstanceNormalization": normalisations.instance_normalisation,
        "LRN": normalisations.local_response,
        "LayerNormalization": normalisations.layer_normalisation,
        "LeakyRelu": lambda call: activations.sloped(call.x, call.attributes.get("alpha", 0.01)),
        "Log": activations.nonlinear(Kind.LOG),
        "LogSoftmax": activations.log_softmax,
        "LpNormalization": normalisations.unit_length,
        "LpPool": windows.length_pool,
        "MatMul": _binary(products.product),
        "Max": _largest,
        "MaxPool": windows.max_pool,
        "Mean": _mean,
        "MeanVarianceNormalization": normalisations.mean_variance_normalisation,
        "Min": _least,
        "Mish": activations.mish,
        "Mul": _binary(_times),
        "Neg": lambda call: call.x * -1.0,
        "PRelu": lambda call: activations.sloped(call.x, call.required(1, "slope")),
        "Pad": windows.pad,
        "Pow": _power,
        "QuantizeLinear": logic.quantise,
        "RMSNormalization": normalisations.root_mean_square_normalisation,
        "Reciprocal": activations.nonlinear(Kind.RECIPROCAL),
        "ReduceL1": _reduction(lambda x, axes, keep: x.abs().sum(*axes, keep=keep)),
        "ReduceL2": _reduction(lambda x, axes, keep: (x * x).sum(*axes, keep=keep).sqrt()),
        "ReduceLogSum": _reduction(lambda x, axes, keep: _logarithm(x.sum(*axes, keep=keep))),
        "ReduceLogSumExp": _reduction(activations.log_sum_exp),
        "ReduceMax": _reduction(_max_over),
        "ReduceMean": _reduction(_mean_over),
        "ReduceMin": _reduction(lambda x, axes, keep: _max_over(x * -1.0, axes, keep) * -1.0),
        "ReduceSum": _reduction(lambda x, axes, keep: x.sum(*axes, keep=keep)),
        "ReduceSumSquare": _reduction(lambda x, axes, keep: (x * x).sum(*axes, keep=keep)),
        "Relu": lambda call: call.x.relu(),
        "Reshape": movement.reshape,
        "Resize": resize,
        "Round": activations.nonlinear(Kind.ROUND),
        "ScatterND": movement.scatter_nd,
        "Selu": activations.selu,
        "Shape": movement.shape,
        "Shrink": activations.shrunk,
        "Sigmoid": activations.nonlinear(Kind.SIGMOID),
        "Size": movement.size,
        "Slice": movement.cut,
        "Softmax": activations.softmax,
        "Softplus": activations.nonlinear(Kind.SOFTPLUS),
        "Softsign": activations.softsign,
        "SpaceToDepth": movement.space_to_depth,
        "Split": movement.split,
        "Sqrt": activations.nonlinear(Kind.SQRT),
        "Squeeze": movement.squeeze,
        "Sub": _binary(lambda _, a, b: a - b),
        "Sum": _sum,
        "Swish": activations.swish,
        "Tanh": activations.nonlinear(Kind.TANH),
        "ThresholdedRelu": activations.thresholded,
        "Tile": movement.tile,
        "TopK": logic.top,
        "Transpose": movement.transpose,
        "Trilu": movement.triangle,
        "Unsqueeze": movement.unsqueeze,
        "Upsample": resize,
    }
)  # fmt: skip
