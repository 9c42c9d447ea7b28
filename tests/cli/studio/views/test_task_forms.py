"""Forms fill in commands, and nothing that is typed becomes another option."""

from __future__ import annotations

import pytest

from privis.cli.studio.views.task_forms import OUTPUT, TASKS, described_tasks, shown_command
from privis.errors import ParameterError


def test_fields_fill_in_a_command() -> None:
    words = TASKS["identify"].words({"gallery": "my gate", "under": "ckks"})
    assert words == ["face", "identify", "{0}", "--gallery=my gate", "--under=ckks", "--json"]
    assert shown_command(words, ["a b.png"]) == (
        "privis face identify 'a b.png' '--gallery=my gate' --under=ckks --json"
    )


def test_who_extracts_is_said_only_where_something_is_hidden() -> None:
    assert TASKS["detect"].words({"what": "faces", "under": "clear", "owner": "owner"}) == [
        "detect", "{0}", "--what=faces", "--json",
    ]  # fmt: skip
    assert "--extracted-by=owner" in TASKS["detect"].words({"what": "faces", "under": "aby3", "owner": "owner"})


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ParameterError) as caught:
        TASKS["detect"].words({"what": "", "under": "rot13", "shell": "x"})
    assert len(caught.value.problems) == 3


def test_a_typed_option_stays_a_value() -> None:
    assert "--model=--output=/etc/x" in TASKS["classify"].words({"model": "--output=/etc/x"})


def test_the_output_in_memory_is_a_file_for_others() -> None:
    words = TASKS["extract"].words({"feature": "hog"})
    assert OUTPUT in words
    assert shown_command(words, ["-a.png"]) == "privis extract ./-a.png --feature=hog -o features.parquet --json"


def test_the_page_gets_every_task() -> None:
    assert set(described_tasks()) == set(TASKS)
    assert described_tasks()["verify"]["images"] == 2


def test_what_others_chose_is_a_command_too() -> None:
    assert TASKS["precedents"].words({"sector": "finance"}) == ["choose", "--precedents", "--sector=finance", "--json"]
    words = TASKS["choose"].words({"job": "extract", "images": "photos", "hide": "person", "epsilon": "4"})
    assert words[:3] == ["choose", "--no-ask", "--task=extract"]
    assert described_tasks()["solve"]["view"] == "choose"
