"""Integer probability tables of counts that add up to a negative binomial count, for noise that many people share.

What is sampled: ``P(k) = Gamma(k + r) / (Gamma(r) k!) (1 - p)**r p**k`` for k = 0, 1, 2, ..., with a shape r > 0 that
need not be whole. Its generating function is ``((1 - p) / (1 - p z))**r``, so that counts of shapes r1 and r2 add up to
one of shape r1 + r2: n people who each draw with shape r / n together draw with shape r, however small the share of
each (C. Harrison, P. Manurangsi, "Infinitely Divisible Noise for Differential Privacy", arXiv:2504.05202, share noise
among people in this way).

Construction. Probabilities follow from ``P(0) = (1 - p)**r`` and ``P(k + 1) = P(k) p (k + r) / (k + 1)`` with 320 bits
and are rounded down to 256; they become the tables of `privis.privacy.sampling.alias_table`, which sample a magnitude
and a sign. The sign is a bit of its own, independent of the magnitude, and is left out.

Errors, as total variation: the values beyond the last, and the rounding of the tables, which
`privis.privacy.sampling.noise_tables` derives. Beyond K, with ``q = p max(1, (K + 1 + r) / (K + 2)) < 1``, every
probability is at most q times the one before, so that all together are at most ``P(K + 1) / (1 - q)``.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.privacy.sampling.alias_table import PRECISION, MixtureComponent, NoiseTable, assemble
from privis.privacy.sampling.integer_noise import sample
from privis.privacy.sampling.release_key import NoiseStream

LARGEST_RATIO = 0.999
LARGEST_SHAPE = 1e5
SMALLEST_SHAPE = 1e-9
_TAIL = 2.0**-112


@lru_cache(maxsize=16)
def negative_binomial_table(shape: float, ratio: float) -> NoiseTable:
    """Table of the negative binomial distribution; its values have signs that mean nothing.

    Raises ``ParameterError`` when the shape is outside [1e-9, 1e5] or the ratio outside (0, 0.999].

    >>> table = negative_binomial_table(1.0, 0.5)  # geometric: 1/2, 1/4, 1/8, ...
    >>> [round(sum(part.mass for part in table.parts() if part.base == k) / 2**256, 6) for k in range(3)]
    [0.5, 0.25, 0.125]
    """
    from mpmath import mp

    refuse(ParameterError, problems_of(shape, ratio))
    arithmetic = mp.clone()  # a context of our own: the precision of the global one belongs to the caller
    arithmetic.prec = PRECISION + 64
    p, r = arithmetic.mpf(ratio), arithmetic.mpf(shape)
    mass, parts, count = (1 - p) ** r, [], 0
    while True:
        parts.append(MixtureComponent(int(arithmetic.floor(arithmetic.ldexp(mass, PRECISION))), count, 0, 0))
        mass *= p * (count + r) / (count + 1)  # now of count + 1
        count += 1
        falls = ratio * max(1.0, (count + shape) / (count + 1))
        if falls < 1 and float(mass) / (1 - falls) < _TAIL:
            return assemble(shape * ratio / (1 - ratio), 0, parts, _TAIL)


def problems_of(shape: float, ratio: float) -> list[Problem]:
    """What is wrong with a shape and a ratio: none of it can be sampled."""
    found = []
    if not SMALLEST_SHAPE <= shape <= LARGEST_SHAPE:
        found.append(Problem("shape of a count", repr(shape), f"{SMALLEST_SHAPE:g} to {LARGEST_SHAPE:g}"))
    if not 0 < ratio <= LARGEST_RATIO:
        found.append(Problem("ratio of a count", repr(ratio), f"above 0, at most {LARGEST_RATIO}"))
    return found


def sample_counts(table: NoiseTable, stream: NoiseStream, count: int) -> npt.NDArray[np.int64]:
    """Draw independent counts, each within ``table.total_variation`` of its distribution.

    >>> from privis.privacy.sampling.release_key import ReleaseKey
    >>> stream = ReleaseKey(bytes(32)).stream("epoch", b"", b"")  # a test key
    >>> counts = sample_counts(negative_binomial_table(0.05, 0.8), stream, 1000)
    >>> int(counts.min()), bool(0.1 < counts.mean() < 0.3)  # the mean is 0.2
    (0, True)
    """
    return np.abs(sample(table, stream, count))
