"""Epsilon, delta and noise scales.

Gaussian: the hockey-stick divergence of dp-accounting's privacy loss of the Gaussian mechanism. It needs no
discretisation for a single release, and the rounded Gaussian is post-processing of the continuous one, so it
holds in every dimension (the L2 sensitivity is all that matters: Balle and Wang, arXiv:1805.06530). Laplace:
epsilon is the L1 sensitivity divided by the scale, exactly (Ghosh, Roughgarden and Sundararajan,
doi:10.1137/09076828X).

The noise is sampled within total variation tau of its exact distribution, per coordinate (tau =
``noise_table.TOTAL_VARIATION``). Let n coordinates differ between two neighbours; all others have the same distribution
in both and drop out.

Laplace: a coordinate that moves by D is (D/t, tau (1 + exp(D/t)))-DP, because P'(S) <= P(S) + tau <= exp(D/t)
Q(S) + tau <= exp(D/t) (Q'(S) + tau) + tau. The coordinates' noises are independent: epsilons add up to L1/t,
deltas too.

Gaussian: (epsilon, delta)-DP of the exact distribution becomes (epsilon + slack, delta + charge)-DP of the sampled one
with either of

- slack = 0 and charge = n tau (1 + exp(epsilon)), as above for all coordinates together;
- any slack > 0 and charge = n tau + n beta, which does not grow with epsilon. Let eta = 1 - exp(-slack/n) and
  call a value of a coordinate bad if its sampled probability under the second neighbour, q', is below (1 -
  eta) q. Then eta Q(bad) <= tau, and the coordinate alone, being (e, d(e))-DP, has P(bad) <= beta = exp(e)
  tau / eta + d(e) for any e. Outside bad values Q <= exp(slack) Q', so P'(S) <= P(S) + n tau <= P(S and no
  bad) + n beta + n tau <= exp(epsilon + slack) Q'(S) + delta + n beta + n tau.

Persons: k adaptive releases that are each epsilon / k are epsilon together. k adaptive Gaussian releases, each of L2
sensitivity D at the same sigma, are together exactly as private as one of sensitivity D sqrt(k) (Dong, Roth and Su,
arXiv:1905.02383, corollary 3.3: mu_i-Gaussian privacy composes to sqrt(sum mu_i^2), and that is tight), so they are
calibrated as one release in k times as many coordinates. The bounds on sampling hold for it as well: both add up what
can go wrong coordinate by coordinate, whatever was released before. Images of different sizes are calibrated one by
one; the ratio of sensitivity to sigma, which is all that composition sees, is the same for all of them as long as
sampling costs each less than a millionth of delta, which it does unless epsilon is beyond about 40.

Calibration takes the charge off delta first and never returns too little noise: the bracket's safe end is
returned.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import cast

from privis.errors import ParameterError, Problem
from privis.privacy.sampling.alias_table import TOTAL_VARIATION
from privis.privacy.sampling.noise_tables import LARGEST_SCALE, SMALLEST_SCALE
from privis.privacy.sensitivity import Sensitivity

_LARGEST_LAPLACE_DELTA = 1e-5
LARGEST_CHARGE = 1e-6
"""Largest delta that a pure mechanism may cost because it is sampled."""
_MARGIN = 1 - 1e-6  # twenty times the rounding error of the divergence in double precision, for epsilon >= 1e-6


def laplace_scale(epsilon: float, sensitivity: Sensitivity) -> float:
    """Smallest scale in grid steps for which discrete Laplace noise is ``epsilon``-DP, rounded up.

    Raises ``ParameterError`` when epsilon is too large to be kept by sampled noise, or too small for any.

    >>> from privis.privacy.sensitivity import pixel_sensitivity
    >>> from privis.privacy.units import Pixels
    >>> laplace_scale(4.0, pixel_sensitivity("L1", Pixels(1), 1, (28, 28)))
    63.75
    """
    distance = Fraction(math.isqrt(sensitivity.squared))
    scale = float(distance / Fraction(epsilon))
    while Fraction(scale) * Fraction(epsilon) < distance:
        scale = math.nextafter(scale, math.inf)
    scale = _in_range(scale, "Laplace.epsilon", epsilon)
    delta = laplace_delta(scale, sensitivity)
    if delta > _LARGEST_LAPLACE_DELTA:
        raise ParameterError(_too_large("Laplace.epsilon", epsilon, delta, _LARGEST_LAPLACE_DELTA))
    return scale


def laplace_epsilon(scale: float, sensitivity: Sensitivity) -> float:
    """Epsilon of discrete Laplace noise of this scale, rounded up."""
    distance = math.isqrt(sensitivity.squared)
    epsilon = distance / scale
    return epsilon if Fraction(epsilon) * Fraction(scale) >= distance else math.nextafter(epsilon, math.inf)


def laplace_delta(scale: float, sensitivity: Sensitivity) -> float:
    """Delta of sampled discrete Laplace noise: what its distance from the exact distribution costs."""
    factor = _exp(sensitivity.largest / scale)
    return min(1.0, sensitivity.coordinates * TOTAL_VARIATION * (1 + factor))


def gaussian_scale(epsilon: float, delta: float, sensitivity: Sensitivity) -> float:
    """Smallest scale (sigma, in grid steps) for which sampled rounded Gaussian noise is (epsilon, delta)-DP.

    Found from above. Raises ``ParameterError`` when delta is too small to be kept by sampled noise,
    or epsilon too small for any.

    >>> from privis.privacy.sensitivity import feature_sensitivity
    >>> round(gaussian_scale(1.0, 1e-5, feature_sensitivity("L2", 500, 128)), 1)
    3730.6
    """
    # The scale without the charge is a little too small, which makes the charge a little too large: safe.
    draft = sensitivity.value / gaussian_ratio(epsilon, delta)
    slack, charge = gaussian_charge(draft, sensitivity, epsilon)
    if charge > delta / 2:
        raise ParameterError(_too_large("Gaussian.epsilon", epsilon, charge, delta / 2))
    # A millionth of delta covers nearly every charge, and lets images of all sizes share one cached search.
    ratio = gaussian_ratio(epsilon - slack, delta - max(charge, 1e-6 * delta))
    scale = math.nextafter(sensitivity.value / ratio, math.inf)
    return _in_range(scale, "Gaussian.epsilon", epsilon)


def gaussian_privacy(scale: float, sensitivity: Sensitivity, delta: float) -> tuple[float, float]:
    """Epsilon of sampled rounded Gaussian noise of this scale at ``delta``, and the delta that it really
    holds at.

    The latter is ``delta`` unless the charge for sampling is more than half of that.
    """
    ratio = sensitivity.value / scale
    draft = gaussian_epsilon(ratio, delta / 2)
    slack, charge = gaussian_charge(scale, sensitivity, draft)
    if charge > delta / 2:
        return gaussian_epsilon(ratio, delta) + slack, min(1.0, delta + charge)
    return gaussian_epsilon(ratio, delta - charge) + slack, delta


def gaussian_charge(scale: float, sensitivity: Sensitivity, epsilon: float) -> tuple[float, float]:
    """(slack, charge) that make up for sampled instead of exact Gaussian noise; see the module's text."""
    n = sensitivity.coordinates
    plain = n * TOTAL_VARIATION * (1 + _exp(epsilon))
    slack = max(1e-9 * epsilon, 1e-30)
    eta = -math.expm1(-slack / n)
    reach = sensitivity.largest / scale
    beta = min(_exp(e) * TOTAL_VARIATION / eta + _single_delta(reach, e) for e in range(1, 76))
    charge = n * (TOTAL_VARIATION + beta)
    return (0.0, plain) if plain <= charge else (slack, charge)


