"""The tables sample the law they promise, to within the total variation they promise, by exact arithmetic."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from privis.errors import ParameterError
from privis.privacy.sampling.alias_table import TOTAL_VARIATION, NoiseTable
from privis.privacy.sampling.noise_tables import gaussian_table, laplace_table

BITS = 2**256
TABLES = {"laplace": laplace_table, "gaussian": gaussian_table}


@pytest.fixture(autouse=True)
def precise():
    with mpmath.workprec(400):
        yield


def exact_tail(kind: str, scale: float, magnitude: int) -> mpmath.mpf:
    """P(|X| > magnitude) from the definition, independently of how the table is built."""
    scale = mpmath.mpf(scale)
    if kind == "gaussian":
        return mpmath.erfc((magnitude + mpmath.mpf(1) / 2) / scale / mpmath.sqrt(2))
    q = mpmath.exp(-1 / scale)
    return 2 * q ** (magnitude + 1) / (1 + q)


def order_statistic_tail(rank: int, of: int, offset: int, width: int) -> Fraction:
    """P(the rank-th smallest of `of` uniforms on 0..width-1 is > offset): fewer than rank + 1 are <= offset."""
    below = Fraction(min(max(offset + 1, 0), width), width)
    return sum((math.comb(of, k) * below**k * (1 - below) ** (of - k) for k in range(rank + 1)), start=Fraction(0))


def sampled_tail(table: NoiseTable) -> Callable[[int], mpmath.mpf]:
    """P(|X| > magnitude) under the very integers that the sampler reads."""
    parts, width = list(table.parts()), 1 << table.offset_bits
    known: dict[tuple[int, int, int], Fraction] = {}

    def tail(magnitude: int) -> mpmath.mpf:
        total = Fraction(0)
        for part in parts:
            if part.base > magnitude:
                total += part.mass
            elif part.of and part.base + width > magnitude:
                key = (part.rank, part.of, magnitude - part.base)
                if key not in known:
                    known[key] = order_statistic_tail(*key, width)
                total += part.mass * known[key]
        return mpmath.mpf(total.numerator) / total.denominator / BITS

    return tail


def sampled_masses(table: NoiseTable) -> list[mpmath.mpf]:
    """P(|X| = magnitude) under the very integers that the sampler reads, for all magnitudes."""
    parts, width = list(table.parts()), 1 << table.offset_bits
    masses = [Fraction(0)] * (max(part.base for part in parts) + width)
    known = {
        (rank, of): [
            order_statistic_tail(rank, of, o - 1, width) - order_statistic_tail(rank, of, o, width)
            for o in range(width)
        ]
        for rank, of in {(part.rank, part.of) for part in parts if part.of}
    }
    for part in parts:
        for offset, share in enumerate(known[part.rank, part.of] if part.of else [Fraction(1)]):
            masses[part.base + offset] += part.mass * share
    return [mpmath.mpf(mass.numerator) / mass.denominator / BITS for mass in masses]


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("scale", [0.05, 0.7, 3.3, 15.99, 16.0, 33.0, 66.6])
def test_total_variation_by_exact_summation(kind: str, scale: float) -> None:
    table = TABLES[kind](scale)
    ours = sampled_masses(table)
    tails = [mpmath.mpf(1), *(exact_tail(kind, scale, magnitude) for magnitude in range(len(ours)))]
    exact = [before - after for before, after in itertools.pairwise(tails)]
    distance = (sum(abs(p - q) for p, q in zip(ours, exact, strict=True)) + tails[-1]) / 2
    assert distance <= table.total_variation <= TOTAL_VARIATION


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("scale", [3000.0, 1e6, 1.7e9, 2.0**50])
def test_distribution_function_of_large_scales(kind: str, scale: float) -> None:
    sampled = sampled_tail(TABLES[kind](scale))
    for factor in [0.0, 1e-4, 0.01, 0.3, 1.0, 1.01, 2.5, 6.0, 9.9, 12.0]:
        magnitude = int(factor * scale)
        assert abs(sampled(magnitude) - exact_tail(kind, scale, magnitude)) <= TOTAL_VARIATION


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("scale", [0.7, 40.0, 1e6])
def test_masses_are_a_distribution(kind: str, scale: float) -> None:
    table = TABLES[kind](scale)
    masses = [part.mass for part in table.parts()]
    assert min(masses) >= 0
    assert 0 <= BITS - sum(masses) < len(masses)  # only `parts` itself rounds, one unit at a time


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("exponent", np.linspace(-10, 50, 13))
def test_every_scale_keeps_the_bound(kind: str, exponent: float) -> None:
    table = TABLES[kind](2.0**exponent)
    assert table.total_variation <= TOTAL_VARIATION
    assert table.threshold.nbytes <= 8 * 1024  # tables do not grow with the scale
    assert table.high.size < 20_000


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf"), 2.0**51])
def test_impossible_scales_are_refused(kind: str, scale: float) -> None:
    with pytest.raises(ParameterError, match="noise scale"):
        TABLES[kind](scale)
