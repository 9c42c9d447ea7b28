"""Tables come back as they were written, appear whole or not at all, and are equal bytes for equal content.

Answers for `privis.io.atomic`.
"""

from __future__ import annotations

import csv
import errno
import json
import os
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from privis.errors import OutputError, ParameterError
from privis.io import tables
from privis.io.tables import Table, read, write

SUFFIXES = [".parquet", ".npz", ".csv"]
PATHS = ["a.jpg", 'with "quotes", comma.jpg', "two\nlines.jpg", "größe 图.png"]
NAMES = ["mean", "a,b", "größe"]
METADATA = {"privis.guarantee": '{"epsilon": 4}', "privis.card": "{}", "note": "größe"}
FEATURES = np.array(
    [[0.1, -1e-30, 3.4e38], [1 / 3, 0, -0.0], [np.nan, np.inf, -np.inf], [1e-45, 16777217, 5]], np.float32
)


def stored(path: Path, block: int = 3, features: Any = FEATURES) -> Path:
    blocks = (features[start : start + block] for start in range(0, len(features), block))
    write(path, PATHS[: len(features)], blocks, names=NAMES, metadata=METADATA)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip(tmp_path: Path, suffix: str) -> None:
    table = read(stored(tmp_path / f"out{suffix}"))
    assert isinstance(table, Table)
    assert table.paths == tuple(PATHS)
    assert table.features.dtype == np.float32
    assert table.features.tobytes() == FEATURES.tobytes()
    assert table.names == tuple(NAMES)
    assert table.metadata == METADATA


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_table(tmp_path: Path, suffix: str) -> None:
    table = read(stored(tmp_path / f"out{suffix}", features=FEATURES[:0]))
    assert table.paths == ()
    assert table.features.shape == (0, 3)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_equal_content_gives_equal_bytes(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_BLOCK_VALUES", 6)
    first = stored(tmp_path / f"a{suffix}", block=1)
    second = stored(tmp_path / f"b{suffix}", block=3)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_table_takes_the_place_of_an_earlier_one(tmp_path: Path, suffix: str) -> None:
    path = stored(tmp_path / f"out{suffix}", features=FEATURES[:1])
    names = {entry.name for entry in tmp_path.iterdir()}
    assert read(stored(path)).paths == tuple(PATHS)
    assert {entry.name for entry in tmp_path.iterdir()} == names


def test_parquet_as_others_see_it(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.parquet.read_schema(stored(tmp_path / "out.parquet"))
    assert schema.field("path").type == pyarrow.string()
    assert schema.field("feature").type == pyarrow.list_(pyarrow.float32(), 3)
    assert schema.metadata[b"privis.guarantee"] == b'{"epsilon": 4}'
    assert json.loads(schema.metadata[b"privis.names"]) == NAMES


def test_npz_as_others_see_it(tmp_path: Path) -> None:
    with np.load(stored(tmp_path / "out.npz"), allow_pickle=False) as arrays:
        assert arrays["features"].shape == (4, 3)
        assert arrays["paths"].tolist() == PATHS
        assert arrays["names"].tolist() == NAMES
        assert json.loads(str(arrays["metadata"])) == METADATA


def test_csv_as_others_see_it(tmp_path: Path) -> None:
    path = stored(tmp_path / "out.csv")
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["path", *NAMES]
    assert rows[1] == ["a.jpg", "0.1", "-1e-30", "3.4e+38"]
    assert json.loads((tmp_path / "out.csv.json").read_text())["metadata"] == METADATA


def test_csv_whose_sidecar_belongs_to_another_is_refused(tmp_path: Path) -> None:
    path = stored(tmp_path / "out.csv")
    path.write_text(path.read_text().replace("0.1", "0.2"))
    with pytest.raises(ParameterError, match="changed after"):
        read(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_paths_that_are_not_text_stay_readable(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    write(path, [os.fsdecode(b"\xff.jpg")], [FEATURES[:1]], names=NAMES, metadata={})
    assert read(path).paths == (r"\xff.jpg",)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damaged_tables_are_refused(tmp_path: Path, suffix: str) -> None:
    path = stored(tmp_path / f"out{suffix}")
    path.write_bytes(path.read_bytes()[:-9])
    for bad in (path, tmp_path / f"missing{suffix}"):
        with pytest.raises(ParameterError, match=bad.name):
            read(bad)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_table_that_was_changed_somewhere_is_read_or_refused(tmp_path: Path, suffix: str) -> None:
    path = stored(tmp_path / f"out{suffix}")
    assert tables.summary(path).names == tuple(NAMES) and tables.summary(path).rows in (len(PATHS), None)
    data = path.read_bytes()
    for place in range(0, len(data), 7):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        for reader in (read, tables.summary):
            try:
                reader(path)
            except ParameterError as error:
                assert path.name in str(error)


@pytest.mark.parametrize("name", ["out.txt", "out", "out.parquet.gz"])
def test_unknown_suffix_lists_the_known(tmp_path: Path, name: str) -> None:
    for call in (stored, read, tables.check):
        with pytest.raises(ParameterError, match=r"\.parquet, \.npz, \.csv"):
            call(tmp_path / name)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rows_and_columns_must_agree(tmp_path: Path, suffix: str) -> None:
    path = stored(tmp_path / f"out{suffix}")
    before = path.read_bytes()
    for features, paths in ((FEATURES[:, :2], PATHS), (FEATURES, PATHS[:2]), (FEATURES[:2], PATHS)):
        with pytest.raises(ParameterError, match="blocks"):
            write(path, paths, [features], names=NAMES, metadata={})
    assert path.read_bytes() == before
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_places_that_cannot_be_written(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"folder{suffix}").mkdir()
    for place, word in ((f"folder{suffix}", "a folder"), (f"missing/out{suffix}", "mkdir -p")):
        with pytest.raises(OutputError, match=word):
            stored(tmp_path / place)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere, so ask in its place
    with pytest.raises(OutputError, match="may not write"):
        stored(tmp_path / f"out{suffix}")
    assert os.listdir(tmp_path) == [f"folder{suffix}"]


def failing(blocks: list[Any]) -> Iterator[Any]:
    yield from blocks
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_disk_full_leaves_the_earlier_file(tmp_path: Path, suffix: str) -> None:
    path = stored(tmp_path / f"out{suffix}")
    before = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}
    with pytest.raises(OutputError, match=r"No space left on device.*free some space"):
        write(path, PATHS, failing([FEATURES[:2]]), names=NAMES, metadata={})
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == before


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from privis.errors import OutputError
from privis.io.tables import write
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
values = np.random.default_rng(0).random((1000, 300), np.float32)
try:
    write(Path(sys.argv[1]), list(map(str, range(1000))), [values], names=list(map(str, range(300))), metadata={})
except OutputError as error:
    print(error)
    raise SystemExit(5)
"""


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_real_limit_on_file_size(tmp_path: Path, suffix: str) -> None:
    """The operating system itself refuses to let the file grow, in the middle of the writing."""
    path = stored(tmp_path / f"out{suffix}")
    before = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 5, done.stderr
    assert "File too large" in done.stdout
    assert not done.stderr
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == before


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_memory_is_bounded(tmp_path: Path, suffix: str) -> None:
    """200 MB of features pass through in blocks; at most a few blocks of 16 MiB are held."""
    path = tmp_path / f"out{suffix}"
    rows, width = 25_000, 2_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    blocks = (np.full((250, width), index, np.float32) for index in range(rows // 250))
    write(path, [f"{i}.jpg" for i in range(rows)], blocks, names=[str(i) for i in range(width)], metadata={})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 80e6
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150e3  # in KiB; Arrow's own memory too
    assert read(path).features[[0, 250, -1], 0].tolist() == [0, 1, 99]
