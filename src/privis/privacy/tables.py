"""Integer probability tables for discrete Laplace and rounded Gaussian noise of any scale.

What is sampled (``k`` an integer, ``s`` the scale in grid steps):

- discrete Laplace: ``P(k) = (1 - q) / (1 + q) * q**|k|`` with ``q = exp(-1/s)``;
- rounded Gaussian: ``P(k) = Phi((k + 1/2) / s) - Phi((k - 1/2) / s)``, the law of ``round(N)`` for N ~
  Normal(0, s^2).

Why the rounded and not the discrete Gaussian of Canonne, Kamath and Steinke (arXiv:2004.00010): for an
integer x, ``round(x + N) = x + round(N)``. The release is therefore exact post-processing of the continuous
Gaussian mechanism and inherits its tight (epsilon, delta) in every dimension and for every scale, whereas the
discrete Gaussian has only a zCDP bound in several dimensions.

Construction. Both laws are symmetric; the sign is one bit. The magnitude is 0 with a known probability, and
otherwise ``1 + floor(A)`` where A >= 0 has the density ``g``

- Laplace: ``g(a) = 2q/(1+q) * exp(-a/s)/s``, since the floor of an exponential variable is geometric;
- Gaussian: ``g(a) = 2 phi((a + 1/2)/s)/s``, since ``|round(N)| = floor(|N| + 1/2)`` almost surely.

The half-line is cut into cells of ``w = 2**offset_bits`` integers, w between s/32 and s/16. With w = 1 a cell is
one integer and its probability is computed exactly. With w > 1 let u in [0, 1) be the distance from the
cell's right end, in cells. On the cell g is replaced by its Taylor polynomial at the right end, written in
the Bernstein basis: ``p(u) = sum_i b_i C(d, i) u**i (1-u)**(d-i)``. With ``b = min_i b_i`` and ``c =
min_(i>0) (b_i - b) d / i``,

    p(u) = b + c u + sum_i (b_i - b - c i/d) C(d, i) u**i (1-u)**(d-i),

and every coefficient is >= 0, so p is a mixture. Its parts are laws that need no arithmetic on reals: ``C(d,
i) u**i (1-u)**(d-i)`` times d+1 is the density of the (i+1)-th smallest of d+1 independent uniforms, and 2u
is that of the larger of two. The floor of an order statistic of uniforms on the cell is the same order
statistic of uniform integers below w, because the floor is monotone. So: draw a part, then draw ``of``
uniform integers of offset_bits bits and take the ``rank``-th smallest. That is exact; scale costs nothing.

Errors. The law sampled differs from the law wanted in three ways only: (1) the Taylor remainder, (2) the
cells left off beyond the tail, (3) the rounding of the parts' probabilities. Each moves probability of at
most its L1 size, so the total-variation distance is at most their sum (the mass that is missing or
superfluous in sum is given to, or taken from, one part, which at most doubles the L1 distance; total
variation is half of it).

1. Laplace: ``|g'| = g/s`` and so on, hence the remainder on a cell is <= exp(h) * mass * h**n / n! for h =
   w/s and n = d+1 terms. Gaussian: ``phi^(n) = +-He_n phi`` and Cramer's inequality |He_n(x)| <= 1.0865
   sqrt(n!) exp(x*x/4) give <= 2 * 1.0865 / sqrt(2 pi) * exp(-x*x/4) * h * h**n / sqrt(n!) at the cell's left
   end x. n is chosen per cell.
2. Laplace: exp(-cut); Gaussian: 2 (1 - Phi(cut)) <= exp(-cut**2 / 2).
3. A part is chosen in at most three steps, and what a step cannot express is left to the next, with its exact
   probability. First, ``prefix_bits`` bits choose a cell directly: a part ``base + one uniform`` of probability p owns
   floor(p * 2**prefix_bits) of all prefixes, which is exact. Prefixes that nobody owns (about one in thirty) lead to an
   alias table (Walker 1977) of what is left of all likely parts, whose integer thresholds are rounded down. What
   rounding takes off goes, together with all unlikely parts, to a third table with 128-bit probabilities: <= 2**-127
   per part. The fixed-point numbers carry 256 bits; their own rounding stays below another 2**-127 per part.

Every table's bound is computed when it is built and must stay below ``TOTAL_VARIATION`` = 2**-108.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse

if TYPE_CHECKING:
    from mpmath.ctx_mp import MPContext

TOTAL_VARIATION = 2.0**-108
"""Upper bound of the total-variation distance between one sampled value and its exact law, for every scale."""

LARGEST_SCALE = 2.0**50
SMALLEST_SCALE = 2.0**-10

CHAPTER = 1 << 12
"""Coordinates that share a reserve of random words for what the direct table leaves open."""

OPEN = 255
"""Entry of the direct table for a prefix that nobody owns: the alias table is asked."""

LATE = 2
"""Flag of the alias entry that sends a coordinate to the third table."""

_FLAGS = {0: 0, 1: 1, 2: 3}  # of the alias entry of a part, by how many uniforms it asks for
_PRECISION = 256  # bits behind the point of all fixed-point numbers below
_ONE = 1 << _PRECISION
_LOG_ERROR = -112 * math.log(2)  # natural log of the error allowed to the tail, and to all Taylor remainders
_LIKELY = _ONE >> 20  # parts at least this likely sit in the alias table
_PREFIX_BITS = 14  # as many bytes still fit into the first-level cache
_LEAST_PREFIX_BITS = 12  # with fewer, too many values are left open


class Part(NamedTuple):
    """One part of the mixture of magnitudes.

    ``mass`` is its probability times 2**256. The magnitude is ``base`` when ``of`` is 0, otherwise ``base``
    plus the ``rank``-th smallest (from 0) of ``of`` uniform integers below the width of a cell.
    """

    mass: int
    base: int
    rank: int
    of: int


@dataclass(frozen=True, eq=False)
class NoiseTable:
    """What the sampling loops read: a direct table, an alias table and a cumulative table, see the module.

    A value takes a word of ``word_bits`` (32 where its digits fit, else 64): from the top bit down the prefix, unused
    bits, an offset of ``offset_bits`` and the sign. An entry c of ``direct``, by prefix, means the magnitude ``first +
    (c << offset_bits) + offset``, and ``OPEN`` that two words of 64 bits decide instead: in the first the sign, a
    threshold and a second offset, in the second the column of the alias table (top) and the first offset (bottom).

    Column c of 2**column_bits stands for ``codes[c, 0]`` below ``threshold[c]`` of 2**threshold_bits and for
    ``codes[c, 1]`` from there on. A code is 4 * base + flag: flag 0 means the base itself, 1 adds a uniform offset,
    3 the smaller of two, and ``LATE`` asks the third table. That has cumulative 128-bit probabilities in ``high`` and
    ``low`` words, and base, rank, of per part; a value that asks it takes ``late_blocks`` blocks of two words more.

    Values that are open take their blocks one after the other from the ``reserve`` in front of the words of their
    chapter, `CHAPTER` coordinates: which block is whose depends on the words of others, but no block has two owners,
    so values are independent and each is a function of its coordinate. Should a reserve not suffice, a coordinate's
    own extra blocks do.
    """

    scale: float
    word_bits: int
    prefix_bits: int
    offset_bits: int
    first: int
    reserve: int
    direct: npt.NDArray[np.uint8]
    column_bits: int
    threshold_bits: int
    threshold: npt.NDArray[np.uint64]
    codes: npt.NDArray[np.int64]
    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]
    base: npt.NDArray[np.int64]
    rank: npt.NDArray[np.int64]
    of: npt.NDArray[np.int64]
    late_blocks: int
    total_variation: float

    @cached_property
    def second(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64], int, int, int]:
        """The alias table, as `kernels.draw` takes it."""
        return self.threshold, self.codes, self.column_bits, self.threshold_bits, self.offset_bits

    @cached_property
    def third(self) -> tuple[Any, ...]:
        """The cumulative table, as `kernels.draw` takes it."""
        return self.high, self.low, self.base, self.rank, self.of, self.late_blocks

    def parts(self) -> Iterator[Part]:
        """Give the mixture that these very integers sample (masses times 2**256), for tests and audits."""
        owned = np.bincount(self.direct, minlength=OPEN + 1).tolist()
        of = 1 if self.offset_bits else 0
        for cell, prefixes in enumerate(owned[:OPEN]):
            if prefixes:
                base = self.first + (cell << self.offset_bits)
                yield Part(prefixes << (_PRECISION - self.prefix_bits), base, 0, of)
        unit = owned[OPEN] << (_PRECISION - self.prefix_bits - self.threshold_bits - self.column_bits)
        full = 1 << self.threshold_bits
        likely: dict[int, int] = {}
        for (own, other), below in zip(self.codes.tolist(), self.threshold.tolist(), strict=True):
            likely[own] = likely.get(own, 0) + below * unit
            likely[other] = likely.get(other, 0) + (full - below) * unit
        late = likely.pop(LATE, 0)
        uniforms = {flag: of for of, flag in _FLAGS.items()}
        yield from (Part(mass, code >> 2, 0, uniforms[code & 3]) for code, mass in likely.items())
        before = 0
        for row in range(self.high.size):
            # The last cumulative word is all ones and stands for 2**128: nothing is drawn beyond it.
            last = row + 1 == self.high.size
            until = 1 << 128 if last else (int(self.high[row]) << 64) | int(self.low[row])
            mass = (late * (until - before)) >> 128
            yield Part(mass, int(self.base[row]), int(self.rank[row]), int(self.of[row]))
            before = until


@lru_cache(maxsize=16)
def laplace_table(scale: float) -> NoiseTable:
    """Table of the discrete Laplace law P(k) proportional to exp(-\\|k\\|/scale); scale in grid steps.

    Raises ``ParameterError`` when the scale is outside [2**-10, 2**50].

    >>> table = laplace_table(20.0)
    >>> zero = sum(part.mass for part in table.parts() if (part.base, part.of) == (0, 0)) / 2**256
    >>> round(zero, 6)  # tanh(1/40)
    0.024995
    """
    _require_scale(scale)
    width_bits = max(0, math.floor(math.log2(scale / 16)))
    arithmetic = _arithmetic()
    rate = 1 / arithmetic.mpf(scale)
    zero = _fixed(arithmetic, arithmetic.tanh(rate / 2))  # (1 - q) / (1 + q)
    step = rate * 2**width_bits
    cells = math.ceil(-_LOG_ERROR / float(step))
    decay = _fixed(arithmetic, arithmetic.exp(-step))
    positive = _ONE - zero
    if width_bits == 0:
        mass = positive * (_ONE - decay) >> _PRECISION
        parts = [Part(zero, 0, 0, 0)]
        for cell in range(cells):
            parts.append(Part(mass, 1 + cell, 0, 0))
            mass = mass * decay >> _PRECISION
        return _assemble(scale, 0, parts, math.exp(_LOG_ERROR))

    h = float(step)
    fixed_step = _fixed(arithmetic, step)
    series = [_ONE]  # exp(h u) = sum of h**n / n! u**n
    for n in range(1, 32):
        series.append(series[-1] * fixed_step // n >> _PRECISION)
    shapes = {}  # a cell's parts up to its height, by number of terms
    parts, remainder, height = [Part(zero, 0, 0, 0)], 0.0, positive * fixed_step >> _PRECISION
    for cell in range(cells):
        height = height * decay >> _PRECISION  # g at the right end, times the width
        terms, error = _terms(h - cell * h, h, cells, root=1.0)
        remainder += error
        if terms not in shapes:
            shapes[terms] = _mixture(series[:terms])
        parts += [
            Part(height * mass >> _PRECISION, 1 + (cell << width_bits), rank, of) for mass, rank, of in shapes[terms]
        ]
    return _assemble(scale, width_bits, parts, remainder + math.exp(_LOG_ERROR))


@lru_cache(maxsize=16)
def gaussian_table(scale: float) -> NoiseTable:
    """Table of the rounded Gaussian, round(N) for N ~ Normal(0, scale^2); scale in grid steps.

    Raises ``ParameterError`` when the scale is outside [2**-10, 2**50].

    >>> table = gaussian_table(0.7)
    >>> round(sum(part.mass for part in table.parts() if part.base == 0) / 2**256, 6)  # erf(1 / 1.4 / sqrt(2))
    0.524949
    """
    _require_scale(scale)
    width_bits = max(0, math.floor(math.log2(scale / 16)))
    arithmetic = _arithmetic()
    rate = 1 / arithmetic.mpf(scale)
    zero = _fixed(arithmetic, arithmetic.erf(rate / 2 / arithmetic.sqrt(2)))
    step = rate * 2**width_bits
    cells = math.ceil(math.sqrt(-2 * _LOG_ERROR) / float(step))
    parts, remainder = [Part(zero, 0, 0, 0)], 0.0
    if width_bits == 0:
        beyond = arithmetic.erfc(rate / 2 / arithmetic.sqrt(2))
        for magnitude in range(1, cells + 1):
            further = arithmetic.erfc((magnitude + 0.5) * rate / arithmetic.sqrt(2))
            parts.append(Part(_fixed(arithmetic, beyond - further), magnitude, 0, 0))
            beyond = further
        return _assemble(scale, 0, parts, math.exp(_LOG_ERROR))

    h, cramer = float(step), 2 * 1.0865 / math.sqrt(2 * math.pi)
    peak = 2 * step / arithmetic.sqrt(2 * arithmetic.pi)
    for cell in range(cells):
        left = cell * h
        terms, error = _terms(math.log(cramer * h) - left * left / 4, h, cells, root=0.5)
        remainder += error
        right = rate / 2 + (cell + 1) * step
        height = _fixed(arithmetic, peak * arithmetic.exp(-right * right / 2))
        series = _hermite(_fixed(arithmetic, right * step), _fixed(arithmetic, step * step), terms)
        parts += [
            Part(height * mass >> _PRECISION, 1 + (cell << width_bits), rank, of) for mass, rank, of in _mixture(series)
        ]
    return _assemble(scale, width_bits, parts, remainder + math.exp(_LOG_ERROR))


def _require_scale(scale: float) -> None:
    if not SMALLEST_SCALE <= scale <= LARGEST_SCALE:
        refuse(ParameterError, [Problem("noise scale", f"{scale!r} grid steps", "2**-10 to 2**50")])


def _arithmetic() -> MPContext:
    from mpmath import mp

    arithmetic = mp.clone()  # a context of our own: the precision of the global one belongs to the caller
    arithmetic.prec = _PRECISION + 64
    return arithmetic


def _fixed(arithmetic: MPContext, value: object) -> int:
    return int(arithmetic.floor(arithmetic.ldexp(value, _PRECISION)))


def _terms(log_front: float, h: float, cells: int, root: float) -> tuple[int, float]:
    """Number of Taylor terms that keep a cell's remainder small enough, and that remainder.

    The remainder is exp(log_front) * h**n / (n!)**root, with root 1 for Laplace and 1/2 for Gaussian.
    """
    n = 2
    while True:
        log_error = log_front + n * math.log(h) - root * math.lgamma(n + 1)
        if log_error <= _LOG_ERROR - math.log(cells):
            return n, math.exp(log_error)
        n += 1


def _hermite(slope: int, square: int, terms: int) -> list[int]:
    """Coefficients of exp(slope * u - square * u**2 / 2) in u: He_n(x) h**n / n! (generating function)."""
    series = [_ONE, slope]
    for n in range(2, terms):
        series.append((slope * series[-1] - square * series[-2]) // n >> _PRECISION)
    return series[:terms]


def _mixture(series: list[int]) -> list[tuple[int, int, int]]:
    """Split the polynomial sum of series[n] * u**n into (mass, rank, of) with masses >= 0.

    u is the distance from the cell's right end, so that the (i+1)-th smallest u is the (i+1)-th largest
    offset.
    """
    d = len(series) - 1
    bernstein = [sum(series[n] * math.comb(i, n) // math.comb(d, n) for n in range(i + 1)) for i in range(d + 1)]
    lowest = min(bernstein)
    slope = max(0, min((bernstein[i] - lowest) * d // i for i in range(1, d + 1)))
    if lowest < 0:
        raise ArithmeticError("a cell is too wide for its polynomial to stay positive")
    rest = [max(0, bernstein[i] - lowest - slope * i // d) // (d + 1) for i in range(d + 1)]
    orders = [(mass, d - i, d + 1) for i, mass in enumerate(rest)]
    return [(lowest, 0, 1), (slope // 2, 0, 2), *orders]


def _assemble(scale: float, width_bits: int, parts: list[Part], error: float) -> NoiseTable:
    """Give parts to the three tables, the rounding of each to the next."""
    word_bits = 32 if width_bits <= 31 - _LEAST_PREFIX_BITS else 64
    prefix_bits = min(_PREFIX_BITS, word_bits - 1 - width_bits)
    first, whole = (1 if width_bits else 0), _PRECISION - prefix_bits
    direct, rest = _direct(parts, width_bits, first, prefix_bits)
    left = (1 << prefix_bits) - direct.size
    likely = [part for part in rest if part.of in _FLAGS and part.mass >= _LIKELY]
    column_bits, threshold_bits = max(1, math.ceil(math.log2(len(likely) + 1))), 63 - width_bits
    unit = left << (whole - threshold_bits - column_bits)
    units = [part.mass // unit for part in likely]
    codes = [4 * part.base + _FLAGS[part.of] for part in likely]
    late_units = (1 << (threshold_bits + column_bits)) - sum(units)
    if left < 1 or late_units < 0:
        raise ArithmeticError("the probabilities of a noise table add up to more than one")
    threshold, pairs = _alias([*units, late_units], [*codes, LATE], column_bits, threshold_bits)

    kept = [part for part in rest if part.of not in _FLAGS or part.mass < _LIKELY]
    residues = [part._replace(mass=part.mass % unit) for part in likely]
    late = sorted((part for part in kept + residues if part.mass), key=lambda part: -part.mass)
    if late_units and not late:
        raise ArithmeticError("a noise table has probability left over and nothing to give it to")
    total = max(1, late_units * unit)
    cumulative, sofar = [], 0
    for part in late:
        sofar += part.mass
        cumulative.append(min((sofar << 128) // total, (1 << 128) - 1))
    if cumulative:
        cumulative[-1] = (1 << 128) - 1
    bound = 1.000001 * (error + (len(parts) + 1) * 2.0**-126)
    if bound > TOTAL_VARIATION:
        raise ArithmeticError(f"a noise table of scale {scale} is off by {bound}")
    word = (1 << 64) - 1
    late_blocks = 1 + (max((part.of for part in late), default=0) + 1) // 2
    return NoiseTable(
        scale=scale,
        word_bits=word_bits,
        prefix_bits=prefix_bits,
        offset_bits=width_bits,
        first=first,
        reserve=_reserve(left / (1 << prefix_bits), late_units / (1 << (threshold_bits + column_bits)), late_blocks),
        direct=np.concatenate([direct, np.full(left, OPEN, np.uint8)]),
        column_bits=column_bits,
        threshold_bits=threshold_bits,
        threshold=threshold,
        codes=pairs,
        high=np.array([value >> 64 for value in cumulative], np.uint64),
        low=np.array([value & word for value in cumulative], np.uint64),
        base=np.array([part.base for part in late], np.int64),
        rank=np.array([part.rank for part in late], np.int64),
        of=np.array([part.of for part in late], np.int64),
        late_blocks=late_blocks,
        total_variation=bound,
    )


def _reserve(left_open: float, of_these_late: float, late_blocks: int) -> int:
    """Blocks that suffice for a chapter but for one in a million or so: the mean and five standard deviations."""
    mean = CHAPTER * left_open * (1 + of_these_late * late_blocks)
    variance = CHAPTER * left_open * (1 + of_these_late * late_blocks * (2 + late_blocks))
    return math.ceil(mean + 5 * math.sqrt(variance))


def _direct(
    parts: list[Part], width_bits: int, first: int, prefix_bits: int
) -> tuple[npt.NDArray[np.uint8], list[Part]]:
    """The cell of every prefix that a part owns, and all parts with the probability that they keep."""
    whole = _PRECISION - prefix_bits
    cells, rest = [], []
    for part in parts:
        cell = (part.base - first) >> width_bits
        alone = part.of == (1 if width_bits else 0) and part.base >= first and cell < OPEN
        prefixes = min(part.mass >> whole, (1 << prefix_bits) - 1) if alone else 0  # something is always left
        cells.append(np.full(prefixes, cell, np.uint8))
        rest.append(part._replace(mass=part.mass - (prefixes << whole)))
    return np.concatenate(cells), rest


def _alias(
    units: list[int], codes: list[int], column_bits: int, threshold_bits: int
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Exact integer alias table: thresholds of 2**threshold_bits, and per column the codes below and above.

    The units add up to 2**(threshold_bits + column_bits), i.e. to full columns.
    """
    columns, full = 1 << column_bits, 1 << threshold_bits
    weights = units + [0] * (columns - len(units))
    own = codes + [codes[0]] * (columns - len(codes))
    threshold, other = [full] * columns, list(own)
    small = [column for column in range(columns) if weights[column] < full]
    large = [column for column in range(columns) if weights[column] > full]
    while small:
        column, donor = small.pop(), large[-1]
        threshold[column], other[column] = weights[column], own[donor]
        weights[donor] -= full - weights[column]
        if weights[donor] <= full:
            large.pop()
            if weights[donor] < full:
                small.append(donor)
    return np.array(threshold, np.uint64), np.stack([own, other], axis=1).astype(np.int64)
