"""Import rules of the ONNX nodes that resample: Resize and Upsample."""

from __future__ import annotations

import math

import numpy as np

from privis.program import Value, ops
from privis.program.onnx.constant_folding import fold
from privis.program.onnx.node import Call, Constant
from privis.program.onnx.operators.product_rules import along


def resize(call: Call) -> Value:
    """Nearest, linear and cubic resizing, with antialias or without: one axis at a time, since all are separable."""
    x, mode = call.x, call.attributes.get("mode", "nearest")
    lengths, scales = _resized(call)
    weighted = mode == "cubic" or bool(call.attributes.get("antialias", 0))
    for axis, (before, after) in enumerate(zip(x.shape, lengths, strict=True)):
        call.bounded(after)
        if (before, scales[axis]) == (after, 1.0):
            continue
        if weighted:
            x = along(x, _weights(call, before, after, scales[axis]), axis)
            continue
        at = _coordinates(call, before, after, scales[axis])
        x = x >> ops.Gather(_nearest(call, at, before), axis) if mode == "nearest" else _linear(x, at, axis)
    return x


_KEPT = ("antialias", "coordinate_transformation_mode", "cubic_coeff_a", "exclude_outside", "mode")


def _weights(call: Call, before: int, after: int, factor: float) -> Constant:
    """The matrix of a resize along one axis, (after, before): what onnxruntime makes of unit vectors."""
    from onnx import helper

    call.bounded(before * before)
    kept = {name: value for name, value in call.attributes.items() if name in _KEPT}
    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], **kept)
    if "sizes" not in _given(call):
        node.input[2:] = ["scales"]
    identity = np.eye(before, dtype=np.float32)[None, :, None, :]
    size = np.array([1, before, 1, after], np.int64)
    operands = (identity, None, None, size) if "sizes" in _given(call) else (identity, None, _factors(factor))
    made = fold(node, call.where, operands, kept, max(call.opset, 13))
    return np.ascontiguousarray(np.asarray(made[0] if isinstance(made, tuple) else made)[0, :, 0].T)


def _given(call: Call) -> str:
    """Which operand says how large the result is."""
    sizes = call.operand(3)
    return "sizes" if isinstance(sizes, np.ndarray) and sizes.size else "scales"


def _factors(factor: float) -> Constant:
    return np.array([1, 1, 1, factor], np.float32)


def _resized(call: Call) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The length and the scale of every axis."""
    shape = call.x.shape
    upsample = call.opset < 11  # Upsample, and the first Resize: operands X, scales
    scales = call.attributes.get("scales")
    if scales is None:
        scales = call.constant(1 if upsample else 2, "scales")
    sizes = None if upsample else call.constant(3, "sizes")
    axes = [axis % len(shape) for axis in call.attributes.get("axes", range(len(shape)))]
    lengths, factors = list(shape), [1.0] * len(shape)
    if sizes is not None and sizes.size:
        if call.attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch":
            call.refuse("keep_aspect_ratio_policy", "'stretch'")
        for axis, length in zip(axes, sizes, strict=True):
            lengths[axis], factors[axis] = int(length), int(length) / shape[axis]
    elif scales is not None:
        for axis, factor in zip(axes, np.ravel(scales), strict=True):
            lengths[axis], factors[axis] = (math.floor(shape[axis] * np.float32(factor)), float(factor))
    if min(lengths) < 1 or (scales is None and sizes is None):
        raise ValueError(f"the result would have shape {tuple(lengths)}")
    return tuple(lengths), tuple(factors)


def _coordinates(call: Call, before: int, after: int, factor: float) -> np.ndarray:
    """Where each new pixel lies among the old ones, in pixels.

    In float32 and in the order of operations of ONNX's definition: ties between two pixels depend on both.
    """
    i, scale, half = np.arange(after, dtype=np.float32), np.float32(factor), np.float32(0.5)
    match call.attributes.get("coordinate_transformation_mode", "asymmetric" if call.opset < 11 else "half_pixel"):
        case "asymmetric":
            return i / scale
        case "half_pixel":
            return (i + half) / scale - half
        case "pytorch_half_pixel":
            return (i + half) / scale - half if after > 1 else 0 * i
        case "half_pixel_symmetric":
            adjustment = np.float32(after) / (scale * np.float32(before))
            return np.float32(before / 2) * (1 - adjustment) + (i + half) / scale - half
        case "tf_half_pixel_for_nn":
            return (i + half) / scale
        case "align_corners":
            return i * np.float32(before - 1) / np.float32(after - 1) if after > 1 else 0 * i
        case other:
            return call.refuse(f"coordinate_transformation_mode {other!r}", "half_pixel, asymmetric or align_corners")


def _nearest(call: Call, at: np.ndarray, length: int) -> np.ndarray:
    match call.attributes.get("nearest_mode", "floor" if call.opset < 11 else "round_prefer_floor"):
        case "round_prefer_floor":
            index = np.ceil(at - np.float32(0.5))
        case "round_prefer_ceil":
            index = np.floor(at + np.float32(0.5))
        case "floor":
            index = np.floor(at)
        case "ceil":
            index = np.ceil(at)
        case other:
            call.refuse(f"nearest_mode {other!r}", "floor, ceil or one of the roundings")
    return np.clip(index, 0, length - 1).astype(np.int64)


def _linear(x: Value, at: np.ndarray, axis: int) -> Value:
    """Two neighbours, weighted: no matrix, so that it stays sparse."""
    length = x.shape[axis]
    at = np.clip(at, 0, length - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, length - 1)
    share: Constant = (at - low).reshape(-1, *[1] * (len(x.shape) - axis - 1))
    return (x >> ops.Gather(low, axis)) * (1.0 - share) + (x >> ops.Gather(high, axis)) * share
