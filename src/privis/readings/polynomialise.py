"""Reading ``polynomialise``: the program with every non-linear node replaced by polynomials, and the error that makes.

Signs are compositions of the minimax polynomials of Cheon, Kim, Kim and Lee, "Efficient homomorphic comparison methods
with optimal complexity", ASIACRYPT 2020, doi:10.1007/978-3-030-64834-3_8; smooth functions are Chebyshev interpolants.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

from privis.errors import DomainError, Problem, UnsupportedError, refuse
from privis.program import Kind, Program, ops, trace
from privis.program.graph import Node, Value, apply
from privis.readings.evaluate import nonlinear
from privis.readings.ranges import Interval, domain_problems, ranges

SHARPEN = tuple(chebyshev.poly2cheb(np.array([0, 4589, 0, -16577, 0, 25614, 0, -12860]) / 1024))  # their g_3
FLATTEN = tuple(chebyshev.poly2cheb(np.array([0, 35, 0, -35, 0, 21, 0, -5]) / 16))  # their f_3
REAL_ABS_BLUR = 1 / 128  # |x| is exact to polynomial error outside this share of the range
SAMPLES = 4001


@dataclass(frozen=True)
class NodeError:
    """What replacing one node cost: its polynomial's degree and its largest error on ``domain``.

    ``relative`` errors are relative to the node's own result. ``blur`` is the distance from a real threshold within
    which the polynomial may take any value between 0 and 1 (0 where the comparison is exact).
    """

    where: str
    domain: tuple[float, float]
    degree: int
    error: float
    relative: bool = False
    blur: float = 0.0


@dataclass(frozen=True, eq=False)
class PolynomialForm:
    """A program of additions and multiplications only, and the error of every replaced node."""

    program: Program
    errors: tuple[NodeError, ...]


def polynomialise(program: Program, *, promised: bool = False, precision: float = 2.0**-9) -> PolynomialForm:
    """Replace every non-linear node of ``program`` by polynomials on its domain.

    ``precision`` is the largest distance of a decided comparison from 0 or 1. Raises DomainError when a node may be
    asked outside its declared domain, where polynomials explode: a degree-31 one has answered 1e21. ``promised=True``
    accepts declared domains that analysis cannot prove; each input must then pass ``broken_promises``. Raises
    UnsupportedError for nodes without a polynomial form, all of them at once.

    >>> from privis.program import Input
    >>> form = polynomialise(trace(lambda x: x.compare(128.0), Input((4,))))
    >>> [type(node.op).__name__ for node in form.program.nodes][:2]
    ['Affine', 'Poly']
    """
    refuse(UnsupportedError, [p for i, n in enumerate(program.nodes) if (p := _no_form(program.where(i), n.op))])
    if not promised:
        refuse(DomainError, domain_problems(program))
    known = ranges(program)
    errors: list[NodeError] = []

    def build(*inputs: Value) -> tuple[Value, ...]:
        def rule(index: int, node: Node, operands: list[Value]) -> Value:
            where, interval = program.where(index), known[node.operands[0]]
            return _replace(node.op, operands, _Site(where, interval, precision, errors))

        values = program.read(rule, list(inputs))
        return tuple(values[output] for output in program.outputs)

    return PolynomialForm(trace(build, *program.inputs), tuple(errors))


@dataclass(frozen=True, eq=False)
class _Site:
    """Where a replacement happens: the node, its operand's interval, and the list its error goes to."""

    where: str
    interval: Interval
    precision: float
    errors: list[NodeError]

    def note(self, domain: tuple[float, float], degree: int, error: float, relative: bool, blur: float) -> None:
        self.errors.append(NodeError(self.where, domain, degree, error, relative, blur))


def _no_form(where: str, op: ops.Op) -> Problem | None:
    if isinstance(op, ops.Max | ops.ArgMax | ops.TopK):
        remedy = "use MPC or Clear for it, or mean pooling in the network"
        return Problem(where, "an op without a polynomial form", "sums, products and smooth functions", remedy)
    return None


def _replace(op: ops.Op, operands: list[Value], site: _Site) -> Value:
    x = operands[0]
    match op:
        case ops.Compare(threshold, step, exact):
            return _indicator(x, threshold, step, exact, site)
        case ops.Histogram():
            return _histogram(op, x, site)
        case ops.Normalise():
            return _normalise(op, x, site)
        case ops.Nonlinear():
            return _nonlinear(op, x, site)
        case _:
            return apply(op, *operands)


def sign_plan(margin: float, precision: float) -> tuple[tuple[float, ...], ...]:
    """The polynomials whose composition takes ``margin <= |x| <= 1`` to within ``precision`` of the sign of ``x``."""
    low, high, plan = margin, 1.0, []
    while low < 0.7:
        low, high = _image(SHARPEN, low, high)
        plan.append(SHARPEN)
    while max(1.0 - low, high - 1.0) > precision:
        low, high = _image(FLATTEN, low, high)
        plan.append(FLATTEN)
    return tuple(plan)


