"""Reading ``reach``: how many counts one changed input pixel moves at most, and how many counts there are.

A pixel is one place of the last two axes of the input, with all that stands there along the other axes. Two things are
followed through the graph. *Sites*: of which pixels an element is a function, as offsets from a place of its own; exact
for stencils (``Conv``, elementwise ops, reductions over channels, all movement), given up where an element sees what no
small window holds. *Counts*: how many of them each pixel moves. A ``Histogram`` moves the count of every position that
is a function of the pixel, and no other; a ``Sum`` of elements from an interval moves by its width per element. A count
that moves leaves one bin for another: a difference of L1 norm at most 2 and L2 norm at most sqrt(2), and what several
pixels move adds up (triangle inequality, the pixels changed one after another). Where sites are given up, every
position of a histogram may move: still a bound, as histograms have so many counts and no more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from privis.program import Program, ops
from privis.program.graph import Node
from privis.program.ops import Op
from privis.program.shapes import Shape
from privis.readings.analysis.ranges import Interval, ranges, squeeze
from privis.readings.evaluate import evaluate_op

Places = NDArray[np.int64]
Offsets = frozenset[tuple[int, int]]

HERE: Offsets = frozenset({(0, 0)})
MOST_OFFSETS, WIDEST = 4096, 1024  # of a window that is followed; beyond, an element counts as a function of all pixels
NOWHERE = -(2**40)  # the row of what depends on no pixel, such as padding


@dataclass(frozen=True)
class Reach:
    """What bounds the counts that a program ends in.

    ``moves``: how many of them one changed pixel moves at most. ``total``: how many there are at most in an image.
    ``largest``: the largest one.
    """

    moves: int
    total: int
    largest: int


@dataclass(frozen=True, eq=False)
class _Sites:
    """Every element is a function of the pixels ``(rows, columns) + offsets``; the arrays broadcast to its shape."""

    rows: Places
    columns: Places
    offsets: Offsets


@dataclass(frozen=True, eq=False)
class _Counts:
    """``moves``, ``(H, W)`` or one number for all: how many counts each pixel moves."""

    moves: Places
    total: int
    largest: int


@dataclass(frozen=True, eq=False)
class _Value:
    """What is known of a value: its sites, its counts, both or neither."""

    sites: _Sites | None
    counts: _Counts | None = None


UNKNOWN = _Value(None)


def reach(program: Program, *, pixelwise: bool = True) -> Reach | None:
    """Bound what one changed pixel moves of the counts that ``program`` returns; None where nothing bounds it.

    Args:
        program: from one input ``(..., H, W)`` to one output.
        pixelwise: whether what stands at a place of the input is a function of that pixel alone. Otherwise any element
            of the input may change with any pixel.

    >>> from privis.program import Input, trace
    >>> dark = trace(lambda x: x.reshape(1, -1) >> ops.Histogram(((64.0,),)), Input((8, 8)))
    >>> reach(dark)
    Reach(moves=1, total=64, largest=64)
    >>> box = trace(lambda x: x >> ops.Conv(np.ones((1, 1, 3, 3)), pad=(1, 1, 1, 1)), Input((1, 8, 8)))
    >>> blurred = box >> trace(lambda x: x.reshape(1, -1) >> ops.Histogram(((64.0,),)), Input((1, 8, 8)))
    >>> reach(blurred).moves, reach(dark, pixelwise=False).moves
    (9, 64)
    """
    if len(program.inputs) != 1 or len(program.outputs) != 1 or (pixelwise and len(program.inputs[0].shape) < 2):
        return None
    shape = program.inputs[0].shape
    image = (shape[-2], shape[-1]) if pixelwise else (1, 1)
    shapes, known, first = program.shapes, ranges(program), len(program.inputs)

    def rule(index: int, node: Node, operands: list[_Value]) -> _Value:
        taken = [shapes[i] for i in node.operands]
        interval = known[node.operands[0]]
        return _after(node.op, operands, taken, shapes[first + index], interval, image)

    start = UNKNOWN
    if pixelwise:
        ones = (1,) * (len(shape) - 2)
        rows, columns = np.arange(image[0]).reshape(*ones, -1, 1), np.arange(image[1]).reshape(*ones, 1, -1)
        start = _Value(_Sites(rows, columns, HERE))
    end = program.read(rule, [start])[program.outputs[0]]
    last = program.outputs[0]
    found = [c for c in (end.counts, _counted(end.sites, shapes[last], known[last], image)) if c is not None]
    return min((Reach(int(c.moves.max(initial=0)), c.total, c.largest) for c in found), key=_moves, default=None)


def _moves(found: Reach) -> int:
    return found.moves


def _after(
    op: Op, operands: list[_Value], taken: list[Shape], shape: Shape, interval: Interval, image: tuple[int, int]
) -> _Value:
    x = operands[0]
    match op:
        case ops.Affine() | ops.Compare() | ops.Poly() | ops.Nonlinear():
            return _Value(_ranked(x.sites, len(shape)))
        case ops.Add() | ops.Sub() | ops.Mul():
            return _Value(_joined(*(_ranked(value.sites, len(shape)) for value in operands)))
        case ops.Conv():
            return _Value(_convolved(op, x.sites, taken[0]))
        case ops.Histogram():
            return _Value(None, _histogram(x.sites, taken[0], image))
        case ops.Sum(axes, keep):
            sites = _reduced(x.sites, axes, keep)
            spread = sites is None or (x.sites is not None and len(sites.offsets) > len(x.sites.offsets))
            counts = _counted(x.sites, taken[0], interval, image) if spread else None
            own = x.counts
            return _Value(sites, counts if own is None else replace(own, largest=own.total))
        case ops.Max(axes, keep):
            return _Value(_reduced(x.sites, axes, keep))
        case ops.ArgMax(axis):
            return _Value(_reduced(x.sites, (axis,), False))
        case ops.Normalise():
            return _Value(_reduced(x.sites, (len(shape) - 1,), True))
        case ops.Dense(matrix):
            return _Value(_reduced(x.sites, (len(shape) - 1,), True), _selected(x.counts, matrix))
        case ops.MatMul() | ops.TopK():
            return UNKNOWN
        case ops.Concat():
            return _concatenated(op, operands, taken, shape)
        case ops.Pad(_, value):
            sites = None if x.sites is None else _padded(op, x.sites, taken[0])
            return _Value(sites, x.counts if value == 0 else None)
        case _:
            return _moved(op, x, taken[0])


def _ranked(sites: _Sites | None, rank: int) -> _Sites | None:
    """An array with as many axes as ``rank``: broadcasting adds them in front."""
    if sites is None:
        return None
    rows, columns = (p.reshape((1,) * (rank - p.ndim) + p.shape) for p in (sites.rows, sites.columns))
    return _Sites(rows, columns, sites.offsets)


def _window(offsets: Offsets, shifts: Offsets) -> Offsets | None:
    """All sums of an offset and a shift, None when there are too many, or too far apart."""
    if len(offsets) * len(shifts) > 64 * MOST_OFFSETS:
        return None
    window = frozenset((a + c, b + d) for a, b in offsets for c, d in shifts)
    wide = max((max(abs(down), abs(across)) for down, across in window), default=0)
    return window if len(window) <= MOST_OFFSETS and wide <= WIDEST else None


def _joined(a: _Sites | None, b: _Sites | None) -> _Sites | None:
    """What is a function of both: b's pixels as offsets from a's places, which must be the same ones everywhere."""
    if a is None or b is None:
        return None
    down, across = b.rows - a.rows, b.columns - a.columns
    if down.size == 0 or down.min() != down.max() or across.min() != across.max():
        return None
    shifted = _window(b.offsets, frozenset({(int(down.flat[0]), int(across.flat[0]))}))
    rows = np.broadcast_to(a.rows, np.broadcast_shapes(a.rows.shape, b.rows.shape))
    columns = np.broadcast_to(a.columns, np.broadcast_shapes(a.columns.shape, b.columns.shape))
    return None if shifted is None else _Sites(squeeze(rows), squeeze(columns), a.offsets | shifted)


def _reduced(sites: _Sites | None, axes: tuple[int, ...], keep: bool) -> _Sites | None:
    """What is a function of all elements along ``axes``, placed where the first of them is."""
    if sites is None:
        return None
    heads, differences = [], []
    for places in (sites.rows, sites.columns):
        if places.size == 0:
            return None
        head = places[tuple(slice(0, 1) if axis in axes else slice(None) for axis in range(places.ndim))]
        apart = places - head
        kept = tuple(axis for axis in range(places.ndim) if axis not in axes)
        least, most = apart.min(kept, keepdims=True), apart.max(kept, keepdims=True)
        if (least != most).any():
            return None  # other pixels at other places: no window that goes along
        heads.append(head if keep else head.squeeze(axes))
        differences.append(least)
    down, across = np.broadcast_arrays(*differences)
    if down.size > 64 * MOST_OFFSETS:
        return None
    shifts = frozenset(zip(down.ravel().tolist(), across.ravel().tolist(), strict=True))
    window = _window(sites.offsets, shifts)
    return None if window is None else _Sites(heads[0], heads[1], window)


def _convolved(op: ops.Conv, sites: _Sites | None, taken: Shape) -> _Sites | None:
    """Taps around every place; places must be a regular grid, which goes on into the padding."""
    if sites is None or sites.rows.size != taken[-2] or sites.columns.size != taken[-1]:
        return None  # not the same along all other axes, or no grid
    top, left, bottom, right = op.pad
    rows = _line(sites.rows, -2, top, bottom, op.kernel.shape[2], op.stride[0], op.dilation[0])
    columns = _line(sites.columns, -1, left, right, op.kernel.shape[3], op.stride[1], op.dilation[1])
    if rows is None or columns is None:
        return None
    used = np.argwhere((op.kernel != 0).any((0, 1)))
    down, across = rows[1] * op.dilation[0], columns[1] * op.dilation[1]
    taps = frozenset((int(a) * down, int(b) * across) for a, b in used)
    window = _window(sites.offsets, taps)
    return None if window is None else _Sites(rows[0], columns[0], window)


def _line(
    places: Places, axis: int, before: int, after: int, taps: int, stride: int, dilation: int
) -> tuple[Places, int] | None:
    """Places of a convolution's first taps along one axis, and the step from an element to the next."""
    if places.size != places.shape[axis]:
        return None
    line = places.ravel()
    steps = np.unique(np.diff(line))
    if steps.size > 1:
        return None
    step = int(steps[0]) if steps.size else 1
    windows = (line.size + before + after - (taps - 1) * dilation - 1) // stride + 1
    starts = line[0] + step * (np.arange(windows) * stride - before)
    return starts.reshape(*(starts.size if i == places.ndim + axis else 1 for i in range(places.ndim))), step


