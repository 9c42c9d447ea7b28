"""Integer probability tables for discrete Laplace and rounded Gaussian noise of any scale.

What is sampled (``k`` an integer, ``s`` the scale in grid steps):

- discrete Laplace: ``P(k) = (1 - q) / (1 + q) * q**|k|`` with ``q = exp(-1/s)``;
- rounded Gaussian: ``P(k) = Phi((k + 1/2) / s) - Phi((k - 1/2) / s)``, the distribution of ``round(N)`` for N ~
  Normal(0, s^2).

Why the rounded and not the discrete Gaussian of Canonne, Kamath and Steinke (arXiv:2004.00010): for an
integer x, ``round(x + N) = x + round(N)``. The release is therefore exact post-processing of the continuous
Gaussian mechanism and inherits its tight (epsilon, delta) in every dimension and for every scale, whereas the
discrete Gaussian has only a zCDP bound in several dimensions.

Construction. Both distributions are symmetric; the sign is one bit. The magnitude is 0 with a known probability, and
otherwise ``1 + floor(A)`` where A >= 0 has the density ``g``

- Laplace: ``g(a) = 2q/(1+q) * exp(-a/s)/s``, since the floor of an exponential variable is geometric;
- Gaussian: ``g(a) = 2 phi((a + 1/2)/s)/s``, since ``|round(N)| = floor(|N| + 1/2)`` almost surely.

The half-line is cut into cells of ``w = 2**offset_bits`` integers, w between s/32 and s/16. With w = 1 a cell is
one integer and its probability is computed exactly. With w > 1 let u in [0, 1) be the distance from the
cell's right end, in cells. On the cell g is replaced by its Taylor polynomial at the right end, written in
the Bernstein basis: ``p(u) = sum_i b_i C(d, i) u**i (1-u)**(d-i)``. With ``b = min_i b_i`` and ``c =
min_(i>0) (b_i - b) d / i``,

    p(u) = b + c u + sum_i (b_i - b - c i/d) C(d, i) u**i (1-u)**(d-i),

and every coefficient is >= 0, so p is a mixture. Its parts are distributions that need no arithmetic on reals: ``C(d,
i) u**i (1-u)**(d-i)`` times d+1 is the density of the (i+1)-th smallest of d+1 independent uniforms, and 2u
is that of the larger of two. The floor of an order statistic of uniforms on the cell is the same order
statistic of uniform integers below w, because the floor is monotone. So: draw a part, then draw ``of``
uniform integers of offset_bits bits and take the ``rank``-th smallest. That is exact; scale costs nothing.

Errors. The distribution sampled differs from the distribution wanted in three ways only: (1) the Taylor remainder, (2)
the cells left off beyond the tail, (3) the rounding of the parts' probabilities. Each moves probability of at most its
L1 size, so the total-variation distance is at most their sum (the mass that is missing or superfluous in sum is given
to, or taken from, one part, which at most doubles the L1 distance; total variation is half of it).

1. Laplace: ``|g'| = g/s`` and so on, hence the remainder on a cell is <= exp(h) * mass * h**n / n! for h =
   w/s and n = d+1 terms. Gaussian: ``phi^(n) = +-He_n phi`` and Cramer's inequality |He_n(x)| <= 1.0865
   sqrt(n!) exp(x*x/4) give <= 2 * 1.0865 / sqrt(2 pi) * exp(-x*x/4) * h * h**n / sqrt(n!) at the cell's left
   end x. n is chosen per cell.
2. Laplace: exp(-cut); Gaussian: 2 (1 - Phi(cut)) <= exp(-cut**2 / 2).
3. A part is chosen in at most three steps, and what a step cannot express is left to the next, with its exact
   probability. First, ``prefix_bits`` bits choose a cell directly: a part ``base + one uniform`` of probability p owns
   floor(p * 2**prefix_bits) of all prefixes, which is exact. Prefixes of no part (about one in thirty) lead to an
   alias table (Walker 1977) of what is left of all likely parts, whose integer thresholds are rounded down. What
   rounding takes off goes, together with all unlikely parts, to a third table with 128-bit probabilities: <= 2**-127
   per part. The fixed-point numbers carry 256 bits; their own rounding stays below another 2**-127 per part.

Every table's bound is computed when it is built and must stay below ``TOTAL_VARIATION`` = 2**-108.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from privis.errors import ParameterError, Problem, refuse
from privis.privacy.sampling.alias_table import ONE, PRECISION, MixtureComponent, NoiseTable, assemble

if TYPE_CHECKING:
    from mpmath.ctx_mp import MPContext

LARGEST_SCALE = 2.0**50
SMALLEST_SCALE = 2.0**-10

_LOG_ERROR = -112 * math.log(2)  # natural log of the error allowed to the tail, and to all Taylor remainders


@lru_cache(maxsize=64)
def laplace_table(scale: float) -> NoiseTable:
    """Table of the discrete Laplace distribution P(k) proportional to exp(-\\|k\\|/scale); scale in grid steps.

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
    positive = ONE - zero
    if width_bits == 0:
        mass = positive * (ONE - decay) >> PRECISION
        parts = [MixtureComponent(zero, 0, 0, 0)]
        for cell in range(cells):
            parts.append(MixtureComponent(mass, 1 + cell, 0, 0))
            mass = mass * decay >> PRECISION
        return assemble(scale, 0, parts, math.exp(_LOG_ERROR))

    h = float(step)
    fixed_step = _fixed(arithmetic, step)
    series = [ONE]  # exp(h u) = sum of h**n / n! u**n
    for n in range(1, 32):
        series.append(series[-1] * fixed_step // n >> PRECISION)
    shapes = {}  # a cell's parts up to its height, by number of terms
    parts, remainder, height = [MixtureComponent(zero, 0, 0, 0)], 0.0, positive * fixed_step >> PRECISION
    for cell in range(cells):
        height = height * decay >> PRECISION  # g at the right end, times the width
        terms, error = _terms(h - cell * h, h, cells, root=1.0)
        remainder += error
        if terms not in shapes:
            shapes[terms] = _mixture(series[:terms])
        parts += [
            MixtureComponent(height * mass >> PRECISION, 1 + (cell << width_bits), rank, of)
            for mass, rank, of in shapes[terms]
        ]
    return assemble(scale, width_bits, parts, remainder + math.exp(_LOG_ERROR))


@lru_cache(maxsize=64)
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
    parts, remainder = [MixtureComponent(zero, 0, 0, 0)], 0.0
    if width_bits == 0:
        beyond = arithmetic.erfc(rate / 2 / arithmetic.sqrt(2))
        for magnitude in range(1, cells + 1):
            further = arithmetic.erfc((magnitude + 0.5) * rate / arithmetic.sqrt(2))
            parts.append(MixtureComponent(_fixed(arithmetic, beyond - further), magnitude, 0, 0))
            beyond = further
        return assemble(scale, 0, parts, math.exp(_LOG_ERROR))

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
            MixtureComponent(height * mass >> PRECISION, 1 + (cell << width_bits), rank, of)
            for mass, rank, of in _mixture(series)
        ]
    return assemble(scale, width_bits, parts, remainder + math.exp(_LOG_ERROR))


def _require_scale(scale: float) -> None:
    if not SMALLEST_SCALE <= scale <= LARGEST_SCALE:
        refuse(ParameterError, [Problem("noise scale", f"{scale!r} grid steps", "2**-10 to 2**50")])


def _arithmetic() -> MPContext:
    from mpmath import mp

    arithmetic = mp.clone()  # a context of our own: the precision of the global one belongs to the caller
    arithmetic.prec = PRECISION + 64
    return arithmetic


def _fixed(arithmetic: MPContext, value: object) -> int:
    return int(arithmetic.floor(arithmetic.ldexp(value, PRECISION)))


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
    series = [ONE, slope]
    for n in range(2, terms):
        series.append((slope * series[-1] - square * series[-2]) // n >> PRECISION)
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
