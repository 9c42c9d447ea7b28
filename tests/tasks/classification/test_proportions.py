"""Intervals hold the true share as often as they say, of patients with several images, too."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from privis.errors import ParameterError
from privis.tasks.classification.proportions import BY_PATIENT, EXACT, proportion_of


@pytest.mark.parametrize(("hits", "tries"), [(0, 5), (5, 5), (48, 60), (1, 1)])
def test_independent_tries_have_the_exact_interval(hits, tries):
    found = proportion_of([True] * hits + [False] * (tries - hits))
    known = binomtest(hits, tries).proportion_ci(0.95, "exact")
    assert found.interval == pytest.approx((known.low, known.high), abs=1e-9)
    assert (found.method, found.value, found.patients) == (EXACT, hits / tries, tries)


def test_one_image_of_each_patient_is_independent():
    assert proportion_of([True, False], ["ann", "bob"]) == proportion_of([True, False])


def test_patients_who_are_all_right_or_all_wrong_count_once_each():
    hits = [True] * 80 + [False] * 20
    found = proportion_of(hits, [str(place // 10) for place in range(100)])
    known = binomtest(8, 10).proportion_ci(0.95, "wilson")
    assert found.method == BY_PATIENT
    # the estimated variance divides by patients - 1, so that the interval is at least as wide as of one try a patient
    assert found.interval[0] <= known.low and found.interval[1] >= known.high
    assert found.interval[1] - found.interval[0] < 1.1 * (known.high - known.low)


def test_images_of_patients_that_agree_no_more_than_chance_keep_their_number():
    hits = [True, False] * 50
    found = proportion_of(hits, [str(place // 10) for place in range(100)])
    assert found.interval == pytest.approx(tuple(binomtest(50, 100).proportion_ci(0.95, "wilson")), abs=1e-9)


def test_several_images_all_right_say_no_more_than_their_patients():
    found = proportion_of([True] * 100, ["ann"] * 50 + ["bob"] * 50)
    assert found.interval[0] == pytest.approx(binomtest(2, 2).proportion_ci(0.95, "wilson").low)


def test_the_interval_by_patient_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(300):
        shares = rng.beta(4, 1, 60)  # patients differ; the mean is 0.8
        hits = rng.random((60, 8)) < shares[:, None]
        low, high = proportion_of(hits.ravel(), np.repeat(np.arange(60), 8).tolist()).interval
        held += low <= 0.8 <= high
    assert held >= 276  # 92 %; intervals by image hold it in about 70 %


def test_nothing_is_said_of_nothing():
    found = proportion_of([])
    assert math.isnan(found.value) and found.to_dict()["value"] is None and found.interval == (0.0, 1.0)
    with pytest.raises(ParameterError, match="2 values"):
        proportion_of([True], ["a", "b"])
