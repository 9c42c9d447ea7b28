"""No two inputs, however awkward, are further apart on the integer grid than the stated sensitivity: 10^5 pairs each.

What noise is added to is taken from the releases themselves, and from what a user may hand in: every kind of number,
lengths around the clip, values around a grid step, the largest and the smallest of each type, NaN and infinities.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from privis.privacy import (
    CodeRelease,
    DirectionRelease,
    FeatureRelease,
    Gaussian,
    HistogramRelease,
    Laplace,
    Metric,
    Patch,
    Person,
    PixelRelease,
    Pixels,
    PrivUnit,
    RandomisedResponse,
    ReleaseKey,
    VonMisesFisher,
    WholeImage,
)
from privis.privacy.learning.moments import STEPS, MomentRelease, integer_rows
from privis.privacy.mechanisms import direction as sphere
from privis.privacy.mechanisms import randomised_response as codes
from privis.privacy.releases import histogram as counts
from privis.privacy.releases import image as releases
from privis.privacy.releases.corpus import Aggregate, CorpusHistogramRelease, CorpusUnit, MeanRelease, SumRelease
from privis.privacy.units import Dataset

PAIRS = 100_000
VECTORS = 460  # all pairs of so many are 105,570
LENGTH = 7
NOISES: list[Laplace | Gaussian] = [Laplace(1.0), Gaussian(1.0, 1e-6)]
STREAM = ReleaseKey(bytes(range(32))).stream("a", b"", b"")

Array = npt.NDArray[Any]


def awkward(rng: np.random.Generator, clip: float, step: float, count: int, length: int = LENGTH) -> list[Array]:
    """Vectors of ``length`` around ``clip`` and multiples of ``step``, in every kind of number."""
    made = list(itertools.islice(_awkward(rng, clip, step, length), count))
    assert len(made) == count
    return made


def _awkward(rng: np.random.Generator, clip: float, step: float, length: int) -> Iterator[Array]:
    near = [clip * (1 + k * 2.0**-52) for k in range(-3, 4)] + [clip * (1 - 2.0**-20), clip * (1 + 2.0**-20), 2 * clip]
    tiny, huge = [0.0, -0.0, 5e-324, 2.2e-308, 1e-160, 1e-45], [1e38, 1e160, 1.7e308, math.inf, math.nan, 2.0**63]
    axes = np.eye(length)
    for sign, size in itertools.product((1, -1), near):
        yield sign * size * axes[int(rng.integers(length))]
        yield sign * np.full(length, size / length)
        yield sign * np.full(length, size / math.sqrt(length))
    for kind in (np.int64, np.int32, np.int8, np.uint64, np.uint8):
        limits = np.iinfo(kind)
        for value in (limits.min, limits.max):
            yield np.full(length, value, kind)
            yield np.where(axes[1] > 0, kind(value), kind(0))
    yield np.ones(length, bool)
    kinds = [np.float64, np.float32, np.float16, np.longdouble]
    while True:
        with np.errstate(all="ignore"):
            vector = _shaped(rng, near, [*tiny, *huge], clip, step, length).astype(kinds[int(rng.integers(4))])
        yield vector


def _shaped(
    rng: np.random.Generator, near: list[float], special: list[float], clip: float, step: float, length: int
) -> Array:
    shape, first = rng.standard_normal(length), np.eye(length)[0]
    match int(rng.integers(7)):
        case 0:  # of the clip's length, in one of the norms
            size = np.abs(shape).sum() if rng.random() < 0.5 else np.linalg.norm(shape)
            return shape / size * float(rng.choice(near))
        case 1:  # around grid steps
            return (rng.integers(-9, 9, length) + rng.choice([0, 0.5, 1 - 2.0**-40, -(2.0**-40)], length)) * step
        case 2:
            return rng.choice([*special, *near, *(-value for value in near)], length)
        case 3:  # one value makes all others vanish
            return shape * float(rng.choice(special)) * first + shape * clip * (1 - first)
        case 4:
            return rng.choice([-1.0, 0.0, 1.0], length) * float(rng.choice(near))
        case 5:
            return np.ldexp(shape, rng.integers(-1074, 1023, length))
    return shape * clip


def apart(points: npt.NDArray[np.int64], norm: str) -> tuple[int, int]:
    """Largest squared distance of all pairs, and how many there were; exact, below 2**63 as steps are below 2**22."""
    worst = 0
    for one in range(len(points)):
        moves = np.abs(points[one + 1 :] - points[one])
        distances = moves.sum(1) if norm == "L1" else (moves * moves).sum(1)
        worst = max(worst, int(distances.max(initial=0)) ** (2 if norm == "L1" else 1))
    return worst, len(points) * (len(points) - 1) // 2


def allowed(sensitivity: float) -> Fraction:
    """Square of what is stated."""
    return Fraction(sensitivity) ** 2


@pytest.mark.parametrize("noise", NOISES, ids=repr)
@pytest.mark.parametrize("clip", [1.0, 0.3, 1.0 - 2.0**-53, 2.0**-100, 2.0**100, 12345.678])
def test_clipped_features(noise, clip: float, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    release = FeatureRelease(noise, clip)
    monkeypatch.setattr(releases, "narrow_sample", lambda table, stream, count: np.zeros(count, np.int32))
    vectors = awkward(rng, clip, release.grid, VECTORS)
    released = np.stack([release.apply(vector, STREAM) for vector in vectors]).astype(np.float64)
    steps = (released / release.grid).astype(np.int64)
    assert (steps * release.grid == released).all()  # without noise, what comes out is what noise is added to
    stated = release.guarantee((LENGTH,)).sensitivity
    worst, pairs = apart(steps, noise.norm)
    assert pairs >= PAIRS
    assert worst <= allowed(stated)
    assert worst >= allowed(stated) * Fraction(99, 100), "the search does not come near"
    with np.errstate(over="ignore"):
        doubles = [release.on_grid(vector.astype(np.float64)) for vector in vectors]
    assert apart(np.stack(doubles), noise.norm)[0] <= allowed(stated)


@pytest.mark.parametrize("noise", NOISES, ids=repr)
@pytest.mark.parametrize("total", [1, 50, 2**40])
def test_counts_of_whole_images(noise, total: int, rng: np.random.Generator) -> None:
    release, bins = HistogramRelease(noise, 1, total=total), 5
    special = [0, 1, -1, total, total - 1, total + 1, 2**40, 2**53, 2**62, -(2**63), 2**63 - 1]
    rows = [total * row for row in np.eye(bins, dtype=np.int64)]
    rows += [np.array(rng.choice(special, bins), np.int64) for _ in range(VECTORS - 100)]
    rows += [
        rng.choice([*map(float, special), math.nan, math.inf, -math.inf, -0.0, 1e300], bins) for _ in range(100 - bins)
    ]
    points = np.stack([release.on_grid(np.asarray(values, np.float64)) for values in rows])
    assert points.min() >= 0 and points.sum(1).max() <= total
    worst, squared = 0, allowed(release.guarantee((bins,)).sensitivity)
    wide = points.astype(object)  # squares of 2**40 need more than 64 bits
    for one, other in itertools.combinations(range(0, VECTORS, 5), 2):
        moves = np.abs(wide[one] - wide[other])
        worst = max(worst, int(moves.sum()) ** 2 if noise.norm == "L1" else int((moves * moves).sum()))
    if total < 2**30:
        worst, pairs = apart(points, noise.norm)
        assert pairs >= PAIRS
    assert worst <= squared
    assert worst >= squared / 2, "the search does not come near"


def test_counts_of_more_bins_than_64_bits_can_add_up(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """2**23 bins of 2**40 counts; and turns do not show in what is kept."""
    full = np.full(2**23 + 8, 2.0**40)
    kept = HistogramRelease(Laplace(1.0), 1, total=2**40).on_grid(full)
    assert kept[0] == 2**40 and not kept[1:].any()
    values = rng.integers(0, 9, (40, 11)).astype(float)
    release = HistogramRelease(Laplace(1.0), 1, total=25)
    whole = [release.on_grid(row) for row in values]
    monkeypatch.setattr(counts, "_TURN", 3)
    assert all((release.on_grid(row) == once).all() for row, once in zip(values, whole, strict=True))
    assert all(once.sum() == min(25, row.sum()) for row, once in zip(values, whole, strict=True))


@pytest.mark.parametrize("noise", NOISES, ids=repr)
def test_counts_that_pixels_move(noise, rng: np.random.Generator) -> None:
    """Also where counts are cut at the largest that is kept."""
    release, bins, moved = HistogramRelease(noise, 3, Pixels(4)), 6, 12
    before = rng.choice([0, 1, 2, 12, 13, 100, 2**40 - 12, 2**40 - 1, 2**40, 2**40 + 5, 2**41], (PAIRS, bins))
    after = before.copy()
    rows = np.arange(PAIRS)
    for _ in range(moved):
        source, target = rng.integers(bins, size=PAIRS), rng.integers(bins, size=PAIRS)
        source, target = np.where(rng.random(PAIRS) < 0.5, 0, source), np.where(rng.random(PAIRS) < 0.5, 1, target)
        some = after[rows, source] > 0
        after[rows[some], source[some]] -= 1
        after[rows[some], target[some]] += 1
    moves = np.abs(release.on_grid(after.astype(np.float64)) - release.on_grid(before.astype(np.float64)))
    distances = moves.sum(1) ** 2 if noise.norm == "L1" else (moves * moves).sum(1)
    assert distances.max() <= allowed(release.guarantee((bins,)).sensitivity)


@pytest.mark.parametrize("mechanism", [PrivUnit(4.0), VonMisesFisher(5.0)], ids=repr)
def test_directions(mechanism, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Array] = []

    def kept(law: object, inputs: Array, streams: object) -> Array:
        seen.append(inputs)
        return np.zeros(inputs.shape, np.int64)

    monkeypatch.setattr(sphere, "sample", kept)
    release = DirectionRelease(mechanism)
    for vector in awkward(rng, 1.0, 2.0**-20, VECTORS):
        release.apply(vector, STREAM)
    rows = np.concatenate(seen)
    lengths = np.sqrt((rows.astype(np.longdouble) ** 2).sum(1))
    assert np.abs(lengths - 1).max() <= 2.0**-50  # as exactly as doubles can; the sampler's bounds have room for it
    distances = [np.sqrt(((rows[one + 1 :] - rows[one]) ** 2).sum(1)) for one in range(len(rows))]
    assert sum(map(len, distances)) >= PAIRS
    stated = release.guarantee((LENGTH,))
    assert max(distance.max(initial=0) for distance in distances) <= stated.sensitivity * (1 + 2.0**-50)
    if isinstance(mechanism, PrivUnit):
        return
    # The loss towards any direction is at most epsilon d; along x - y, where it is largest, and at random ones.
    metric = DirectionRelease(mechanism, Metric()).guarantee((LENGTH,))
    law, pairs = mechanism.distribution(LENGTH), rng.integers(VECTORS, size=(PAIRS, 2))
    move = rows[pairs[:, 0]] - rows[pairs[:, 1]]
    length = np.sqrt((move * move).sum(1))
    towards = np.where(length[:, None] > 0, move, 1.0)
    towards[::2] = rng.standard_normal((PAIRS // 2, LENGTH))
    towards /= np.sqrt((towards * towards).sum(1, keepdims=True))
    bound = metric.epsilon * length * (1 + 1e-12) + 1e-150  # squares of less vanish in doubles
    assert (law.slope * (move * towards).sum(1) <= bound).all()
    assert (law.slope * (move * towards).sum(1)).max() <= metric.whole_image_epsilon * (1 + 1e-12)


def test_codes(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes in is a code, and the law of its release depends on nothing but its length."""
    laws = set()

    def kept(law: codes.DistanceDistribution, stream: object) -> npt.NDArray[np.int64]:
        laws.add(law)
        return np.zeros(0, np.int64)

    monkeypatch.setattr(codes, "flipped", kept)
    release = CodeRelease(RandomisedResponse(4.0))
    released = np.stack([release.apply(vector, STREAM) for vector in awkward(rng, 1.0, 2.0**-20, VECTORS)])
    (law,) = laws
    signs = released * law.agreement
    assert np.abs(np.abs(signs) - 1).max() < 1e-6
    worst, pairs = apart((signs > 0).astype(np.int64), "L1")
    assert pairs >= PAIRS
    assert math.isqrt(worst) <= release.guarantee((LENGTH,)).sensitivity


