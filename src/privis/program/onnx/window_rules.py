"""Import rules of the ONNX nodes that work on neighbourhoods: convolution, pooling and padding."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from privis.program import Value, ops
from privis.program.onnx.node import Call
from privis.program.shapes import window_count

Pair = tuple[int, int]


@dataclass(frozen=True)
class Axis:
    """A window that slides along one axis of ``length`` pixels."""

    length: int
    size: int
    stride: int
    dilation: int
    before: int
    after: int  # padding that the node declares
    beyond: int  # more positions that ceil_mode reads past that padding

    @property
    def reach(self) -> int:
        """Pixels from the first to the last tap."""
        return (self.size - 1) * self.dilation + 1

    @property
    def padded(self) -> int:
        """Pixels with all padding."""
        return self.before + self.length + self.after + self.beyond


def _axes(call: Call, size: Pair) -> tuple[Axis, Axis]:
    """Read strides, dilations, pads, auto_pad and ceil_mode of a convolution or pooling node on (1, C, H, W)."""
    lengths = call.x.shape[2:]
    strides, dilations = (tuple(call.attributes.get(name, (1, 1))) for name in ("strides", "dilations"))
    pads = tuple(call.attributes.get("pads", (0, 0, 0, 0)))
    automatic = call.attributes.get("auto_pad", "NOTSET")
    axes = []
    for k in range(2):
        reach = (size[k] - 1) * dilations[k] + 1
        if automatic in ("SAME_UPPER", "SAME_LOWER"):
            total = max(0, (-(-lengths[k] // strides[k]) - 1) * strides[k] + reach - lengths[k])
            before = total // 2 if automatic == "SAME_UPPER" else -(-total // 2)
            after = total - before
        else:
            before, after = (0, 0) if automatic == "VALID" else (pads[k], pads[k + 2])
        if min(before, after) < 0 or min(size[k], strides[k], dilations[k]) < 1:
            raise ValueError("negative pads or a size, stride or dilation below 1")
        call.bounded(before + lengths[k] + after + strides[k])
        beyond = _beyond(call, lengths[k] + before + after, reach, strides[k], lengths[k] + before)
        axes.append(Axis(lengths[k], size[k], strides[k], dilations[k], before, after, beyond))
    return axes[0], axes[1]


def _beyond(call: Call, padded: int, reach: int, stride: int, inside: int) -> int:
    """Positions that ``ceil_mode`` adds: one more window, unless it would start in the padding at the end."""
    if not call.attributes.get("ceil_mode", 0):
        return 0
    start = -(-(padded - reach) // stride) * stride
    return max(0, start + reach - padded) if start < inside else 0


def _image(call: Call) -> Value:
    if len(call.x.shape) != 4:
        remedy = "flatten the depth into channels, or run it frame by frame"
        call.refuse(f"an operand of shape {call.x.shape}", "a one- or two-dimensional image (1, C, [H,] W)", remedy)
    return call.x


def pair(call: Call, name: str, default: int) -> Pair:
    """An attribute of one integer per axis."""
    rows, columns = call.attributes.get(name, (default, default))
    return int(rows), int(columns)


def planar(call: Call, rule: Callable[[Call], Value]) -> Value:
    """A node on (1, C, W) as one on an image of one row."""
    if len(call.x.shape) != 3:
        raise ValueError(f"an operand of shape {call.x.shape}")
    lead = {"strides": 1, "dilations": 1, "kernel_shape": 1, "output_padding": 0, "output_shape": 1}
    own = {name: [lead[name], *value] if name in lead else value for name, value in call.attributes.items()}
    if "pads" in own:
        before, after = own["pads"]
        own["pads"] = [0, before, 0, after]
    kernel = call.operands[1] if call.kind in ("Conv", "ConvTranspose") else None
    weights = (np.asarray(kernel)[:, :, None],) if isinstance(kernel, np.ndarray) else ()
    rows = call.x.reshape(1, call.x.shape[1], 1, call.x.shape[2])
    made = rule(replace(call, operands=(rows, *weights, *call.operands[1 + len(weights) :]), attributes=own))
    return made.reshape(*made.shape[:2], made.shape[3])


def conv(call: Call) -> Value:
    """Convolution with public weights and an optional bias."""
    kernel = call.required(1, "weights")
    if kernel.ndim == 3:
        return planar(call, conv)
    x = _image(call)
    if kernel.ndim != 4:
        raise ValueError(f"a kernel of shape {kernel.shape}")
    rows, columns = _axes(call, (kernel.shape[2], kernel.shape[3]))
    result = x >> ops.Conv(
        kernel,
        (rows.stride, columns.stride),
        (rows.before, columns.before, rows.after, columns.after),
        call.attributes.get("group", 1),
        (rows.dilation, columns.dilation),
    )
    bias = call.constant(2, "bias")
    return result if bias is None else result + bias[:, None, None]


def _windows(x: Value, rows: Axis, columns: Axis) -> Value:
    """(..., H, W) -> (..., H', W', rows, columns); taps of a dilated window lie apart."""
    windows = x >> ops.Window((rows.reach, columns.reach), (rows.stride, columns.stride))
    lead = (slice(None),) * len(x.shape)
    return windows[*lead, :: rows.dilation, :: columns.dilation]


def _nearest_tap(axis: Axis) -> np.ndarray:
    """For every padded position the pixel that stands for it in a maximum.

    Padding must never win a maximum. Instead of a number below all others, which no fixed-point range has to spare,
    it repeats the nearest pixel that the same windows already hold.
    """
    position = np.arange(-axis.before, axis.padded - axis.before)
    left = position % axis.dilation
    right = axis.length - 1 - (axis.length - 1 - position) % axis.dilation
    return np.where(position < 0, left, np.where(position >= axis.length, right, position))


def max_pool(call: Call) -> Value:
    """Largest value of each window."""
    if call.results > 1:
        call.refuse("indices of the maxima asked for", "the maxima only")
    if len(call.x.shape) == 3:
        return planar(call, max_pool)
    x = _image(call)
    axes = _axes(call, call.attributes["kernel_shape"])
    for position, axis in enumerate(axes, 2):
        if max(axis.before, axis.after) >= axis.reach or axis.length < axis.dilation:
            raise ValueError("pads as large as the window")
        if axis.padded > axis.length:
            x = x >> ops.Gather(_nearest_tap(axis), position)
    return _windows(x, *axes) >> ops.Max((4, 5))


def _counted(axis: Axis, padding: bool) -> np.ndarray:
    """How many taps of each window lie on pixels, or with ``padding`` on pixels and declared padding."""
    starts = np.arange(window_count(axis.padded, axis.size, axis.stride, axis.dilation)) * axis.stride - axis.before
    taps = starts[:, None] + np.arange(axis.size) * axis.dilation
    low, high = (-axis.before, axis.length + axis.after) if padding else (0, axis.length)
    return ((taps >= low) & (taps < high)).sum(1)


def average_pool(call: Call) -> Value:
    """Mean of each window: of its pixels, or with ``count_include_pad`` of its padding too."""
    if len(call.x.shape) == 3:
        return planar(call, average_pool)
    if len(call.x.shape) == 5:
        return _along_depth(call)
    x = _image(call)
    rows, columns = _axes(call, call.attributes["kernel_shape"])
    call.bounded(rows.padded * rows.size + columns.padded * columns.size)
    padding = bool(call.attributes.get("count_include_pad", 0))
    count = np.outer(_counted(rows, padding), _counted(columns, padding))
    widths = ((0, 0), (0, 0), *((axis.before, axis.after + axis.beyond) for axis in (rows, columns)))
    padded = x >> ops.Pad(widths) if any(map(any, widths)) else x
    uniform = (count == count[0, 0]).all()
    return _windows(padded, rows, columns).sum(4, 5) * (1.0 / float(count[0, 0]) if uniform else 1.0 / count)


def _along_depth(call: Call) -> Value:
    """Three-dimensional pooling whose window is one pixel wide: that of an image whose rows are whole planes."""
    sizes = call.attributes["kernel_shape"]
    strides, pads = call.attributes.get("strides", (1, 1, 1)), call.attributes.get("pads", (0,) * 6)
    if tuple(sizes[1:]) != (1, 1) or tuple(strides[1:]) != (1, 1) or any((*pads[1:3], *pads[4:])):
        call.refuse(f"a window of {tuple(sizes)}", "one- or two-dimensional windows", "pool one axis after the other")
    own = {**call.attributes, "kernel_shape": [sizes[0], 1], "strides": [strides[0], 1]}
    own |= {"pads": [pads[0], 0, pads[3], 0], "dilations": [1, 1]}
    _, channels, depth, height, width = call.x.shape
    flat = call.x.reshape(1, channels, depth, height * width)
    made = average_pool(replace(call, operands=(flat,), attributes=own))
    return made.reshape(1, channels, made.shape[2], height, width)


def length_pool(call: Call) -> Value:
    """LpPool with p = 2: the length of each window."""
    if call.attributes.get("p", 2) != 2:
        call.refuse(f"p = {call.attributes['p']}", "p = 2", "use average pooling of absolute values for p = 1")
    x = _image(call)
    squares = replace(call, operands=(x * x,), attributes={**call.attributes, "count_include_pad": 1})
    return (average_pool(squares) * float(math.prod(call.attributes["kernel_shape"]))).sqrt()


def pad(call: Call) -> Value:
    """Constant, edge and reflect padding; negative pads crop."""
    x, mode = call.x, call.attributes.get("mode", "constant")
    pads = call.integers(1, "pads")
    if pads is None:
        raise ValueError("no pads")
    named = call.integers(3, "axes")
    axes = [axis % len(x.shape) for axis in (range(len(x.shape)) if named is None else named)]
    widths = [(0, 0)] * len(x.shape)
    for k, axis in enumerate(axes):
        widths[axis] = (pads[k], pads[k + len(axes)])
    for length, width in zip(x.shape, widths, strict=True):
        call.bounded(length + sum(width))
    if mode == "constant":
        given = call.constant(2, "padding value")
        value = float(call.attributes.get("value", 0.0) if given is None else given.item())
        grown = tuple((max(before, 0), max(after, 0)) for before, after in widths)
        x = x >> ops.Pad(grown, value) if any(map(any, grown)) else x
        return x[tuple(slice(max(-b, 0), n - max(-a, 0)) for n, (b, a) in zip(x.shape, widths, strict=True))]
    if mode not in ("edge", "reflect", "wrap"):
        call.refuse(f"mode {mode!r}", "constant, edge, reflect or wrap")
    for axis, (before, after) in enumerate(widths):
        if (before, after) != (0, 0):
            positions = np.arange(x.shape[axis])[max(-before, 0) : x.shape[axis] - max(-after, 0)]
            index = np.pad(positions, (max(before, 0), max(after, 0)), mode)  # type: ignore[call-overload]
            x = x >> ops.Gather(index, axis)
    return x