def _histogram(sites: _Sites | None, taken: Shape, image: tuple[int, int]) -> _Counts:
    """One count per position, moved by every pixel that any digit is a function of."""
    positions, each = math.prod(taken[1:]), taken[-1]
    codes = _reduced(sites, (0,), False)
    moves = np.array([positions]) if codes is None else _touched(codes, taken[1:], image)
    return _Counts(np.minimum(moves, positions), positions, each)


def _counted(sites: _Sites | None, shape: Shape, interval: Interval, image: tuple[int, int]) -> _Counts | None:
    """Counts that are sums of elements, each from ``interval``."""
    low, high = interval.bounds
    if sites is None or not math.isfinite(high - low):
        return None
    total = math.ceil(max(high, 0.0) * math.prod(shape))
    return _Counts(_touched(sites, shape, image) * math.ceil(high - low), total, total)


def _touched(sites: _Sites, shape: Shape, image: tuple[int, int]) -> Places:
    """For every pixel, how many elements are functions of it."""
    rows, columns = np.broadcast_arrays(sites.rows, sites.columns)
    copies = math.prod(shape) // max(rows.size, 1)
    margin = 1 + max(max(abs(a), abs(b)) for a, b in sites.offsets or HERE)
    height, width = (length + 2 * margin for length in image)
    inside = (rows > -margin) & (rows < image[0] + margin) & (columns > -margin) & (columns < image[1] + margin)
    at = (rows[inside] + margin) * width + columns[inside] + margin
    own = np.bincount(at, minlength=height * width).reshape(height, width)
    touched = np.zeros(image, np.int64)
    for down, across in sites.offsets:
        top, left = margin - down, margin - across
        touched += own[top : top + image[0], left : left + image[1]]
    return touched * copies


