"""Import rules of the ONNX nodes that multiply: matrices, einsums, transposed convolutions, sums along an axis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from privis.program import Value, ops
from privis.program.onnx.node import Call, Constant
from privis.program.onnx.window_rules import pair, planar


def gemm(call: Call) -> Value:
    """``alpha A B + beta C`` with optional transposes."""
    a, b = (_matrix(call, k, name) for k, name in enumerate(("transA", "transB")))
    made = product(call, a, b)
    alpha, beta = call.attributes.get("alpha", 1.0), call.attributes.get("beta", 1.0)
    made = made if alpha == 1.0 else made * alpha
    bias = call.operand(2)
    return made if bias is None or beta == 0.0 else made + (bias if beta == 1.0 else bias * beta)


def _matrix(call: Call, position: int, transposed: str) -> Value | Constant:
    matrix = call.operands[position]
    if matrix is None or len(matrix.shape) != 2:
        raise ValueError("an operand that is no matrix")
    return matrix.transpose(1, 0) if call.attributes.get(transposed, 0) else matrix


def product(call: Call, a: Any, b: Any) -> Value:
    """Matrix product of which either side may be public."""
    match isinstance(a, Value), isinstance(b, Value):
        case True, True if min(len(a.shape), len(b.shape)) >= 2:
            return a @ b
        case True, False if b.ndim == 2:
            return a >> ops.Dense(b.T)
        case True, False if b.ndim == 1:
            return (a >> ops.Dense(b[None])).reshape(*a.shape[:-1])
        case True, False if b.ndim > 2 and len(a.shape) >= 2:
            return _stack_of_matrices(call, a, b)
        case False, True if a.ndim == 2 and len(b.shape) >= 2:
            return _swapped(_swapped(b) >> ops.Dense(a))
        case False, True if a.ndim == 1 and len(b.shape) >= 2:
            made = _swapped(b) >> ops.Dense(a[None])
            return made.reshape(*made.shape[:-1])
        case False, True if a.ndim > 2 and len(b.shape) >= 2:
            return _swapped(_stack_of_matrices(call, _swapped(b), a.swapaxes(-1, -2)))
    call.refuse(
        f"operands of {len(a.shape)} and {len(b.shape)} axes", "one constant matrix, or activations of 2 or more"
    )


def _swapped(x: Value) -> Value:
    rank = len(x.shape)
    return x.transpose(*range(rank - 2), rank - 1, rank - 2)


def _stack_of_matrices(call: Call, x: Value, matrices: Constant) -> Value:
    """A public matrix for each place of the leading axes: a convolution of 1 by 1 in groups."""
    lead = np.broadcast_shapes(x.shape[:-2], matrices.shape[:-2])
    if x.shape[:-2] != lead:
        call.refuse(f"operands of shapes {x.shape} and {matrices.shape}", "leading axes of one length")
    count, (rows, inner), outer = math.prod(lead), x.shape[-2:], matrices.shape[-1]
    kernel = np.broadcast_to(matrices, (*lead, inner, outer)).reshape(count, inner, outer).swapaxes(1, 2)
    planes = _swapped(x).reshape(count * inner, rows, 1)
    made = planes >> ops.Conv(kernel.reshape(count * outer, inner, 1, 1), groups=count)
    return _swapped(made.reshape(*lead, outer, rows))


def einsum(call: Call) -> Value:
    """Einsum without diagonals: sums, one batched matrix product per further operand, and a transpose."""
    equation = call.attributes["equation"].replace(" ", "")
    if "..." in equation or "->" not in equation:
        call.refuse(f"the equation {equation!r}", "named axes and a result", "write out the axes of the einsum")
    left, result = equation.split("->")
    terms = left.split(",")
    if any(len(set(term)) < len(term) for term in [*terms, result]) or len(terms) != len(call.operands):
        call.refuse(f"the equation {equation!r}", "no diagonals", "take the diagonal with an index instead")
    term, made = terms[0], call.operands[0]
    for position in range(1, len(terms)):
        later = set(result).union(*terms[position + 1 :])
        term, made = _contracted(call, term, made, terms[position], call.operands[position], later)
    term, made = _summed(made, term, set(result))
    order = tuple(term.index(name) for name in result)
    return made if order == tuple(range(len(order))) else made.transpose(*order)


def _summed(x: Any, term: str, kept: set[str]) -> tuple[str, Any]:
    """Sum over the axes that nobody names any more."""
    gone = tuple(k for k, name in enumerate(term) if name not in kept)
    if gone:
        x = x.sum(*gone) if isinstance(x, Value) else x.sum(gone)
    return "".join(name for name in term if name in kept), x


def _contracted(call: Call, left: str, a: Any, right: str, b: Any, later: set[str]) -> tuple[str, Any]:
    """Two operands as one: axes of both that are named later stay in front, others of both are summed over."""
    left, a = _summed(a, left, later | set(right))
    right, b = _summed(b, right, later | set(left))
    batch = [n for n in left if n in right and n in later]
    inner = [n for n in left if n in right and n not in later]
    own, other = [n for n in left if n not in right], [n for n in right if n not in left]
    length = dict(zip(left, a.shape, strict=True)) | dict(zip(right, b.shape, strict=True))

    def size(names: list[str]) -> int:
        return math.prod(length[name] for name in names)

    lead = [length[name] for name in batch]
    x = _ordered(a, left, batch + own + inner).reshape(*lead, size(own), size(inner))
    y = _ordered(b, right, batch + inner + other).reshape(*lead, size(inner), size(other))
    made = product(call, x, y) if isinstance(x, Value) or isinstance(y, Value) else x @ y
    names = batch + own + other
    return "".join(names), made.reshape(*(length[name] for name in names))


def _ordered(x: Any, term: str, names: list[str]) -> Any:
    order = [term.index(name) for name in names]
    return x if order == list(range(len(order))) else x.transpose(*order)


def transposed_convolution(call: Call) -> Value:
    """ConvTranspose: zeros between the pixels, then a convolution with the mirrored kernel."""
    kernel = call.required(1, "weights")
    if kernel.ndim == 3:
        return planar(call, transposed_convolution)
    if kernel.ndim != 4 or len(call.x.shape) != 4:
        call.refuse(f"weights of {kernel.ndim} axes", "one- or two-dimensional images", "use Conv2d on flattened depth")
    groups = call.attributes.get("group", 1)
    strides, dilations = (pair(call, name, 1) for name in ("strides", "dilations"))
    _, channels, *lengths = call.x.shape
    reach = [(n - 1) * d + 1 for n, d in zip(kernel.shape[2:], dilations, strict=True)]
    before, after = _cut(call, lengths, strides, reach)
    x = _with_zeros(call, strides)
    widths = [(n - 1 - b, n - 1 - a) for n, b, a in zip(reach, before, after, strict=True)]
    grown = tuple((max(b, 0), max(a, 0)) for b, a in widths)
    x = x >> ops.Pad(((0, 0), (0, 0), *grown)) if any(map(any, grown)) else x
    cuts = (slice(max(-b, 0), n - max(-a, 0)) for n, (b, a) in zip(x.shape[2:], widths, strict=True))
    x = x[:, :, *cuts]  # type: ignore[index]
    each = kernel.reshape(groups, channels // groups, *kernel.shape[1:]).swapaxes(1, 2)
    mirrored = each.reshape(groups * kernel.shape[1], channels // groups, *kernel.shape[2:])[:, :, ::-1, ::-1]
    result = x >> ops.Conv(np.ascontiguousarray(mirrored), groups=groups, dilation=dilations)
    bias = call.constant(2, "bias")
    return result if bias is None else result + bias[:, None, None]


def _cut(call: Call, lengths: list[int], strides: tuple[int, ...], reach: list[int]) -> tuple[list[int], list[int]]:
    """What is cut off the whole result before and after; negative where pixels are added."""
    extra = call.attributes.get("output_padding", (0, 0))
    shape = call.attributes.get("output_shape")
    automatic = call.attributes.get("auto_pad", "NOTSET")
    if shape is None and automatic in ("NOTSET", "VALID"):
        pads = call.attributes.get("pads", (0, 0, 0, 0)) if automatic == "NOTSET" else (0, 0, 0, 0)
        return list(pads[:2]), [p - e for p, e in zip(pads[2:], extra, strict=True)]
    wanted = shape[-2:] if shape is not None else [n * s for n, s in zip(lengths, strides, strict=True)]
    total = [s * (n - 1) + e + r - w for n, s, e, r, w in zip(lengths, strides, extra, reach, wanted, strict=True)]
    smaller = [t // 2 for t in total]
    larger = [t - half for t, half in zip(total, smaller, strict=True)]
    front, back = (smaller, larger) if automatic == "SAME_UPPER" else (larger, smaller)
    return front, [b - e for b, e in zip(back, extra, strict=True)]


def _with_zeros(call: Call, strides: tuple[int, ...]) -> Value:
    """``stride - 1`` zeros between two pixels."""
    _, channels, height, width = call.x.shape
    if strides == (1, 1):
        return call.x
    call.bounded(channels * height * width * strides[0] * strides[1])
    apart = call.x.reshape(1, channels, height, 1, width, 1)
    widths = ((0, 0), (0, 0), (0, 0), (0, strides[0] - 1), (0, 0), (0, strides[1] - 1))
    spread = (apart >> ops.Pad(widths)).reshape(1, channels, height * strides[0], width * strides[1])
    return spread[:, :, : (height - 1) * strides[0] + 1, : (width - 1) * strides[1] + 1]


def cumulative_sum(call: Call) -> Value:
    """CumSum: a triangular matrix along the axis."""
    axis = int(call.required(1, "axis").item()) % len(call.x.shape)
    length = call.x.shape[axis]
    call.bounded(length * length)
    matrix = np.tril(np.ones((length, length), np.float32), -1 if call.attributes.get("exclusive", 0) else 0)
    return along(call.x, matrix.T[:] if call.attributes.get("reverse", 0) else matrix, axis)


def along(x: Value, matrix: Constant, axis: int) -> Value:
    """A public matrix on one axis."""
    rank = len(x.shape)
    if axis == rank - 1:
        return x >> ops.Dense(matrix)
    order = [k for k in range(rank) if k != axis] + [axis]
    back: tuple[int, ...] = tuple(map(int, np.argsort(order)))
    return (x.transpose(*order) >> ops.Dense(matrix)).transpose(*back)
