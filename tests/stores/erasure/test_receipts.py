"""Receipts say what was searched and found, are chained and signed, and one that lies is caught.

Answers for `privis.stores.erasure.erasing`, `privis.stores.erasure.erasure_receipt`,
`privis.stores.erasure.receipt_checks`, `privis.stores.erasure.receipt_key` and `privis.stores.erasure.receipt_log`.
"""

from __future__ import annotations

import json
import os
import pickle
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from privis.errors import DamagedLedgerError, ParameterError
from privis.privacy import Budget, FileLedger
from privis.stores.erasure.erasing import erased, windows_of
from privis.stores.erasure.erasure_receipt import ErasureReceipt, status_of, was_receipt
from privis.stores.erasure.receipt_checks import checked
from privis.stores.erasure.receipt_key import ReceiptKey, is_signed, reference
from privis.stores.erasure.receipt_log import ReceiptFiles, ReceiptLog
from privis.stores.erasure.written_forms import VECTOR_FORMS
from privis.stores.vector_rows import VectorRows
from privis.stores.vector_store import ErasureStatus, ResidueSearch
from tests.stores.erasure.stored_rows import FolderStore, Lie, rows_of, windows_found

NAMES = ("ann", "bob", "cyd", "dora the fourth")


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "index", rows_of(NAMES))


@pytest.fixture
def files(tmp_path: Path) -> ReceiptFiles:
    return ReceiptFiles.beside(tmp_path / "index")


@pytest.mark.parametrize("sealed", [False, True])
def test_who_was_erased_is_gone_and_not_named(store: FolderStore, files: ReceiptFiles, tmp_path: Path, sealed: bool):
    store = FolderStore(tmp_path / "index", rows_of(NAMES), sealed=sealed)
    gone = store.held.vectors[:3]
    assert windows_found(tmp_path, gone) or sealed
    receipt = erased(store, ["ann"], files)
    assert receipt.status is ErasureStatus.GONE and receipt.rows == 3 and receipt.is_signed
    assert windows_found(tmp_path, gone) == 0
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"ann" not in everything and b"ann" not in receipt.line()
    assert os.stat(files.key).st_mode & 0o777 == 0o600 and not files.begun.exists()
    check = checked(receipt, files, store)
    assert check.holds and not check.remains
    assert any("backups" in each for each in check.not_checked) is not sealed
    assert erased(store, ["bob", "dora the fourth", "bob"], files).previous == receipt.digest
    with pytest.raises(ParameterError, match="nobody"):
        erased(store, ["ann", "cyd"], files)
    assert "cyd" in store.subjects()


def hidden_copy(folder: Path, rows: VectorRows) -> None:
    (folder / ".cache").mkdir()
    (folder / ".cache" / "copy").write_bytes(b"x" + rows.vectors.tobytes())


LIES: dict[str, Lie] = {
    "a hidden file": hidden_copy,
    "bfloat16": lambda folder, rows: void(
        (folder / "b").write_bytes((rows.vectors.view(np.uint32) >> 16).astype(np.uint16).tobytes())
    ),
    "a pickled list": lambda folder, rows: void((folder / "p").write_bytes(pickle.dumps(rows.vectors.tolist()))),
    "a compressed page": lambda folder, rows: parquet(folder / "page", rows.vectors),
    "packed twice": lambda folder, rows: void(
        (folder / "z").write_bytes(b"?" * 99 + zlib.compress(zlib.compress(pickle.dumps(rows.vectors.tolist()))))
    ),
    "a fragment": lambda folder, rows: void((folder / "f").write_bytes(rows.vectors[2].tobytes()[72:88])),
    "an id": lambda folder, rows: void((folder / "i").write_text(json.dumps({"last": rows.ids[1]}))),
    "a digest": lambda folder, rows: void((folder / "d").write_bytes(bytes.fromhex(rows.sources[0]))),
    "a name of a file": lambda folder, rows: void((folder / f"{rows.subjects[0]}.npy").write_bytes(b"")),
}


def void(written: int) -> None:
    assert written >= 0


def parquet(path: Path, vectors: np.ndarray) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    values = pa.FixedSizeListArray.from_arrays(pa.array(np.repeat(vectors, 9, axis=0).ravel()), vectors.shape[1])
    pq.write_table(pa.table({"v": values}), path, compression="zstd")


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("tells", [True, False])
def test_a_store_that_lies_gets_no_receipt_that_says_gone(
    tmp_path: Path, files: ReceiptFiles, lie: str, tells: bool
) -> None:
    store = FolderStore(tmp_path / "index", rows_of(NAMES), lie=LIES[lie], tells=tells)
    receipt = erased(store, ["ann"], files)
    assert receipt.status is ErasureStatus.UNSUPPORTED and receipt.remains
    assert not checked(receipt, files, store).holds


