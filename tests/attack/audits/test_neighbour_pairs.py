"""Audits of the real releases: never above the claim, above it with half the noise, and mutants of their code."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.attacks.audits import RELEASES, audited_release, key_of, with_half_the_noise
from privis.attack.audits.neighbour_pairs import worst_pair
from privis.errors import ParameterError
from privis.privacy import (
    DirectionRelease,
    FeatureRelease,
    Gaussian,
    HistogramRelease,
    Laplace,
    Metric,
    Patch,
    PersonDay,
    PixelRelease,
    Pixels,
    PrivUnit,
    VonMisesFisher,
    WindowCountRelease,
)
from privis.privacy.releases import image


@pytest.mark.parametrize("name", RELEASES)
def test_no_claim_is_refuted_and_half_the_noise_is(name: str) -> None:
    release, shape = RELEASES[name]
    canaries = 600
    pair = worst_pair(release, shape)
    assert pair.one_run(canaries, key_of(1), seed=1).epsilon <= pair.epsilon
    weaker = worst_pair(with_half_the_noise(release), shape, pair.claimed)
    level = 1e-3 if pair.gaussian else 0.01  # few rows: enough to see it, with a fixed key
    assert weaker.one_run(2 * canaries, key_of(1), seed=1, level=level).refutes(pair.epsilon)


def test_both_ways_of_the_benchmark_keep_their_bars() -> None:
    found = list(audited_release("Laplace, counts", 2, 1500, 1500))
    assert [each.way for each in found] == ["two-point", "one run"]
    assert all(each.good and each.caught == 1 for each in found)


def test_a_sampler_that_halves_its_noise_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    true_sample = image.narrow_sample
    pair = worst_pair(FeatureRelease(Laplace(1.0), 1.0), (4,))
    monkeypatch.setattr(image, "narrow_sample", lambda *given: true_sample(*given) // 2)
    assert pair.two_point(1500, key_of(2)).refutes(1.0)


def test_a_clip_that_is_skipped_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attacker hands in what the clip should have cut: ten times as long."""
    pair = worst_pair(FeatureRelease(Laplace(1.0), 1.0), (4,))
    release = FeatureRelease(Laplace(1.0), 1.0)
    far = np.array([10.0, 0.0, 0.0, 0.0])

    def released(which, streams):
        return np.stack([release.apply(far * (1 - 2 * which), stream) for stream in streams])

    longer = replace(pair, released=released)
    assert not longer.two_point(500, key_of(3)).refutes(1.0)
    monkeypatch.setattr(FeatureRelease, "_steps", lambda self, values: (values / self.grid).astype(np.int32))
    assert longer.two_point(500, key_of(3)).refutes(1.0)


def test_inputs_are_as_far_apart_as_the_sensitivity_says() -> None:
    """In grid steps, of what the release adds noise to."""
    release = FeatureRelease(Gaussian(1.0, 1e-5), 0.75)
    claimed = worst_pair(release, (5,)).claimed
    first = release.on_grid(np.array([0.75, 0, 0, 0, 0]))
    assert 2 * np.linalg.norm(first) == claimed.sensitivity
    patch = worst_pair(PixelRelease(Laplace(50.0), Patch(2)), (5, 5))
    streams = [key_of(4).stream("a", b"", b"")]
    white, black = (patch.released(which, streams).reshape(5, 5) for which in (0, 1))
    assert (white[:2, :2] > 200).all() and white[2:].mean() < 20 and black.mean() < 20
    counts = worst_pair(HistogramRelease(Laplace(100.0), 2, Pixels(3)), (4,))
    moved = counts.released(0, streams) - counts.released(1, streams)
    assert moved.ravel().tolist() == [6, -6, 0, 0]


def test_windows_of_several_ids_and_a_cut_are_one_person() -> None:
    release = WindowCountRelease(Laplace(100.0), 4, PersonDay(2, ids=3))
    pair = worst_pair(release, (4,))
    one, none = (pair.released(which, [key_of(5).stream("a", b"", b"")])[0] for which in (0, 1))
    assert (one - none).tolist() == [3, 3, 0, 0, 3]  # the last: people of whom windows were cut off


def test_metric_privacy_is_audited_at_its_largest_distance() -> None:
    pair = worst_pair(DirectionRelease(VonMisesFisher(2.0), Metric()), (3,))
    assert pair.claimed.epsilon == 2.0 and pair.epsilon == 4.0
    assert worst_pair(DirectionRelease(PrivUnit(3.0)), (3,)).epsilon == 3.0


def test_equal_keys_give_equal_bounds() -> None:
    pair = worst_pair(FeatureRelease(Laplace(1.0), 1.0), (2,))
    assert pair.two_point(50, key_of(6)) == pair.two_point(50, key_of(6))
    inputs = [0, 1, 1, 0]
    assert pair.scores(inputs, key_of(6)).tolist() == pair.scores(np.array(inputs), key_of(6)).tolist()


def test_what_is_no_release_is_refused() -> None:
    with pytest.raises(ParameterError, match="a release of images"):
        worst_pair("release", (3,))
    with pytest.raises(ParameterError, match="at least two"):
        worst_pair(HistogramRelease(Laplace(1.0), 1, Pixels(1)), (1,))
