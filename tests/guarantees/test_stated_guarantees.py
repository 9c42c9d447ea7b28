"""No guarantee is stated that an independent calculator does not confirm; `tests.guarantees.stated` compares all."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Callable
from fractions import Fraction

import mpmath
import numpy as np
import pytest

import privis
from privis.extras import EXTRAS
from privis.privacy import (
    CodeRelease,
    DirectionRelease,
    FeatureRelease,
    Gaussian,
    Guarantee,
    HistogramRelease,
    Laplace,
    Patch,
    Person,
    PixelRelease,
    Pixels,
    ReleaseKey,
    WholeImage,
)
from privis.privacy.releases.corpus import CorpusHistogramRelease, MeanRelease, SumRelease
from privis.privacy.sampling.alias_table import NoiseTable
from privis.privacy.units import Dataset
from tests.guarantees import calculator, confirmed
from tests.guarantees.configurations import NOISES, count_differences, moves_of_pixels, pixel_differences
from tests.guarantees.explained import RELEASES
from tests.guarantees.stated import compared, everything, kind_of, some_of_each_kind
from tests.privacy.sampling.test_noise_tables import exact_tail, sampled_masses

KEY = ReleaseKey(bytes(range(32)))


def test_stated_guarantees_of_every_kind_are_confirmed() -> None:
    """Some configurations of every release, noise and unit under every executor; the next test has all of them."""
    chosen = some_of_each_kind(everything(), 3)
    outcome = compared(chosen)
    assert outcome.differences == ()
    assert outcome.compared >= 0.9 * len(chosen) and len({kind_of(one) for one in chosen}) > 100


@pytest.mark.long
def test_every_stated_guarantee_is_confirmed() -> None:
    outcome = compared(everything())
    assert outcome.differences == ()
    assert outcome.compared >= 6000


# --- the calculator's distances are those of all pairs of small images ---

SMALL = [
    ((2, 2), (0, 100, 255)), ((1, 5), (0, 100, 255)), ((3, 2), (0, 255)), ((3, 3), (0, 255)), ((2, 4), (0, 255)),
    ((2, 2, 2), (0, 255)), ((1, 3, 3), (0, 255)),
]  # fmt: skip


@pytest.mark.parametrize("norm", ["L1", "L2"])
@pytest.mark.parametrize(("shape", "levels"), SMALL, ids=str)
def test_distances_are_those_of_the_worst_of_all_pairs(shape, levels, norm: str) -> None:
    for block in (1, 2, 3):
        for pixels in (None, 1, 2, 3, 5):
            found = calculator.brute_force(norm, shape, block, levels, pixels)
            assert found == calculator.pixel_move(norm, shape, block, pixels).squared
        patch = calculator.brute_force(norm, shape, block, levels, None, patch=True)
        assert patch == calculator.pixel_move(norm, shape, block, None, patch=True).squared


@pytest.mark.parametrize("norm", ["L1", "L2"])
def test_worst_pairs_of_4_by_4_images_by_search(norm: str, rng: np.random.Generator) -> None:
    """From random pairs, every change of a pixel that brings them further apart, until none does."""
    levels = np.array([0, 90, 255])
    for block, pixels in itertools.product((1, 2, 3, 4), (None, 1, 3, 5, 8)):
        move = calculator.pixel_move(norm, (4, 4), block, pixels)
        best = 0
        for _ in range(8):
            image, most = rng.choice(levels, 16), -1
            other = image.copy()
            while True:
                pairs = _nearby(image, other, levels)
                changed = (pairs[:, 0] != pairs[:, 1]).sum(1)
                pairs = pairs[changed <= (16 if pixels is None else pixels)]
                one, two = (calculator.sums_of(pairs[:, side], (4, 4), block) for side in (0, 1))
                apart = np.abs(one - two).sum(1) ** 2 if norm == "L1" else ((one - two) ** 2).sum(1)
                assert apart.max() <= move.squared
                if apart.max() <= most:
                    break
                most, (image, other) = int(apart.max()), pairs[apart.argmax()]
            best = max(best, most)
        assert best == move.squared


def _nearby(image: np.ndarray, other: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The pair with other levels at one position, alone or while another position is made equal again."""
    every = np.array(list(itertools.product(range(16), levels, levels, range(-1, 16))), np.int64)
    at, own, level, back = every.T
    pairs = np.broadcast_to(np.stack([image, other]), (len(every), 2, 16)).copy()
    again = np.flatnonzero(back >= 0)
    pairs[again, 1, back[again]] = pairs[again, 0, back[again]]
    pairs[np.arange(len(every)), 0, at] = own
    pairs[np.arange(len(every)), 1, at] = level
    return pairs


