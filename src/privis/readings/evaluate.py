"""Reading ``evaluate``: the executable definition of a program, in numpy or jax.numpy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np

from privis.errors import Problem, ProgramError
from privis.program import Kind, Program, ops
from privis.program.ops import Op

Tensor = Any  # a numpy or jax array: whatever ``xp`` works on
Rule = Callable[..., Tensor]  # (xp, op, *operands) -> result
NO_RULES: Mapping[type, Rule] = MappingProxyType({})
LARGE_KERNEL = 160  # taps; from here on the Fourier transform was faster than windows


def evaluate(program: Program, *inputs: Tensor, xp: ModuleType = np, rules: Mapping[type, Rule] = NO_RULES) -> Any:
    """Compute the outputs of ``program`` on ``inputs`` with the array library ``xp``.

    Works in float32; numpy works in float64 where an input is float64. ``rules`` replaces the computation of single
    ops: an executor whose arithmetic needs another algorithm for the same result says so here, never in a feature.
    Raises ProgramError when an input has another shape than the program declares.

    >>> from privis.program import Input, trace
    >>> evaluate(trace(lambda x: (x * x).sum(0), Input((3,))), np.array([1, 2, 3]))
    14.0
    """
    problems = [
        Problem(f"input {i}", f"shape {tuple(np.shape(x))}", f"shape {declared.shape}")
        for i, (x, declared) in enumerate(zip(inputs, program.inputs, strict=False))
        if tuple(np.shape(x)) != declared.shape
    ]
    if len(inputs) != len(program.inputs):
        problems.append(Problem("evaluate", f"{len(inputs)} inputs", f"{len(program.inputs)}"))
    if problems:
        raise ProgramError(*problems)
    double = xp is np and any(getattr(x, "dtype", None) == np.float64 for x in inputs)
    dtype = np.float64 if double else np.float32
    start = [xp.asarray(x, dtype) for x in inputs]
    values = program.read(lambda _, node, operands: evaluate_op(node.op, operands, xp, rules), start)
    outputs = tuple(values[output] for output in program.outputs)
    return outputs[0] if len(outputs) == 1 else outputs


def evaluate_op(op: Op, operands: list[Tensor], xp: ModuleType, rules: Mapping[type, Rule] = NO_RULES) -> Tensor:
    """Compute one op; ``rules`` as in ``evaluate``."""
    rule = rules.get(type(op)) or RULES[type(op)]
    return rule(xp, op, *operands)


_windows: Callable[..., Tensor] = np.lib.stride_tricks.sliding_window_view  # numpy's own types know one axis only


def _constant(value: float | np.ndarray, like: Tensor) -> Any:
    """A public constant in the operand's precision, so that float32 programs stay float32."""
    return np.asarray(value, like.dtype)


def _affine(xp: ModuleType, op: ops.Affine, x: Tensor) -> Tensor:
    scale, bias = _constant(op.scale, x), _constant(op.bias, x)
    scaled = x if scale.ndim == 0 and scale == 1 else x * scale
    return scaled if bias.ndim == 0 and bias == 0 else scaled + bias


def _compare(xp: ModuleType, op: ops.Compare, x: Tensor) -> Tensor:
    return (x >= _constant(compare_threshold(op), x)).astype(x.dtype)


def compare_threshold(op: ops.Compare) -> np.ndarray:
    """The number that an operand is compared with: half a grid step below the threshold when exact."""
    return np.asarray(op.threshold, np.float64) - (op.step / 2 if op.exact else 0.0)


def histogram_edges(op: ops.Histogram) -> tuple[np.ndarray, ...]:
    """The edges of each digit, half a grid step below the declared ones."""
    return tuple(np.asarray(edges, np.float64) - op.step / 2 for edges in op.edges)


def _conv(xp: ModuleType, op: ops.Conv, x: Tensor) -> Tensor:
    lead, image = x.shape[:-3], x.shape[-3:]
    kernel = _constant(op.kernel, x)
    flat = x.reshape(-1, *image)
    result = _conv_numpy(op, kernel, flat) if xp is np else _conv_jax(op, kernel, flat)
    return result.reshape(*lead, *result.shape[1:])


def _conv_jax(op: ops.Conv, kernel: Tensor, x: Tensor) -> Tensor:
    from jax import lax

    top, left, bottom, right = op.pad
    return lax.conv_general_dilated(
        x,
        kernel,
        op.stride,
        ((top, bottom), (left, right)),
        rhs_dilation=op.dilation,
        feature_group_count=op.groups,
        precision=lax.Precision.HIGHEST,
    )


