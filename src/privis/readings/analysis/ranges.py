"""Reading ``ranges``: an interval and a grid for every value, and a refusal where a declared domain is not certain.

Interval arithmetic per element, kept small: along every axis where the bounds do not differ they are stored once.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from privis.errors import DomainError, Problem, refuse
from privis.program import Kind, Program, ops
from privis.program.graph import Node
from privis.program.ops import Op
from privis.program.shapes import Shape, shape_of
from privis.readings.evaluate import evaluate_op, nonlinear


@dataclass(frozen=True, eq=False)
class Interval:
    """Bounds of a tensor: ``low`` and ``high`` broadcast to its shape; all elements lie on ``step * integers``."""

    low: np.ndarray
    high: np.ndarray
    step: float | None

    def __post_init__(self) -> None:
        """An overflow leaves infinities, and their differences say nothing: then anything is possible."""
        for name, unknown in (("low", -np.inf), ("high", np.inf)):
            bound = getattr(self, name)
            if np.isnan(bound).any():
                object.__setattr__(self, name, np.where(np.isnan(bound), unknown, bound))

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest value any element can take."""
        return float(self.low.min()), float(self.high.max())


def ranges(program: Program) -> list[Interval]:
    """Return an interval for every value of ``program`` (inputs first, then nodes).

    Where a node declares a domain, what follows assumes that the domain holds; ``domain_problems`` says where that
    is not certain.

    >>> from privis.program import Input, trace
    >>> ranges(trace(lambda x: (x - 128.0) * 2.0, Input((4, 4))))[-1].bounds
    (-256.0, 254.0)
    """
    shapes = program.shapes
    first = len(program.inputs)

    def rule(index: int, node: Node, operands: list[Interval]) -> Interval:
        taken = [shapes[i] for i in node.operands]
        return _interval(node.op, operands, taken, shapes[first + index], len(set(node.operands)) == 1)

    start = [
        Interval(np.full((1,) * len(x.shape), float(x.low)), np.full((1,) * len(x.shape), float(x.high)), x.step)
        for x in program.inputs
    ]
    with np.errstate(all="ignore"):  # an unbounded operand is a finding, not a mistake
        return program.read(rule, start)


def domain_problems(program: Program) -> list[Problem]:
    """Return every node whose declared domain or grid does not follow from the ranges of the inputs."""
    known = ranges(program)
    problems = []
    for index, node in enumerate(program.nodes):
        operand = known[node.operands[0]]
        problem = _problem(program.where(index), node.op, operand, program.shapes[node.operands[0]])
        if problem:
            problems.append(problem)
    return problems


def check_domains(program: Program) -> None:
    """Raise DomainError, naming nodes and numbers, unless every declared domain is certain."""
    refuse(DomainError, domain_problems(program))


def _problem(where: str, op: Op, x: Interval, shape: Shape) -> Problem | None:
    low, high = x.bounds
    match op:
        case ops.Poly(_, domain) | ops.Nonlinear(_, tuple() as domain):
            pass
        case ops.Normalise(domain):
            low, high = _square_sum(x, shape)
        case ops.Compare(_, step, True) | ops.Histogram(_, step):
            if x.step is not None and x.step % step == 0:
                return None
            grid = "no grid" if x.step is None else f"grid {x.step:g}"
            return Problem(
                where, f"values on {grid}", f"the declared grid {step:g}", "declare exact=False or that grid"
            )
        case _:
            return None
    slack = 1e-9 * max(abs(domain[0]), abs(domain[1]))
    if domain[0] - slack <= low and high <= domain[1] + slack:
        return None
    return Problem(
        where,
        f"values in [{low:g}, {high:g}]",
        f"the declared domain [{domain[0]:g}, {domain[1]:g}]",
        "widen the domain, bound the operand, or promise it and check each input with broken_promises",
    )


def _square_sum(x: Interval, shape: Shape) -> tuple[float, float]:
    """Bounds of the sum of squares along the last axis."""
    top = np.maximum(x.low**2, x.high**2)
    bottom = np.where((x.low <= 0) & (x.high >= 0), 0.0, np.minimum(x.low**2, x.high**2))
    repeat = shape[-1] // top.shape[-1]
    return float((bottom.sum(-1) * repeat).min()), float((top.sum(-1) * repeat).max())


def squeeze(array: np.ndarray) -> np.ndarray:
    """Keep one element along every axis where nothing changes."""
    for axis in range(array.ndim):
        head = array[(slice(None),) * axis + (slice(0, 1),)]
        if array.shape[axis] > 1 and (array == head).all():
            array = head
    return array


