"""Error rates and calibration of thresholds (privis.tasks.verification)."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from privis.errors import ParameterError
from privis.file_formats import FileFormat, format_of
from privis.tasks.verification import CalibrationTable, ErrorRates, clopper_pearson

RNG = np.random.default_rng(5)


@pytest.mark.parametrize(("hits", "tries"), [(0, 10), (10, 10), (3, 10), (1, 30_000)])
def test_intervals_hold_what_the_binomial_says(hits: int, tries: int) -> None:
    low, high = clopper_pearson(hits, tries)
    assert hits == 0 or stats.binom.sf(hits - 1, tries, low) == pytest.approx(0.025)
    assert hits == tries or stats.binom.cdf(hits, tries, high) == pytest.approx(0.025)
    assert (low == 0) == (hits == 0) and (high == 1) == (hits == tries)


def test_nonsense_is_refused_at_once() -> None:
    with pytest.raises(ParameterError) as caught:
        clopper_pearson(3, 2, 1.5)
    assert len(caught.value.problems) == 2
    with pytest.raises(ParameterError) as caught:
        ErrorRates(np.zeros(0), np.array([np.nan]))
    assert len(caught.value.problems) == 2


def test_rates_of_two_gaussians_are_theirs() -> None:
    rates = ErrorRates(RNG.normal(2, 1, 40_000), RNG.normal(0, 1, 40_000))
    found = rates.equal_error
    assert found.interval[0] < stats.norm.sf(1) < found.interval[1]
    assert found.value == pytest.approx(stats.norm.sf(1), abs=0.005) and found.threshold == pytest.approx(1, abs=0.03)
    accepted = rates.true_accepts(0.01)
    assert accepted.value == pytest.approx(stats.norm.sf(stats.norm.isf(0.01) - 2), abs=0.02)
    assert rates.false_matches(accepted.threshold) <= 0.01 < rates.false_matches(accepted.threshold - 0.05)


def test_ties_and_few_pairs_are_counted_against_the_network() -> None:
    rates = ErrorRates(np.array([0.5, 0.5, 0.9]), np.array([0.5, 0.5, 0.1]))
    assert rates.true_accepts(0.0).value == pytest.approx(1 / 3)
    assert rates.true_accepts(0.5).value == pytest.approx(1 / 3)  # of two equal impostors both or none match
    assert rates.true_accepts(1.0).value == 1 and rates.true_accepts(0.7).value == 1
    assert not rates.supports(1e-3) and rates.supports(1 / 3)
    perfect = ErrorRates(np.array([0.9]), np.array([0.1]))
    assert perfect.equal_error.value == 0 and perfect.equal_error.interval[1] > 0.9


def table(people: int = 40, images: int = 4, size: int = 6) -> tuple[CalibrationTable, np.ndarray, list[str]]:
    vectors = RNG.normal(size=(people * images, size))
    subjects = [str(number // images) for number in range(people * images)]
    return CalibrationTable.of_templates(bytes(32), "a network", "noise", vectors, subjects), vectors, subjects


def test_a_table_counts_every_pair_of_two_people_once() -> None:
    found, vectors, subjects = table()
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = [(i, j) for i in range(len(unit)) for j in range(i) if subjects[i] != subjects[j]]
    scores = np.array([unit[i] @ unit[j] for i, j in pairs])
    assert found.pairs == len(pairs)
    for threshold in (-1.0, -0.2, 0.3, 0.9):
        assert found.false_match_rate(threshold) == pytest.approx((scores >= threshold).mean(), abs=2 / len(pairs))


def test_a_threshold_keeps_its_rate_by_the_upper_bound_and_no_lower_one_does() -> None:
    found, _, _ = table()
    for rate in (0.3, 0.01, 1e-3):
        threshold = found.threshold(rate)
        for step, keeps in ((0.0, True), (-0.001, False)):
            hits = round(found.false_match_rate(threshold + step) * found.pairs)
            assert (clopper_pearson(hits, found.pairs, 0.9)[1] <= rate) is keeps
        assert found.threshold(rate, gap=0.02) == pytest.approx(threshold + 0.02)


def test_a_rate_that_pairs_cannot_support_is_refused_with_the_number_that_can() -> None:
    found, _, _ = table()
    with pytest.raises(ParameterError, match=r"29,956 pairs"):
        found.threshold(1e-4)
    for rate in (0, 1, 2.0, True, "1e-4"):
        with pytest.raises(ParameterError, match="between 0 and 1"):
            found.threshold(rate)  # type: ignore[arg-type]
    found.threshold(found.least_rate())


def test_people_who_look_the_same_leave_no_threshold() -> None:
    same = CalibrationTable.of_templates(bytes(32), "n", "s", np.ones((60, 3)), [str(i) for i in range(60)])
    with pytest.raises(ParameterError, match="cosines up to 1"):
        same.threshold(0.01, gap=0.01)


def test_tables_come_back_from_files_and_nothing_else_does(tmp_path) -> None:
    found, _, _ = table()
    path = tmp_path / "table.json"
    found.save(path)
    again = CalibrationTable.load(path)
    assert (again.counts == found.counts).all() and again.to_json() == found.to_json()
    assert format_of(path) is FileFormat.CALIBRATION
    text = json.loads(path.read_text())
    changes = ({"format": "privis.calibration/2"}, {"counts": {"2000": 1}}, {"counts": {"7": -1}}, {"counts": {}})
    for change in (*changes, {"embedding": "00"}, {"counts": {"7": 1.5}}, {"counts": 7}):
        path.write_text(json.dumps({**text, **change}))
        with pytest.raises(ParameterError):
            CalibrationTable.load(path)
    with pytest.raises(ParameterError, match="no such file"):
        CalibrationTable.load(tmp_path / "absent")


def test_vectors_of_one_person_or_without_direction_are_refused() -> None:
    for vectors, subjects in ((np.eye(3), ["a"] * 3), (np.zeros((2, 3)), ["a", "b"]), (np.eye(3), ["a", "b"])):
        with pytest.raises(ParameterError):
            CalibrationTable.of_templates(bytes(32), "n", "s", vectors, subjects)
