"""One non-linear op as polynomials: what ``polynomialise`` puts in its place, and the error that makes.

Signs are compositions of minimax polynomials (``signs``), decisions on short grids interpolate (``interpolation``),
smooth functions are Chebyshev interpolants.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial import chebyshev

from privis.errors import DomainError, Problem
from privis.program import Kind, Value, concat, ops
from privis.readings.analysis.ranges import Interval
from privis.readings.approximation.deviations import Sides, deviation
from privis.readings.approximation.interpolation import MOST_POINTS, through
from privis.readings.approximation.roots import inverse_root, square_root
from privis.readings.approximation.sign import SignPlan, levels, sign_plan
from privis.readings.evaluate import evaluate_op, nonlinear

REAL_ABS_BLUR = 1 / 128  # |x| is exact to polynomial error outside this share of the range
NORMALISE_SLACK = 1.05  # sums of squares of the polynomial form leave the definition's domain by a little
SAMPLES = 4001
ROUNDING = 0.5  # largest distance of a number from the nearest whole one


@dataclass(frozen=True)
class NodeError:
    """What replacing one node cost: its polynomial's degree and its largest error on ``domain``.

    ``relative`` errors are relative to the node's own result. ``blur`` says, in the operand's units, where a
    comparison may be answered by any value between 0 and 1: within ``blur`` of a real threshold on either side, or, for
    an exact comparison, less than ``blur`` below the threshold (0 where every value of the grid is decided). ``error``
    counts outside of it. Absolute values and ``max(x, 0)`` are rounded off within ``blur`` of zero, which ``error``
    includes. ``node`` is the index of the node in ``PolynomialForm.definition``. The domain of a
    ``Normalise`` is that of the sum of squares; vectors shorter than its ``blur`` come out shorter than 1.
    """

    where: str
    domain: tuple[float, float]
    degree: int
    error: float
    relative: bool = False
    blur: float = 0.0
    node: int = -1


@dataclass(frozen=True)
class Effort:
    """What polynomials may cost; the options of ``polynomialise``."""

    precision: float
    stages: int | tuple[int, ...] | None
    sign_degree: int
    normalise_domain: tuple[float, float] | None
    normalise_degree: int | None
    normalise_error: float | None

    def plan(self, margin: float) -> SignPlan:
        """The composition for a sign with ``margin``, or the widest margin that ``stages`` allow."""
        return sign_plan(min(margin, 0.5), 2 * self.precision, stages=self.stages, degree=self.sign_degree)


@dataclass(frozen=True)
class Moved:
    """How far a value of the polynomial form may be from the definition's: where no comparison before it is blurred
    (``decided``), and how far below and above the definition's range it may ever be (``excess``).
    """

    decided: float = 0.0
    excess: Sides = (0.0, 0.0)

    @staticmethod
    def both(decided: float, excess: float) -> Moved:
        """Equal excess below and above."""
        return Moved(decided, (excess, excess))


@dataclass(frozen=True, eq=False)
class Site:
    """Where a replacement happens: the node, its operand's interval and how far from it the operand may be."""

    node: int
    where: str
    interval: Interval
    moved: Moved
    effort: Effort
    errors: list[NodeError]

    @property
    def bounds(self) -> tuple[float, float]:
        """Where the operand of the polynomial form can be."""
        low, high = self.interval.bounds
        return low - self.moved.excess[0], high + self.moved.excess[1]

    def note(
        self, domain: tuple[float, float], degree: int, error: float, *, relative: bool = False, blur: float = 0.0
    ) -> None:
        """Write down what the replacement cost."""
        self.errors.append(NodeError(self.where, domain, degree, error, relative, blur, self.node))


def no_form(where: str, op: ops.Op) -> Problem | None:
    """A problem for an op that has no polynomial form."""
    if isinstance(op, ops.Max | ops.ArgMax | ops.TopK):
        remedy = "use MPC or Clear for it, or mean pooling in the network"
        return Problem(where, "an op without a polynomial form", "sums, products and smooth functions", remedy)
    return None


def replacement(op: ops.Op, operands: list[Value], site: Site) -> tuple[Value, Moved] | None:
    """The polynomial form of ``op`` and how far its values may be from the definition's; None for ops that stay."""
    x = operands[0]
    match op:
        case ops.Compare(threshold, step, exact):
            return _compare(x, threshold, step, exact, site)
        case ops.Histogram():
            return _histogram(op, x, site)
        case ops.Normalise():
            return _normalise(op, x, site)
        case ops.Nonlinear():
            return _nonlinear(op, x, site)
        case _:
            return None


