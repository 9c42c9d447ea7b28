"""Import rules of the ONNX nodes that move elements and leave their values alone."""

from __future__ import annotations

import math

import numpy as np

from privis.program import Value, ops
from privis.program import concat as join_along
from privis.program.onnx.node import Call, Constant
from privis.program.onnx.operators.logic_rules import repeated


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


def expand(call: Call) -> Value:
    """Broadcast to a shape: what is repeated is gathered."""
    wanted = call.integers(1, "shape")
    if wanted is None:
        raise ValueError("no shape")
    shape = np.broadcast_shapes(call.x.shape, wanted)
    call.bounded(math.prod(shape))
    return repeated(call.x, shape)


def tile(call: Call) -> Value:
    """The whole tensor again and again along each axis."""
    x, counts = call.x, call.integers(1, "repeats") or ()
    call.bounded(math.prod(x.shape) * math.prod(counts))
    for axis, count in enumerate(counts):
        x = x >> ops.Gather(np.tile(np.arange(x.shape[axis]), count), axis) if count != 1 else x
    return x


def _picked(x: Value, places: Constant) -> Value:
    """Elements of the flat tensor."""
    return x.reshape(-1) >> ops.Gather(places.reshape(-1), 0)


def gather_elements(call: Call) -> Value:
    """An element for each public index, along one axis."""
    index = call.required(1, "index").astype(np.int64)
    axis = call.attributes.get("axis", 0) % len(call.x.shape)
    numbered = np.arange(math.prod(call.x.shape)).reshape(call.x.shape)
    places = np.take_along_axis(
        numbered[tuple(slice(0, n) if k != axis else slice(None) for k, n in enumerate(index.shape))],
        np.where(index < 0, index + call.x.shape[axis], index),
        axis,
    )
    return _picked(call.x, places).reshape(*index.shape)


def gather_nd(call: Call) -> Value:
    """Slices at public positions."""
    index = call.required(1, "index").astype(np.int64)
    if call.attributes.get("batch_dims", 0):
        call.refuse("batch_dims", "none", "index each batch on its own")
    places = np.arange(math.prod(call.x.shape)).reshape(call.x.shape)[tuple(np.moveaxis(index, -1, 0))]
    call.bounded(places.size)
    return _picked(call.x, places).reshape(*places.shape)


def scatter_nd(call: Call) -> Value:
    """Slices replaced at public positions: a choice among the elements of both."""
    index = call.required(1, "index").astype(np.int64)
    if call.attributes.get("reduction", "none") != "none":
        call.refuse(f"reduction {call.attributes['reduction']!r}", "'none'", "add the two tensors instead")
    data, updates = call.operands[0], call.operands[2]
    assert data is not None and updates is not None
    places = np.arange(math.prod(data.shape)).reshape(data.shape)
    places[tuple(np.moveaxis(index, -1, 0))] = places.size + np.arange(math.prod(updates.shape)).reshape(updates.shape)
    return _picked(_flat_pair(data, updates), places).reshape(*data.shape)


def _flat_pair(a: Value | Constant, b: Value | Constant) -> Value:
    """Both flat, one after the other; a public one as zero times an activation plus itself."""
    source = a if isinstance(a, Value) else b
    assert isinstance(source, Value)
    seed = source.reshape(-1)[0:1] * 0.0
    return join_along(*(x.reshape(-1) if isinstance(x, Value) else seed + x.reshape(-1) for x in (a, b)))


def triangle(call: Call) -> Value:
    """Trilu: zeros above or below a diagonal."""
    given = call.constant(1, "diagonal")
    diagonal = 0 if given is None else int(given.item())
    ones = np.ones(call.x.shape[-2:], np.float32)
    return call.x * (np.triu(ones, diagonal) if call.attributes.get("upper", 1) else np.tril(ones, diagonal))


def size(call: Call) -> Constant:
    """The number of elements: public, since shapes are static."""
    return np.array(math.prod(call.x.shape), np.int64)


def ones_like(call: Call) -> Constant:
    """EyeLike: public, for it depends on the shape alone."""
    rows, columns = call.x.shape
    return np.eye(rows, columns, call.attributes.get("k", 0), np.float32)
