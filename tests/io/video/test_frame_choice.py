"""Times as users write them. Answers for `privis.io.video.frame_choice` and `privis.io.video.presentation`."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privis.errors import ParameterError
from privis.io.video.frame_choice import FrameChoice, seconds_of
from privis.io.video.presentation import PresentationClock, microseconds


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("1s", 1),
        ("0.25", Fraction(1, 4)),
        ("250ms", Fraction(1, 4)),
        ("2min", 120),
        ("1h", 3600),
        ("90us", Fraction(9, 10**5)),
        ("1:30", 90),
        ("01:02:03.5", Fraction(7447, 2)),
        (" 3s ", 3),
    ],
)
def test_times(words: str, seconds: Fraction) -> None:
    assert seconds_of(words, "--every") == seconds


@pytest.mark.parametrize("words", ["", "s", "-1s", "1e3", "1:60", "60:00:00:00", "1 hour", "nan", "1/3", "٣s"])
def test_what_is_no_time(words: str) -> None:
    with pytest.raises(ParameterError, match=r"--every: got .* expected a time such as"):
        seconds_of(words, "--every")


def test_contradictions_are_named_together() -> None:
    with pytest.raises(ParameterError) as caught:
        FrameChoice(Fraction(0), Fraction(5), Fraction(5))
    assert [problem.where for problem in caught.value.problems] == ["every", "to"]


@given(
    st.lists(st.fractions(0, 20, max_denominator=1000), min_size=1, max_size=60, unique=True),
    st.fractions(Fraction(1, 50), 5, max_denominator=50),
    st.fractions(0, 9, max_denominator=20),
)
def test_the_first_frame_at_or_after_every_point_and_no_other(
    times: list[Fraction], every: Fraction, start: Fraction
) -> None:
    shown = sorted(times)
    picker = FrameChoice(every, start).picker()
    taken = [time for time in shown if picker.takes(time)]
    points = [start + number * every for number in range(int(20 / every) + 2)]
    assert taken == sorted({min(later) for point in points if (later := [time for time in shown if time >= point])})
    choice = FrameChoice(every, start, start + 7)
    assert FrameChoice.of_words(choice.words) == choice


@given(st.lists(st.one_of(st.none(), st.integers(-(10**6), 10**9)), min_size=1, max_size=40))
def test_whatever_stamps_there_are_times_only_grow(stamps: list[int | None]) -> None:
    clock = PresentationClock(None, Fraction(25))
    frames = [SimpleNamespace(pts=stamp, dts=None, time_base=Fraction(1, 90000)) for stamp in stamps]
    times = [microseconds(clock.time_of(frame)) for frame in frames]
    assert times[0] == 0 and times == sorted(set(times))