def test_metadata_that_nobody_else_has_is_searched_for(tmp_path: Path, files: ReceiptFiles) -> None:
    rows = rows_of(NAMES)
    wards = tuple(f"ward {name}" if name != "cyd" else "ward bob" for name in rows.subjects)
    store = FolderStore(tmp_path / "index", replace(rows, metadata={"ward": wards, "year": (2020,) * 12}))
    (tmp_path / "index" / "wards.json").write_text(json.dumps(["ward ann", "ward bob"]))
    assert erased(store, ["ann"], files).remains == (f"{tmp_path / 'index' / 'wards.json'}: text",)
    assert erased(store, ["bob"], files).status is ErasureStatus.GONE, "cyd has the same, and stays"


def test_many_are_erased_at_once(tmp_path: Path, files: ReceiptFiles) -> None:
    names = tuple(f"number {place}" for place in range(9))
    store = FolderStore(tmp_path / "index", rows_of(names), lie=hidden_copy, tells=False)
    gone = store.held.vectors[: 7 * 3]
    assert windows_found(tmp_path, gone) and set(store.subjects()) == set(names)
    receipt = erased(store, names[:7], files)
    assert receipt.rows == 21 and receipt.status is ErasureStatus.UNSUPPORTED, "its own rows were searched for"
    assert set(store.subjects()) == set(names[7:])


def test_what_lies_beside_the_store_is_searched_where_it_is_named(tmp_path: Path, files: ReceiptFiles) -> None:
    store = FolderStore(tmp_path / "index", rows_of(NAMES), sealed=True)
    (tmp_path / "report.csv").write_text("who\nann\nbob\n")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "b").write_bytes(store.held.vectors[4].astype(">f8").tobytes())
    also = [tmp_path / "report.csv", tmp_path / "cache"]
    assert erased(store, ["ann"], files, also=also).remains == (f"{also[0]}: text",)
    assert set(erased(store, ["bob"], files, also=also).remains) == {
        f"{also[0]}: text", f"{also[1] / 'b'}: float64 big-endian",
    }  # fmt: skip
    assert erased(store, ["cyd"], files, also=also).status is ErasureStatus.GONE


def test_a_store_that_only_says_so_is_caught(tmp_path: Path, files: ReceiptFiles) -> None:
    class Idle(FolderStore):
        def erase(self, subjects):
            return replace_residue(self.held)

    store = Idle(tmp_path / "index", rows_of(NAMES), sealed=True)
    receipt = erased(store, ["ann"], files)
    assert receipt.status is ErasureStatus.UNSUPPORTED and "still there" in receipt.remains[0]


def replace_residue(rows: VectorRows):
    from privis.stores.vector_store import Residue

    return Residue(rows.vectors[:0], (), ())


def test_sealed_bytes_that_stay_leave_the_key_destroyed_and_a_backup_is_known(tmp_path: Path, files: ReceiptFiles):
    store = FolderStore(tmp_path / "index", rows_of(NAMES), sealed=True)
    backup = (tmp_path / "index" / "rows").read_bytes()
    receipt = erased(store, ["ann", "bob"], files)
    assert receipt.status is ErasureStatus.GONE and len(receipt.sealed_windows) == 4
    assert checked(receipt, files, store).holds
    (tmp_path / "index" / "old.bak").write_bytes(zlib.compress(backup))
    check = checked(receipt, files, store)
    assert not check.holds and check.remains == (f"{tmp_path / 'index' / 'old.bak'}: sealed",)
    later = erased(store, ["cyd"], files)
    assert later.status is ErasureStatus.KEY_DESTROYED, "cyd's blob is in the backup, and unreadable"


def forged(receipt: ErasureReceipt, key: ReceiptKey, **changes: object) -> ErasureReceipt:
    return replace(receipt, **changes).signed(key, receipt.previous)