def gaussian_delta(ratio: float, epsilon: float) -> float:
    """Smallest delta of the exact Gaussian mechanism; ``ratio`` is sensitivity / sigma.

    >>> round(gaussian_delta(1.0, 1.0), 6)
    0.126937
    """
    from dp_accounting.pld.privacy_loss_mechanism import GaussianPrivacyLoss

    return cast(float, GaussianPrivacyLoss(1.0, sensitivity=ratio).get_delta_for_epsilon(epsilon))


@lru_cache(maxsize=1024)
def gaussian_epsilon(ratio: float, delta: float) -> float:
    """Smallest epsilon of the exact Gaussian mechanism at ``delta``, from above.

    >>> round(gaussian_epsilon(1.0, 1e-5), 3)
    4.377
    """
    if gaussian_delta(ratio, 0.0) <= delta:
        return 0.0
    largest = ratio * ratio / 2 + ratio * math.sqrt(2 * math.log(1 / delta)) + 1e-9
    found = _smallest(lambda epsilon: gaussian_delta(ratio, epsilon) <= delta * _MARGIN, 0.0, largest)
    return _safe(lambda epsilon: _tiny_delta(ratio, epsilon) <= delta, found)


@lru_cache(maxsize=1024)
def gaussian_ratio(epsilon: float, delta: float) -> float:
    """Largest sensitivity / sigma for which the exact Gaussian mechanism is (epsilon, delta)-DP, from below."""
    enough = math.sqrt(2 * math.log(1.25 / delta)) * (1 + 1 / epsilon) * 4
    sigma = _smallest(lambda sigma: gaussian_delta(1 / sigma, epsilon) <= delta * _MARGIN, 0.0, enough)
    return 1 / _safe(lambda sigma: _tiny_delta(1 / sigma, epsilon) <= delta, math.nextafter(sigma, math.inf))