def _selected(counts: _Counts | None, matrix: NDArray[np.floating]) -> _Counts | None:
    """Counts added up in groups, none in two of them: a move stays a move, or is not seen."""
    partition = bool(np.isin(matrix, (0.0, 1.0)).all() and matrix.sum(0).max(initial=0.0) <= 1.0)
    return counts if counts is not None and partition else None


def _concatenated(op: ops.Concat, operands: list[_Value], taken: list[Shape], shape: Shape) -> _Value:
    sites = [value.sites for value in operands]
    counts = [value.counts for value in operands if value.counts is not None]
    joined, added = None, None
    if all(own is not None for own in sites):
        known = [own for own in sites if own is not None]
        offsets: Offsets = frozenset().union(*(own.offsets for own in known))
        rows, columns = (
            [np.broadcast_to(getattr(own, name), size) for own, size in zip(known, taken, strict=True)]
            for name in ("rows", "columns")
        )
        if len(offsets) <= MOST_OFFSETS:
            joined = _Sites(squeeze(np.concatenate(rows, op.axis)), squeeze(np.concatenate(columns, op.axis)), offsets)
    if len(counts) == len(operands):
        moves = sum((own.moves for own in counts), np.zeros(1, np.int64))
        added = _Counts(moves, sum(own.total for own in counts), max(own.largest for own in counts))
    return _Value(joined, added)


