"""Import rules of the ONNX nodes that centre and scale: over layers, groups, instances and neighbourhoods."""

from __future__ import annotations

import math

import numpy as np

from privis.program import Kind, Value, ops
from privis.program.onnx.node import Call, Constant
from privis.program.onnx.operators.patterns import unit


def batch_normalisation(call: Call) -> Value:
    """BatchNormalization with stored statistics: one affine map."""
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


def standardised(x: Value, axes: tuple[int, ...], epsilon: float) -> Value:
    """``(x - mean) / sqrt(variance + epsilon)`` over ``axes``: a normalisation of length sqrt(count)."""
    count = math.prod(x.shape[axis] for axis in axes)
    centred = x - x.sum(*axes, keep=True) * (1.0 / count)
    return unit(centred, axes, count * epsilon) * math.sqrt(count)


def layer_normalisation(call: Call) -> Value:
    """LayerNormalization over the axes from ``axis`` on."""
    if call.results > 1:
        call.refuse("mean and deviation asked for", "the normalised tensor only")
    rank = len(call.x.shape)
    axes = tuple(range(call.attributes.get("axis", -1) % rank, rank))
    made = standardised(call.x, axes, call.attributes.get("epsilon", 1e-5))
    return _scaled(made, call.required(1, "scale"), call.constant(2, "bias"))


def root_mean_square_normalisation(call: Call) -> Value:
    """RMSNormalization over the axes from ``axis`` on."""
    rank = len(call.x.shape)
    axes = tuple(range(call.attributes.get("axis", -1) % rank, rank))
    count = math.prod(call.x.shape[axis] for axis in axes)
    made = unit(call.x, axes, count * call.attributes.get("epsilon", 1e-5)) * math.sqrt(count)
    return _scaled(made, call.required(1, "scale"), None)


def instance_normalisation(call: Call) -> Value:
    """InstanceNormalization: each channel of an image on its own."""
    rank = len(call.x.shape)
    made = standardised(call.x, tuple(range(2, rank)), call.attributes.get("epsilon", 1e-5))
    shape = (-1, *[1] * (rank - 2))
    return _scaled(made, call.required(1, "scale").reshape(shape), call.required(2, "bias").reshape(shape))


def group_normalisation(call: Call) -> Value:
    """GroupNormalization: scale and bias per group up to opset 20, per channel since."""
    x, groups = call.x, call.attributes["num_groups"]
    channels = x.shape[1]
    split = x.reshape(1, groups, channels // groups, *x.shape[2:])
    made = standardised(split, tuple(range(2, len(split.shape))), call.attributes.get("epsilon", 1e-5))
    scale, bias = (
        np.repeat(value, channels // value.size).reshape(-1, *[1] * (len(x.shape) - 2))
        for value in (call.required(1, "scale"), call.required(2, "bias"))
    )
    return _scaled(made.reshape(*x.shape), scale, bias)


def mean_variance_normalisation(call: Call) -> Value:
    """MeanVarianceNormalization over the named axes."""
    axes = tuple(axis % len(call.x.shape) for axis in call.attributes.get("axes", (0, 2, 3)))
    return standardised(call.x, axes, 1e-18)


def unit_length(call: Call) -> Value:
    """LpNormalization with p = 2."""
    if call.attributes.get("p", 2) != 2:
        call.refuse("p = 1", "p = 2", "write it as x / x.abs().sum(dim, keepdim=True)")
    return unit(call.x, (call.attributes.get("axis", -1) % len(call.x.shape),), 0.0, 1e-12)


def local_response(call: Call) -> Value:
    """LRN: each channel by a power of the mean square of its neighbours."""
    size, bias = call.attributes["size"], call.attributes.get("bias", 1.0)
    alpha, beta = call.attributes.get("alpha", 1e-4), call.attributes.get("beta", 0.75)
    if bias <= 0:
        call.refuse(f"bias {bias:g}", "a bias above 0")
    channel = np.arange(call.x.shape[1])
    difference = channel[None, :] - channel[:, None]  # of the channel read from the one written
    near = (difference >= -((size - 1) // 2)) & (difference <= size // 2)
    total = (call.x * call.x) >> ops.Conv(near.astype(np.float32)[:, :, None, None] * np.float32(alpha / size))
    return call.x * power(total + bias, -beta)


def power(x: Value, exponent: float) -> Value:
    """A power of what is above zero; of what is not, not a number, as in ONNX."""
    return ((x >> ops.Nonlinear(Kind.LOG)) * exponent) >> ops.Nonlinear(Kind.EXP)


def _scaled(x: Value, scale: Constant, bias: Constant | None) -> Value:
    plain = (scale == 1).all() and (bias is None or not bias.any())
    return x if plain else x >> ops.Affine(np.asarray(scale), 0.0 if bias is None else np.asarray(bias))
