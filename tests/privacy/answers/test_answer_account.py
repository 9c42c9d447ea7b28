"""The account of answers as a pure state: no hour and no total holds more than allowed, whatever the clock does.

Answers for `privis.privacy.answers.answer_limits`.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privis.errors import ParameterError
from privis.privacy.answers.answer_account import AnswerAccount
from privis.privacy.answers.answer_limits import UNLIMITED, Allowance, AnswerKind, AnswerLimits, bits

DECISION, SCORE = AnswerKind
LIMITS = AnswerLimits(Allowance(6, 20), Allowance(3, 10))
ASKED = st.tuples(st.integers(0, 4 * 3600), st.sampled_from(AnswerKind), st.integers(1, 4))


def play(asked, limits=LIMITS):
    """Ask one after the other; what was allowed, as (seconds, kind, count)."""
    account, allowed = AnswerAccount(), []
    for seconds, kind, count in asked:
        if account.refused(kind, count, limits, seconds) is None:
            account = account.charged(kind, count, int(seconds // 60))
            allowed.append((seconds, kind, count))
    return account, allowed


def shares(allowed, decisions, scores):
    return sum(count / (decisions if kind is DECISION else scores) for _, kind, count in allowed)


@given(st.lists(ASKED, max_size=40))
def test_no_hour_and_no_total_holds_more_than_allowed(asked):
    asked = sorted(asked, key=lambda each: each[0])
    _, allowed = play(asked)
    assert shares(allowed, 20, 10) <= 1 + 1e-9
    for start, *_ in allowed:
        within = [each for each in allowed if start <= each[0] <= start + 3600]
        assert shares(within, 6, 3) <= 1 + 1e-9


@given(st.lists(ASKED, max_size=40))
def test_a_clock_that_goes_back_never_allows_more(asked):
    """In whatever order times come: at every reading, what counts in the last hour stays within the limit."""
    account, latest, counted = AnswerAccount(), 0, []
    for seconds, kind, count in asked:
        latest = max(latest, seconds // 60)
        if account.refused(kind, count, LIMITS, seconds) is None:
            account = account.charged(kind, count, seconds // 60)
            counted.append((latest, kind, count))
        assert account.latest <= latest
        assert shares([each for each in counted if latest - each[0] <= 60], 6, 3) <= 1 + 1e-9


def test_what_is_left_and_when_more_fits():
    account, _ = play([(0, DECISION, 4), (1800, DECISION, 2)])
    refused = account.refused(DECISION, 1, LIMITS, 1860)
    assert refused is not None and refused.hourly and refused.left == 0
    assert account.refused(DECISION, 1, LIMITS, 1860 + refused.seconds) is None
    assert account.refused(DECISION, 1, LIMITS, 1860 + refused.seconds - 1) is not None
    assert account.left(DECISION, LIMITS, 31) == (0, 14)
    assert account.left(DECISION, LIMITS, 61) == (4, 14)


def test_both_kinds_share_the_limits():
    account = AnswerAccount().charged(SCORE, 5, 0)
    assert account.left(DECISION, LIMITS, 200) == (6, 10)
    assert account.refused(DECISION, 6, LIMITS, 12_000) is None
    account = account.charged(DECISION, 6, 200).charged(DECISION, 4, 300)
    refused = account.refused(SCORE, 1, LIMITS, 60_000)
    assert refused is not None and not refused.hourly and refused.seconds is None and refused.limit == 10


def test_what_never_fits_into_an_hour_says_so():
    refused = AnswerAccount().refused(DECISION, 7, LIMITS, 0)
    assert refused is not None and refused.hourly and refused.seconds is None and refused.left == 6


def test_a_lift_begins_anew_also_after_a_clock_that_ran_ahead():
    account = AnswerAccount().charged(DECISION, 6, 10**9)
    assert account.refused(DECISION, 1, LIMITS, 60) is not None
    lifted = account.after_lift(1)
    assert lifted.refused(DECISION, 6, LIMITS, 60) is None
    assert (lifted.lifted, lifted.ever.decisions, lifted.used.decisions) == (1, 6, 0)


def test_an_account_stays_small():
    account = AnswerAccount()
    for number in range(5000):
        account = account.charged(DECISION, 1, number // 20)
    assert len(account.recent) <= 61 and account.ever.decisions == 5000


def test_unlimited_refuses_nothing_and_says_so():
    assert AnswerAccount().refused(SCORE, 10**9, AnswerLimits(), 0) is None
    assert AnswerAccount().left(SCORE, AnswerLimits(), 0) == (None, None)
    assert AnswerLimits().sentence(SCORE).startswith("No limit is kept")
    assert "learns all in time" in AnswerLimits(Allowance(per_hour=9)).sentence(DECISION)
    assert UNLIMITED.largest is None and Allowance(5, 3).largest == 3


def test_bad_limits_are_all_named():
    with pytest.raises(ParameterError) as caught:
        Allowance(0, True)
    assert len(caught.value.problems) == 2
    with pytest.raises(ParameterError):
        AnswerLimits.of_vectors(0)


def test_answers_count_as_the_bits_that_they_may_tell():
    assert [bits(values) for values in (1, 2, 3, 4, 5, 17)] == [1, 1, 2, 2, 3, 5]


@pytest.mark.parametrize(("components", "decisions", "scores"), [(1, 1, 1), (24, 6, 1), (128, 32, 4), (512, 128, 16)])
def test_defaults_grow_with_the_components(components, decisions, scores):
    limits = AnswerLimits.of_vectors(components)
    assert (limits.decisions.total, limits.scores.total) == (decisions, scores)
    assert all(
        each.per_hour and each.total and each.per_hour <= each.total for each in (limits.decisions, limits.scores)
    )
