"""Whose a picture is: by folder, by name, by a pattern, by a column.

Answers for `privis.cli.faces.subject_words`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from privis.cli.faces.subject_words import named_pictures
from privis.errors import ParameterError


def of(found: object) -> dict[str, str]:
    return dict(zip(found.paths, found.subjects, strict=True))  # type: ignore[attr-defined]


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    people, flat = (
        ("ann/1.jpg", "ann/2024/2.jpg", "bob/1.jpg", "notes.txt"),
        ("ann_0001.jpg", "ann_0002.jpg", "bob.jpg"),
    )
    for name in [*(f"people/{each}" for each in people), *(f"flat/{each}" for each in flat)]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_folders_are_people_at_any_depth(room: Path) -> None:
    assert of(named_pictures(["people"], "folder")) == {
        "people/ann/1.jpg": "ann", "people/ann/2024/2.jpg": "ann", "people/bob/1.jpg": "bob",
    }  # fmt: skip
    assert of(named_pictures(["people/bob/"], "folder")) == {"people/bob/1.jpg": "bob"}
    assert of(named_pictures(["people/bob/1.jpg", "people/*/1.jpg"], "folder")) == {
        "people/bob/1.jpg": "bob", "people/ann/1.jpg": "ann",
    }  # fmt: skip
    (room / "people" / "beside.jpg").touch()
    beside = named_pictures(["people"], "folder")
    assert list(beside.unnamed) == ["people/beside.jpg"] and len(beside.paths) == 3
    with pytest.raises(ParameterError) as caught:
        named_pictures(["none", "nothing"], "folder")
    assert len(caught.value.problems) == 2


def test_names_are_people_and_numbered_ones_are_asked_about(room: Path) -> None:
    whole = named_pictures(["flat"], "filename")
    assert whole.subjects == ("ann_0001", "ann_0002", "bob") and "'ann_0001' and 'ann_0002'" in whole.advice
    rule = whole.advice.partition("--subject-from '")[2].rstrip("'")
    advised = named_pictures(["flat"], rule)
    assert advised.subjects == ("ann", "ann", "bob") and not advised.unnamed
    strict = named_pictures(["flat"], r"filename:(.+)_\d+")
    assert of(strict) == {"flat/ann_0001.jpg": "ann", "flat/ann_0002.jpg": "ann"}
    assert [*strict.unnamed] == ["flat/bob.jpg"]
    assert named_pictures(["flat"], r"filename:^[a-z]+").subjects == ("ann", "ann", "bob")
    named = named_pictures(["flat"], r"filename:(?P<n>\d*)(?P<subject>[a-z]+)")
    assert named.subjects == ("ann", "ann", "bob") and not named.advice
    assert not named_pictures(["people/ann/1.jpg", "people/ann/2024/2.jpg"], "filename").advice, "numbers are ids"


def test_words_that_say_nothing_are_refused(room: Path) -> None:
    for wrong in ("", "name", "filename:", "folder:x", "column", "column:", "filename:("):
        with pytest.raises(ParameterError, match="--subject-from"):
            named_pictures(["flat"], wrong)


def test_columns_of_lists(room: Path) -> None:
    Path("one.csv").write_text("path,who\nflat/bob.jpg,bob\nflat/ann_0001.jpg, ann \n")
    Path("two.csv").write_text("path,who\nflat/bob.jpg,bob\n")
    Path("odd.csv").write_text("path,who\nflat/bob.jpg,eve\nflat/ann_0002.jpg,nan\n")
    assert of(named_pictures(["one.csv", "two.csv"], "column:who")) == {
        "flat/bob.jpg": "bob",
        "flat/ann_0001.jpg": "ann",
    }
    with pytest.raises(ParameterError, match="nan"):
        named_pictures(["one.csv", "odd.csv"], "column:who")
    Path("odd.csv").write_text("path,who\nflat/bob.jpg,eve\n")
    with pytest.raises(ParameterError, match="'bob' and 'eve'"):
        named_pictures(["one.csv", "odd.csv"], "column:who")
