"""Runs of ops that ONNX names as one operator, recognised by their nodes and looked at from their last one."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from privis.program import Kind, Shape, ops
from privis.run.clear.onnx_graph import Graph

Array = np.ndarray[Any, Any]


def convolution(graph: Graph, op: ops.Conv, operand: int, value: int, scale: ops.Constant, bias: ops.Constant) -> str:
    """``scale * conv(operand) + bias`` as one node; both per output channel."""
    kernel = np.asarray(op.kernel, np.float64) * np.reshape(scale, (-1, 1, 1, 1))
    constants = [graph.constant(kernel)]
    if np.any(bias):
        constants.append(graph.constant(np.broadcast_to(bias, len(kernel))))
    attributes = {
        "strides": op.stride, "pads": op.pad, "group": op.groups, "dilations": op.dilation,
        "kernel_shape": kernel.shape[2:],
    }  # fmt: skip
    image = _as_image(graph, operand)
    return _from_image(graph, graph.emit("Conv", image, *constants, attributes=attributes), value)


def affine(graph: Graph, value: int) -> str | None:
    """An Affine node as part of a convolution or mean before it."""
    return _biased_convolution(graph, value) or _mean(graph, value)


def _biased_convolution(graph: Graph, value: int) -> str | None:
    """A convolution followed by Affine nodes that act per channel: normalisation and bias become its own."""
    scale, bias, at = np.ones(1), np.zeros(1), value
    while isinstance(op := graph.op(at), ops.Affine):
        at = graph.operand(at)
        shape = graph.shapes[at]
        gain, shift = (_per_channel(constant, shape) for constant in (op.scale, op.bias))
        if gain is None or shift is None or shape != graph.shapes[value] or not graph.only_read_once(at):
            return None
        scale, bias = scale * gain, bias + scale * shift
    return convolution(graph, op, graph.operand(at), value, scale, bias) if isinstance(op, ops.Conv) else None


def _per_channel(constant: ops.Constant, shape: Shape) -> Array | None:
    """One number, or one per channel, when ``constant`` broadcasts against (..., C, H, W) that way."""
    array = np.asarray(constant, np.float64)
    per_channel = array.ndim >= 3 and len(shape) >= 3 and array.shape[-3] == array.size == shape[-3]
    return array.reshape(-1) if array.size == 1 or per_channel else None


def _as_image(graph: Graph, operand: int) -> str:
    """The operand as (batch, C, H, W)."""
    shape = graph.full(graph.shapes[operand])
    tensor = graph.tensors[operand]
    return tensor if len(shape) == 4 else graph.reshape(tensor, (math.prod(shape[:-3]), *shape[-3:]))


def _from_image(graph: Graph, tensor: str, value: int) -> str:
    shape = graph.full(graph.shapes[value])
    return tensor if len(shape) == 4 else graph.reshape(tensor, shape)


@dataclass(frozen=True)
class _Windows:
    """Sliding windows whose taps are then reduced: the value they slide over and how."""

    source: int
    size: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def attributes(self) -> dict[str, Any]:
        return {"kernel_shape": self.size, "strides": self.stride, "pads": self.pads}


def _windows(graph: Graph, value: int) -> _Windows | None:
    """The windows that ``value``, a Sum or Max over taps, reduces."""
    op, at = graph.op(value), graph.operand(value)
    rank = len(graph.shapes[at])
    if not isinstance(op, ops.Sum | ops.Max) or op.axes != (rank - 2, rank - 1) or op.keep or rank < 5:
        return None
    step = (1, 1)
    if isinstance(taps := graph.op(at), ops.Slice):
        whole = tuple((0, n, 1) for n in graph.shapes[graph.operand(at)])
        step = (taps.index[-2][2], taps.index[-1][2])
        at = graph.operand(at)
        stepped = tuple((0, n, s) for n, s in zip(graph.shapes[at][-2:], step, strict=True))
        if taps.index != whole[:-2] + stepped:
            return None
    if not isinstance(window := graph.op(at), ops.Window):
        return None
    size = tuple((n - 1) // s + 1 for n, s in zip(window.size, step, strict=True))
    if any((n - 1) % s for n, s in zip(window.size, step, strict=True)):
        return None
    return _Windows(graph.operand(at), (size[0], size[1]), window.stride, step)


def max_pool(graph: Graph, value: int) -> str | None:
    """Windows and a maximum; before them padding that repeats the border or is minus infinity."""
    windows = _windows(graph, value)
    if windows is None:
        return None
    windows = _padded(graph, windows)
    attributes = windows.attributes | {"dilations": windows.dilation}
    pooled = graph.emit("MaxPool", _as_image(graph, windows.source), attributes=attributes)
    return _from_image(graph, pooled, value)


def _padded(graph: Graph, windows: _Windows) -> _Windows:
    """Take padding that can never win a maximum into the pooling node."""
    source, pads = windows.source, [0, 0, 0, 0]
    rank = len(graph.shapes[source])
    while isinstance(op := graph.op(source), ops.Gather) and windows.dilation == (1, 1):
        side = op.axis - (rank - 2)
        inner = graph.operand(source)
        repeated = _repeated_border(op, graph.shapes[inner]) if side in (0, 1) else None
        if repeated is None or pads[side] or pads[side + 2] or max(repeated) >= windows.size[side]:
            break
        source, pads[side], pads[side + 2] = inner, *repeated
    return dataclasses.replace(windows, source=source, pads=tuple(pads))


def _repeated_border(op: ops.Gather, shape: Shape) -> tuple[int, int] | None:
    """How often the first and the last element of an axis are repeated, when that is all ``op`` does."""
    length = shape[op.axis]
    if op.index.ndim != 1 or length < 2:
        return None
    before, after = int((op.index == 0).sum()) - 1, int((op.index == length - 1).sum()) - 1
    expected = np.clip(np.arange(-before, length + after), 0, length - 1)
    return (before, after) if min(before, after) >= 0 and np.array_equal(op.index, expected) else None


def _mean(graph: Graph, value: int) -> str | None:
    """A sum over windows or whole planes times a public number: their mean, when that is the number.

    A sum alone is not made of a mean: scaled down and up again, integers would no longer be exact.
    """
    op, at = graph.op(value), graph.operand(value)
    if not isinstance(op, ops.Affine) or graph.shapes[at] != graph.shapes[value] or not graph.only_read_once(at):
        return None
    if not isinstance(total := graph.op(at), ops.Sum):
        return None
    source = graph.operand(at)
    rank, windows = len(graph.shapes[source]), _windows(graph, at)
    if total.keep and graph.lead + rank == 4 and total.axes == (rank - 2, rank - 1):
        pooled = graph.emit("GlobalAveragePool", graph.tensors[source])
    elif windows and windows.dilation == (1, 1):
        windows = _zero_padded(graph, windows)
        attributes = windows.attributes | {"count_include_pad": 1}
        pooled = graph.emit("AveragePool", _as_image(graph, windows.source), attributes=attributes)
        pooled = _from_image(graph, pooled, value)
    else:
        return None
    factor = np.asarray(op.scale, np.float64) * math.prod(graph.shapes[source][-2:])
    return graph.affine(pooled, 1.0 if np.allclose(factor, 1.0, rtol=1e-12, atol=0.0) else factor, op.bias)


def _zero_padded(graph: Graph, windows: _Windows) -> _Windows:
    match graph.op(windows.source):
        case ops.Pad(widths, 0.0) if not any(map(any, widths[:-2])):
            (top, bottom), (left, right) = widths[-2:]
            if all(max(pads) < size for pads, size in zip(widths[-2:], windows.size, strict=True)):
                source = graph.operand(windows.source)
                return dataclasses.replace(windows, source=source, pads=(top, left, bottom, right))
    return windows


def leaky(graph: Graph, value: int) -> str | None:
    """``slope * x + (1 - slope) * relu(x)`` with one public slope."""
    sloped, bent = graph.operands(value)
    match graph.op(sloped), graph.op(bent):
        case ops.Affine(float(slope), float(0.0)), ops.Affine(float(rest), float(0.0)) if abs(slope + rest - 1) < 1e-12:
            x, relu = graph.operand(sloped), graph.operand(bent)
            clip = graph.op(relu)
            positive = isinstance(clip, ops.Nonlinear) and (clip.kind, clip.a, clip.b) == (Kind.CLIP, 0.0, math.inf)
            if positive and graph.operand(relu) == x:
                return graph.emit("LeakyRelu", graph.tensors[x], attributes={"alpha": slope})
    return None


def enlarged(graph: Graph, value: int) -> str | None:
    """Rows and columns repeated a whole number of times: nearest-neighbour enlargement."""
    at, rank, factors = value, len(graph.shapes[value]), [1, 1]
    while isinstance(op := graph.op(at), ops.Gather) and op.axis >= rank - 2:
        length = graph.shapes[graph.operand(at)][op.axis]
        factor = op.index.size // length
        repeated = np.array_equal(op.index, np.repeat(np.arange(length), factor))
        if not repeated or factors[op.axis - rank] > 1 or (at != value and not graph.only_read_once(at)):
            break
        at, factors[op.axis - rank] = graph.operand(at), factor
    if at == value or len(graph.full(graph.shapes[at])) != 4:
        return None
    attributes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    scales = graph.constant([1.0, 1.0, *factors])
    return graph.emit("Resize", graph.tensors[at], "", scales, attributes=attributes)