def test_a_receipt_that_lies_is_caught(tmp_path: Path, files: ReceiptFiles) -> None:
    lying = FolderStore(tmp_path / "index", rows_of(NAMES), lie=hidden_copy)
    receipt, key = erased(lying, ["ann"], files), ReceiptKey.load(files.key)
    gone = ErasureStatus.GONE
    edited = replace(receipt, status=gone, remains=())
    assert any("signature" in each for each in checked(edited).remains)
    better = forged(receipt, key, status=gone)
    assert any("its own search allows unsupported" in each for each in checked(better).remains)
    signed = forged(receipt, key, status=gone, remains=())
    assert checked(signed).holds, "by itself it is consistent"
    assert any("no such receipt" in each for each in checked(signed, files).remains)
    strange = forged(receipt, ReceiptKey.generate(), status=gone, remains=())
    assert any("another key" in each for each in checked(strange, files).remains)
    with pytest.raises(ParameterError, match="unsupported"):
        ReceiptLog(files.log).issue(replace(receipt, status=gone), key)
    other = FolderStore(tmp_path / "other", rows_of(NAMES, 1), store_id="b" * 32)
    away = ReceiptFiles.beside(tmp_path / "other")
    elsewhere = erased(other, ["ann"], away)
    assert elsewhere.status is gone and checked(elsewhere, away, other).holds
    assert any("of store" in each for each in checked(elsewhere, files, lying).remains)
    assert any("this one is" in each for each in checked(elsewhere, away, lying).remains)


def test_somebody_who_is_back_contradicts_the_receipt(store: FolderStore, files: ReceiptFiles) -> None:
    before = store.held
    receipt = erased(store, ["ann"], files)
    store.held = before
    check = checked(receipt, files, store)
    assert not check.holds and check.status is ErasureStatus.UNSUPPORTED and "1 of the receipt" in check.remains[0]


def test_a_log_that_was_changed_is_caught(store: FolderStore, files: ReceiptFiles) -> None:
    receipts = [erased(store, [name], files) for name in NAMES[:3]]
    lines = files.log.read_bytes().splitlines(keepends=True)
    changed = {
        "reordered": [lines[0], lines[2], lines[1], lines[3]], "cut": lines[:3], "left out": [*lines[:2], lines[3]],
        "edited": [*lines[:3], lines[3].replace(b'"rows":3', b'"rows":4')],
    }  # fmt: skip
    for name, content in changed.items():
        files.log.write_bytes(b"".join(content))
        assert not checked(receipts[0], files).holds, name
        with pytest.raises((DamagedLedgerError, ParameterError)):
            erased(store, ["dora the fourth"], files)
    files.log.write_bytes(b"".join(lines))
    assert checked(receipts[1], files, store).holds
    assert [each.digest for each in ReceiptLog(files.log).receipts()] == [each.digest for each in receipts]


def test_who_is_handed_the_salt_can_check_the_name(store: FolderStore, files: ReceiptFiles) -> None:
    receipt = erased(store, ["ann", "bob"], files)
    key = ReceiptKey.load(files.key)
    salts = [key.salt(each.nonce, each.place) for each in receipt.subjects]
    assert receipt.about("ann", salts[0]) and receipt.about("bob", salts[1])
    assert not receipt.about("ann", salts[1]) and not receipt.about("cyd", salts[0])
    assert receipt.known_to(key, ["cyd", "bob"]) == ("bob",)
    assert receipt.known_to(ReceiptKey.generate(), ["ann", "bob"]) == ()
    again = {each.reference for each in erased(store, ["cyd"], files).subjects}
    assert not again & {each.reference for each in receipt.subjects}
    with pytest.raises(TypeError):
        pickle.dumps(key)
    assert key.public not in repr(key) and "secret" in repr(key)
    assert reference("ann", salts[0]) != reference("ann ", salts[0])
    assert not is_signed(b"", "zz", "00") and not is_signed(b"", "00" * 64, key.public)


def test_the_file_of_a_receipt_is_read_as_it_was_written(store: FolderStore, files: ReceiptFiles, tmp_path: Path):
    receipt = erased(store, ["ann"], files)
    path = tmp_path / "receipt.json"
    for text in (json.dumps(receipt.to_dict(), indent=3), json.dumps({"receipt": receipt.to_dict()})):
        path.write_text(text)
        assert ErasureReceipt.load(path) == receipt
    values = receipt.to_dict()
    changes: list[dict[str, object]] = [{"rows": 9}, {"more": 1}, {"status": "fine"}, {"subjects": [1]}]
    for wrong in [*({**values, **change} for change in changes), {**values, "format": "privis.erasure/2"}, []]:
        path.write_text(json.dumps(wrong))
        with pytest.raises(ParameterError, match="receipt of an erasure"):
            ErasureReceipt.load(path)
    path.write_text(json.dumps({**values, "bytes": "many"}))
    assert not ErasureReceipt.load(path).is_signed


