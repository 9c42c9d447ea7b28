from __future__ import annotations

import numpy as np
import pytest

from privis import HOG
from privis.choose.tolerable_error import Quantity, corpus_error, epsilon_for, feature_error
from privis.errors import ParameterError
from privis.privacy import (
    AddOrRemovePerson,
    CorpusHistogramRelease,
    Dataset,
    FeatureRelease,
    Gaussian,
    Laplace,
    MeanRelease,
    Person,
    ReleaseKey,
    SumRelease,
    WholeImage,
)

PEOPLE, DRAWS = 200, 300


def streams(name: str):
    key = ReleaseKey(bytes(range(32)))
    return (key.stream(name, str(number).encode(), b"simulated") for number in range(DRAWS))


@pytest.mark.parametrize("noise", [lambda e: Laplace(e), lambda e: Gaussian(e, 1e-6)], ids=["laplace", "gaussian"])
def test_simulated_counts_have_the_error_that_was_asked_for(noise) -> None:
    epsilon = epsilon_for(0.05, lambda e: corpus_error(Quantity.COUNT, noise(e), WholeImage(), PEOPLE))
    release = SumRelease(noise(epsilon), 1.0)
    partial = release.partial(np.ones((PEOPLE, 1)))
    errors = [abs(release.release(partial, stream)[0] - PEOPLE) / PEOPLE for stream in streams("count")]
    assert np.mean(errors) == pytest.approx(0.05, rel=0.2)  # 300 draws: a deviation of about 5 %


def test_simulated_histograms_have_the_error_that_was_asked_for() -> None:
    epsilon = epsilon_for(0.02, lambda e: corpus_error(Quantity.HISTOGRAM, Laplace(e), Dataset(), PEOPLE, 3))
    release = CorpusHistogramRelease(Laplace(epsilon), (1.0, 2.0), Dataset())
    partial = release.partial(np.arange(PEOPLE)[:, None] % 3)
    true = np.asarray(partial.total)
    errors = [np.abs(np.ravel(release.release(partial, stream)) - true).mean() / PEOPLE for stream in streams("bins")]
    assert np.mean(errors) == pytest.approx(0.02, rel=0.15)


def test_simulated_means_have_the_error_that_was_asked_for() -> None:
    epsilon = epsilon_for(
        0.1, lambda e: corpus_error(Quantity.MEAN, Gaussian(e, 1e-6), WholeImage(), PEOPLE, components=16)
    )
    release = MeanRelease(Gaussian(epsilon, 1e-6), 1.0)
    rows = np.full((PEOPLE, 16), 0.25)
    partial = release.partial(rows)
    squares = [np.sum((release.release(partial, stream) - 0.25) ** 2) for stream in streams("mean")]
    assert np.sqrt(np.mean(squares)) == pytest.approx(0.1, rel=0.1)


def test_the_unit_decides_the_price() -> None:
    def solved(unit) -> float:
        return epsilon_for(0.05, lambda e: corpus_error(Quantity.COUNT, Laplace(e), unit, PEOPLE))

    assert solved(WholeImage()) == pytest.approx(2 * solved(Dataset()), rel=1e-3)
    assert solved(Person(3)) == pytest.approx(3 * solved(WholeImage()), rel=1e-3)
    assert solved(AddOrRemovePerson(3)) == pytest.approx(3 * solved(Dataset()), rel=1e-3)


def test_the_solution_is_the_smallest_one() -> None:
    def error(epsilon: float) -> float:
        return corpus_error(Quantity.COUNT, Laplace(epsilon), Dataset(), PEOPLE)

    epsilon = epsilon_for(0.03, error)
    assert error(epsilon) <= 0.03 < error(epsilon * 0.998)


def test_of_a_feature() -> None:
    feature = HOG(size=(64, 64))

    def error(epsilon: float) -> float:
        return feature_error(feature, FeatureRelease(Gaussian(epsilon, 1e-6), 6.0), (64, 64))

    assert error(epsilon_for(50.0, error)) <= 50.0
    assert error(1.0) > error(4.0) > 1  # noise longer than any vector


def test_what_cannot_be_reached_or_is_none_is_refused() -> None:
    with pytest.raises(ParameterError, match="at least"):
        epsilon_for(1e-9, lambda e: corpus_error(Quantity.COUNT, Laplace(e), Dataset(), 3))
    with pytest.raises(ParameterError, match="error"):
        epsilon_for(0.0, lambda e: 1.0)
    with pytest.raises(ParameterError, match="feature_error"):
        corpus_error(Quantity.FEATURE, Laplace(1.0), Dataset(), 3)
    with pytest.raises(ParameterError, match="people"):
        corpus_error(Quantity.COUNT, Laplace(1.0), Dataset(), 0)
