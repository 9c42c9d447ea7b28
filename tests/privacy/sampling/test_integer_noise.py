"""Sampled noise follows its law at every scale; the tests reject a scale that is off by a factor of 3/2.

Answers for `privis.privacy.releases.noise`, `privis.privacy.sampling.kernels` and
`privis.privacy.sampling.lazy_kernels`.
"""

from __future__ import annotations

import bisect
import itertools
from dataclasses import replace

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
from scipy import special, stats

from privis.privacy.sampling.alias_table import CHAPTER, OPEN, NoiseTable
from privis.privacy.sampling.integer_noise import narrow_sample, sample
from privis.privacy.sampling.noise_tables import gaussian_table, laplace_table
from privis.privacy.sampling.release_key import NoiseStream, ReleaseKey

TABLES = {"laplace": laplace_table, "gaussian": gaussian_table}
SCALES = [0.7, 20.0, 3000.0, 1e6, 2.0**40]
COUNT = 200_000


def stream(record: str = "a.png", content: bytes = b"content", purpose: bytes = b"purpose") -> NoiseStream:
    return ReleaseKey(bytes(range(32))).stream(record, content, purpose)  # fixed: a test must not be a lottery


def survival(kind: str, scale: float, values: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """P(X > value), from the definitions."""
    if kind == "gaussian":
        return special.ndtr(-(values + 0.5) / scale)
    q = np.exp(-1 / scale)
    return np.where(values >= 0, q ** (np.abs(values) * 1.0 + (values >= 0)), 1 + q - q ** -np.minimum(values, 0)) / (
        1 + q
    )


def fit(values: npt.NDArray[np.int64], kind: str, scale: float) -> float:
    """p-value of a chi-square test over about 60 bins of equal probability, tails included."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, 61)[1:-1]).astype(np.int64))
    expected = -np.diff(np.concatenate([[1.0], survival(kind, scale, edges), [0.0]])) * values.size
    observed = np.bincount(np.searchsorted(edges, values), minlength=expected.size)
    keep = expected > 5
    statistic = ((observed[keep] - expected[keep]) ** 2 / expected[keep]).sum()
    return float(stats.chi2.sf(statistic, keep.sum() - 1))


def test_survival_is_right() -> None:
    values = np.arange(-40, 41)
    for scale in (0.7, 5.0):
        q = mpmath.exp(-1 / mpmath.mpf(scale))
        exact = [float(sum((1 - q) / (1 + q) * q ** abs(k) for k in range(v + 1, 400))) for v in values]
        assert np.allclose(survival("laplace", scale, values), exact, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kind", TABLES)
def test_goodness_of_fit(kind: str, scale: float) -> None:
    values = sample(TABLES[kind](scale), stream(), COUNT)
    assert fit(values, kind, scale) > 1e-3
    for wrong in (2 / 3, 0.8, 1.25, 3 / 2):
        assert fit(values, kind, scale * wrong) < 1e-9


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kind", TABLES)
def test_moments_and_signs(kind: str, scale: float) -> None:
    values = sample(TABLES[kind](scale), stream(), COUNT).astype(np.float64)
    variance = {
        "laplace": 1 / (2 * np.sinh(1 / (2 * scale)) ** 2),
        "gaussian": 2 * sum((2 * k + 1) * stats.norm.sf((k + 0.5) / scale) for k in range(20))
        if scale < 1
        else scale**2 + 1 / 12,
    }[kind]
    kurtosis = ((values - values.mean()) ** 4).mean() / values.var() ** 2
    assert abs(values.mean()) < 4 * np.sqrt(variance / COUNT)
    assert abs(values.var() / variance - 1) < 4 * np.sqrt((kurtosis - 1) / COUNT)
    positive, negative = (values > 0).sum(), (values < 0).sum()
    assert abs(positive - negative) < 4 * np.sqrt(positive + negative)


@pytest.mark.parametrize("kind", TABLES)
def test_low_digits_of_large_noise_are_uniform(kind: str) -> None:
    digits = sample(TABLES[kind](1e6), stream(), COUNT) % 64
    assert stats.chisquare(np.bincount(digits, minlength=64)).pvalue > 1e-3


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("scale", [0.7, 1e6, 2.0**40])
def test_chunks_equal_the_whole(kind: str, scale: float) -> None:
    table = TABLES[kind](scale)
    whole = sample(table, stream(), 100_000)
    cuts = [0, 1, 17, 32_768, 32_769, 70_000, 100_000]
    pieces = [sample(table, stream(), b - a, start=a) for a, b in itertools.pairwise(cuts)]
    assert np.array_equal(np.concatenate(pieces), whole)


OTHERS = [
    stream(record="b.png"),
    stream(content=b"other"),
    stream(purpose=b"other"),
    stream().narrowed(b"part"),
]


@pytest.mark.parametrize("other", OTHERS, ids=["record", "content", "purpose", "narrowed"])
@pytest.mark.parametrize("kind", TABLES)
def test_noise_is_a_function_of_all_its_parts(kind: str, other: NoiseStream) -> None:
    table = TABLES[kind](3000.0)
    first, second = sample(table, stream(), COUNT), sample(table, other, COUNT)
    assert np.array_equal(first, sample(table, stream(), COUNT))
    for again in (second, np.roll(first, 1)):  # another stream, another coordinate
        assert abs(np.corrcoef(first, again)[0, 1]) < 4.5 / np.sqrt(COUNT)
        assert abs(np.corrcoef(np.abs(first), np.abs(again))[0, 1]) < 4.5 / np.sqrt(COUNT)


def by_hand(table: NoiseTable, words: npt.NDArray[np.uint64], extra: list[list[int]], count: int) -> list[int]:
    """Values in plain Python, as the tables' definition says: ``words`` of whole chapters, ``extra`` by coordinate."""
    stream_words = iter(words.tolist())
    values = []
    for chapter in range(0, count, CHAPTER):
        reserve = list(itertools.islice(stream_words, 2 * table.reserve))
        pairs = itertools.islice(stream_words, CHAPTER * table.word_bits // 64)
        own = list(pairs)
        if table.word_bits == 32:
            own = [half for word in own for half in (word & 0xFFFFFFFF, word >> 32)]
        for at, word in enumerate(own[: count - chapter]):
            bits = f"{word:0{table.word_bits}b}"
            cell = int(table.direct[int(bits[: table.prefix_bits], 2)])
            if cell != OPEN:
                digits = bits[len(bits) - 1 - table.offset_bits : -1]
                magnitude = table.first + (cell << table.offset_bits) + int(digits or "0", 2)
                values.append(-magnitude if word & 1 else magnitude)
                continue
            value, used = settled(table, reserve)
            if not used:
                value, used = settled(table, extra[chapter + at])
            else:
                del reserve[:used]
            values.append(value)
    return values


def settled(table: NoiseTable, words: list[int]) -> tuple[int, int]:
    """A value that the direct table left open, and how many words it took; (0, 0) where there are not enough."""
    if len(words) < 2:
        return 0, 0
    mask = (1 << table.offset_bits) - 1
    sign, column, first, second = words[0] >> 63, words[1] >> (64 - table.column_bits), words[1] & mask, words[0] & mask
    level = (words[0] >> table.offset_bits) & ((1 << table.threshold_bits) - 1)
    code, used = int(table.codes[column, 0 if level < int(table.threshold[column]) else 1]), 2
    if code == 2:
        used += 2 * table.late_blocks
        if len(words) < used:
            return 0, 0
        wanted = (words[2] << 64) | words[3]
        cumulative = [(int(high) << 64) | int(low) for high, low in zip(table.high, table.low, strict=True)]
        part = min(bisect.bisect_right(cumulative, wanted), len(cumulative) - 1)
        uniforms = sorted(word & mask for word in words[4 : 4 + int(table.of[part])])
        magnitude = int(table.base[part]) + (uniforms[int(table.rank[part])] if uniforms else 0)
    else:
        magnitude = (code >> 2) + {0: 0, 1: first, 3: min(first, second)}[code & 3]
    return (-magnitude if sign else magnitude), used


@pytest.mark.parametrize("reserve", [None, 20, 0], ids=["its own", "too small", "no reserve"])
@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("scale", [0.7, 16.5, 40.0, 1e6, 2.0**30, 2.0**50])
def test_compiled_loops_do_what_the_definition_says(kind: str, scale: float, reserve: int | None) -> None:
    table, count = TABLES[kind](scale), 4 * CHAPTER + 1000
    assert table.word_bits == (32 if scale < 2**23 else 64)
    if reserve is not None:
        table = replace(table, reserve=reserve)
    words = stream().words(0, 5 * (table.reserve + CHAPTER * table.word_bits // 128))
    extra = stream().extra(np.arange(count), 16).reshape(count, 32).tolist()
    values = sample(table, stream(), count)
    assert values.tolist() == by_hand(table, words, extra, count)
    assert np.array_equal(narrow_sample(table, stream(), count), values)


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("scale", [0.7, 20.0, 1e6, 2.0**40])
def test_values_beyond_the_reserve_have_the_law_too(kind: str, scale: float) -> None:
    table = TABLES[kind](scale)
    assert (table.direct == OPEN).mean() < 0.08  # else it is slow
    assert fit(sample(replace(table, reserve=0), stream(), COUNT), kind, scale) > 1e-3


def test_words_and_extra_words_never_overlap() -> None:
    plain = stream().words(0, 4000)
    extra = stream().extra(np.arange(250), 16)
    assert np.unique(np.concatenate([plain, extra])).size == plain.size + extra.size
    one = stream().extra(np.array([7]), 3)
    assert np.array_equal(one, extra.reshape(250, 32)[7, :6])


def test_discrete_laplace_agrees_with_opendp() -> None:
    dp = pytest.importorskip("opendp.prelude")
    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T=int)), dp.l1_distance(T=int)
    theirs = np.array((space >> dp.m.then_laplace(20.0))([0] * 20_000))
    ours = sample(laplace_table(20.0), stream(), 20_000)
    assert stats.ks_2samp(ours, theirs).pvalue > 1e-6
    assert stats.ks_2samp(sample(laplace_table(30.0), stream(), 20_000), theirs).pvalue < 1e-9
