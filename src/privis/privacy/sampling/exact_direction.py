"""Exact arithmetic behind `privis.privacy.sampling.direction_sampler`, for the rare rows that doubles cannot decide.

A random real number in [0, 1) is read digit by digit from the stream: its first binary digits are those that the
first pass has read, the next ones lie in ``NoiseStream.extra`` of the same coordinate. Each stage reads more digits,
computes with 128 bits to spare, bounds how far all that was not read yet can move the result, and stops when that
cannot tip it. The last stage has B = 1,087 digits and takes what it has.

How probable is it that this is wrong? Let D be the error of one normal value. Its uniform number is known up to a
cell of width 2**-B, over which it changes by r_k in cell k, each cell being equally likely: the mean of D is at most
2**-B * sum r_k, and the r_k add up to the value at the first cell's end, sqrt(2 B log 2) < 39. The first cell itself
has probability 2**-B. Let g be the orthogonal component of all d normal values. An error of length e turns its
direction by at most 2 e / |g|. For d >= 4, whatever one normal value is, the others have two independent standard
normal values in their projection orthogonal to it and to x, and 1 / |g| has a mean of at most sqrt(pi / 2). So the
components of v are wrong by at most 2 sqrt(pi/2) * d * 39 * 2**-B on average, and one of d floors tips with
probability at most d / STEP times that (t is uniform and independent of v), which is below d * 2**-1050 as d is at
most 2**16. A chance of acceptance changes by less than 2**31 over the uniform number that its angle comes from (power
times the cell's width over the sine, and slope times the width), so that it errs with less than 2**-1055. All
together, with what the arithmetic itself rounds, stays below d * 2**-1030.

For d < 4: normal uniforms below w = 2**-350 have probability d w, |g| < w at most w, and otherwise the direction is
wrong by at most 2**(4 - B) / w**2. That is below 2**-347 in sum.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from privis.privacy.sampling.release_key import NoiseStream
from privis.privacy.sampling.zonal_distribution import STEP, ZonalDistribution

if TYPE_CHECKING:
    from mpmath.ctx_mp import MPContext

STAGES = (1, 4, 16)
"""Further words per random number at each stage."""

_WORD = 64
_SPARE = 128  # bits that the arithmetic has beyond the digits read

Real = Any  # mpmath's numbers


def log_total_variation(dimension: int) -> float:
    """Natural logarithm of a bound on the total variation between a released direction and its exact distribution."""
    if dimension < 4:  # 0 and 1 are refused elsewhere
        return -347 * math.log(2)
    return math.log(dimension) - 1030 * math.log(2)


def exact_acceptance(
    distribution: ZonalDistribution, stream: NoiseStream, attempt: int, stages: tuple[int, ...] = STAGES
) -> bool:
    """Whether the angle of this attempt is accepted."""
    for blocks in stages:
        arithmetic = _arithmetic(blocks)
        angle, width = _angle(arithmetic, distribution, stream, attempt, blocks)
        chance, slope = _chance(arithmetic, distribution, stream, attempt, angle)
        uniform = _number(arithmetic, stream, distribution.dimension + 2 * attempt + 1, 0, blocks)
        doubt = (slope * width + 1) * arithmetic.ldexp(1, 1 - _digits(blocks))
        if abs(uniform - chance) > doubt or blocks == stages[-1]:
            return bool(uniform < chance)
    raise AssertionError("the last stage decides")


def exact_row(
    distribution: ZonalDistribution,
    direction: npt.NDArray[np.float64],
    stream: NoiseStream,
    attempt: int,
    stages: tuple[int, ...] = STAGES,
) -> npt.NDArray[np.int64]:
    """The released steps of one row whose angle was accepted at ``attempt``."""
    d = distribution.dimension
    for blocks in stages:
        arithmetic = _arithmetic(blocks)
        first = stream.words(0, d).reshape(d, 2)
        more = stream.extra(np.arange(d), blocks).reshape(d, 2 * blocks)
        unit = arithmetic.ldexp(1, 1 - _digits(blocks))  # width of a cell of the normal values' uniform numbers
        normal, worst = [], arithmetic.mpf(0)
        for own, further in zip(first, more, strict=True):
            uniform = _joined(arithmetic, int(own[0]) >> 1, 63, further[0::2])
            size, slope = _normal_magnitude(arithmetic, uniform)
            normal.append(-size if int(own[0]) & 1 else size)
            worst = max(worst, slope)
        exact = [arithmetic.mpf(float(component)) for component in direction]
        scale = arithmetic.sqrt(arithmetic.fdot(exact, exact))
        exact = [component / scale for component in exact]
        along = arithmetic.fdot(normal, exact)
        normal = [value - along * component for value, component in zip(normal, exact, strict=True)]
        length = arithmetic.sqrt(arithmetic.fdot(normal, normal))
        if length == 0:
            continue
        angle, width = _angle(arithmetic, distribution, stream, attempt, blocks)
        cosine, sine = arithmetic.cos(angle) / STEP, arithmetic.sin(angle) / (length * STEP)
        rounding = [
            _joined(arithmetic, int(own[1]), _WORD, further[1::2]) for own, further in zip(first, more, strict=True)
        ]
        steps = [cosine * x + sine * g + t for x, g, t in zip(exact, normal, rounding, strict=True)]
        doubt = 2 * unit * (1 + (width + 2 * worst * math.sqrt(d) / length) / STEP)
        if min(abs(step - arithmetic.nint(step)) for step in steps) > doubt or blocks == stages[-1]:
            return np.array([int(arithmetic.floor(step)) for step in steps], np.int64)
    return np.zeros(d, np.int64)


def _digits(blocks: int) -> int:
    return _WORD * (blocks + 1)


def _arithmetic(blocks: int) -> MPContext:
    from mpmath import mp

    arithmetic = mp.clone()  # a context of our own: the precision of the global one belongs to the caller
    arithmetic.prec = _digits(blocks) + _SPARE
    return arithmetic


def _joined(arithmetic: MPContext, first: int, digits: int, further: npt.NDArray[np.uint64]) -> Real:
    """The middle of the real numbers in [0, 1) that begin with these digits."""
    value = first
    for word in further:
        value = (value << _WORD) | int(word)
    return arithmetic.ldexp(2 * value + 1, -(digits + _WORD * len(further)) - 1)


def _number(arithmetic: MPContext, stream: NoiseStream, coordinate: int, place: int, blocks: int) -> Real:
    """The uniform number that begins with word ``place`` of a coordinate."""
    first = int(stream.words(coordinate, 1)[place])
    return _joined(arithmetic, first, _WORD, stream.extra(np.array([coordinate]), blocks)[place::2])


def _angle(
    arithmetic: MPContext, distribution: ZonalDistribution, stream: NoiseStream, attempt: int, blocks: int
) -> tuple[Real, Real]:
    """The proposed angle and the width of its cell, which its uniform number is a fraction of."""
    coordinate = distribution.dimension + 2 * attempt
    cell = _cell(distribution, stream, attempt)
    left, right = (arithmetic.mpf(float(edge)) for edge in distribution.cells.edges[cell : cell + 2])
    return left + (right - left) * _number(arithmetic, stream, coordinate, 1, blocks), right - left


def _cell(distribution: ZonalDistribution, stream: NoiseStream, attempt: int) -> int:
    word = stream.words(distribution.dimension + 2 * attempt, 1)[0]
    return int(np.searchsorted(distribution.cells.below, word, side="right"))


def _chance(
    arithmetic: MPContext, distribution: ZonalDistribution, stream: NoiseStream, attempt: int, angle: Real
) -> tuple[Real, Real]:
    """Probability that ``angle`` is accepted, and a bound on its slope nearby."""
    cells, cell = distribution.cells, _cell(distribution, stream, attempt)
    if abs(angle - arithmetic.pi) < arithmetic.ldexp(1, -_WORD):
        # The chance may jump to 0 at pi; an infinite slope sends all angles close to it to the last stage.
        return arithmetic.mpf(1 if distribution.power == 0 and angle < arithmetic.pi else 0), arithmetic.inf
    if angle > arithmetic.pi:
        return arithmetic.mpf(0), arithmetic.mpf(0)
    sine, cosine = arithmetic.sin(angle), arithmetic.cos(angle)
    log = distribution.slope * (cosine - 1) - arithmetic.mpf(cells.reference)
    log += distribution.power * arithmetic.log(sine) if distribution.power else 0
    log += arithmetic.mpf(distribution.jump) if cells.inside[cell] else 0
    left, right = (arithmetic.mpf(float(edge)) for edge in cells.edges[cell : cell + 2])
    chance = arithmetic.exp(log) * arithmetic.mpf(cells.factor) * (right - left) / cells.weights[cell]
    return chance, 2 * (distribution.power / sine + distribution.slope)


def _normal_magnitude(arithmetic: MPContext, uniform: Real) -> tuple[Real, Real]:
    """The z that a normal value's size exceeds with probability ``uniform``, and |dz / d uniform|."""
    from scipy.special import ndtri

    start = float(uniform)
    z = arithmetic.mpf(-ndtri(start / 2)) if start > 1e-300 else arithmetic.sqrt(-2 * arithmetic.log(uniform))
    root = arithmetic.sqrt(2)
    wanted = arithmetic.log(uniform)
    for _ in range(20):
        tail = arithmetic.erfc(z / root)
        slope = 2 * arithmetic.exp(-z * z / 2) / arithmetic.sqrt(2 * arithmetic.pi)
        step = (arithmetic.log(tail) - wanted) * tail / slope  # Newton's, on the logarithm: it hardly bends
        z += step
        if abs(step) < arithmetic.ldexp(1, -arithmetic.prec // 2 - 8):
            break
    return z, 1 / slope