def _padded(op: ops.Pad, sites: _Sites, taken: Shape) -> _Sites:
    """A constant depends on no pixel."""
    rows, columns = (np.broadcast_to(places, taken) for places in (sites.rows, sites.columns))
    rows = np.pad(rows, op.widths, constant_values=NOWHERE)
    return _Sites(rows, np.pad(columns, op.widths, constant_values=NOWHERE), sites.offsets)


def _moved(op: Op, x: _Value, taken: Shape) -> _Value:
    """Places move as their elements do; counts stay what they are unless some are repeated."""
    sites = None
    if x.sites is not None:
        rows, columns = (_carried(op, places, taken) for places in (x.sites.rows, x.sites.columns))
        sites = _Sites(rows, columns, x.sites.offsets)
    counts = x.counts
    if isinstance(op, ops.Window) or (isinstance(op, ops.Gather) and np.unique(op.index).size < op.index.size):
        counts = None
    return _Value(sites, counts)


def _carried(op: Op, places: Places, taken: Shape) -> Places:
    """``evaluate_op`` on places, kept small where they are the same along an axis."""
    match op:
        case ops.Transpose(order):
            return places.transpose(order)
        case ops.Slice(index):
            cuts = zip(index, places.shape, taken, strict=True)
            return places[tuple(slice(*at) if own == length else slice(None) for at, own, length in cuts)]
        case ops.Reshape(shape):
            return _reshaped(places, taken, shape)
        case ops.Gather(index, axis) if places.shape[axis] == 1:
            return places.reshape(*places.shape[:axis], *(1,) * index.ndim, *places.shape[axis + 1 :])
        case _:
            return squeeze(evaluate_op(op, [np.broadcast_to(places, taken)], np))


def _reshaped(places: Places, taken: Shape, shape: Shape) -> Places:
    """Leading axes that stay are not spelled out; those of length 1 are nothing to a reshape."""
    own = [length for length, whole in zip(places.shape, taken, strict=True) if whole != 1]
    old, new = ([length for length in lengths if length != 1] for lengths in (taken, shape))
    same = 0
    while same < min(len(old), len(new)) and old[same] == new[same]:
        same += 1
    lead = own[:same]
    full = np.broadcast_to(places.reshape(own), (*lead, *old[same:])).reshape((*lead, *new[same:]))
    kept = iter(full.shape)
    return squeeze(full.reshape([1 if length == 1 else next(kept) for length in shape]))
