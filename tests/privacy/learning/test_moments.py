"""Second moments and k-means of a private corpus: bounds by search, dp-accounting's figures, useful results."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privis.errors import BudgetError, ParameterError
from privis.privacy import AddOrRemovePerson, Dataset, Gaussian, Person, ReleaseKey, WholeImage
from privis.privacy.accounting.noise_calibration import gaussian_epsilon
from privis.privacy.learning.moments import STEPS, KMeansRelease, MomentRelease, class_histogram, integer_rows
from privis.privacy.ledger.budget import Budget, BudgetUnit, Per
from privis.privacy.ledger.file import FileLedger
from privis.training.learned import private_codebook, private_projection

KEY = ReleaseKey(bytes(range(32)))
UNITS = [Dataset(), WholeImage(), Person(3), AddOrRemovePerson(3)]
ones = np.ones(1, np.int64)


@given(st.integers(1, 30), st.integers(0, 2**32), st.sampled_from([1e-3, 1.0, 1e150]))
def test_no_row_is_longer_than_announced(components, seed, size):
    rows = integer_rows(np.random.default_rng(seed).normal(size=(20, components)) * size, 1.0)
    assert ((rows * rows).sum(1) <= STEPS**2).all()


def moments(row):
    """What a row adds to the second moments, from its integers."""
    return np.concatenate([STEPS * row, np.outer(row, row)[np.triu_indices(len(row))]]).astype(float)


@pytest.mark.parametrize("components", [1, 2, 3])
def test_moments_of_replaced_rows_are_no_further_apart_than_announced(components):
    rng = np.random.default_rng(components)
    directions = rng.normal(size=(60, components)) * 10 ** rng.uniform(-1, 1, size=(60, 1))
    rows = integer_rows(np.concatenate([directions, -directions, np.eye(components), -np.eye(components)]), 1.0)
    added = np.array([moments(row) for row in rows])
    assert (np.square(added).sum(1) <= 2.0 * STEPS**4).all()
    worst = max(np.square(a - b).sum() for a, b in itertools.combinations(added, 2))
    assert 3.9 * STEPS**4 < worst <= 5.0 * STEPS**4


@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_moment_epsilon_is_that_of_the_gaussian_mechanism(unit):
    release = MomentRelease(Gaussian(1.0, 1e-6), 4, clip=1.0, size=100, unit=unit)
    ratio = release.guarantee.sensitivity / release.guarantee.scale
    assert gaussian_epsilon(ratio, 1e-6) == pytest.approx(release.guarantee.epsilon, rel=1e-4)
    assert release.guarantee.epsilon <= 1.0


def test_a_projection_finds_the_directions_and_is_charged_once(tmp_path):
    rng = np.random.default_rng(1)
    basis = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    vectors = rng.normal(size=(20_000, 10)) * [0.4, 0.3, *[0.02] * 8] @ basis.T + 0.1
    release = MomentRelease(Gaussian(1.0, 1e-6), 10, clip=1.0, size=20_000)
    ledger = FileLedger.create(tmp_path / "ledger", Budget(1.0, 1e-5, Per.CORPUS, BudgetUnit.IMAGE))
    first, again = (private_projection(release, vectors, 2, corpus="c", key=KEY, ledger=ledger) for _ in range(2))
    assert (first.matrix == again.matrix).all() and ledger.spent().charges == 1
    assert np.linalg.norm(first.matrix @ basis[:, :2]) ** 2 > 1.95  # of 2 where both spans agree
    assert "epsilon" in first.source
    with pytest.raises(BudgetError):
        private_projection(release, vectors, 2, corpus="c", key=ReleaseKey.generate(), ledger=ledger)


@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_words_are_near_the_clusters(unit):
    rng = np.random.default_rng(2)
    centres = np.array([[0.8, 0, 0], [0, 0.8, 0], [0, 0, -0.8]])
    descriptors = centres[rng.integers(0, 3, 30_000)] + rng.normal(size=(30_000, 3)) * 0.05
    subjects = [str(row // 3) for row in range(30_000)] if unit.needs_subjects else None
    release = KMeansRelease(Gaussian(1.0, 1e-6), words=8, components=3, clip=1.0, unit=unit)
    book = private_codebook(release, descriptors, corpus="c", key=KEY, subjects=subjects)
    distances = np.linalg.norm(book.centres[None] - centres[:, None], axis=2).min(1)
    assert (distances < 0.2).all()
    assert release.guarantee.epsilon <= 1.0 <= release.guarantee.whole_image_epsilon * 1.001


def test_one_row_moves_one_cluster_by_its_length():
    from privis.privacy.learning.moments import _cluster_sums

    rng = np.random.default_rng(3)
    rows = integer_rows(rng.normal(size=(50, 4)), 1.0)
    centres = rng.normal(size=(5, 4)) * 2000
    many = np.ones(50, np.int64)
    for row in range(50):
        kept = np.arange(50) != row
        moved = _cluster_sums(rows, many, centres) - _cluster_sums(rows[kept], many[kept], centres)
        assert np.square(moved).sum() <= STEPS**2 + (STEPS // 2) ** 2


def test_bad_statistics_are_refused():
    with pytest.raises(ParameterError) as caught:
        KMeansRelease(None, 0, 0, -1.0, 0)  # type: ignore[arg-type]
    assert len(caught.value.problems) == 5
    release = MomentRelease(Gaussian(1.0, 1e-6), 4, clip=1.0, size=100, unit=Person(2))
    for vectors, subjects, sentence in (
        (np.ones((5, 4)), None, "a subject for every row"),
        (np.ones((5, 4)), ["a"], "1 subjects"),
        (np.ones((5, 3)), list("abcde"), "4, as the release says"),
        (np.full((5, 4), np.inf), list("abcde"), "NaN or infinity"),
    ):
        with pytest.raises(ParameterError, match=sentence):
            private_projection(release, vectors, 2, corpus="c", subjects=subjects)
    with pytest.raises(ParameterError):
        class_histogram(Gaussian(1.0, 1e-6), 1)