def _corners(x: Interval, scale: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    a, b = x.low * scale, x.high * scale
    return np.minimum(a, b), np.maximum(a, b)


def _interval(op: Op, operands: list[Interval], shapes: list[Shape], shape: Shape, same: bool) -> Interval:
    x = operands[0]
    match op:
        case ops.Affine(scale, bias):
            low, high = _corners(x, np.asarray(scale, np.float64))
            step = _affine_step(x.step, scale, bias)
            bias = np.asarray(bias, np.float64)
            return Interval(*_fit(low + bias, high + bias, shape), step)
        case ops.Conv() | ops.Dense():
            return _linear(op, x, shapes[0])
        case ops.Add():
            y = operands[1]
            return Interval(*_fit(x.low + y.low, x.high + y.high, shape), _gcd(x.step, y.step))
        case ops.Sub():
            y = operands[1]
            return Interval(*_fit(x.low - y.high, x.high - y.low, shape), _gcd(x.step, y.step))
        case ops.Mul():
            return _product(x, operands[1], shape, same)
        case ops.MatMul():
            low, high = _mul(Interval(*_scalars(x), None), Interval(*_scalars(operands[1]), None))
            count = shapes[0][-1]
            return Interval(*_fit(low * count, high * count, shape), _times(x.step, operands[1].step))
        case ops.Sum(axes):
            return _sum(op, x, shapes[0], shape, axes)
        case ops.Compare():
            return _plain(0.0, 1.0, shape, 1.0)
        case ops.Histogram():
            return _plain(0.0, float(shapes[0][-1]), shape, 1.0)
        case ops.Normalise():
            return Interval(np.where(x.low >= 0, 0.0, -1.0), np.where(x.high <= 0, 0.0, 1.0), None)
        case ops.Poly(_, domain):
            values = evaluate_op(op, [np.linspace(*domain, 2049)], np)
            return _plain(float(values.min()), float(values.max()), shape, None)
        case ops.Nonlinear():
            return _nonlinear(op, x)
        case ops.Max(axes):
            low, high = (b.max(axes, keepdims=op.keep) for b in (x.low, x.high))
            return Interval(*_fit(low, high, shape), x.step)
        case ops.ArgMax(axis):
            return _plain(0.0, shapes[0][axis] - 1.0, shape, 1.0)
        case ops.TopK():
            low, high = x.bounds
            return _plain(min(low, 0.0), max(high, shapes[0][-1] - 1.0), shape, None)
        case _:
            return _moved(op, operands, shapes)


def _plain(low: float, high: float, shape: Shape, step: float | None) -> Interval:
    ones = (1,) * len(shape)
    return Interval(np.full(ones, low), np.full(ones, high), step)


def _fit(low: np.ndarray, high: np.ndarray, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Bounds with as many axes as ``shape``, squeezed."""
    pad = (1,) * (len(shape) - low.ndim)
    return squeeze(low.reshape((*pad, *low.shape))), squeeze(high.reshape((*pad, *high.shape)))


def _scalars(x: Interval) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(x.low.min()), np.asarray(x.high.max())


def _mul(x: Interval, y: Interval) -> tuple[np.ndarray, np.ndarray]:
    corners = [x.low * y.low, x.low * y.high, x.high * y.low, x.high * y.high]
    return functools.reduce(np.minimum, corners), functools.reduce(np.maximum, corners)


def _product(x: Interval, y: Interval, shape: Shape, same: bool) -> Interval:
    low, high = _mul(x, y)
    if same:  # a square is never negative
        low = np.where((x.low <= 0) & (x.high >= 0), 0.0, np.minimum(x.low**2, x.high**2))
    return Interval(*_fit(low, high, shape), _times(x.step, y.step))


def _sum(op: ops.Sum, x: Interval, taken: Shape, shape: Shape, axes: tuple[int, ...]) -> Interval:
    repeat = math.prod(taken[axis] // x.low.shape[axis] for axis in axes)
    low = x.low.sum(axes, keepdims=op.keep) * repeat
    repeat = math.prod(taken[axis] // x.high.shape[axis] for axis in axes)
    high = x.high.sum(axes, keepdims=op.keep) * repeat
    return Interval(*_fit(low, high, shape), x.step)


def _linear(op: ops.Conv | ops.Dense, x: Interval, taken: Shape) -> Interval:
    """Positive weights take the bound, negative ones the opposite bound; per output channel."""
    if isinstance(op, ops.Dense):
        rise, fall = np.maximum(op.matrix, 0.0).astype(float), np.minimum(op.matrix, 0.0).astype(float)
        full = [np.broadcast_to(b, (*b.shape[:-1], taken[-1])) for b in (x.low, x.high)]
        low, high = full[0] @ rise.T + full[1] @ fall.T, full[1] @ rise.T + full[0] @ fall.T
        return Interval(squeeze(low), squeeze(high), _weights_step(x.step, op.matrix))
    low, high = (np.minimum(x.low, 0.0), np.maximum(x.high, 0.0)) if any(op.pad) else (x.low, x.high)
    outputs, inputs = op.kernel.shape[:2]
    axes = (*range(low.ndim - 3), -2, -1)
    bottom = np.broadcast_to(low.min(axes), (taken[-3],)).reshape(op.groups, 1, inputs)
    top = np.broadcast_to(high.max(axes), (taken[-3],)).reshape(op.groups, 1, inputs)
    kernel = op.kernel.reshape(op.groups, outputs // op.groups, inputs, -1).astype(float)
    rise, fall = np.maximum(kernel, 0.0).sum(-1), np.minimum(kernel, 0.0).sum(-1)
    shape = (1,) * (low.ndim - 3) + (outputs, 1, 1)
    least = (bottom * rise + top * fall).sum(-1).reshape(shape)
    most = (top * rise + bottom * fall).sum(-1).reshape(shape)
    return Interval(squeeze(least), squeeze(most), _weights_step(x.step, op.kernel))


def _nonlinear(op: ops.Nonlinear, x: Interval) -> Interval:
    low, high = x.low, x.high
    if op.domain:
        low, high = np.clip(low, *op.domain), np.clip(high, *op.domain)
    ends = [np.asarray(nonlinear(np, op, bound)) for bound in (low, high)]
    least, most = np.minimum(*ends), np.maximum(*ends)
    if op.kind is Kind.ABS:  # the only one that is not monotone
        least = np.where((low <= 0) & (high >= 0), 0.0, least)
    whole = op.kind is Kind.CLIP and x.step is not None and all(_on_grid(v, x.step) for v in (op.a, op.b))
    step = x.step if op.kind is Kind.ABS or whole else 1.0 if op.kind is Kind.ROUND else None
    return Interval(squeeze(least), squeeze(most), step)


def _moved(op: Op, operands: list[Interval], shapes: list[Shape]) -> Interval:
    """Movement moves the bounds as it moves the elements; a constant bound needs no moving."""
    step = operands[0].step
    for other in operands[1:]:
        step = _gcd(step, other.step)
    if isinstance(op, ops.Pad):
        step = step if step is not None and _on_grid(op.value, step) else None
    if len(operands) == 1 and not isinstance(op, ops.Pad) and operands[0].low.size == operands[0].high.size == 1:
        return _plain(*operands[0].bounds, shape_of(op, *shapes), step)
    lows, highs = ([np.broadcast_to(b, s) for b, s in zip(side, shapes, strict=True)] for side in _sides(operands))
    return Interval(squeeze(evaluate_op(op, lows, np)), squeeze(evaluate_op(op, highs, np)), step)


def _sides(operands: list[Interval]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    return [x.low for x in operands], [x.high for x in operands]


# Grids: a step is carried as long as it is exact; None means "any real number".


def _on_grid(value: float, step: float) -> bool:
    return not math.isfinite(value) or value % step == 0


def _gcd(a: float | None, b: float | None) -> float | None:
    """The coarsest grid that holds both: exact for steps whose ratio is an integer, which is all that occurs."""
    if a is None or b is None:
        return None
    small, large = min(a, b), max(a, b)
    return small if large % small == 0 else None


def _times(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a * b


def _weights_step(step: float | None, weights: np.ndarray | float) -> float | None:
    """The grid of ``weights * grid``: known when the weights are multiples of a power of two down to 2**-24."""
    if step is None:
        return None
    flat = np.abs(np.asarray(weights, np.float64)).ravel()
    flat = flat[flat > 0]
    if flat.size == 0:
        return step
    for exponent in range(0, 25):
        if (flat * 2.0**exponent % 1 == 0).all():
            return step * 2.0**-exponent * _common_factor(flat * 2.0**exponent)
    return None


def _common_factor(integers: np.ndarray) -> float:
    return float(np.gcd.reduce(np.unique(integers).astype(np.int64))) if integers.max() < 2**62 else 1.0


def _affine_step(step: float | None, scale: float | np.ndarray, bias: float | np.ndarray) -> float | None:
    grown = _weights_step(step, scale)
    shifts = np.unique(np.abs(np.asarray(bias, np.float64)))
    if grown is None or (shifts % grown == 0).all():
        return grown
    return _gcd(grown, _weights_step(1.0, bias))