@pytest.mark.parametrize("step", ["noted", "erased", "searched", "issued"])
def test_what_was_begun_is_finished_by_the_same_call(
    tmp_path: Path, files: ReceiptFiles, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(tmp_path / "index", rows_of(NAMES), sealed=step != "searched")

    def ended(*given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if step == "noted":
            patched.setattr(store, "erase", ended)
        elif step == "erased":
            patched.setattr(store, "verify_erased", ended)
        elif step == "searched":
            patched.setattr(ReceiptLog, "issue", ended)
        else:
            issue = ReceiptLog.issue
            patched.setattr(ReceiptLog, "issue", lambda *given: ended(issue(*given)))
        with pytest.raises(KeyboardInterrupt):
            erased(store, ["ann"], files)
    assert files.begun.exists() and b"ann" not in files.begun.read_bytes()
    assert erased(store, ["bob"], files).status is ErasureStatus.GONE, "others are not held up"
    receipt = erased(store, ["ann"], files)
    assert (
        receipt.rows == 3 and not files.begun.exists() and checked(receipt, files, store).holds is (step != "searched")
    )
    expected = {"noted": ErasureStatus.GONE, "searched": ErasureStatus.UNSUPPORTED}
    assert receipt.status is expected.get(step, ErasureStatus.KEY_DESTROYED), "it claims no more than is known"
    assert (step == "noted") == (not receipt.unsearched)


def test_a_log_whose_making_was_ended_is_made_anew(store: FolderStore, files: ReceiptFiles) -> None:
    ReceiptLog.at(files.log, store.store_id, ReceiptKey.at(files.key))
    head = Path(f"{files.log}.head")
    for left in (b"", files.log.read_bytes()[:20], files.log.read_bytes()):
        files.log.write_bytes(left)
        head.unlink(missing_ok=True)
        assert ReceiptLog.store_at(files.log) is None
        assert ReceiptLog.at(files.log, store.store_id, ReceiptKey.at(files.key)).receipts() == []
    with pytest.raises(ParameterError, match="receipts of store"):
        ReceiptLog.at(files.log, "b" * 32, ReceiptKey.at(files.key))
    with pytest.raises(ParameterError, match="another key"):
        ReceiptLog.at(files.log, store.store_id, ReceiptKey.generate())


def test_ledgers_are_kept_and_the_receipt_says_why(store: FolderStore, files: ReceiptFiles, tmp_path: Path) -> None:
    from privis.privacy.answers.answer_ledger import AnswerLedger

    FileLedger.create(tmp_path / "ledger", Budget(1.0, 1e-6))
    AnswerLedger.create(tmp_path / "answers")
    receipt = erased(store, ["ann"], files, [tmp_path / "ledger", tmp_path / "answers"])
    assert "0 charges of these subjects" in receipt.kept[0] and "limits would begin anew" in receipt.kept[1]
    with pytest.raises(ParameterError, match="ledger"):
        erased(store, ["bob"], files, [files.key])
    assert "bob" in store.subjects()


def test_nothing_is_gone_without_a_search() -> None:
    whole = ResidueSearch(("a (bytes)",), VECTOR_FORMS, 1)
    assert status_of(whole, False) is ErasureStatus.GONE
    claimed = {
        ErasureStatus.UNSUPPORTED: [
            (ResidueSearch((), VECTOR_FORMS, 0), True), (replace(whole, remains=("a: float32",)), True),
            (replace(whole, remains=("a: sealed",)), False), (replace(whole, unsearched=("b: no right",)), False),
            (replace(whole, forms=("text",)), False),
        ],
        ErasureStatus.KEY_DESTROYED: [
            (replace(whole, remains=("a: sealed",)), True), (replace(whole, unsearched=("b: no right",)), True),
            (replace(whole, forms=("text",)), True),
        ],
    }  # fmt: skip
    for status, cases in claimed.items():
        assert [status_of(*case) for case in cases] == [status] * len(cases)
    blobs = [os.urandom(40) for _ in range(5000)] + [b"short"]
    assert 1000 < len(windows_of(blobs)) <= 2048 and windows_of([b"short"]) == ()


@pytest.mark.parametrize("step", [17, pytest.param(1, marks=pytest.mark.long)])
def test_every_changed_byte_of_a_receipt_is_found(
    store: FolderStore, files: ReceiptFiles, tmp_path: Path, step: int
) -> None:
    receipt = erased(store, ["ann"], files)
    receipt = replace(receipt, searched=(*receipt.searched, "Größe")).signed(ReceiptKey.load(files.key), "")
    path = tmp_path / "receipt.json"
    document = receipt.to_dict()
    for text in (json.dumps(document), json.dumps(document, indent=2, ensure_ascii=False)):
        data = text.encode()
        path.write_bytes(data)
        assert ErasureReceipt.load(path).is_signed
        for place in range(0, len(data), step):
            for mask in (0x01, 0x20):
                path.write_bytes(data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :])
                assert was_receipt(path)
                try:
                    assert not ErasureReceipt.load(path).is_signed, place
                except ParameterError:
                    continue