@pytest.mark.parametrize("norm", ["L1", "L2"])
@pytest.mark.parametrize(("bins", "total"), [(1, 4), (2, 5), (3, 4), (4, 3)])
def test_distances_of_counts_are_those_of_the_worst_of_all_pairs(norm: str, bins: int, total: int) -> None:
    every = calculator.histograms(bins, total)
    apart = every[:, None, :] - every[None, :, :]
    move = calculator.replaced_counts(norm, bins, total)
    worst = max(move.measured(pair) for pair in apart.reshape(-1, bins))
    assert worst == move.squared
    if bins > 1:
        same = every.sum(1)[:, None] == every.sum(1)[None, :]
        moved = np.abs(apart).sum(2) // 2
        for count in range(1, total + 1):
            own = calculator.moved_counts(norm, bins, count)
            pairs = apart[same & (moved <= count)]
            assert max(move.measured(pair) for pair in pairs) == own.squared


# --- noise is drawn at the stated scale, and sampled as closely as is paid for ---


class Asked(Exception):
    """Carries the scale that a table was asked for."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], float]:
    """The scale of the noise that a release is about to draw."""

    def table(self: object, scale: float) -> NoiseTable:
        raise Asked(scale)

    monkeypatch.setattr(Laplace, "table", table)
    monkeypatch.setattr(Gaussian, "table", table)

    def scale_of(release: Callable[[], object]) -> float:
        with pytest.raises(Asked) as found:
            release()
        return float(found.value.args[0])

    return scale_of


def test_noise_is_drawn_at_the_stated_scale(asked) -> None:
    stream = KEY.stream("a", b"", b"")
    for noise in NOISES[1:4:2]:
        for shape, unit in itertools.product([(4, 5), (7, 3, 3)], [WholeImage(), Pixels(3), Patch(2), Person(3)]):
            pixels = PixelRelease(noise, unit, 2)
            image = np.zeros(shape, np.uint8)
            assert asked(lambda p=pixels, i=image: p.apply(i, stream)) == pixels.guarantee(shape).scale
        for unit in (WholeImage(), Person(3)):
            feature, vector = FeatureRelease(noise, 0.3, unit), np.zeros(9, np.float32)
            assert asked(lambda f=feature, v=vector: f.apply(v, stream)) == feature.guarantee((9,)).scale
        for unit in (WholeImage(), Person(3), Pixels(2)):
            counts = HistogramRelease(noise, 3, unit, 40)
            assert asked(lambda c=counts: c.apply(np.zeros(9), stream)) == counts.guarantee((9,)).scale
        for unit in (WholeImage(), Dataset(), Person(3)):
            subjects = ["ann"] if isinstance(unit, Person) else None
            kinds = SumRelease(noise, 1.0, unit), MeanRelease(noise, 1.0, unit)
            for release in (*kinds, CorpusHistogramRelease(noise, (0.5,), unit)):
                part = release.partial(np.zeros((1, 9)), subjects)
                assert asked(lambda r=release, p=part: r.release(p, stream)) == release.guarantee((9,)).scale


def test_directions_and_codes_are_drawn_by_the_law_that_was_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    import privis.privacy.mechanisms.direction as sphere
    import privis.privacy.mechanisms.randomised_response as codes

    drawn: list[object] = []

    def told(law: object, *rest: object) -> object:
        drawn.append(law)
        raise Asked(0.0)

    monkeypatch.setattr(codes, "flipped", told)
    monkeypatch.setattr(sphere, "sample", told)
    for release in RELEASES:
        if isinstance(release, DirectionRelease | CodeRelease):
            with pytest.raises(Asked):
                release.apply(np.ones(9), KEY.stream("a", b"", b""))
            images = release.unit.images if isinstance(release.unit, Person) else 1
            assert drawn.pop() == release.mechanism.distribution(9, images)


@pytest.mark.parametrize("noise", [Laplace(4.0), Laplace(60.0), Gaussian(8.0, 1e-9)], ids=repr)
def test_sampled_noise_of_one_pixel_keeps_what_is_stated_by_summing_over_all_results(noise) -> None:
    """One grey pixel changes: the exact probabilities of the table's integers, of both neighbours."""
    release = PixelRelease(noise, Pixels(1))
    guarantee = release.guarantee((4, 4))
    with mpmath.workprec(400):
        table = noise.table(guarantee.scale)
        masses = [int(mass * mpmath.mpf(2) ** 300) for mass in sampled_masses(table)]
        kind = "laplace" if isinstance(noise, Laplace) else "gaussian"
        tails = [mpmath.mpf(1), *(exact_tail(kind, guarantee.scale, size) for size in range(len(masses)))]
        exact = [before - after for before, after in itertools.pairwise(tails)]
        pairs = zip(masses, exact, strict=True)
        off = (sum(abs(mass / mpmath.mpf(2) ** 300 - true) for mass, true in pairs) + tails[-1]) / 2
        # The calculator's charges have a part in 10^12 to spare for doubles.
        assert off <= mpmath.mpf(2) ** -108 * (1 - mpmath.mpf(10) ** -11)
    for move in (1, 100, 255):
        assert calculator.table_profile(masses, 2**300, move, guarantee.epsilon) <= guarantee.delta
    true = calculator.table_profile(masses, 2**300, 255, guarantee.epsilon * 0.99)
    assert true > guarantee.delta, "epsilon is not larger than it need be"