def _compose(x: Value, plan: SignPlan, scale: float = 1.0, bias: float = 0.0) -> Value:
    """``scale * sign(x) + bias``: the last polynomial takes the affine map, which costs no level there."""
    *before, last = plan.polynomials
    for coefficients in before:
        x = x >> ops.Poly(coefficients)
    scaled = scale * np.asarray(last)
    scaled[0] += bias
    return x >> ops.Poly(tuple(map(float, scaled)))


def _degree(plan: SignPlan) -> int:
    return math.prod(len(coefficients) - 1 for coefficients in plan.polynomials)


def _compare(x: Value, threshold: ops.Constant, step: float, exact: bool, site: Site) -> tuple[Value, Moved]:
    at = np.asarray(threshold, np.float64)
    plan, centre, reach, blur = _transition(at, step, exact, site)
    count = _grid_points(step, site) if exact else None
    if count and (at == at.flat[0]).all() and levels(count - 1) <= plan.levels:
        low = site.interval.bounds[0]
        above = low + step * np.arange(count) >= float(at.flat[0]) - step / 2
        return _interpolated(x, above, step, site)
    precision = plan.error / 2
    site.note(_kept(centre, reach), _degree(plan), precision, blur=blur)
    y = x >> ops.Affine(1 / reach, -centre / reach if centre.ndim else -float(centre) / reach)
    return _compose(y, plan, 0.5, 0.5), Moved.both(precision, precision)


def _kept(centre: np.ndarray, reach: float) -> tuple[float, float]:
    return float(centre.max()) - reach, float(centre.min()) + reach


def _transition(at: np.ndarray, step: float, exact: bool, site: Site) -> tuple[SignPlan, np.ndarray, float, float]:
    """The composition, where it crosses zero, the largest distance from there, and the blur.

    On a grid it crosses half a step below the threshold. Where ``stages`` do not decide that half step, it crosses so
    far below that values from the threshold on are right, and those just below are blurred.
    """
    low, high = site.bounds
    off = site.moved.decided

    def reach_of(centre: np.ndarray) -> float:
        return float(max(high - centre.min(), centre.max() - low, step))

    centre = at - step / 2 if exact else at
    reach = reach_of(centre)
    half = max(step / 2 - off, step / 8)  # an operand that is off by more is not decided anyway
    plan = site.effort.plan(half / reach)
    if plan.margin * reach <= half * (1 + 1e-6):
        return plan, centre, reach, 0.0 if exact else step / 2 + off
    if not exact:
        return plan, centre, reach, plan.margin * reach + off
    share = plan.margin
    below = max((high - at.min() + off) * share / (1 - share), (at.max() - low - off) * share / (1 + share))
    centre = at - off - below
    return plan, centre, reach_of(centre), 2 * (below + off)


def _grid_points(step: float, site: Site) -> int | None:
    """How many values a short grid has, proved or promised; None for many, or where the operand may be far from it."""
    low, high = site.interval.bounds
    if not math.isfinite(high - low) or low % step or max(site.moved.excess) > step:
        return None
    count = round((high - low) / step) + 1
    return count if 2 <= count <= MOST_POINTS else None


def _interpolated(x: Value, chosen: Sequence[bool] | np.ndarray, step: float, site: Site) -> tuple[Value, Moved]:
    """1 at the chosen points of the operand's grid, 0 at the others."""
    chosen = np.asarray(chosen, bool)
    if chosen.all() or not chosen.any():
        site.note(site.bounds, 0, 0.0)
        return x >> ops.Affine(0.0, float(chosen[0])), Moved()
    points = site.interval.bounds[0] + step * np.arange(len(chosen))
    poly = through(points, chosen.astype(float), domain=site.bounds, exact=site.moved.decided == 0.0)
    moved = _interpolation_moves(poly, chosen, step, site)
    site.note(site.bounds, len(poly.coefficients) - 1, moved.decided)
    return _as_affine(poly, x) if len(poly.coefficients) == 2 else x >> poly, moved


def _as_affine(poly: ops.Poly, x: Value) -> Value:
    (constant, slope), (low, high) = poly.coefficients, poly.domain
    scale = slope * 2 / (high - low)
    return x >> ops.Affine(scale, constant - scale * (low + high) / 2)