def aggregates(unit: CorpusUnit) -> Iterator[Aggregate]:
    for noise in NOISES:
        yield SumRelease(noise, 0.7, unit)
        yield MeanRelease(noise, 0.7, unit)
        yield CorpusHistogramRelease(noise, (-0.7, 0.0, 1e-300, 0.7), unit)


@pytest.mark.parametrize("release", [*aggregates(WholeImage()), *aggregates(Person(3))], ids=repr)
def test_corpora_of_which_an_image_or_a_persons_images_are_replaced(release: Aggregate, rng) -> None:
    others = np.stack([vector.astype(np.float64) for vector in awkward(rng, 0.7, 2.0**-20, 5)])
    vectors = [vector.astype(np.float64) for vector in _without_warnings(awkward(rng, 0.7, 2.0**-20, VECTORS))]
    points = []
    for vector in vectors:
        if isinstance(release.unit, Person):
            own = [vector * sign for sign in rng.choice([1, 1, 1, -1], int(rng.integers(0, 6)))]  # beyond 3 none counts
            names = ["ann"] * len(own) + ["bob"] * 2 + ["cay"] * 3
            partial = release.partial(np.stack([*own, *others]), names)
        else:
            partial = release.partial(np.stack([vector, *others]))
        points.append(release.steps(partial))
    worst, pairs = apart(np.array(points, np.int64), release.noise.norm)
    squared = allowed(release.guarantee((LENGTH,)).sensitivity)
    assert pairs >= PAIRS
    assert worst <= squared
    assert worst >= squared * Fraction(9, 10), "the search does not come near"