# --- what a run prints ---


@pytest.mark.parametrize("under", [privis.Clear(), privis.CKKS(), privis.MPC()], ids=repr)
@pytest.mark.parametrize("release", [FeatureRelease(Laplace(4.0), 200.0), PixelRelease(Gaussian(1.0, 1e-6), block=3)])
def test_a_result_and_its_card_state_what_was_confirmed(under, release, rng: np.random.Generator) -> None:
    from tests.guarantees.explained import release_differences

    extra = {privis.MPC: "mpc", privis.CKKS: "he"}.get(type(under))
    if extra and EXTRAS[extra].missing():
        pytest.skip(f"extra {extra} is not installed here")
    image = rng.integers(0, 256, (9, 8, 3), np.uint8)
    feature = privis.ColourHistogram(bins=2)
    try:
        result = privis.extract(feature, [image], release=release, under=under, key=KEY)
    finally:
        getattr(under, "close", lambda: None)()
    assert release_differences(release, (9, 8, 3), 6, result.guarantee) == ()
    card = json.loads(result.card.to_json())
    assert Guarantee.from_dict(card["guarantee"]) == result.guarantee
    assert card["guarantee"]["sentence"] == result.guarantee.sentence


# --- the calculator sees what is wrong ---


def _scaled(name: str, by: float) -> Callable[[Guarantee], Guarantee]:
    return lambda guarantee: dataclasses.replace(guarantee, **{name: getattr(guarantee, name) * by})


WRONG = {
    "half the sensitivity": _scaled("sensitivity", 0.5),
    "a scale too small by a hundredth": _scaled("scale", 1 / 1.01),
    "half of delta": _scaled("delta", 0.5),
    "twice delta": _scaled("delta", 2.0),
    "half of the whole image's delta": _scaled("whole_image_delta", 0.5),
    "an epsilon too small by a thousandth": _scaled("epsilon", 0.999),
    "a whole-image epsilon too small by a thousandth": _scaled("whole_image_epsilon", 0.999),
    "the whole image's epsilon twice": _scaled("whole_image_epsilon", 2.0),
    "other steps": _scaled("step", 2.0),
    "another number of pixels": lambda g: dataclasses.replace(g, relation=g.relation.replace("2 pixels", "1 pixel")),
    "another reason": lambda g: dataclasses.replace(g, sensitivity_reason=g.sensitivity_reason.replace("2", "1")),
}


@pytest.mark.parametrize("noise", [Laplace(4.0), Gaussian(1.0, 1e-6)], ids=repr)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_guarantee_is_seen(wrong: str, noise) -> None:
    release, shape = PixelRelease(noise, Pixels(2), 2), (5, 7, 3)
    guarantee = release.guarantee(shape)
    assert pixel_differences(release, shape, guarantee) == []
    assert pixel_differences(release, shape, WRONG[wrong](guarantee))


@pytest.mark.parametrize("noise", [Laplace(4.0), Gaussian(1.0, 1e-6)], ids=repr)
def test_a_guarantee_of_something_else_is_seen(noise) -> None:
    """A channel left out, other blocks at the border, another number of images, another total."""
    release, shape = PixelRelease(noise, Person(3), 4), (6, 6, 3)
    for other in (release.guarantee((6, 6)), release.guarantee((8, 8, 3)), release.guarantee((4, 4, 3))):
        assert pixel_differences(release, shape, other)
    fewer = PixelRelease(noise, Person(2), 4).guarantee(shape)
    assert pixel_differences(release, shape, dataclasses.replace(fewer, relation=release.unit.relation))
    counts = HistogramRelease(noise, 3, total=100)
    assert count_differences(counts, 8, HistogramRelease(noise, 3, total=99).guarantee((8,)))


def test_words_that_understate_are_seen() -> None:
    assert confirmed.said("epsilon", "epsilon", "(epsilon 1.234)", 1.2344, 1.001)
    assert confirmed.said("epsilon", "epsilon", "(epsilon 1.3)", 1.2344, 1.001)
    assert not confirmed.said("epsilon", "epsilon", "(epsilon 1.235)", 1.2344, 1.001)
    assert confirmed.said_factor("factor", "about", "about 10^3 times", math.log(1001))
    assert confirmed.said("epsilon", "epsilon", "nothing", 1.0, 1.001)


def test_the_calculators_profile_is_that_of_the_numbers_known() -> None:
    """Balle and Wang, arXiv:1805.06530: epsilon 0 is the total variation, 2 Phi(1/2) - 1 at one standard deviation."""
    assert float(calculator.gaussian_profile(mpmath.mpf(1), 0.0)) == pytest.approx(0.3829249225)
    assert float(calculator.gaussian_profile(mpmath.mpf(1), 1.0)) == pytest.approx(0.1269366, rel=1e-5)
    unit, whole = moves_of_pixels(PixelRelease(Laplace(1.0), Pixels(3), 2), (3, 3, 3))
    assert (unit.squared, whole.squared) == (Fraction((255 * 9) ** 2), Fraction((255 * 27) ** 2))