def _interpolation_moves(poly: ops.Poly, chosen: np.ndarray, step: float, site: Site) -> Moved:
    at = site.interval.bounds[0] + step * np.arange(len(chosen))
    around = np.clip(at[:, None] + site.moved.decided * np.linspace(-1, 1, 9), *site.bounds)
    decided = np.abs(evaluate_op(poly, [around], np) - chosen.astype(float)[:, None]).max()
    everywhere = evaluate_op(poly, [np.linspace(*site.bounds, SAMPLES)], np)
    return Moved.both(float(decided), float(max(everywhere.max() - 1, -everywhere.min(), decided)))


def _histogram(op: ops.Histogram, x: Value, site: Site) -> tuple[Value, Moved]:
    """One-hot digits, whose outer products are codes, whose sums are counts.

    A digit of few values is one polynomial per bin; other digits are differences of neighbouring comparisons.
    """
    hot, moved = [], []
    for digit, edges in enumerate(op.edges):
        own = replace(site, interval=_part(site.interval, digit))
        one, off = _digit(x[digit], np.asarray(edges), op.step, own)
        hot.append(one)
        moved.append(off)
    while len(hot) > 1:  # a tree, so that the depth grows with the logarithm of the digits
        paired = [_outer(a, b) for a, b in zip(hot[::2], hot[1::2], strict=False)]
        hot = paired + hot[2 * len(paired) :]
    count = x.shape[-1]
    decided = math.prod(1 + m.decided for m in moved) - 1
    excess = math.prod(1 + max(m.excess) for m in moved) - 1
    return hot[0].sum(-1), Moved.both(count * decided, count * excess)


def _part(x: Interval, index: int) -> Interval:
    """The interval of one element along the first axis."""
    low, high = (bound[min(index, len(bound) - 1)] for bound in (x.low, x.high))
    return Interval(low, high, x.step)


def _digit(row: Value, edges: np.ndarray, step: float, site: Site) -> tuple[Value, Moved]:
    *lead, length = row.shape
    row = row.reshape(*lead, 1, length)
    count = _grid_points(step, site)
    if count:
        found = np.searchsorted(edges - step / 2, site.interval.bounds[0] + step * np.arange(count), side="right")
        bins = [_interpolated(row, found == k, step, site) for k in range(len(edges) + 1)]
        one = concat(*(value for value, _ in bins), axis=len(lead))
        return one, Moved.both(max(m.decided for _, m in bins), max(max(m.excess) for _, m in bins))
    above, off = _compare(row, edges[:, None], step, True, site)
    plain = ((0, 0),) * len(lead)
    upper = above >> ops.Pad((*plain, (1, 0), (0, 0)), 1.0)
    return upper - (above >> ops.Pad((*plain, (0, 1), (0, 0)), 0.0)), Moved.both(2 * off.decided, 2 * max(off.excess))


def _outer(a: Value, b: Value) -> Value:
    *lead, rows, count = a.shape
    columns = b.shape[-2]
    product = a.reshape(*lead, rows, 1, count) * b.reshape(*lead, 1, columns, count)
    return product.reshape(*lead, rows * columns, count)


def _normalise(op: ops.Normalise, x: Value, site: Site) -> tuple[Value, Moved]:
    """``x q(|x|**2)``; ``inside`` joins the squared length, and a guard ``outside`` needs an interpolant."""
    effort = site.effort
    degree = op.degree if effort.normalise_degree is None else effort.normalise_degree
    op = replace(op, domain=effort.normalise_domain or _certain(op.domain, x.shape[-1], site))
    low, high = op.domain[0] / NORMALISE_SLACK + op.inside, op.domain[1] * NORMALISE_SLACK + op.inside
    scaled = x >> ops.Affine(high**-0.5)
    energy = (scaled * scaled).sum(-1, keep=True)
    if op.outside:
        fitted, error = _guarded_root(op, degree, low / high, high)
        site.note(op.domain, degree, error, relative=True)
    else:
        root = inverse_root(math.sqrt(low / high), degree, effort.normalise_error)
        energy = energy + op.inside / high if op.inside else energy
        fitted, error = ops.Poly(root.coefficients, (0.0, 1.0)), root.error
        short = root.shortest**2 * high - op.inside
        blur = math.sqrt(max(short, 0.0)) if short > op.domain[0] else 0.0
        site.note((0.0, op.domain[1]), degree, error, relative=True, blur=blur)
    decided = deviation(op, [site.moved.decided], [site.interval], [x.shape])
    return scaled * (energy >> fitted), Moved.both(error + decided, error)  # no result is longer than 1


