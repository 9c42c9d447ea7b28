"""Labels belong to the rows of a table wherever the command is run, and may be the names of folders.

Answers for `privis.cli.files.labels` and `privis.cli.train`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from privis.cli.files.labels import LabelSource, labels_of, subjects_of
from privis.cli.main import app
from privis.errors import ParameterError
from privis.training import load_head

ROWS = ("photos/a.png", "photos/b.png")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """project/photos/{a,b}.png, project/labels.csv, project/out/table.npz."""
    project = tmp_path / "project"
    (project / "photos").mkdir(parents=True)
    (project / "out").mkdir()
    for name in ("a", "b"):
        (project / "photos" / f"{name}.png").write_bytes(name.encode())
    (project / "labels.csv").write_text("path,label,who\nphotos/a.png,cat,ann\nphotos/b.png,dog,bob\n")
    return project


def found(labels: Path, table: Path, rows: tuple[str, ...] = ROWS) -> list[str]:
    return labels_of(labels, None, "label", table, rows)


@pytest.mark.parametrize("run_in", ["project", "", "project/photos", "elsewhere"])
@pytest.mark.parametrize("table", ["project/table.npz", "project/out/table.npz"])
def test_rows_find_their_labels_from_any_folder(place, tmp_path, monkeypatch, run_in, table):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / run_in)
    assert found(place / "labels.csv", tmp_path / table) == ["cat", "dog"]
    assert subjects_of(place / "labels.csv", "who", tmp_path / table, ROWS) == ["ann", "bob"]


def test_paths_of_a_list_may_begin_where_the_table_is_or_here(place, tmp_path, monkeypatch):
    (tmp_path / "lists").mkdir()
    listed = tmp_path / "lists" / "labels.csv"
    listed.write_text((place / "labels.csv").read_text())
    monkeypatch.chdir(place)
    assert found(listed, place / "out" / "table.npz") == ["cat", "dog"]
    monkeypatch.chdir(tmp_path)
    assert found(listed, place / "table.npz") == ["cat", "dog"]


def test_another_place_than_the_usual_is_said(place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(place)
    found(place / "labels.csv", place / "table.npz")
    assert capsys.readouterr().err == ""
    monkeypatch.chdir(tmp_path)
    found(Path("project/labels.csv"), Path("project/table.npz"))
    assert "paths of project/table.npz are taken from project" in capsys.readouterr().err


def test_what_is_missing_is_said_with_all_places_that_were_tried(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError) as caught:
        found(place / "labels.csv", place / "out" / "table.npz", (*ROWS, "photos/c.png"))
    said = str(caught.value)
    assert "no label of 1: photos/c.png" in said
    assert all(folder in said for folder in ("this folder", str(place), str(place / "out")))


def test_an_image_of_two_people_is_found_wherever_the_table_was_made(place, tmp_path, monkeypatch):
    (place / "photos" / "b.png").write_bytes(b"a")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError, match=r"ann\+bob"):
        subjects_of(place / "labels.csv", "who", place / "table.npz", ROWS)


def test_folders_may_be_called_like_classes():
    rows = ("pets/cat/1.png", "pets/dog/1.png")
    assert labels_of(None, LabelSource.FOLDER, "label", Path("t.npz"), rows) == ["cat", "dog"]
    with pytest.raises(ParameterError, match=r"1 without a folder: bare\.png"):
        labels_of(None, LabelSource.FOLDER, "label", Path("t.npz"), (*rows, "bare.png"))


@pytest.mark.parametrize("given", [(None, None), (Path("l.csv"), LabelSource.FOLDER)])
def test_labels_come_from_one_place(given):
    with pytest.raises(ParameterError, match="expected one"):
        labels_of(*given, "label", Path("t.npz"), ROWS)


def test_a_training_on_folders_as_it_is_typed(tmp_path, monkeypatch):
    from privis.io import tables

    rng = np.random.default_rng(1)
    rows = rng.normal(size=(400, 4)).astype(np.float32) + np.repeat([[3, 0, 0, 0], [0, 3, 0, 0]], 200, 0).astype("f4")
    paths = [f"pets/{'cat' if number < 200 else 'dog'}/{number}.png" for number in range(400)]
    tables.write(tmp_path / "t.npz", paths, [rows], names=list("abcd"), metadata={})
    monkeypatch.chdir(tmp_path)
    words = ["train", "t.npz", "--labels-from", "folder", "--classes", "cat,dog", "--epsilon", "8", "--steps", "4"]
    done = CliRunner().invoke(app, [*words, "--sampling", "0.5", "-o", "head.npz"])
    assert done.exit_code == 0, done.output
    assert CliRunner().invoke(app, ["info", "head.npz"]).output.count("2 classes: cat, dog") == 1
    own = [*words[:-2], "--size", "400", "--unit", "presence", "--full-batch"]
    done = CliRunner().invoke(app, [*own, "-o", "all.npz"])
    assert done.exit_code == 0, done.output
    assert "in 60 steps, each on a Poisson sample of 1" in load_head(tmp_path / "all.npz").guarantee.mechanism
    done = CliRunner().invoke(app, [*own, "--rate", "3", "--standardise", "0", "-o", "all.npz"])
    assert done.exit_code == 2 and all(f"{name}: got" in done.output for name in ("--rate", "--standardise"))
