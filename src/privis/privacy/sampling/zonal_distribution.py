"""Distributions on the unit sphere that favour directions near an input x, as tables to propose angles from.

Every distribution here has the density

    exp(slope * <x, v> + jump * [angle(x, v) <= cap]) / Z

with respect to the uniform distribution on the sphere of R^d. Z does not depend on x, because rotating the sphere
turns one input into another. Hence the privacy: for any two inputs and any v the densities differ by a factor of at
most exp(2 slope + jump), and for slope alone by exp(slope * |x - x'|) at most, since
<x - x', v> <= |x - x'| by Cauchy and Schwarz. No integral has to be known, so none can be wrong.

v = cos(a) x + sin(a) u with u uniform among the directions orthogonal to x and an independent angle a in [0, pi]
whose density is proportional to

    h(a) = sin(a)**(d - 2) * exp(slope * cos(a) + jump * [a <= cap]).

The angle is drawn by rejection, exactly. [0, 3.25) is cut into cells with double-precision edges, and cell k is
proposed with probability weight_k / 2**64, an integer weight that covers the cell: with the public constant
``factor``, factor * width_k * h(a) <= weight_k on all of it. A uniform angle of the cell is accepted with
probability factor * width_k * h(a) / weight_k (0 beyond pi). What is accepted has a density proportional to h, on the
whole of [0, pi]: no tail is cut off, and how the weights were rounded does not matter.

That the weights cover: log(h) without its jump has at most one maximum (m cos = slope sin**2 has one root), so its
largest value on a cell is at an end or at that maximum. Two millionths are added for rounding errors (at most
2**-28, as d is at most 2**16 and slope 2**20).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse

STEP = 2.0**-12  # of the public grid that drawn directions are rounded to
LARGEST_DIMENSION = 2**16
LARGEST_SLOPE = 2.0**20
_BEYOND = 3.25  # edge of the last cell: pi is no double, so the cell reaches over it
_SCAN = 1 << 14  # angles that the likely region is looked for on
_CELLS = 1 << 14
_UNLIKELY = 50.0  # the fine cells cover densities down to exp(-50) of the largest
_MANTISSA = 24  # weights and caps have this many bits, so that the last bit of another machine's exp() is rounded away
_FAINT = 1e-3  # slope and jump below which a law is nearly the uniform one
_MARGIN = 2e-6  # added to the logarithm of a cell's largest density: more than its rounding error

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ZonalDistribution:
    """Density exp(slope * <x, v> + jump * [angle(x, v) <= cap]) on the sphere of R^dimension; angles in radians.

    Raises ``ParameterError`` for a dimension outside 2 .. 2**16 or a slope beyond 2**20.
    """

    dimension: int
    slope: float
    jump: float
    cap: float

    def __post_init__(self) -> None:
        problems: list[Problem] = []
        if not 2 <= self.dimension <= LARGEST_DIMENSION:
            expected = "2 to 65,536 components"
            problems.append(Problem("direction", f"{self.dimension} components", expected))
        if not 0 <= self.slope <= LARGEST_SLOPE:
            problems.append(Problem("direction", f"concentration {self.slope!r}", "0 to 2**20"))
        refuse(ParameterError, problems)

    @property
    def power(self) -> int:
        """Power of the sine in the density of the angle."""
        return self.dimension - 2

    @cached_property
    def cells(self) -> Cells:
        """Table to propose angles from; the same for equal distributions."""
        return _cells(self)

    @cached_property
    def mean(self) -> float:
        """Expected inner product of x and v, rounded to 40 bits: its inverse makes the release unbiased."""
        nodes, weights = np.polynomial.legendre.leggauss(4)
        left, right = self.cells.edges[:-1], np.minimum(self.cells.edges[1:], math.pi)
        angles = (left + right)[:, None] / 2 + (right - left)[:, None] / 2 * nodes
        cosines, inside = np.cos(angles), self.cells.inside[:, None]
        if max(self.slope, self.jump) < _FAINT:
            # The uniform law's mean is zero: what is left of it, by rounding, must not drown what the tilt adds.
            uniform = np.exp(self.power * np.log(np.sin(angles))) * weights * (right - left)[:, None]
            tilt = np.expm1(self.slope * cosines + self.jump * inside)
            mean = float((uniform * tilt * cosines).sum() / (uniform * (1 + tilt)).sum())
        else:
            logs = self.smooth(angles) + self.jump * inside
            mass = np.exp(logs - logs.max()) * weights * (right - left)[:, None]
            mean = float((mass * cosines).sum() / mass.sum())
        mantissa, exponent = math.frexp(mean)
        return math.ldexp(round(math.ldexp(mantissa, 40)), exponent - 40)

    def smooth(self, angles: Reals) -> Reals:
        """Logarithm of the angle's density without the jump, up to a constant; -inf from pi on."""
        inside = (angles < math.pi) & ((angles > 0) | (self.power == 0))
        logs = self.slope * (np.cos(angles) - 1)
        if self.power:
            logs = logs + self.power * np.log(np.sin(angles, where=inside, out=np.ones_like(angles)))
        return np.where(inside, logs, -np.inf)


