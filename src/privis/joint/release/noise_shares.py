"""Shares of integer noise: their variance, and when a sum of rounded Gaussians is as good as one.

Theorem. Let Z_i = round(N_i), N_i ~ Normal(0, s^2) independent, i = 1 ... h, s >= 4.5 grid steps, h <= 1000. The
distribution P of S = Z_1 + ... + Z_h is within total variation 2**-108 of the distribution Q of round(N + V), where N ~
Normal(0, h s^2) and V is an independent sum of h - 1 uniform numbers of [-1/2, 1/2]. For an integer x, x + round(N + V)
= round((x + N) + V) is post-processing of the Gaussian mechanism of scale s sqrt(h), as V does not depend on x.

Proof. P(Z = k) = f(k) with f the density of N_1 + U, U uniform on [-1/2, 1/2]; its Fourier transform is F(t) = exp(-s^2
t^2 / 2) sinc(t / 2). Likewise Q(k) = g(k), g the density of N + V + U, with transform F(t)^h; Q is a distribution,
since its sum over k is sum_j F(2 pi j)^h = 1. By Poisson's summation formula the characteristic functions of P and Q
are (sum_j F(t + 2 pi j))^h and sum_j F(t + 2 pi j)^h. For t in [-pi, pi] let a = F(t) and r the sum over j != 0, so
that abs(r) <= rho = 2.002 exp(-pi^2 s^2 / 2) for s >= 1. As a and a + r are at most 1 in size, (a + r)^h differs from
a^h by at most h rho, and the other from a^h by at most rho. Hence P(k) and Q(k) differ by at most (h + 1) rho for every
k. Both put at most 2 exp(-169/2) outside of [-K, K], K = 13 s sqrt(h) + h/2: S differs from sum N_i by at most h/2, and
so does round(N + V) from N. So the total variation is at most ((2 K + 1) (h + 1) rho + 4 exp(-169/2)) / 2, which
`aggregation_distance` computes and tests check. []

With the h samplers' own 2**-108 each, a coordinate is within (h + 1) 2**-108 of the distribution of the theorem.
`privis.privacy.accounting.noise_calibration` charges delta in proportion to the number of coordinates n: n tau (1 +
exp(epsilon)), or n (tau + beta) for a slack / n, with tau = 2**-108. With tau' = m tau the first is n m tau (1 +
exp(epsilon)). In the second beta is exp(e) tau / (1 - exp(-slack / n)) + d(e), and m times that of n m coordinates is
no less than beta of tau' and n, as its denominator is smaller. So counting every coordinate m = h + 1 times pays for
all of it, and only strengthens the noise.
"""

from __future__ import annotations

import math

from privis.privacy.mechanisms.additive import Gaussian
from privis.privacy.sampling.alias_table import NoiseTable

SMALLEST_SHARE = 4.5  # grid steps
MOST_SHARES = 1000


def share_variance(mechanism: str, scale: float) -> float:
    """Variance of one noise share of ``scale``, in squared grid steps.

    >>> round(share_variance("rounded Gaussian", 10.0), 4), round(share_variance("discrete Laplace", 10.0), 2)
    (100.0833, 199.83)
    """
    if mechanism == Gaussian.name:
        return scale * scale + 1 / 12  # to within exp(-2 pi^2 scale^2), from a scale of 1 on
    return 0.5 / math.sinh(0.5 / scale) ** 2


def aggregation_distance(scale: float, shares: int) -> float:
    """Bound of the total variation between the sum of ``shares`` rounded Gaussians and the distribution of the theorem.

    >>> aggregation_distance(4.5, 2) < 2**-108 < aggregation_distance(3.0, 2)
    True
    """
    rho = 2.002 * math.exp(-((math.pi * scale) ** 2) / 2)
    reach = 13 * scale * math.sqrt(shares) + shares / 2
    return 0.5 * ((2 * reach + 1) * (shares + 1) * rho + 4 * math.exp(-169 / 2))


def largest_share(table: NoiseTable) -> int:
    """Bound of the size of what a table can give.

    >>> largest_share(Gaussian(1.0, 1e-6).table(10.0))
    126
    """
    return max(part.base for part in table.parts()) + (1 << table.offset_bits)
