"""A watched class is found as often as was asked, and silence begins where it was said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privis.errors import ParameterError
from privis.tasks.classification import DecisionRule, threshold_for

CLASSES = ("ill", "well", "other")


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1).filter(lambda rows: any(of for _, of in rows)),
    st.floats(0.01, 1),
)
def test_the_threshold_reaches_the_sensitivity_and_no_larger_one_does(rows, wanted):
    found, of = np.array([share for share, _ in rows]), np.array([own for _, own in rows])
    threshold = threshold_for(found, of, wanted)
    assert (found[of] >= threshold).mean() >= wanted - 1e-9
    larger = found[of][found[of] > threshold]
    assert not larger.size or larger.size / of.sum() < wanted


def test_the_watched_class_is_named_however_likely_another_is():
    rule = DecisionRule("ill", 0.2, abstain_below=0.6)
    rows = np.array([[0.2, 0.8, 0.0], [0.19, 0.8, 0.01], [0.1, 0.5, 0.4]])
    decided = rule.decide(CLASSES, rows)
    assert decided.labels == ("ill", "well", None)
    assert decided.probabilities.tolist() == [0.2, 0.8, 0.5]


def test_below_its_threshold_the_watched_class_is_not_named():
    assert DecisionRule("ill", 0.95).decide(CLASSES, np.array([[0.9, 0.06, 0.04]])).labels == ("well",)


def test_without_a_watched_class_the_likeliest_is_named_the_first_of_equal_ones():
    assert DecisionRule().decide(CLASSES, np.array([[0.4, 0.4, 0.2]])).labels == ("ill",)
    assert DecisionRule(abstain_below=0.4).decide(CLASSES, np.array([[0.4, 0.4, 0.2]])).labels == ("ill",)


@pytest.mark.parametrize(
    "make",
    [
        lambda: DecisionRule(threshold=2),
        lambda: DecisionRule(sensitivity=0.9),
        lambda: DecisionRule(abstain_below=True),
        lambda: DecisionRule("none").decide(CLASSES, np.ones((1, 3))),
        lambda: DecisionRule().decide(CLASSES, np.ones((1, 2))),
        lambda: threshold_for([0.5], [False], 0.9),
        lambda: threshold_for([0.5], [True], 0),
        lambda: threshold_for([0.5], [True, False], 0.9),
    ],
)
def test_what_is_no_rule_is_refused(make):
    with pytest.raises(ParameterError):
        make()
