"""Joint statistics against numpy on all rows at once, in the clear and on shares; what is revealed, and to whom.

Answers for `privis.joint.statistics.statistic`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from privis.errors import DomainError, ParameterError
from privis.joint.runners import Arrays, InTheClear, Runner
from privis.joint.statistics.exact import (
    GRID_BITS,
    MOST_IMAGES,
    ClassMeans,
    Covariance,
    Histogram,
    Mean,
    MeanAndDeviation,
    compute,
    statistic_job,
)
from privis.joint.statistics.kmeans import codebook, codebook_job, lloyd_program
from privis.joint.statistics.principal_components import Centre, components_job, principal_components
from privis.joint.statistics.sums import TOTAL, Committee, owners_job
from privis.readings import evaluate
from privis.run.mpc.job import Drop, Job, Reveal, Run, Share
from privis.run.mpc.protocols import CHEETAH

Rows = npt.NDArray[np.float64]
BOUND = 2.0
COMPONENTS = 6


def features(rows: int, components: int = COMPONENTS, seed: int = 0) -> Rows:
    """Correlated rows within the bound, with variances far enough apart for components to be well defined."""
    generator = np.random.default_rng(seed)
    turn = np.linalg.qr(np.random.default_rng(99).standard_normal((components, components)))[0]
    sizes = 0.5 * 0.6 ** np.arange(components)
    return np.clip(generator.standard_normal((rows, components)) * sizes @ turn + 0.1, -BOUND, BOUND)


DATA = {"north": features(40), "south": features(70, seed=1), "west": features(10, seed=2)}
ALL = np.concatenate(list(DATA.values()))
ROUNDED = np.rint(ALL / BOUND * 2**GRID_BITS) * BOUND / 2**GRID_BITS
LABELS = {name: np.arange(len(rows)) * 7 % 5 for name, rows in DATA.items()}


@pytest.fixture(scope="module")
def aby3() -> Iterator[Runner]:
    """One session for all jobs that are carried alike."""
    pytest.importorskip("spu")
    from privis.run.mpc.runtime.local_parties import LocalParties

    sessions: dict[Any, LocalParties] = {}

    def run(job: Job, arrays: Arrays) -> Arrays:
        if job.fixed not in sessions:
            sessions[job.fixed] = LocalParties(job.preset, job.fixed)
        return sessions[job.fixed].run(job, arrays)

    yield run
    for session in sessions.values():
        session.close()


@pytest.fixture(params=["in the clear", "aby3"])
def run(request: pytest.FixtureRequest) -> Runner:
    return InTheClear() if request.param == "in the clear" else request.getfixturevalue("aby3")


def test_mean_and_standardisation_are_those_of_all_rows(run: Runner) -> None:
    mean = compute(Mean(COMPONENTS, BOUND), DATA, ["north"], run=run)
    assert mean.images == len(ALL)
    np.testing.assert_allclose(mean.mean, ROUNDED.mean(0), rtol=0, atol=1e-15)
    both = compute(MeanAndDeviation(COMPONENTS, BOUND), DATA, ["north"], run=run)
    np.testing.assert_array_equal(both.mean, mean.mean)
    assert both.deviation is not None
    np.testing.assert_allclose(both.deviation, ROUNDED.std(0), rtol=1e-13)


def test_covariance_is_that_of_all_rows(run: Runner) -> None:
    found = compute(Covariance(COMPONENTS, BOUND), DATA, ["north"], run=run)
    assert found.covariance is not None and found.deviation is not None
    np.testing.assert_allclose(found.covariance, np.cov(ROUNDED.T, bias=True), rtol=0, atol=1e-14)
    np.testing.assert_allclose(found.deviation, ROUNDED.std(0), rtol=1e-12)


def test_class_means(run: Runner) -> None:
    statistic = ClassMeans(COMPONENTS, BOUND, classes=6)  # class 5 has no images
    found = compute(statistic, DATA, ["north"], labels=LABELS, run=run)
    labels = np.concatenate(list(LABELS.values()))
    assert found.counts.tolist() == [int((labels == c).sum()) for c in range(6)]
    for c in range(5):
        np.testing.assert_allclose(found.means[c], ROUNDED[labels == c].mean(0), rtol=0, atol=1e-15)
    assert np.isnan(found.means[5]).all()


def test_histogram(run: Runner) -> None:
    edges = (-0.2, 0.1, 0.3)
    found = compute(Histogram(COMPONENTS, edges), DATA, ["north"], run=run)
    for component, counts in enumerate(found.counts):
        wanted = np.histogram(ALL[:, component], [-np.inf, *edges, np.inf])[0]
        assert counts.tolist() == wanted.tolist()


def test_edges_belong_to_the_bin_above() -> None:
    rows = np.array([[0.0], [0.5], [1.0]])
    found = compute(Histogram(1, (0.5,)), {"a": rows}, ["a"], run=InTheClear())
    assert found.counts.tolist() == [[1, 2]]


# What is revealed


@pytest.mark.parametrize("statistic", [Mean(4, 1.0), MeanAndDeviation(4, 1.0), Covariance(4, 1.0),
                                       ClassMeans(4, 1.0, 3), Histogram(4, (0.0,)),
                                       Centre(4, 1.0)], ids=repr)  # fmt: skip
def test_only_the_total_is_revealed_and_only_to_receivers(statistic: Any) -> None:
    job = statistic_job(statistic, ["a", "b", "c"], ["c", "d"])
    assert [step for step in job.instructions if isinstance(step, Reveal)] == [Reveal(TOTAL, ("c", "d"))]
    assert job.instructions[-1] == Drop((TOTAL,)) and not job.left
    assert set(job.outsiders) == {"a", "b", "c", "d"}
    assert job.sources["summand of a"].declared.shape == (statistic.length,)  # no number of images in it


def test_the_sentence_says_who_can_subtract() -> None:
    two = {"a": np.zeros((1, 1)), "b": np.ones((1, 1))}
    told = compute(Mean(1, 1.0), two, ["a"], run=InTheClear()).revealed
    assert told.startswith("a learns the mean and the number of images of all of a, b together") and "subtract" in told
    for data, receivers in ((two, ["c"]), ({**two, "c": np.ones((1, 1))}, ["a"])):
        assert "subtract" not in compute(Mean(1, 1.0), data, receivers, run=InTheClear()).revealed


def test_components_and_codebook_reveal_nothing_on_the_way() -> None:
    job = components_job(["a", "b"], 5, 2, ["c"])
    assert [s for s in job.instructions if isinstance(s, Reveal)] == [
        Reveal("direction 0", ("c",)), Reveal("direction 1", ("c",)), Reveal("explains", ("c",))]  # fmt: skip
    assert not job.left
    words = codebook_job({"a": 4, "b": 5}, 3, 2, 7, ["c"])
    kinds = [type(step) for step in words.instructions]
    assert kinds == [Share] * 3 + [Run] * 7 + [Drop, Reveal, Drop] and not words.left


# Components and codebook


def check_components(found: Any, count: int, tolerance: float) -> None:
    values, vectors = np.linalg.eigh(np.cov(ALL.T, bias=True))
    wanted = vectors[:, ::-1].T[:count]
    wanted *= np.sign(wanted[np.arange(count), np.abs(wanted).argmax(1)])[:, None]
    assert np.abs(found.directions - wanted).max() < tolerance
    assert np.abs(found.explains - values[::-1][:count] / values.sum()).max() < tolerance
    projected = found.project(ALL)
    assert np.abs(projected - (ALL - ALL.mean(0)) @ wanted.T).max() < 3 * tolerance


def test_principal_components_in_the_clear() -> None:
    found = principal_components(DATA, 3, BOUND, ["west"], run=InTheClear())
    check_components(found, 3, 1e-4)  # the total variance is that of rounded features
    assert "north, south, west learn the mean, the total variance" in found.revealed
    assert "west learns the principal components" in found.revealed


def test_principal_components_on_shares(aby3: Runner) -> None:
    check_components(principal_components(DATA, 2, BOUND, ["west"], run=aby3), 2, 4e-3)


def lloyd(rows: Rows, start: Rows, steps: int) -> Rows:
    centres = start.copy()
    for _ in range(steps):
        nearest = ((rows[:, None] - centres[None]) ** 2).sum(-1).argmin(1)
        for word in range(len(centres)):
            if (nearest == word).any():
                centres[word] = rows[nearest == word].mean(0)
    return centres


START = np.concatenate([features(4, seed=5), np.full((1, COMPONENTS), -BOUND)])  # the last word attracts no row


def test_codebook_is_lloyds() -> None:
    found = codebook(DATA, START, BOUND, ["west"], steps=6, run=InTheClear())
    wanted = lloyd(ALL, START, 6)
    np.testing.assert_allclose(found.centres, wanted, atol=1e-12)
    assert (wanted[4] == START[4]).all() and np.abs(wanted[:4] - START[:4]).max() > 0.1
    assert found.revealed.startswith("west learns the 5 final centres")
    one = codebook(DATA, START[:1], BOUND, ["west"], steps=1, run=InTheClear())
    np.testing.assert_allclose(one.centres[0], ALL.mean(0), atol=1e-12)


def test_codebook_on_shares(aby3: Runner) -> None:
    found = codebook(DATA, START, BOUND, ["west"], steps=3, run=aby3)
    assert np.abs(found.centres - lloyd(ALL, START, 3)).max() < 5e-3


def test_equal_centres_take_rows_once() -> None:
    """A row belongs to one centre even when two are equally near: the first."""
    rows = np.array([[0.5], [0.5], [-0.5]])
    centres = evaluate(lloyd_program([3], 1, 2), np.array([[0.25], [0.25]]), rows)
    np.testing.assert_allclose(centres, [[0.5 / 3], [0.25]], atol=1e-12)


# Input that does not fit


def test_rows_that_do_not_fit_are_refused() -> None:
    for bad, match in (
        (np.full((2, COMPONENTS), 2.5), "12 values beyond 2"),
        (np.full((2, COMPONENTS), np.nan), "12 of them not finite"),
        (np.zeros((2, 3)), "shape"),
    ):
        with pytest.raises(ParameterError, match=match):
            compute(Mean(COMPONENTS, BOUND), {"a": bad}, ["a"], run=InTheClear())
        with pytest.raises(ParameterError):
            codebook({"a": bad}, START, BOUND, ["a"], run=InTheClear())
    empty = np.zeros((0, COMPONENTS))
    with pytest.raises(ParameterError, match="no images"):
        compute(Mean(COMPONENTS, BOUND), {"a": empty}, ["a"], run=InTheClear())
    some = compute(Mean(COMPONENTS, BOUND), {"a": empty, "b": ALL}, ["a"], run=InTheClear())
    assert some.images == len(ALL)
    with pytest.raises(ParameterError, match="differ"):
        principal_components({"a": np.zeros((3, 2))}, 1, BOUND, ["a"], run=InTheClear())


def test_labels_are_checked() -> None:
    statistic = ClassMeans(COMPONENTS, BOUND, 5)
    for labels in (None, {"a": [0, 1]}, {"a": [0, 1, 5]}, {"a": [0, 1, -1]}, {"a": [0.5, 1, 1]}):
        with pytest.raises(ParameterError, match="one label per row"):
            compute(statistic, {"a": ALL[:3]}, ["a"], labels=labels, run=InTheClear())  # type: ignore[arg-type]


def test_parameters_are_checked() -> None:
    for bad in (
        lambda: Mean(0, -1.0), lambda: ClassMeans(1, 1.0, 0), lambda: Histogram(1, (1.0, 0.0)),
        lambda: Committee(("a", "b")), lambda: owners_job(Committee(), 1, 1, ["a", "a"], ["a"]),
        lambda: components_job(["a"], 3, 4, ["a"]), lambda: codebook_job({}, 1, 1, 1, ["a"]),
        lambda: codebook(DATA, 2 * START, BOUND, ["a"]), lambda: owners_job(Committee(), 1, 1, [], ["a"]),
    ):  # fmt: skip
        with pytest.raises(ParameterError):
            bad()


def test_sums_stay_inside_the_ring() -> None:
    """The public bounds hold for as many owners as there may be, and one more bit is refused."""
    most = MOST_IMAGES << 2 * GRID_BITS
    owners = [str(i) for i in range(100)]
    owners_job(Committee(), 1, most, owners, ["0"])
    with pytest.raises(DomainError):
        owners_job(Committee(), 1, 1 << 60, owners, ["0"])
    full = Centre(512, BOUND).summary(np.full((50, 512), BOUND))
    assert full[-2] == 50 * 512 << GRID_BITS and Centre(512, BOUND).largest == 512 * MOST_IMAGES << GRID_BITS


def test_cheetah_adds_too() -> None:
    pytest.importorskip("spu")
    committee = Committee(("left", "right"), CHEETAH)
    data = {"left": DATA["north"], "right": DATA["south"]}
    found = compute(Mean(COMPONENTS, BOUND), data, ["left"], committee=committee)
    wanted = compute(Mean(COMPONENTS, BOUND), data, ["left"], run=InTheClear())
    np.testing.assert_array_equal(found.mean, wanted.mean)