def share(epsilon: float, images: int) -> float:
    """Largest number of which ``images`` add up to ``epsilon`` at most.

    >>> share(1.0, 3) * 3 <= 1.0
    True
    """
    part = epsilon / images
    return part if Fraction(part) * images <= Fraction(epsilon) else math.nextafter(part, 0.0)


def charged_delta(epsilon: float, log_total_variation: float, where: str) -> float:
    """Delta of a pure mechanism of ``epsilon`` whose sampler is within a total variation of its exact distribution.

    The variation is given by its natural logarithm, as it may be too small for a double; the result is rounded up.
    Raises ``ParameterError``, with ``where``, when it is above 1e-6.

    >>> f"{charged_delta(8.0, -700.0, 'PrivUnit.epsilon'):.1e}"
    '2.9e-301'
    """
    exponent = max(epsilon, 0.0) + math.log1p(math.exp(-epsilon)) + log_total_variation
    if exponent > math.log(LARGEST_CHARGE):
        allowed = math.floor(math.log(LARGEST_CHARGE) - log_total_variation)
        got = (
            f"epsilon {epsilon:.4g} for a whole image, for which sampling needs delta 10**{exponent / math.log(10):.0f}"
        )
        expected = f"an epsilon of at most {allowed}, which costs at most delta {LARGEST_CHARGE}"
        raise ParameterError(Problem(where, got, expected, "use less: so large an epsilon protects nothing"))
    return math.nextafter(math.exp(exponent) * (1 + 1e-12), math.inf)


def _smallest(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Smallest value for which ``holds``, from above and with 1e-9 of it to spare; ``low`` does not hold."""
    while not holds(high):
        high *= 2
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high * (1 + 1e-9)


def _safe(holds: Callable[[float], bool], value: float) -> float:
    """``value``, or the least of a few larger ones that ``holds``: where a margin does not cover rounding."""
    step = 1e-9
    while not holds(value):
        value *= 1 + step
        step *= 2
    return value


def _tiny_delta(ratio: float, epsilon: float) -> float:
    """Delta of the exact Gaussian mechanism where epsilon / ratio is large and delta tiny; 0 elsewhere.

    It is exp(-a**2) (erfcx(a) - erfcx(b)) / 2 with a, b = (epsilon / ratio -+ ratio / 2) / sqrt(2), the difference of
    two nearly equal numbers where the ratio is small: there the derivative at their middle times b - a.
    """
    from scipy.special import erfcx

    a, b = (epsilon / ratio - ratio / 2) / math.sqrt(2), (epsilon / ratio + ratio / 2) / math.sqrt(2)
    if a < 1:
        return 0.0
    middle = (a + b) / 2
    slope = 2 / math.sqrt(math.pi) - 2 * middle * float(erfcx(middle))
    apart = ratio / math.sqrt(2)
    difference = slope * apart if apart < 1e-4 else float(erfcx(a) - erfcx(b))
    return math.exp(-a * a) * difference / 2


def _single_delta(reach: float, epsilon: float) -> float:
    """Upper bound of the Gaussian mechanism's delta when one value moves by ``reach`` standard deviations."""
    return 0.5 * math.erfc((epsilon / reach - reach / 2) / math.sqrt(2))


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf


def _in_range(scale: float, where: str, epsilon: float) -> float:
    if scale > LARGEST_SCALE:
        raise ParameterError(
            Problem(where, f"{epsilon!r}, which needs noise of {scale:.3g} steps", "noise of at most 2**50 steps")
        )
    return max(scale, SMALLEST_SCALE)  # more noise than asked for is safe


def _too_large(where: str, got: float, charge: float, allowed: float) -> Problem:
    return Problem(
        where,
        f"{got!r}, for which sampled noise needs delta {charge:.1e}",
        f"a guarantee whose sampling error costs at most delta {allowed:.1e}",
        "use a smaller epsilon, or no release at all: so large an epsilon protects nothing",
    )