def _image(coefficients: tuple[float, ...], low: float, high: float) -> tuple[float, float]:
    values = chebyshev.chebval(np.linspace(low, high, SAMPLES), coefficients)
    return float(values.min()), float(values.max())


def _indicator(x: Value, threshold: ops.Constant, step: float, exact: bool, site: _Site) -> Value:
    """``(1 + sign((x - t) / reach)) / 2`` with the sign as a composition."""
    at = np.asarray(threshold, np.float64) - (step / 2 if exact else 0.0)
    low, high = site.interval.bounds
    reach = float(max(abs(high - at.min()), abs(at.max() - low), step))
    plan = sign_plan(step / 2 / reach, 2 * site.precision)
    site.note((low, high), 7 ** len(plan), site.precision, relative=False, blur=0.0 if exact else step / 2)
    y = x >> ops.Affine(1 / reach, -at / reach if at.ndim else -float(at) / reach)
    for coefficients in plan:
        y = y >> ops.Poly(coefficients, (-1.0, 1.0))
    return y >> ops.Affine(0.5, 0.5)


def _histogram(op: ops.Histogram, x: Value, site: _Site) -> Value:
    """Differences of neighbouring comparisons are one-hot digits; codes are their outer products; counts their sums."""
    hot = []
    for digit, edges in enumerate(op.edges):
        lead, count = x.shape[1:-1], x.shape[-1]
        row = x[digit].reshape(*lead, 1, count)
        above = _indicator(row, np.asarray(edges)[:, None], op.step, True, site)
        plain = ((0, 0),) * len(lead)
        upper = above >> ops.Pad((*plain, (1, 0), (0, 0)), 1.0)
        hot.append(upper - (above >> ops.Pad((*plain, (0, 1), (0, 0)), 0.0)))
    while len(hot) > 1:  # a tree, so that the depth grows with the logarithm of the digits
        paired = [_outer(a, b) for a, b in zip(hot[::2], hot[1::2], strict=False)]
        hot = paired + hot[2 * len(paired) :]
    return hot[0].sum(-1)


def _outer(a: Value, b: Value) -> Value:
    *lead, rows, count = a.shape
    columns = b.shape[-2]
    product = a.reshape(*lead, rows, 1, count) * b.reshape(*lead, 1, columns, count)
    return product.reshape(*lead, rows * columns, count)


def _normalise(op: ops.Normalise, x: Value, site: _Site) -> Value:
    low, high = op.domain
    scaled = x >> ops.Affine(high**-0.5)
    energy = (scaled * scaled).sum(-1, keep=True)

    def factor(t: np.ndarray) -> np.ndarray:
        return 1 / (np.sqrt(t + op.inside / high) + op.outside / high**0.5)

    fitted = chebyshev.Chebyshev.interpolate(factor, op.degree, (low / high, 1.0))
    t = np.geomspace(max(low / high, 1e-12), 1.0, SAMPLES)
    site.note(op.domain, op.degree, float(np.abs(fitted(t) / factor(t) - 1).max()), relative=True, blur=0.0)
    return scaled * (energy >> ops.Poly(tuple(map(float, fitted.coef)), (low / high, 1.0)))


def _nonlinear(op: ops.Nonlinear, x: Value, site: _Site) -> Value:
    low, high = site.interval.bounds
    if op.domain:  # what analysis proves may be narrower than what was declared: never wider
        low, high = max(low, op.domain[0]), min(high, op.domain[1])
    if op.kind is Kind.CLIP and op.a <= low and high <= op.b:
        return x  # the operand provably never leaves the interval
    if op.kind is Kind.ABS:
        return x * _sign(x, (low, high), site)
    if op.kind is Kind.CLIP and op.b == math.inf and op.a == 0.0:
        return 0.5 * (x * (_sign(x, (low, high), site) + 1.0))
    function: Callable[[np.ndarray], np.ndarray] = lambda t: nonlinear(np, op, t)  # noqa: E731
    fitted = chebyshev.Chebyshev.interpolate(function, op.degree, (low, high))
    t = np.linspace(low, high, SAMPLES)
    site.note((low, high), op.degree, float(np.abs(fitted(t) - function(t)).max()), relative=False, blur=0.0)
    return x >> ops.Poly(tuple(map(float, fitted.coef)), (low, high))


def _sign(x: Value, domain: tuple[float, float], site: _Site) -> Value:
    """Sign of a real value, blurred within ``REAL_ABS_BLUR`` of the range around zero."""
    reach = max(-domain[0], domain[1])
    plan = sign_plan(REAL_ABS_BLUR, 2 * site.precision)
    error = reach * max(2 * site.precision, 2 * REAL_ABS_BLUR)
    site.note(domain, 7 ** len(plan), error, relative=False, blur=0.0)
    y = x >> ops.Affine(1 / reach)
    for coefficients in plan:
        y = y >> ops.Poly(coefficients, (-1.0, 1.0))
    return y


__all__ = ["NodeError", "PolynomialForm", "polynomialise", "sign_plan"]