@pytest.mark.parametrize("release", [*aggregates(Dataset())], ids=repr)
def test_corpora_of_which_one_image_comes_or_goes(release: Aggregate, rng: np.random.Generator) -> None:
    """Every row beside every other corpus: as sums are exact, one corpus of each size stands for all."""
    vectors = [vector.astype(np.float64) for vector in _without_warnings(awkward(rng, 0.7, 2.0**-20, 400))]
    squared, worst, pairs = allowed(release.guarantee((LENGTH,)).sensitivity), 0, 0
    alone = np.array([release.steps(release.partial(vector[None])) for vector in vectors], np.int64)
    nothing = np.array(release.steps(release.partial(np.zeros((0, LENGTH)))), np.int64)
    for others in range(0, 400, 40):
        rows = np.stack(vectors[others : others + 40])
        before = np.array(release.steps(release.partial(rows)), np.int64)
        for at in range(0, 400, 100):
            after = np.array(release.steps(release.partial(np.stack([*rows, vectors[at]]))), np.int64)
            assert (after - before == alone[at] - nothing).all()
    for sums in np.cumsum(alone - nothing, axis=0)[:250]:
        moves = np.abs((sums + alone) - (sums + nothing))
        distances = moves.sum(1) ** 2 if release.noise.norm == "L1" else (moves * moves).sum(1)
        worst, pairs = max(worst, int(distances.max())), pairs + len(distances)
    assert pairs >= PAIRS
    assert squared * Fraction(9, 10) <= worst <= squared


