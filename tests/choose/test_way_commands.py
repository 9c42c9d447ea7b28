from __future__ import annotations

import shlex

import pytest

from privis.choose.way import ReleaseKind, Side, Under, Way
from privis.choose.way_commands import commands, feature_words, is_video, parted
from privis.errors import ParameterError
from tests.choose.choosing import job


def test_names_with_spaces_stay_one_word() -> None:
    _, line = commands(job("extract", images__path="my pictures/*.png"), Way("hog"), None)
    assert shlex.split(line)[2] == "my pictures/*.png"


def test_parameters() -> None:
    assert parted("hog") == ("hog", []) and feature_words("lbp:patterns=uniform")[-1] == "patterns=uniform"


def test_a_release_without_a_budget_is_refused() -> None:
    with pytest.raises(ParameterError, match="budget"):
        commands(job("search"), Way("colour", release=ReleaseKind.PRIVUNIT), None)


def test_hidden_classification_reveals_decisions_to_parties_alone() -> None:
    before, line = commands(job("classify"), Way("hog", Under.ABY3, extracted_by=Side.OWNER), None)
    assert before[0].startswith("privis classify train known") and "--extracted-by owner --learn decisions" in line
    assert "--learn" not in commands(job("classify"), Way("hog", Under.CKKS), None)[1]


@pytest.mark.parametrize("task", ["extract", "classify", "verify", "identify"])
def test_a_server_is_asked_at_its_address(task: str) -> None:
    asked = job(task, machines__server="https://host:8443")
    assert "https://host:8443" in commands(asked, Way("hog", Under.SERVER), None)[1]


def test_outputs_lie_where_the_job_says() -> None:
    asked = job("extract", output="there/")
    assert "-o there/features.parquet" in commands(asked, Way("hog"), None)[1]


def test_videos() -> None:
    assert is_video(job("count", images__path="a.MP4")) and not is_video(job("count", images__path="a.png"))
    line = commands(job("count", images__path="a.mp4"), Way("people", release=ReleaseKind.FEATURE), 2.0)[1]
    assert "--epsilon 2" in line


def test_a_command_never_spends_more_than_the_budget() -> None:
    asked = job("count", budget__epsilon="1.23456789")
    line = commands(asked, Way("people", release=ReleaseKind.AGGREGATE), 1.23456789)[1]
    assert "--epsilon 1.23456789 " in line and "--unit image" in line


def test_people_of_a_server_are_its_own() -> None:
    asked = job("identify", machines__server="https://x:1")
    before, line = commands(asked, Way("sface", Under.SERVER), None)
    assert "--under server https://x:1 " in line and "--gallery" not in line
    assert before == ("privis keygen ./keys --for homomorphic --server https://x:1 --token-file ./token",)
