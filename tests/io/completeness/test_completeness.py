"""What went in comes out once, or is named: `privis.io.completeness`."""

from __future__ import annotations

import csv
import hashlib
import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privis.errors import OutputError, ParameterError
from privis.io import tables
from privis.io.completeness import name_partition
from privis.io.completeness.completeness import (
    SHOWN,
    Completeness,
    DifferenceKind,
    compared,
    completeness,
    require_none,
)
from privis.io.completeness.name_partition import RecordRole
from privis.io.completeness.record_names import Columns, listed_sources, refused_in, rows_of

NAMES = st.lists(st.sampled_from(["a", "b", "ä/b.jpg", "s3://c\nd", "", "\udcff"]), max_size=8)


def by_hand(names: list[str]) -> str:
    """The digest as the documentation words it."""
    digests = sorted(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest() for name in names)
    return hashlib.sha256(b"".join(digests)).hexdigest()


@given(NAMES, NAMES, NAMES)
def test_every_name_that_came_out_otherwise_is_found(sources: list[str], rows: list[str], refused: list[str]) -> None:
    seen = {}
    tagged = [
        *((RecordRole.SOURCE, name) for name in sources),
        *((RecordRole.ROW, name) for name in rows),
        *((RecordRole.REFUSED, name) for name in refused),
    ]
    stated, differences = compared(tagged, on_difference=lambda each: seen.update({each.name: each.kind}))
    assert (stated, differences) == completeness(sources, rows, refused)
    went, came = Counter(sources), Counter(rows + refused)
    expected = {
        name: "lost" if came[name] < went[name] else "duplicated" if went[name] else "foreign"
        for name in went | came
        if went[name] != came[name]
    }
    assert seen == expected
    assert differences.total == len(expected)
    for part, names in ((stated.sources, sources), (stated.rows, rows), (stated.refused, refused)):
        assert (part.count, part.sha256) == (len(names), by_hand(names))


def test_the_order_of_names_changes_nothing_and_their_number_does() -> None:
    names = [f"images/{number:06}.jpg" for number in range(5_000)]
    mixed = random.Random(1).sample(names, len(names))
    assert completeness(names, mixed, []) == completeness(mixed, names, [])
    assert completeness(names, names, [])[0].rows != completeness(names, [*names, names[0]], [])[0].rows


def test_names_beyond_memory_are_compared_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{number}" for number in range(3_000)]
    expected = completeness(names, names[1:], names[:1])
    monkeypatch.setattr(name_partition, "_IN_MEMORY", 100)
    assert completeness(names, names[1:], names[:1], scratch=tmp_path) == expected
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_partition, "_IN_MEMORY", 100)
    with pytest.raises(OutputError, match="No such file"):
        completeness(map(str, range(9_999)), [], [], scratch=tmp_path / "missing")


def test_as_many_as_can_be_shown_are_kept_and_all_are_counted() -> None:
    _, differences = completeness(map(str, range(999)), [], ["x"])
    assert differences.counts == {DifferenceKind.LOST: 999, DifferenceKind.DUPLICATED: 0, DifferenceKind.FOREIGN: 1}
    assert len(differences.first[DifferenceKind.LOST]) == SHOWN
    with pytest.raises(OutputError, match=r"(?s)999 lost: .* …, expected.*1 foreign: x,"):
        require_none(differences, Path("t.npz"))


def test_a_statement_is_read_again_or_refused() -> None:
    stated, _ = completeness(["a"], ["a"], [])
    assert Completeness.from_dict(json.loads(stated.to_json())) == stated
    assert Completeness.from_dict({**stated.to_dict(), "more": 1}) == stated
    for change in ({"format": "privis.completeness/2"}, {"rows": 3}, {"rows": {"count": -1, "sha256": ""}}):
        with pytest.raises(ValueError, match="statement"):
            Completeness.from_dict({**stated.to_dict(), **change})


# Names in files ---------------------------------------------------------------------------------------------


def found(table: Path, columns: Columns = Columns()) -> list[tuple[RecordRole, str]]:
    return list(rows_of(table, columns))


@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".csv"])
def test_rows_of_privis(tmp_path: Path, suffix: str) -> None:
    table, paths = tmp_path / f"t{suffix}", ["ä, b\n.jpg", "s3://x/y"]
    tables.write(table, paths, [np.ones((2, 3), np.float32)], names=["1", "2", "3"], metadata={})
    assert found(table) == [(RecordRole.ROW, path) for path in paths]


def test_rows_of_an_engine(tmp_path: Path) -> None:
    """Two parts, as Ray and Daft write them: a row, an error, and a row that was nulled without a word."""
    folder = tmp_path / "out.parquet"
    folder.mkdir()
    for part, (names, vectors, errors) in enumerate(
        [(["a", "b", "c"], [[1.0], None, None], [None, "no image", None]), (["d"], [[2.0]], [""])]
    ):
        parquet.write_table(
            arrow.table({"id": names, "vector": vectors, "why": errors}), folder / f"{part}_000.parquet"
        )
    words = Columns("id", "vector", "why")
    assert found(folder, words) == [(RecordRole.ROW, "a"), (RecordRole.REFUSED, "b"), (RecordRole.ROW, "d")]
    with pytest.raises(ParameterError, match=r"columns id, vector, why.*a column path.*--record-column"):
        found(folder)
    (folder / "2_000.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(ParameterError, match=r"out\.parquet"):
        found(folder, words)


def test_rows_of_a_csv_of_others(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    with open(table, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["path", "feature", "error"], ["a", "1 2", ""], ["b", "", "bad"], ["c", "", ""]])
    assert found(table) == [(RecordRole.ROW, "a"), (RecordRole.REFUSED, "b")]
    table.write_text("path,feature\na\n")
    with pytest.raises(ParameterError, match="another number of values"):
        found(table)


@pytest.mark.parametrize("content", [b"nothing\n", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ParameterError, match="a table"):
        found(tmp_path / "x")


def test_lists_of_sources(tmp_path: Path) -> None:
    names = ["a.jpg", "b c.jpg", "s3://x/ä"]
    lists = {
        "lines": "\r\n".join(names),
        "nul": "\0".join(names),
        "list.csv": "size,path\n" + "".join(f"1,{name}\n" for name in names),
        "list.jsonl": "\n".join(json.dumps({"path": name, "size": 1}) for name in names),
    }
    for file, text in lists.items():
        (tmp_path / file).write_text(text)
    parquet.write_table(arrow.table({"path": names}), tmp_path / "list.parquet")
    for file in [*lists, "list.parquet"]:
        assert list(listed_sources(tmp_path / file)) == names, file
    with pytest.raises(ParameterError, match="no such file"):
        list(listed_sources(tmp_path / "missing"))


def test_lists_of_failures(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text('path,reason\n"a,b",x\n')
    assert list(refused_in(tmp_path / "f.csv")) == ["a,b"]