def _conv_numpy(op: ops.Conv, kernel: Tensor, x: Tensor) -> Tensor:
    top, left, bottom, right = op.pad
    if any(op.pad):
        x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    outputs, inputs, rows, columns = kernel.shape
    if rows * columns > LARGE_KERNEL and op.dilation == (1, 1):
        return _conv_fourier(op, kernel, x)
    reach = ((rows - 1) * op.dilation[0] + 1, (columns - 1) * op.dilation[1] + 1)
    windows = _windows(x, reach, axis=(2, 3))
    windows = windows[:, :, :: op.stride[0], :: op.stride[1], :: op.dilation[0], :: op.dilation[1]]
    if inputs == 1 and rows * columns <= 49:
        return _conv_few_taps(kernel[:, 0], windows, op.groups)
    parts = []
    for group in range(op.groups):
        per = outputs // op.groups
        taps = kernel[group * per : (group + 1) * per]
        view = windows[:, group * inputs : (group + 1) * inputs]
        parts.append(np.tensordot(taps, view, ((1, 2, 3), (1, 4, 5))).swapaxes(0, 1))
    return parts[0] if op.groups == 1 else np.concatenate(parts, 1)


def _conv_fourier(op: ops.Conv, kernel: Tensor, x: Tensor) -> Tensor:
    """The convolution theorem: windows of large kernels would not fit in memory."""
    from scipy import fft

    transform: Callable[..., Tensor] = fft.rfft2
    back: Callable[..., Tensor] = fft.irfft2
    outputs, inputs, rows, columns = kernel.shape
    height, width = x.shape[2:]
    size = (fft.next_fast_len(height, real=True), fft.next_fast_len(width, real=True))
    spectrum = transform(x, size)
    response = np.conj(transform(kernel, size))
    result = np.empty((len(x), outputs, *_strided(op, height - rows + 1, width - columns + 1)), x.dtype)
    for output in range(outputs):
        start = output * op.groups // outputs * inputs
        product = (spectrum[:, start : start + inputs] * response[output]).sum(1)
        whole = back(product, size)[:, : height - rows + 1, : width - columns + 1]
        result[:, output] = whole[:, :: op.stride[0], :: op.stride[1]]
    return result