def _certain(domain: tuple[float, float], length: int, site: Site) -> tuple[float, float]:
    """The domain of a sum of squares; one without an end ends where the operand's range says."""
    if math.isfinite(domain[1]):
        return domain
    most = length * max(map(abs, site.bounds)) ** 2
    if not math.isfinite(most):
        remedy = "clip the operand, or use MPC or Clear for it"
        raise DomainError(Problem(site.where, "vectors of any length", "a bounded length", remedy))
    return domain[0], max(most, np.finfo(np.float64).tiny)


def _guarded_root(op: ops.Normalise, degree: int, low: float, high: float) -> tuple[ops.Poly, float]:
    def factor(t: np.ndarray) -> np.ndarray:
        return 1 / (np.sqrt(t + op.inside / high) + op.outside / high**0.5)

    fitted = chebyshev.Chebyshev.interpolate(factor, degree, (low, 1.0))
    t = np.geomspace(max(low, 1e-12), 1.0, SAMPLES)
    return ops.Poly(tuple(map(float, fitted.coef)), (low, 1.0)), float(np.abs(fitted(t) / factor(t) - 1).max())


def _nonlinear(op: ops.Nonlinear, x: Value, site: Site) -> tuple[Value, Moved]:
    low, high = site.interval.bounds
    if op.domain:  # what analysis proves may be narrower than what was declared: never wider
        low, high = max(low, op.domain[0]), min(high, op.domain[1])
    if op.kind is Kind.CLIP and op.a <= low and high <= op.b:
        return x, site.moved  # the operand provably never leaves the interval
    low, high = low - site.moved.excess[0], high + site.moved.excess[1]
    if low == high:  # the same for every input
        site.note((low, high), 0, 0.0)
        return x >> ops.Affine(0.0, float(nonlinear(np, op, np.float64(low)))), Moved()
    if op.kind is Kind.ROUND:  # no polynomial is closer to all of its steps than the line between them
        site.note((low, high), 1, ROUNDING)
        return x, Moved.both(site.moved.decided + ROUNDING, max(site.moved.excess) + ROUNDING)
    if op.kind is Kind.ABS:
        y, plan = _sign(x, (low, high), site)
        return x * _compose(y, plan), _sign_moves(op, plan, (low, high), site)
    if op.kind is Kind.CLIP and op.b == math.inf and op.a == 0.0:
        y, plan = _sign(x, (low, high), site)
        return x * _compose(y, plan, 0.5, 0.5), _sign_moves(op, plan, (low, high), site)
    poly, error = _smooth(op, low, high)
    site.note((low, high), op.degree, error)
    slope = deviation(op, [1.0], [replace(site.interval, low=np.asarray(low), high=np.asarray(high))], [x.shape])
    moves = (error + slope * off if off else error for off in (site.moved.decided, max(site.moved.excess)))
    return x >> poly, Moved.both(*moves)


def _smooth(op: ops.Nonlinear, low: float, high: float) -> tuple[ops.Poly, float]:
    """An interpolant; a root from 0 on is not smooth there, and the closest polynomial is much closer."""
    if op.kind is Kind.SQRT and low == 0.0 < high:
        coefficients, error = square_root(op.degree)
        size = math.sqrt(high)
        return ops.Poly(tuple(size * c for c in coefficients), (low, high)), size * error
    function: Callable[[np.ndarray], np.ndarray] = lambda t: nonlinear(np, op, t)  # noqa: E731
    fitted = chebyshev.Chebyshev.interpolate(function, op.degree, (low, high))
    t = np.linspace(low, high, SAMPLES)
    return ops.Poly(tuple(map(float, fitted.coef)), (low, high)), float(np.abs(fitted(t) - function(t)).max())


def _sign(x: Value, domain: tuple[float, float], site: Site) -> tuple[Value, SignPlan]:
    """What to take signs of, and how, for a product of a real value and its own sign."""
    reach = max(-domain[0], domain[1])
    return x >> ops.Affine(1 / reach), site.effort.plan(REAL_ABS_BLUR)


def _sign_moves(op: ops.Nonlinear, plan: SignPlan, domain: tuple[float, float], site: Site) -> Moved:
    """The error is small everywhere, for the value itself is small where its sign is blurred."""
    reach = max(-domain[0], domain[1])
    error = reach * max(plan.error, plan.margin)
    site.note((-reach, reach), _degree(plan), error, blur=reach * plan.margin)
    return Moved.both(error + 2 * site.moved.decided, error + 2 * max(site.moved.excess))


__all__ = ["Effort", "Moved", "NodeError", "Site", "no_form", "replacement"]
