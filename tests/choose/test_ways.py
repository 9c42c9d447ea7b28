from __future__ import annotations

import pytest

from privis.choose.job_description import Task
from privis.choose.way import ReleaseKind, Under
from privis.choose.ways import features_of, releases_of, ways_of
from privis.cli.choose.choose_words import vocabulary
from tests.choose.choosing import job


@pytest.mark.parametrize("task", list(Task))
def test_a_task_says_something_of_every_release(task: Task) -> None:
    found = releases_of(task)
    assert set(found) == set(ReleaseKind) and found[ReleaseKind.NONE] == ""


def test_features_of_vectors_are_those_of_the_command_line() -> None:
    words = vocabulary()
    for task in ("extract", "classify"):
        for feature in features_of(job(task)):
            name, _, rest = feature.partition(":")
            assert words.feature(name, rest.split(",") if rest else []).name


def test_no_way_comes_twice() -> None:
    asked = job("detect", roles__images="a", roles__computes="b")
    ways = [way for under in Under for way in ways_of(asked, ReleaseKind.NONE, under)]
    assert len(set(ways)) == len(ways) and len({way.words for way in ways}) == len(ways)


def test_a_job_names_its_own() -> None:
    assert features_of(job("extract", features="glcm,colour")) == ("glcm", "colour")
