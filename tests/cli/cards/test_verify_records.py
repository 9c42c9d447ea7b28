"""A table of Privis or of anybody's engine is compared with what it was made from: `privis.cli.cards.verify_records`.

Answers for `privis.cards.completeness.completeness_check`.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.main import app
from privis.io import tables
from privis.io.completeness.completeness import METADATA


def run(*words: str, stdin: str = "") -> tuple[int, Any]:
    done = CliRunner().invoke(app, list(words), input=stdin or None)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    try:
        return done.exit_code, json.loads(done.output)
    except ValueError:
        return done.exit_code, " ".join(done.output.split())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine photographs and a damaged one, and their features."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "in").mkdir()
    for number, values in enumerate(np.random.default_rng(0).integers(0, 256, (9, 12, 12), dtype=np.uint8)):
        Image.fromarray(values).save(folder / "in" / f"{number}.png")
    (folder / "in" / "bad.jpg").write_text("no picture")
    for suffix in ("npz", "parquet", "csv"):
        words = ("-f", "colour", "-p", "bins=4", "--workers", "1", "-o", str(folder / f"t.{suffix}"))
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            assert run("extract", "in", *words)[0] == 1  # one failed
    return folder


@pytest.fixture
def room(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("table", ["t.npz", "t.parquet", "t.csv"])
def test_a_whole_table_holds_however_its_sources_are_spelled(room: Path, table: str) -> None:
    names = sorted(f"in/{path.name}" for path in (room / "in").iterdir())
    Path("list").write_text("\n".join(names))
    for sources in (["in"], ["./in/"], [str(room / "in")], ["in/*.png", "in/bad.jpg"], ["list"], names):
        words = [word for source in sources for word in ("--sources", source)]
        code, said = run("verify", table, *words)
        assert (code, said["status"], said["problems"]) == (0, "holds", []), sources
        counts = {name: said["completeness"][name]["count"] for name in ("sources", "rows", "refused", "lost")}
        assert counts == {"sources": 10, "rows": 9, "refused": 1, "lost": 0}
    assert run("verify", table, "--sources", "-", stdin="\n".join(names))[0] == 0


def lossy(table: str, change: str) -> None:
    """Write the table again as something that lost or doubled rows would, with its metadata."""
    found = tables.read(Path(table))
    rows = [number for number in range(len(found.paths)) if change == "doubled" or number != 3]
    rows = rows + [3] * (change == "doubled") + [1] * (change == "replaced")
    paths, values = [found.paths[row] for row in rows], found.features[rows]
    tables.write(Path(table), paths, [values], names=found.names, metadata=found.metadata)


@pytest.mark.parametrize(
    ("change", "counts", "words"),
    [
        ("lost", (1, 0, 0), "the table has 8 rows, and its run wrote 9"),
        ("doubled", (0, 1, 0), "the table has 10 rows, and its run wrote 9"),
        ("replaced", (1, 1, 0), "the table has 9 rows, and its run wrote 9 of other records"),
    ],
)
@pytest.mark.parametrize("table", ["t.npz", "t.parquet", "t.csv"])
def test_a_checkpoint_that_loses_or_doubles_rows_is_detected(
    room: Path, table: str, change: str, counts: tuple[int, int, int], words: str
) -> None:
    lossy(table, change)
    code, said = run("verify", table)
    assert code == 8 and f"completeness: {words}" in said["problems"]
    code, said = run("verify", table, "--sources", "in", "--differences", "d.csv")
    assert code == 8
    assert tuple(said["completeness"][kind]["count"] for kind in ("lost", "duplicated", "foreign")) == counts
    with open("d.csv", newline="") as file:
        listed = {row["kind"]: row["record"] for row in csv.DictReader(file)}
    where = {"lost": "3", "doubled": "3", "replaced": "1"}[change]
    assert listed[{"lost": "lost"}.get(change, "duplicated")] == str(room / "in" / f"{where}.png")


def test_a_list_of_failures_that_changed_is_detected(room: Path) -> None:
    listed = Path("t.npz.failures.csv")
    text = listed.read_text()
    listed.unlink()
    code, said = run("verify", "t.npz")
    assert code == 0 and "which 1 records were refused" in " ".join(said["not_checked"])
    assert run("verify", "t.npz", "--sources", "in")[1]["completeness"]["lost"]["first"] == [str(room / "in/bad.jpg")]
    Path("elsewhere.csv").write_text(text)
    assert run("verify", "t.npz", "--sources", "in", "--failures", "elsewhere.csv")[0] == 0
    listed.write_text(text.replace("bad", "good"))
    code, said = run("verify", "t.npz")
    assert code == 8 and "1 refused records, and its run refused 1" in " ".join(said["problems"])


def test_a_statement_that_does_not_add_up_does_not_hold(room: Path) -> None:
    found = tables.read(Path("t.npz"))
    stated = json.loads(found.metadata[METADATA])
    for change, words in (
        ({"sources": {**stated["sources"], "count": 11}}, "its run read 11 records and has 10"),
        ({"format": "privis.completeness/2"}, "a statement of the format privis.completeness/2"),
    ):
        metadata = {**found.metadata, METADATA: json.dumps(stated | change)}
        tables.write(Path("t.npz"), found.paths, [found.features], names=found.names, metadata=metadata)
        code, said = run("verify", "t.npz")
        assert code == 8 and words in " ".join(said["problems"])


def test_the_site_signs_what_went_in_and_came_out(room: Path) -> None:
    assert run("keygen", "card.key", "--for", "card")[0] == 0
    assert run("card", "t.npz", "--key", "card.key")[0] == 0
    signed = json.loads(Path("t.npz.card.json").read_text())
    assert signed["table"]["completeness"] == json.loads(tables.read(Path("t.npz")).metadata[METADATA])
    assert run("verify", "t.npz", "--sources", "in")[0] == 0
    found = tables.read(Path("t.npz"))
    metadata = {name: value for name, value in found.metadata.items() if name != METADATA}
    tables.write(Path("t.npz"), found.paths, [found.features], names=found.names, metadata=metadata)
    code, said = run("verify", "t.npz")
    assert code == 8 and "the table states another completeness than the card" in said["problems"]


def test_a_folder_that_an_engine_wrote(room: Path) -> None:
    """Two of its parts: a row with an error, one that was nulled, one twice, one that nobody asked for."""
    Path("out").mkdir()
    parts = [
        (["in/0.png", "in/1.png", "in/bad.jpg"], [[1.0], [2.0], None], [None, None, "no image"]),
        (["in/2.png", "in/1.png", "in/other.png", "in/3.png"], [[1.0], [2.0], [3.0], None], [None] * 4),
    ]
    for number, (names, vectors, errors) in enumerate(parts):
        part = arrow.table({"id": names, "vector": vectors, "why": errors})
        parquet.write_table(part, f"out/{number}_0.parquet")
    for number in range(4, 9):
        os.unlink(f"in/{number}.png")
    words = ("--record-column", "id", "--feature-column", "vector", "--error-column", "why", "--sources", "in")
    code, said = run("verify", "out", *words)
    found = said["completeness"]
    assert code == 8 and found["refused"]["count"] == 1
    for kind, name in (("lost", "3"), ("duplicated", "1"), ("foreign", "other")):
        assert found[kind] == {"count": 1, "first": [str(room / "in" / f"{name}.png")]}
    assert "it carries no card" in said["not_checked"][0]
    code, said = run("verify", "out", *words, "--card", "t.npz")
    assert code == 2 and "a folder, with --card" in said
    assert "a column path" in run("verify", "out", "--sources", "in")[1]


def test_shards_are_sources_and_no_lists(room: Path) -> None:
    with tarfile.open("in.tar", "w") as shard:
        for name in ("0.png", "1.png", "bad.jpg"):
            shard.add(f"in/{name}", name)
    assert run("extract", "in.tar", "-f", "colour", "-p", "bins=4", "--workers", "1", "-o", "s.npz")[0] == 1
    code, said = run("verify", "s.npz", "--sources", "in.tar")
    assert (code, said["completeness"]["sources"]["count"], said["problems"]) == (0, 3, [])


def test_tables_of_images_are_sources_however_they_are_spelled(room: Path) -> None:
    images = [path.read_bytes() for path in sorted((room / "in").glob("*.png"))[:3]]
    ids = ["a", "../b.png", "s3://other/c.png"]
    parquet.write_table(arrow.table({"image": images, "path": ids}), "images.parquet")
    words = ("-f", "colour", "-p", "bins=4", "--workers", "1", "-o", "of-images.parquet")
    assert run("extract", "images.parquet", *words)[0] == 0
    for sources in ("images.parquet", "./images.parquet", str(room / "images.parquet")):
        code, said = run("verify", "of-images.parquet", "--sources", sources)
        assert (code, said["problems"]) == (0, []), sources


def test_a_list_that_names_an_image_twice_means_one_row_of_ours(room: Path) -> None:
    names = sorted(f"in/{path.name}" for path in (room / "in").iterdir())
    Path("list").write_text("\n".join([*names, f"./{names[0]}", names[1]]))
    code, said = run("verify", "t.parquet", "--sources", "list", "--sources", "in")
    assert (code, said["problems"]) == (0, [])


def test_names_of_another_folder_are_explained(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(room.parent)
    code, said = run("verify", str(room / "t.npz"), "--sources", str(room / "in"))
    assert code == 8 and "relative to another folder?" in said["problems"][-1]


def test_words_that_need_others_are_refused(room: Path) -> None:
    assert "no --sources" in run("verify", "t.npz", "--differences", "d.csv")[1]
    assert "a picture, expected a table, with --sources" in run("verify", "in/0.png", "--sources", "in")[1]