def _strided(op: ops.Conv, height: int, width: int) -> tuple[int, int]:
    return -(-height // op.stride[0]), -(-width // op.stride[1])


def _conv_few_taps(taps: np.ndarray, windows: np.ndarray, groups: int) -> np.ndarray:
    """One input channel per output: shifted sums that skip the zero taps beat a matrix product."""
    batch, _, height, width = windows.shape[:4]
    result = np.zeros((batch, len(taps), height, width), windows.dtype)
    for output, kernel in enumerate(taps):
        for row, column in zip(*np.nonzero(kernel), strict=True):
            source = windows[:, output * groups // len(taps), :, :, row, column]
            result[:, output] += kernel[row, column] * source
    return result


def _window(xp: ModuleType, op: ops.Window, x: Tensor) -> Tensor:
    rows, columns = op.size
    if xp is np:
        view = _windows(x, op.size, axis=(-2, -1))
        return view[..., :: op.stride[0], :: op.stride[1], :, :]
    below = (x.shape[-2] - rows) // op.stride[0] * op.stride[0] + 1
    across = (x.shape[-1] - columns) // op.stride[1] * op.stride[1] + 1

    def line(u: int) -> Tensor:
        taps = [x[..., u : u + below : op.stride[0], v : v + across : op.stride[1]] for v in range(columns)]
        return xp.stack(taps, -1)

    return xp.stack([line(u) for u in range(rows)], -2)


def _histogram(xp: ModuleType, op: ops.Histogram, x: Tensor) -> Tensor:
    code: Tensor = 0
    for digit, edges in zip(x, histogram_edges(op), strict=True):
        found = xp.searchsorted(edges.astype(x.dtype), digit.ravel(), side="right")
        code = code * (len(edges) + 1) + found.reshape(digit.shape).astype(np.int32)
    bins = math.prod(len(edges) + 1 for edges in op.edges)
    lead = code.shape[:-1]
    cells = math.prod(lead)
    flat = (code.reshape(cells, -1) + np.arange(cells, dtype=np.int32)[:, None] * bins).ravel()
    counts = np.bincount(flat, minlength=cells * bins) if xp is np else xp.bincount(flat, length=cells * bins)
    return counts.reshape(*lead, bins).astype(x.dtype)


def _normalise(xp: ModuleType, op: ops.Normalise, x: Tensor) -> Tensor:
    return x / (xp.sqrt((x * x).sum(-1, keepdims=True) + op.inside) + op.outside)


def _poly(xp: ModuleType, op: ops.Poly, x: Tensor) -> Tensor:
    """Evaluate a Chebyshev series by Clenshaw's recurrence."""
    low, high = op.domain
    t = (x - (low + high) / 2) * (2 / (high - low))
    ahead = behind = 0.0 * t
    for coefficient in op.coefficients[:0:-1]:
        ahead, behind = coefficient + 2 * t * ahead - behind, ahead
    return op.coefficients[0] + t * ahead - behind


def nonlinear(xp: ModuleType, op: ops.Nonlinear, x: Tensor) -> Tensor:
    """The scalar functions; the table that every reading uses."""
    match op.kind:
        case Kind.SQRT:
            return xp.sqrt(xp.maximum(x, 0.0))
        case Kind.RSQRT:
            return 1.0 / xp.sqrt(x + op.a)
        case Kind.RECIPROCAL:
            return 1.0 / (x + op.a)
        case Kind.ABS:
            return xp.abs(x)
        case Kind.CLIP:
            raised = xp.maximum(x, op.a) if op.a != -math.inf else x
            return xp.minimum(raised, op.b) if op.b != math.inf else raised
        case Kind.SIGMOID:
            return 0.5 + 0.5 * xp.tanh(0.5 * x)  # never overflows, unlike 1 / (1 + exp(-x))
        case Kind.TANH:
            return xp.tanh(x)
        case Kind.EXP:
            return xp.exp(x)
        case Kind.LOG:
            return xp.log(x + op.a)
        case Kind.ERF:
            return _error_function(xp)(x)
        case Kind.SOFTPLUS:
            return xp.logaddexp(x, 0.0 * x)
        case Kind.ROUND:
            return xp.round(x)


def _error_function(xp: ModuleType) -> Callable[[Tensor], Tensor]:
    if xp is np:
        from scipy.special import erf

        return erf
    from jax.scipy.special import erf as jax_erf

    return jax_erf


def _topk(xp: ModuleType, op: ops.TopK, x: Tensor) -> Tensor:
    ascending = np.argsort(-x, axis=-1, kind="stable") if xp is np else xp.argsort(-x, axis=-1)
    order = ascending[..., : op.count]
    return xp.stack([xp.take_along_axis(x, order, -1), order.astype(x.dtype)])


RULES: Mapping[type, Rule] = MappingProxyType(
    {
        ops.Conv: _conv,
        ops.Dense: lambda xp, op, x: x @ _constant(op.matrix, x).T,
        ops.Affine: _affine,
        ops.Reshape: lambda xp, op, x: x.reshape(op.shape),
        ops.Transpose: lambda xp, op, x: xp.transpose(x, op.order),
        ops.Slice: lambda xp, op, x: x[tuple(slice(*at) for at in op.index)],
        ops.Gather: lambda xp, op, x: xp.take(x, op.index, axis=op.axis),
        ops.Window: _window,
        ops.Pad: lambda xp, op, x: xp.pad(x, op.widths, constant_values=op.value),
        ops.Concat: lambda xp, op, *xs: xp.concatenate(xs, op.axis),
        ops.Add: lambda xp, op, x, y: x + y,
        ops.Sub: lambda xp, op, x, y: x - y,
        ops.Mul: lambda xp, op, x, y: x * y,
        ops.MatMul: lambda xp, op, x, y: x @ y,
        ops.Sum: lambda xp, op, x: x.sum(op.axes, keepdims=op.keep),
        ops.Compare: _compare,
        ops.Histogram: _histogram,
        ops.Normalise: _normalise,
        ops.Poly: _poly,
        ops.Nonlinear: nonlinear,
        ops.Max: lambda xp, op, x: x.max(op.axes, keepdims=op.keep),
        ops.ArgMax: lambda xp, op, x: xp.argmax(x, op.axis).astype(x.dtype),
        ops.TopK: _topk,
    }
)