@pytest.mark.parametrize("noise", NOISES, ids=repr)
@pytest.mark.parametrize("unit", [WholeImage(), Pixels(5), Patch(3)], ids=repr)
def test_pixels(unit, noise, rng: np.random.Generator) -> None:
    """As many images as channels of one, which block sums keep apart."""
    height, width, block = 7, 8, 3
    release = PixelRelease(noise, unit, block)
    before = rng.choice(np.array([0, 0, 1, 128, 254, 255], np.uint8), (height, width, PAIRS))
    after = np.where(rng.random((1, 1, PAIRS)) < 0.5, 255 - before, rng.permuted(before, axis=2)).astype(np.uint8)
    changed = np.ones((height, width, PAIRS), bool)
    if isinstance(unit, Pixels):  # near a corner as a rule, so that they share a block
        order = rng.random((height * width, PAIRS)) + 0.2 * np.add.outer(np.arange(height), np.arange(width)).reshape(
            -1, 1
        )
        changed = (order.argsort(0).argsort(0) < unit.count).reshape(changed.shape)
    if isinstance(unit, Patch):
        top, left = rng.integers(3, size=PAIRS), rng.integers(3, size=PAIRS)
        rows, columns = np.arange(height)[:, None, None] // 3, np.arange(width)[None, :, None] // 3
        changed = (rows == top) & (columns == left)
    after[~changed] = before[~changed]
    before[:, :, 0], after[:, :, 0] = 0, np.where(changed[:, :, 0], 255, 0)
    moves = np.abs(releases.block_sums(after, block) - releases.block_sums(before, block)).reshape(-1, PAIRS)
    distances = moves.sum(0) ** 2 if noise.norm == "L1" else (moves * moves).sum(0)
    assert distances.max() <= allowed(release.guarantee((height, width)).sensitivity)


@pytest.mark.parametrize("unit", [WholeImage(), Dataset()], ids=repr)
def test_moments(unit: CorpusUnit, rng: np.random.Generator) -> None:
    """Rows and their products in one vector, without noise: z of two rows, or of one and none."""
    release = MomentRelease(Gaussian(1.0, 1e-6), LENGTH, 0.7, 100, unit)
    vectors = [vector.astype(np.float64) for vector in _without_warnings(awkward(rng, 0.7, 0.7 / STEPS, 900))]
    finite = np.stack([vector for vector in vectors if np.isfinite(vector).all()])[:VECTORS]
    rows = integer_rows(np.concatenate([finite, -finite[:10], np.zeros((1, LENGTH))]), 0.7)
    upper = np.triu_indices(LENGTH)
    z = np.concatenate([STEPS * rows, (rows[:, :, None] * rows[:, None, :])[:, upper[0], upper[1]]], axis=1)
    assert (rows * rows).sum(1).max() <= STEPS**2
    squared = allowed(release.guarantee.sensitivity)
    if isinstance(unit, Dataset):
        assert (z * z).sum(1).max() <= squared
        return
    worst, pairs = apart(z, "L2")
    assert pairs >= PAIRS
    assert squared * Fraction(7, 10) <= worst <= squared


def _without_warnings(vectors: list[Array]) -> list[Array]:
    """The vectors that fit into double precision without a word of numpy's."""
    with np.errstate(over="ignore", invalid="ignore"):
        return [np.asarray(vector, np.float64) for vector in vectors]
