"""``privis.choose.cost.earlier_runs``: what a command takes, by what it took."""

from __future__ import annotations

from dataclasses import replace

import pytest

from privis.choose.cost.earlier_runs import PARTIES_START, START, LoggedCommand, earlier_cost, extraction_digest
from privis.choose.cost.run_log import ScoredRun, Taken
from privis.features.hog import HOG
from privis.privacy import Laplace, PixelRelease, Pixels


def identify(images: int, rows: int) -> LoggedCommand:
    return LoggedCommand("face identify", "aby3", images, rows)


RUN = ScoredRun("face identify", "aby3", "", "", 2, 100, 1, "", None, Taken(5.5, 1000, 40))


def test_nothing_is_said_without_a_run_like_it() -> None:
    for other in ({"command": "face verify"}, {"mechanism": "clear"}, {"rows": 10}, {"rows": 0}, {"feature": "hog"}):
        assert earlier_cost([replace(RUN, **other)], identify(2, 100)) is None
    assert earlier_cost([RUN], identify(2, 150)) is not None


def test_one_number_of_images_is_scaled_beyond_the_start() -> None:
    slow = replace(RUN, measured=Taken(50.0, 3000, 40))
    found = earlier_cost([RUN, slow, RUN], identify(4, 100))
    assert found is not None
    parties = START + PARTIES_START
    assert found.seconds == pytest.approx(parties + (5.5 - parties) * 2)
    alone = earlier_cost([replace(RUN, mechanism="clear")], replace(identify(4, 100), mechanism="clear"))
    assert alone is not None and alone.seconds == pytest.approx(START + (5.5 - START) * 2)
    assert (found.memory, found.sent) == (1000, 80)
    assert found.basis == "3 earlier runs of privis face identify on this machine"


def test_several_numbers_of_images_make_a_line() -> None:
    more = replace(RUN, images=12, measured=Taken(15.5, 1200, None))
    found = earlier_cost([RUN, more], identify(22, 100))
    assert found is not None and found.seconds == pytest.approx(25.5) and found.sent == 440
    known = earlier_cost([RUN, more], identify(12, 100))
    assert known is not None and known.seconds == 15.5
    falling = replace(more, measured=Taken(1.0, 1200, None))
    found = earlier_cost([RUN, falling], identify(24, 100))
    assert found is not None and found.seconds == 1.0


def test_extractions_are_alike_by_feature_noise_and_size() -> None:
    hog, noise = HOG(size=(64, 64)), PixelRelease(Laplace(4.0), Pixels(16))
    digests = {
        extraction_digest(hog, None, (64, 64, 3)),
        extraction_digest(HOG(size=(32, 32)), None, (64, 64, 3)),
        extraction_digest(hog, None, (64, 65, 3)),
        extraction_digest(hog, noise, (64, 64, 3)),
    }
    assert len(digests) == 4
    assert extraction_digest(hog, None, (64, 64)) == extraction_digest(HOG(size=(64, 64)), None, (64, 64, 3))
    less = PixelRelease(Laplace(1.0), Pixels(16))
    assert extraction_digest(hog, noise, (9, 9)) == extraction_digest(hog, less, (9, 9))


def test_an_extraction_of_another_size_says_nothing() -> None:
    digest = extraction_digest(HOG(), None, (64, 64))
    run = replace(RUN, command="extract", feature="hog", rows=0, extraction=digest)
    asked = LoggedCommand("extract", "aby3", 2, 0, "hog", digest)
    assert earlier_cost([run], asked) is not None
    assert earlier_cost([replace(run, extraction="")], asked) is None
    assert ScoredRun.from_line(run.to_line()) == run
