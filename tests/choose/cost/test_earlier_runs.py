"""``privis.choose.cost.earlier_runs``: what a command takes, by what it took."""

from __future__ import annotations

from dataclasses import replace

import pytest

from privis.choose.cost.earlier_runs import START, earlier_cost
from privis.choose.cost.run_log import ScoredRun, Taken

RUN = ScoredRun("face identify", "aby3", "", "", 2, 100, 1, "", None, Taken(5.5, 1000, 40))


def test_nothing_is_said_without_a_run_like_it() -> None:
    for other in ({"command": "face verify"}, {"mechanism": "clear"}, {"rows": 10}, {"rows": 0}, {"feature": "hog"}):
        assert earlier_cost([replace(RUN, **other)], "face identify", "aby3", 2, 100) is None
    assert earlier_cost([RUN], "face identify", "aby3", 2, 150) is not None


def test_one_number_of_images_is_scaled_beyond_the_start() -> None:
    slow = replace(RUN, measured=Taken(50.0, 3000, 40))
    found = earlier_cost([RUN, slow, RUN], "face identify", "aby3", 4, 100)
    assert found is not None
    assert found.seconds == pytest.approx(START + (5.5 - START) * 2)
    assert (found.memory, found.sent) == (1000, 80)
    assert found.basis == "3 earlier runs of privis face identify on this machine"


def test_several_numbers_of_images_make_a_line() -> None:
    more = replace(RUN, images=12, measured=Taken(15.5, 1200, None))
    found = earlier_cost([RUN, more], "face identify", "aby3", 22, 100)
    assert found is not None and found.seconds == pytest.approx(25.5) and found.sent == 440
    known = earlier_cost([RUN, more], "face identify", "aby3", 12, 100)
    assert known is not None and known.seconds == 15.5
    falling = replace(more, measured=Taken(1.0, 1200, None))
    found = earlier_cost([RUN, falling], "face identify", "aby3", 24, 100)
    assert found is not None and found.seconds == 1.0
