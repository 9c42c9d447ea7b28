"""Import rules of the ONNX nodes that move elements and leave their values alone."""

from __future__ import annotations

import math

import numpy as np

from privis.program import Value, ops
from privis.program import concat as join_along
from privis.program.onnx.node import Call, Constant


def reshape(call: Call) -> Value:
    """Reshape: -1 is what is left, 0 the length that was there."""
    wanted = call.integers(1, "shape")
    if wanted is None:
        raise ValueError("no shape")
    copied = not call.attributes.get("allowzero", 0)
    lengths = [call.x.shape[k] if n == 0 and copied else n for k, n in enumerate(wanted)]
    if lengths.count(-1) > 1 or (-1 in lengths and math.prod(lengths) == 0):
        raise ValueError(f"shape {wanted}")
    return call.x.reshape(*lengths)


def flatten(call: Call) -> Value:
    """Flatten to a matrix, split before ``axis``."""
    rank = len(call.x.shape)
    axis = call.attributes.get("axis", 1)
    rows = math.prod(call.x.shape[: axis if axis >= 0 else axis + rank])
    return call.x.reshape(rows, math.prod(call.x.shape) // rows)


def squeeze(call: Call) -> Value:
    """Drop axes of length 1: the named ones, or all."""
    axes = call.integers(1, "axes")
    shape, rank = call.x.shape, len(call.x.shape)
    dropped = {k for k in range(rank) if shape[k] == 1} if axes is None else {axis % rank for axis in axes}
    return call.x.reshape(*(n for k, n in enumerate(shape) if k not in dropped))


def unsqueeze(call: Call) -> Value:
    """Insert axes of length 1."""
    axes = call.integers(1, "axes") or ()
    rank = len(call.x.shape) + len(axes)
    added, rest = {axis % rank for axis in axes}, iter(call.x.shape)
    return call.x.reshape(*(1 if k in added else next(rest) for k in range(rank)))


def transpose(call: Call) -> Value:
    """Reorder the axes; reverse them when no order is named."""
    order = tuple(call.attributes.get("perm", range(len(call.x.shape))[::-1]))
    return call.x if order == tuple(range(len(order))) else call.x.transpose(*order)


def concat(call: Call) -> Value:
    """Join along an axis."""
    if not all(isinstance(x, Value) for x in call.operands):
        return _concat_constants(call)
    return join_along(*call.operands, axis=call.attributes["axis"])  # type: ignore[arg-type]


def _concat_constants(call: Call) -> Value:
    """A constant joins as zero times a slice of an activation plus itself: the vocabulary has no free constants."""
    source = next(x for x in call.operands if isinstance(x, Value))
    seed = source.reshape(-1)[0:1] * 0.0
    parts = [x if isinstance(x, Value) else seed.reshape(*[1] * x.ndim) + x for x in call.operands]  # type: ignore[union-attr]
    return join_along(*parts, axis=call.attributes["axis"])


def cut(call: Call) -> Value:
    """Slice along any axes, backwards too."""
    x = call.x
    starts, ends = call.integers(1, "starts"), call.integers(2, "ends")
    if starts is None or ends is None:
        raise ValueError("no starts or ends")
    axes = call.integers(3, "axes") or tuple(range(len(starts)))
    steps = call.integers(4, "steps") or (1,) * len(starts)
    for axis, start, end, step in zip((a % len(x.shape) for a in axes), starts, ends, steps, strict=True):
        positions = range(*slice(start, end, step).indices(x.shape[axis]))
        whole = (slice(None),) * axis
        x = x[*whole, start:end:step] if step > 0 else x >> ops.Gather(np.array(positions, np.int64), axis)
    return x


def split(call: Call) -> tuple[Value, ...]:
    """Cut an axis into parts."""
    axis = call.attributes.get("axis", 0) % len(call.x.shape)
    length = call.x.shape[axis]
    each = -(-length // call.results)
    sizes = call.integers(1, "split") or (*[each] * (call.results - 1), length - each * (call.results - 1))
    if sum(sizes) != length or min(sizes) < 0:
        raise ValueError(f"parts {sizes} of {length}")
    ends = np.cumsum(sizes)
    lead = (slice(None),) * axis
    return tuple(call.x[*lead, int(end) - size : int(end)] for size, end in zip(sizes, ends, strict=True))


def gather(call: Call) -> Value:
    """Take elements at public positions."""
    index = call.required(1, "index").astype(np.int64)
    axis = call.attributes.get("axis", 0) % len(call.x.shape)
    call.bounded(index.size * math.prod(call.x.shape) // call.x.shape[axis])
    return call.x >> ops.Gather(np.where(index < 0, index + call.x.shape[axis], index), axis)


def shape(call: Call) -> Constant:
    """The lengths of the axes: public, since shapes are static."""
    shape = call.x.shape[call.attributes.get("start", 0) : call.attributes.get("end")]
    return np.array(shape, np.int64)


def cast(call: Call) -> Value:
    """Casts between real numbers change nothing."""
    to = call.attributes["to"]
    if to not in (1, 11):  # FLOAT, DOUBLE: what a program's values are
        call.refuse(f"a cast of activations to ONNX type {to}", "FLOAT or DOUBLE")
    return call.x


def identity(call: Call) -> Value:
    """Identity, and Dropout outside training."""
    mode = call.operand(2)
    if call.kind == "Dropout" and (isinstance(mode, Value) or (mode is not None and mode.any())):
        call.refuse("training mode", "evaluation mode", "export the network in evaluation mode")
    return call.x


def depth_to_space(call: Call) -> Value:
    """Channels become pixels: sub-pixel enlargement."""
    (_, channels, height, width), block = call.x.shape, call.attributes["blocksize"]
    if call.attributes.get("mode", "DCR") == "DCR":
        x = call.x.reshape(1, block, block, channels // block**2, height, width).transpose(0, 3, 4, 1, 5, 2)
    else:
        x = call.x.reshape(1, channels // block**2, block, block, height, width).transpose(0, 1, 4, 2, 5, 3)
    return x.reshape(1, channels // block**2, height * block, width * block)


def space_to_depth(call: Call) -> Value:
    """SpaceToDepth: blocks of pixels become channels."""
    (_, channels, height, width), block = call.x.shape, call.attributes["blocksize"]
    x = call.x.reshape(1, channels, height // block, block, width // block, block).transpose(0, 3, 5, 1, 2, 4)
    return x.reshape(1, channels * block**2, height // block, width // block)
