"""What was erased is found in the forms and files that libraries write, and nothing else is taken for it.

Answers for `privis.stores.erasure.residue_scanner`, `privis.stores.erasure.byte_patterns`,
`privis.stores.erasure.written_forms` and `privis.stores.erasure.packed_contents`.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import json
import lzma
import os
import pickle
import sqlite3
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from privis.stores.erasure.byte_patterns import BytePatterns
from privis.stores.erasure.residue_scanner import MOST_BYTES, ResidueScanner
from privis.stores.erasure.written_forms import VECTOR_FORMS, Pattern
from privis.stores.vector_rows import VectorRows
from privis.stores.vector_store import Residue, ResidueSearch

DIMENSION = 96


def vectors(count: int, seed: int, components: int = DIMENSION) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(count, components))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


GONE, KEPT = vectors(3, 1), vectors(40, 2)
ROW = GONE[1]


def searched(data: bytes, residue: Residue | None = None, kept: VectorRows | None = None) -> ResidueSearch:
    scanner = ResidueScanner(residue or Residue(GONE, (), ()))
    scanner.search_bytes("here", data)
    return scanner.result(None if kept is None else lambda: [kept])


def rounded_bits(row: np.ndarray) -> np.ndarray:
    """bfloat16 by arithmetic of its own: the multiple of the last kept bit that is nearest."""
    exponents = np.floor(np.log2(np.abs(row.astype(np.float64))))
    steps = 2.0 ** (exponents - 7)
    return ((np.rint(row / steps) * steps).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


WRITTEN: dict[str, Callable[[np.ndarray], bytes]] = {
    "float32": lambda row: row.tobytes(),
    "float32, big-endian": lambda row: row.astype(">f4").tobytes(),
    "float16": lambda row: row.astype(np.float16).tobytes(),
    "float64": lambda row: row.astype(np.float64).tobytes(),
    "float64, big-endian": lambda row: row.astype(">f8").tobytes(),
    "bfloat16": lambda row: rounded_bits(row).tobytes(),
    "bfloat16, cut off": lambda row: (row.view(np.uint32) >> 16).astype(np.uint16).tobytes(),
    "int8 times 127": lambda row: np.rint(row * 127).astype(np.int8).tobytes(),
    "int8 by the largest": lambda row: np.rint(row / np.abs(row).max() * 127).astype(np.int8).tobytes(),
    "uint8": lambda row: np.rint((row - row.min()) / (row.max() - row.min()) * 255).astype(np.uint8).tobytes(),
    "pickled list": lambda row: pickle.dumps({"vectors": [row.tolist()]}),
    "pickled array": lambda row: pickle.dumps(row.astype(np.float64)),
    "pickle of protocol 0": lambda row: pickle.dumps(row.tolist(), 0).replace(b"aF", b""),
    "JSON": lambda row: json.dumps({"embedding": row.tolist()}).encode(),
    "indented JSON": lambda row: json.dumps(row.tolist(), separators=(",\n", ":")).replace(",", "").encode(),
    "COPY of pgvector": lambda row: ("7\t[" + ",".join(str(x) for x in row) + "]\n").encode(),
    "base64": lambda row: base64.b64encode(b"ab" + row.tobytes()),
    "planes": lambda row: np.concatenate([KEPT, row[None]]).view(np.uint8).reshape(-1, 4).T.tobytes(),
    "a longer vector": lambda row: (row * 3).tobytes(),
}


@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize("offset", [0, 5])
def test_every_form_is_found_wherever_it_lies(form: str, offset: int) -> None:
    residue = Residue(GONE * 3, (), ()) if form == "a longer vector" else None
    around = KEPT.tobytes()[: 4096 + offset]
    assert searched(around + WRITTEN[form](ROW) + around, residue).remains
    assert not searched(around + WRITTEN[form](KEPT[30]) + around, residue).remains, "another person's"


def test_a_vector_of_length_one_is_found_though_a_longer_one_was_erased() -> None:
    assert searched(ROW.tobytes(), Residue(ROW[None] * 5, (), ())).remains == ("here: float32 of length 1",)


def lz4_frame(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "lz4") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: pa.compress(data, codec="zstd", asbytes=True),
    "LZ4": lambda data: lz4_frame(data),
    "gzip in zlib": lambda data: zlib.compress(gzip.compress(data)),
}


@pytest.mark.parametrize("packing", PACKED)
def test_what_is_packed_is_unpacked_at_any_place(packing: str) -> None:
    content = KEPT.tobytes() + 40 * ROW.tobytes() + bytes(1000)
    packed = PACKED[packing](content)
    assert packed.count(ROW.tobytes()[:16]) < 2, "the test is about packed bytes"
    found = searched(b"in front of it" * 99 + packed + b"behind")
    assert "here: float32" in found.remains
    assert "here (unpacked members)" in found.searched
    assert not searched(PACKED[packing](KEPT.tobytes())).remains


def table(rows: np.ndarray, names: list[str]) -> pa.Table:
    values = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])
    return pa.table({"id": names, "vector": values})


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "lz4", "gzip", "brotli"])
def test_pages_of_parquet_are_decompressed(tmp_path: Path, compression: str) -> None:
    rows = np.concatenate([np.repeat(KEPT, 20, axis=0), ROW[None]])
    names = [f"kept {place}" for place in range(len(rows) - 1)] + ["ann"]
    path = tmp_path / "fragment"
    options = {"compression": compression, "use_dictionary": ["id"]}
    pq.write_table(table(rows, names), path, use_byte_stream_split=["vector.list.element"], **options)
    scanner = ResidueScanner(Residue(GONE, (), ("ann",)))
    scanner.search_file(path)
    found = scanner.result()
    assert f"{path}: float32" in found.remains and f"{path}: text" in found.remains
    assert found.searched == (f"{path} (bytes)", f"{path} (decompressed pages)") or len(found.searched) == 3


def test_arrow_npz_and_sqlite_are_opened(tmp_path: Path) -> None:
    content = table(np.concatenate([KEPT, ROW[None]]), ["x"] * 41)
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with (
        pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file,
        pa.ipc.new_file(file, content.schema, options=options) as w,
    ):
        w.write_table(content)
    np.savez_compressed(tmp_path / "b.npz", a=np.concatenate([KEPT, ROW[None]]))
    link = sqlite3.connect(tmp_path / "c.db")
    link.execute("create table t (name text, held blob)")
    link.execute(
        "insert into t values (?, ?)", ("ann", zlib.compress(pickle.dumps(np.repeat(ROW, 3).tolist() + ROW.tolist())))
    )
    link.commit()
    link.close()
    scanner = ResidueScanner(Residue(GONE, (), ("ann",)))
    scanner.search_folder(tmp_path)
    found = scanner.result()
    assert {place.rsplit("/", 1)[1] for place in found.remains} == {
        "a.arrow: float32", "b.npz: float32", "c.db: pickled numbers", "c.db: text",
    }  # fmt: skip
    assert not found.unsearched


def test_what_sqlite_deleted_and_its_log_are_read(tmp_path: Path) -> None:
    link = sqlite3.connect(tmp_path / "free.db")
    link.execute("pragma secure_delete = off")
    link.execute("create table t (held blob)")
    link.executemany("insert into t values (?)", [(row.tobytes(),) for row in [*KEPT, ROW]])
    link.commit()
    link.execute("delete from t where rowid = 41")
    link.commit()
    link.execute("pragma journal_mode = wal")
    link.execute("insert into t values (?)", (GONE[2].tobytes(),))
    link.commit()
    scanner = ResidueScanner(Residue(GONE, (), ()))
    scanner.search_folder(tmp_path)
    assert {each.rsplit("/", 1)[1] for each in scanner.result().remains} >= {"free.db: float32", "free.db-wal: float32"}
    link.close()


def test_hidden_files_links_and_names_are_searched(tmp_path: Path) -> None:
    hidden = tmp_path / ".cache" / ".old"
    hidden.mkdir(parents=True)
    (hidden / "x").write_bytes(KEPT.tobytes() + ROW.astype(np.float16).tobytes())
    (tmp_path / "somebody.png.f32").write_bytes(b"")
    (tmp_path / "ann").mkdir()
    os.mkfifo(tmp_path / "pipe")
    scanner = ResidueScanner(Residue(GONE, (), ("ann", "somebody.png")))
    scanner.search_folder(tmp_path)
    assert set(scanner.result().remains) == {
        f"{hidden / 'x'}: float16", f"{tmp_path / 'ann'}: text", f"{tmp_path / 'somebody.png.f32'}: text",
    }  # fmt: skip
    (tmp_path / "away").symlink_to("/tmp", target_is_directory=True)
    scanner.search_folder(tmp_path)
    assert scanner.result().unsearched == (f"{tmp_path / 'away'}: a link to a folder",)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "cut.parquet").write_bytes(b"PAR1" + bytes(100))
    scanner = ResidueScanner(Residue(GONE, (), ()))
    scanner.search_folder(tmp_path)
    scanner.search_folder(tmp_path / "missing")
    scanner.not_searched("the server's log", "no right to read it")
    told = " ".join(scanner.result().unsearched)
    assert "cut.parquet (decompressed pages): ArrowInvalid" in told and "no such folder" in told and "no right" in told


def test_any_sixteen_bytes_are_found_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("privis.stores.erasure.residue_scanner._BLOCK", 1000)
    noise = np.random.default_rng(3).bytes(5000)
    for start in (3, 40, 200):
        for place in (0, 990, 1995, 2990):
            (tmp_path / "file").write_bytes(noise[:place] + ROW.tobytes()[start : start + 16] + noise[place:])
            scanner = ResidueScanner(Residue(GONE, (), ()))
            scanner.search_file(tmp_path / "file")
            assert scanner.result().remains == (f"{tmp_path / 'file'}: float32",), (start, place)
            assert scanner.result().bytes >= 5016


def test_many_rows_are_searched_by_two_pieces_of_each() -> None:
    many = vectors(1 + MOST_BYTES // 9000, 4)
    found = searched(many[170].astype(np.float16).tobytes(), Residue(many, (), ()))
    assert found.remains == ("here: float16",)
    assert found.forms[-1].startswith("two pieces") and not found.unsearched


def test_vectors_that_tell_nothing_are_named_and_give_no_alarm() -> None:
    odd = np.zeros((4, DIMENSION), np.float32)
    odd[1], odd[2, 7], odd[3, ::40] = DIMENSION**-0.5, 1, 0.5
    data = bytes(4096) + odd.tobytes() * 2 + KEPT.tobytes()
    found = searched(data, Residue(odd, (), ()))
    assert not found.remains
    assert found.unsearched == (
        "4 vectors: constant, zero, sparse or short, not to be told from other bytes in 28 of 30 forms",
    )


def test_short_vectors_are_found_whole_and_in_part_not_claimed() -> None:
    short = vectors(2, 5, components=9)
    assert searched(b"abc" + np.rint(short[0] * 127).astype(np.int8).tobytes(), Residue(short, (), ())).remains
    tiny = vectors(2, 5, components=4)
    found = searched(KEPT.tobytes(), Residue(tiny, (), ()))
    assert not found.remains and "in 9 of 30 forms" in found.unsearched[0]
    assert searched(b"a" + tiny[0].tobytes(), Residue(tiny, (), ())).remains


def test_what_kept_rows_hold_too_is_no_finding() -> None:
    shared = np.concatenate([GONE[:1], KEPT[:1]])
    kept = VectorRows(("person_10/1.png", "x"), ("person_10", "bob"), ("0" * 64, "1" * 64), shared)
    data = shared.tobytes() + b"person_10 bob"
    residue = Residue(GONE, (), ("person_1",))
    found = searched(data, residue, kept)
    assert not found.remains and "some equal those" in found.unsearched[0]
    assert set(searched(data, residue).remains) == {"here: float32", "here: text"}
    assert searched(data + GONE[2].tobytes(), residue, kept).remains == ("here: float32",)


@pytest.mark.parametrize("name", ["ann", "张伟", "a much longer id/1.png", "Ünal-1"])
def test_texts_are_found_as_whole_values(tmp_path: Path, name: str) -> None:
    written = {
        "a.json": json.dumps({"who": [name]}), "b.json": json.dumps([name], ensure_ascii=False),
        "c.csv": f"id,who\n1,{name}\n",
    }  # fmt: skip
    for file, text in written.items():
        (tmp_path / file).write_text(text)
        scanner = ResidueScanner(Residue(np.zeros((0, 4), np.float32), (), (name,)))
        scanner.search_file(tmp_path / file)
        escaped = file == "a.json" and not name.isascii() and len(name.encode()) < 8
        assert bool(scanner.result().remains) != escaped, file
        scanner = ResidueScanner(Residue(np.zeros((0, 4), np.float32), (), ("another one", "nn")))
        scanner.search_file(tmp_path / file)
        assert not scanner.result().remains


def test_sealed_blobs_and_their_windows_are_found_in_any_text() -> None:
    blob = np.random.default_rng(6).bytes(5000)
    windows = (blob[64:80], blob[-16:])
    for written in (blob, base64.b64encode(blob), blob.hex().encode(), gzip.compress(blob) + b"x"):
        for sealed in ((blob,), windows):
            assert searched(b"q" + written, Residue(np.zeros((0, 4), np.float32), sealed, ())).remains == (
                "here: sealed",
            )


def test_bytes_patterns_know_what_they_cannot_find() -> None:
    patterns = [Pattern("f", 0, bytes(64)), Pattern("f", 1, ROW.tobytes()), Pattern("f", 2, b"abcdefg")]
    prepared = BytePatterns.of(patterns)
    assert prepared.untold == {("f", 0), ("f", 2)}
    assert BytePatterns.of([]).search(ROW.tobytes()) == set()
    (found,) = {each.pattern for each in prepared.search(ROW.tobytes())}
    assert found == 1
    assert len(VECTOR_FORMS) == len(set(VECTOR_FORMS)) > 25


def test_empty_pages_cost_nothing_and_hide_nothing() -> None:
    """Sparse vectors, as of histograms, share their zeros with the empty pages of databases."""
    vector = np.zeros((1, 64), np.float32)
    vector[0, [3, 4, 5, 40]] = [0.25, 0.6, 0.123, 0.9]
    content = vector.tobytes()
    for shift in range(17):
        scanner = ResidueScanner(Residue(vector, (), ()))
        scanner.search_bytes("page", bytes(100 + shift) + content + bytes(100))
        assert "page: float32" in scanner.result().remains, shift
    scanner, began = ResidueScanner(Residue(vector, (), ())), time.process_time()
    scanner.search_bytes("pages", bytes(4 << 20))
    assert scanner.result().remains == () and time.process_time() - began < 2  # 8 s once