@dataclass(frozen=True, eq=False)
class Cells:
    """Proposal table: cell k reaches from edges[k] to edges[k + 1] and is drawn for 64-bit words under ``below[k]``.

    ``weights`` are integers that add up to 2**64; ``inside`` says which cells lie in the cap. An angle of cell k is
    accepted with probability factor * width * exp(log h - reference) / weight; ``log_bound`` is the logarithm of
    weight * exp(reference) / (factor * width) in double precision.
    """

    edges: Reals
    below: npt.NDArray[np.uint64]
    weights: tuple[int, ...]
    factor: float
    reference: float
    inside: npt.NDArray[np.bool_]
    log_bound: Reals


@lru_cache(maxsize=64)
def _cells(distribution: ZonalDistribution) -> Cells:
    scan = np.unique(np.append(np.linspace(0, math.pi, _SCAN + 1), distribution.cap))
    logs = distribution.smooth(scan) + distribution.jump * (scan <= distribution.cap)
    likely = np.flatnonzero(logs > logs.max() - _UNLIKELY)
    low, high = scan[max(likely[0] - 1, 0)], scan[min(likely[-1] + 1, scan.size - 2)]
    fine = np.linspace(low, high, _CELLS + 1)
    edges = np.unique(np.concatenate([[0.0, _BEYOND], fine, [distribution.cap] if distribution.jump else []]))
    inside = (edges[1:] <= distribution.cap) & (distribution.jump > 0)
    tops = _largest(distribution, edges) + distribution.jump * inside
    width = np.diff(edges)
    reference = math.ceil(math.ldexp(tops.max(), 20)) * 2.0**-20
    shares = np.exp(tops - reference + _MARGIN) * width
    factor = _rounded(math.floor, 2.0**63.999 / float(shares.sum()))
    weights = [max(1, math.ceil(_rounded(math.ceil, factor * share))) for share in shares.tolist()]
    weights[int(np.argmax(shares))] += 2**64 - sum(weights)  # a larger weight covers too
    total, below = 0, []
    for weight in weights[:-1]:
        total += weight
        below.append(total)
    log_bound = np.array([math.log(weight) for weight in weights]) - np.log(width) - math.log(factor) + reference
    return Cells(edges, np.array(below, np.uint64), tuple(weights), factor, reference, inside, log_bound)


def _largest(distribution: ZonalDistribution, edges: Reals) -> Reals:
    """Largest value of the smooth log-density on each cell."""
    ends = distribution.smooth(edges)
    tops = np.maximum(ends[:-1], ends[1:])
    mode = math.pi / 2
    if distribution.slope:
        mode = math.acos(
            2 * distribution.slope / (distribution.power + math.hypot(distribution.power, 2 * distribution.slope))
        )
    cell = int(np.searchsorted(edges, mode, side="right")) - 1
    tops[cell] = max(tops[cell], distribution.smooth(np.array([mode]))[0])
    return tops


def _rounded(direction: Callable[[float], int], value: float) -> float:
    """``value`` with its mantissa rounded up or down to a few bits."""
    mantissa, exponent = math.frexp(value)
    return math.ldexp(direction(math.ldexp(mantissa, _MANTISSA)), exponent - _MANTISSA)


@lru_cache(maxsize=256)
def best_cap(epsilon: float, dimension: int) -> float:
    """Angle of the cap, in radians, for which the distribution of slope 0 and jump ``epsilon`` is closest to its input.

    With Q the cap's share of the sphere, the expected inner product is m = (e**epsilon - 1) A / (1 + (e**epsilon -
    1) Q) where A is the integral of the inner product over the cap. Its derivative vanishes where the inner product
    at the cap's border is m itself: the cap holds just those directions that are better than the average. There is
    one such angle; any other one would be as private.

    >>> round(math.cos(best_cap(8.0, 64)), 3)
    0.334
    """
    from scipy.special import betainc, betaln

    half = (dimension - 1) / 2
    everything = betaln(half, 0.5)
    rest = math.exp(-epsilon)

    def gain(angle: float) -> float:
        share = 0.5 * betainc(half, 0.5, math.sin(angle) ** 2)
        inner = math.exp((dimension - 1) * math.log(math.sin(angle)) - everything) / (dimension - 1)
        whole = max(rest + (1 - rest) * share, math.ulp(0.0))  # both may vanish where the cap is far too small
        return math.cos(angle) - (1 - rest) * inner / whole

    low, high = 0.0, math.pi / 2
    while high - low > 2.0**-32 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if gain(middle) > 0 else (low, middle)
    return _rounded(math.floor, high)


def wider_cap(cap: float, border: float) -> float:
    """Angle of the cap whose border has ``border`` times the inner product of that of ``cap``; 1 leaves it as it is.

    >>> round(math.cos(wider_cap(math.acos(0.8), 0.5)), 6)
    0.4
    """
    return cap if border == 1 else _rounded(math.floor, math.acos(border * math.cos(cap)))
