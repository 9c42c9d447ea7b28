"""Reading ``evaluate`` in PyTorch, for derivatives by pixels: hard decisions get soft ones in their place.

Values are those of `privis.readings.evaluate` but for comparisons, histograms and roundings. These are steps, whose
derivative is zero: the attacker puts a sigmoid of width ``softness`` (of the mean distance from the step, in one
picture) in the place of each, in values and derivatives alike, so that a descent sees one function.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from privis.errors import Problem, UnsupportedError
from privis.extras import optional_import
from privis.program import Kind, Program, ops
from privis.program.graph import Node
from privis.program.ops import Op
from privis.readings.evaluate import compare_threshold, histogram_edges
from privis.readings.transform.batched import batched

Tensor = Any
_LEAST = 1e-8
"""Below it a root is flat: its derivative at zero is infinite."""


@dataclass(frozen=True)
class TorchEvaluation:
    """A program of one input on several pictures at once, as PyTorch computes it.

    Args:
        program: of one input and one output.
        softness: width of a soft decision, in mean distances from its step; 0: decisions are hard, without derivative.

    Raises:
        UnsupportedError: naming every operation that has no derivative here.
        MissingExtraError: PyTorch is not installed.

    >>> from privis.program import Input, trace
    >>> square = TorchEvaluation(trace(lambda x: (x * x).sum(0), Input((3,))))
    >>> square(square.tensor(np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 2.0]]))).tolist()
    [14.0, 4.0]
    """

    program: Program
    softness: float = 0.1

    def __post_init__(self) -> None:
        _torch()
        problems = [
            Problem(self.program.where(index), "an operation that is not differentiated", "one of programs of features")
            for index, node in enumerate(self.program.nodes)
            if isinstance(node.op, ops.ArgMax | ops.TopK)
        ]
        if len(self.program.inputs) != 1 or len(self.program.outputs) != 1:
            got = f"{len(self.program.inputs)} inputs and {len(self.program.outputs)} outputs"
            problems.append(Problem("program", got, "one of each"))
        if problems:
            raise UnsupportedError(*problems)

    def __call__(self, pictures: Tensor) -> Tensor:
        """Compute the outputs of pictures, (n, *shape of the input), as a tensor that knows its derivative."""
        program = _batched(self.program, int(pictures.shape[0]))

        def rule(index: int, node: Node, operands: list[Tensor]) -> Tensor:
            return _computed(node.op, operands, self.softness)

        return program.read(rule, [pictures])[program.outputs[0]]

    def tensor(self, values: Any) -> Tensor:
        """A float32 tensor of an array."""
        return _torch().tensor(np.asarray(values, np.float32))


def _torch() -> Any:
    with optional_import("train", "gradient inversion"):
        import torch
    return torch


@functools.lru_cache(maxsize=4)
def _batched(program: Program, count: int) -> Program:
    return batched(program, count)


def _constant(value: Any, like: Tensor) -> Tensor:
    return _torch().as_tensor(np.array(value, np.float32), dtype=like.dtype)


def _computed(op: Op, operands: Sequence[Tensor], softness: float) -> Tensor:
    if isinstance(op, ops.Compare):
        return _soft_step(operands[0] - _constant(compare_threshold(op), operands[0]), softness)
    if isinstance(op, ops.Histogram):
        return _soft_histogram(op, operands[0], softness)
    return _RULES[type(op)](op, *operands)


def _soft_step(distance: Tensor, softness: float) -> Tensor:
    """1 above and 0 below, with a sigmoid between whose width hangs on each picture by itself."""
    if not softness:
        return (distance >= 0).to(distance.dtype)
    own = tuple(range(1, distance.ndim))
    width = softness * distance.detach().abs().mean(own, keepdim=True) + 1e-12
    return _torch().sigmoid(distance / width)


def _soft_histogram(op: ops.Histogram, digits: Tensor, softness: float) -> Tensor:
    """Counts of soft codes: the shares of an element in the bins of each digit, multiplied."""
    torch = _torch()
    shares = None
    for digit, edges in zip(digits, histogram_edges(op), strict=True):
        steps = torch.stack([_soft_step(digit - float(edge), softness) for edge in edges], -1)
        ones, zeros = torch.ones_like(steps[..., :1]), torch.zeros_like(steps[..., :1])
        own = torch.cat([ones, steps], -1) - torch.cat([steps, zeros], -1)
        shares = own if shares is None else (shares.unsqueeze(-1) * own.unsqueeze(-2)).flatten(-2)
    return shares.sum(-2)


def _conv(op: ops.Conv, x: Tensor) -> Tensor:
    functional = _torch().nn.functional
    top, left, bottom, right = op.pad
    flat = functional.pad(x.reshape(-1, *x.shape[-3:]), (left, right, top, bottom))
    made = functional.conv2d(flat, _constant(op.kernel, x), None, op.stride, 0, op.dilation, op.groups)
    return made.reshape(*x.shape[:-3], *made.shape[1:])


def _pad(op: ops.Pad, x: Tensor) -> Tensor:
    widths = [width for pair in reversed(op.widths) for width in pair]
    return _torch().nn.functional.pad(x, widths, value=float(op.value))


def _window(op: ops.Window, x: Tensor) -> Tensor:
    return x.unfold(-2, op.size[0], op.stride[0]).unfold(-2, op.size[1], op.stride[1])


def _slice(op: ops.Slice, x: Tensor) -> Tensor:
    return x[tuple(slice(*at) for at in op.index)]


def _normalise(op: ops.Normalise, x: Tensor) -> Tensor:
    squares = (x * x).sum(-1, keepdim=True) + op.inside
    return x / (squares.clamp(min=_LEAST * _LEAST).sqrt() + op.outside)


def _poly(op: ops.Poly, x: Tensor) -> Tensor:
    low, high = op.domain
    t = (x - (low + high) / 2) * (2 / (high - low))
    ahead = behind = 0.0 * t
    for coefficient in op.coefficients[:0:-1]:
        ahead, behind = coefficient + 2 * t * ahead - behind, ahead
    return op.coefficients[0] + t * ahead - behind


def _nonlinear(op: ops.Nonlinear, x: Tensor) -> Tensor:
    torch = _torch()
    match op.kind:
        case Kind.SQRT:
            return torch.where(x > _LEAST, x.clamp(min=_LEAST).sqrt(), torch.zeros_like(x))
        case Kind.RSQRT:
            return torch.rsqrt((x + op.a).clamp(min=_LEAST))
        case Kind.RECIPROCAL:
            return 1.0 / (x + op.a)
        case Kind.ABS:
            return x.abs()
        case Kind.CLIP:
            low, high = (None if math.isinf(end) else end for end in (op.a, op.b))
            return x if low is None and high is None else x.clamp(low, high)
        case Kind.SIGMOID:
            return torch.sigmoid(x)
        case Kind.TANH:
            return torch.tanh(x)
        case Kind.EXP:
            return torch.exp(x)
        case Kind.LOG:
            return torch.log((x + op.a).clamp(min=_LEAST))
        case Kind.ERF:
            return torch.erf(x)
        case Kind.SOFTPLUS:
            return torch.nn.functional.softplus(x)
        case Kind.ROUND:
            return x + (torch.round(x) - x).detach()  # a staircase, whose slope is 1 from afar


def _sum(op: ops.Sum, x: Tensor) -> Tensor:
    return x.sum(op.axes, keepdim=op.keep)


_RULES: Mapping[type, Callable[..., Tensor]] = MappingProxyType(
    {
        ops.Conv: _conv,
        ops.Dense: lambda op, x: x @ _constant(op.matrix, x).T,
        ops.Affine: lambda op, x: x * _constant(op.scale, x) + _constant(op.bias, x),
        ops.Reshape: lambda op, x: x.reshape(op.shape),
        ops.Transpose: lambda op, x: x.permute(op.order),
        ops.Slice: _slice,
        ops.Gather: lambda op, x: x.index_select(op.axis, _torch().as_tensor(np.array(op.index, np.int64))),
        ops.Window: _window,
        ops.Pad: _pad,
        ops.Concat: lambda op, *xs: _torch().cat(xs, op.axis),
        ops.Add: lambda op, x, y: x + y,
        ops.Sub: lambda op, x, y: x - y,
        ops.Mul: lambda op, x, y: x * y,
        ops.MatMul: lambda op, x, y: x @ y,
        ops.Sum: _sum,
        ops.Normalise: _normalise,
        ops.Poly: _poly,
        ops.Nonlinear: _nonlinear,
        ops.Max: lambda op, x: x.amax(op.axes, keepdim=op.keep),
    }
)
