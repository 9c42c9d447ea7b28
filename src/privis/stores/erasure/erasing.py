"""Erasing people from any store, with a receipt: read, write down what is begun, erase, search, sign.

A process that is ended in between leaves a note beside the log, without names: the same call again finishes it. What
the ended process alone knew, the vectors, cannot be searched for any more, and the receipt says so.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.file_formats import FileFormat, format_of, misfit
from privis.io.atomic import replacing
from privis.io.writer_lock import one_writer
from privis.privacy.answers.answer_ledger import AnswerLedger
from privis.privacy.ledger.chained_file import now
from privis.privacy.ledger.file import FileLedger
from privis.stores.erasure.erasure_receipt import ErasedSubject, ErasureReceipt, status_of
from privis.stores.erasure.receipt_key import ReceiptKey, reference
from privis.stores.erasure.receipt_log import ReceiptFiles, ReceiptLog
from privis.stores.erasure.residue_scanner import search_places
from privis.stores.vector_rows import VectorRows
from privis.stores.vector_store import Condition, Relation, Residue, ResidueSearch, VectorStore
from privis.subjects import shortened, subject_ids

NUMBERS_AT_ONCE = 1_000_000
"""Of vectors that are searched for together."""
_MOST_WINDOWS = 2048
_ASKED_FOR = 4  # subjects that a store is asked for one by one; of more all rows are read once
_WINDOW = 16


@dataclass(frozen=True)
class _Known:
    """What is known of the rows to be erased: secret until it is found nowhere."""

    vectors: NDArray[np.float32] = field(repr=False)
    texts: tuple[str, ...] = field(repr=False)
    values: frozenset[str] = field(default=frozenset(), repr=False)


def erased(
    store: VectorStore,
    subjects: Sequence[str],
    files: ReceiptFiles,
    ledgers: Sequence[Path] = (),
    also: Sequence[Path] = (),
) -> ErasureReceipt:
    """Erase people from a store, search all that it keeps for what is left of them, and sign a receipt.

    Their rows are read before, so that a store that says too little of what it erased is searched for all of it.

    Args:
        store: any; others may read it meanwhile.
        subjects: ids of the people.
        files: of the store's receipts.
        ledgers: privacy and answer ledgers that are about the store; their entries are kept, and the receipt says why.
        also: files and folders that are searched beside what the store keeps.

    Returns:
        The receipt, which is in the log already. Its status says what may be claimed.

    Raises:
        ParameterError: somebody is not in the store, and no erasure of them was begun; a ledger is none; the log or the
            key are of another store.
        OutputError: the log cannot be written, or the store.
        DamagedLedgerError: the log is not what was written.

    .. note:: The receipt is about the files of the store. Copies and freed blocks of a disk are out of its reach.
    """
    names = list(dict.fromkeys(subject_ids(subjects)))
    key = ReceiptKey.at(files.key)
    with one_writer(files.key, math.inf):
        about, kept = store.describe(), _kept(ledgers, names)
        log = ReceiptLog.at(files.log, about.store_id, key)
        began, nonce = now(), secrets.token_hex(16)
        noted = _noted(files.begun)
        counts = store.subjects()
        resumed = {name: each for name in names for each in noted if _is_of(each, name, key)}
        strangers = [name for name in names if name not in counts and name not in resumed]
        problems = [Problem(f"subject {name!r}", "nobody", "a subject of the store") for name in strangers]
        refuse(ParameterError, shortened(problems, "subjects"))
        present = [name for name in names if name in counts]
        known = _known_of(store, present, names, about.space.components)
        entries = [
            ErasedSubject(reference(name, key.salt(nonce, place)), counts[name], nonce, place)
            if name in counts
            else resumed[name]
            for place, name in enumerate(names)
        ]
        others = [each for each in noted if each not in resumed.values()]
        _note(files.begun, [*others, *entries])
        told = store.erase(present) if present else Residue(known.vectors, (), ())
        search = _searched(store, _joined(_without_shared(known, store), told), also)
        lost = sum(resumed[name].rows for name in names if name not in counts)
        search = _completed(search, store, names, lost)
        if about.space.guarantee is not None:
            kept.append("what was released about these rows stays known to whoever copied it, within its guarantee")
        receipt = ErasureReceipt(
            about.store_id, about.kind, status_of(search, about.sealed), tuple(entries), search.searched, search.forms,
            search.bytes, search.remains, search.unsearched, began, now(), about.sealed, windows_of(told.sealed),
            tuple(kept),
        )  # fmt: skip
        issued = log.issue(receipt, key)
        _note(files.begun, others)
    return issued


def windows_of(blobs: Sequence[bytes]) -> tuple[str, ...]:
    """Choose bytes of sealed blobs by which a backup of them is known later.

    Args:
        blobs: encrypted, under keys that are gone.

    Returns:
        16 bytes each, hexadecimal, at most some thousand, of blobs that are as far apart as can be.
    """
    long = [blob for blob in blobs if len(blob) >= 2 * _WINDOW]
    step = max(1, -(-2 * len(long) // _MOST_WINDOWS))
    places = [(blob, start) for blob in long[::step] for start in (len(blob) // 2, len(blob) - _WINDOW)]
    return tuple(dict.fromkeys(blob[start : start + _WINDOW].hex() for blob, start in places))


def _known_of(store: VectorStore, present: Sequence[str], names: Sequence[str], components: int) -> _Known:
    vectors = [np.zeros((0, components), np.float32)]
    texts, values = dict.fromkeys(names), set[str]()
    wanted = [[Condition("subject", Relation.EQUAL, name)] for name in present] if len(present) <= _ASKED_FOR else [[]]
    theirs = set(present)
    for where in wanted if present else ():
        for rows in store.rows(where):
            places = [place for place, name in enumerate(rows.subjects) if name in theirs]
            vectors.append(rows.vectors[places])
            texts |= dict.fromkeys(text for place in places for text in (rows.ids[place], rows.sources[place]))
            values |= {cells[place] for cells in _text_columns(rows) for place in places if cells[place]}
    return _Known(np.concatenate(vectors), tuple(texts), frozenset(values))


def _text_columns(rows: VectorRows) -> list[list[str]]:
    return [[x if isinstance(x, str) else "" for x in cells] for cells in rows.metadata.values()]


def _without_shared(known: _Known, store: VectorStore) -> _Known:
    """Texts of metadata are searched for where nobody who stays has the same: they may be what tells who it was."""
    own = set(known.values)
    for rows in store.rows() if own else ():
        own.difference_update(*_text_columns(rows))
    return _Known(known.vectors, (*known.texts, *sorted(own)))


def _joined(known: _Known, told: Residue) -> Residue:
    vectors = known.vectors
    if told.vectors.size:
        vectors = np.concatenate([vectors, told.vectors])
    if len(vectors):
        vectors = np.unique(vectors, axis=0)
    return Residue(vectors, told.sealed, tuple(dict.fromkeys((*known.texts, *told.texts))), told.keys)


def _searched(store: VectorStore, residue: Residue, also: Sequence[Path]) -> ResidueSearch:
    """Search for some thousand vectors at a time, so that what is looked for fits into memory."""
    parts, step = [], max(1, NUMBERS_AT_ONCE // max(1, residue.vectors.shape[1]))
    for start in range(0, max(1, len(residue.vectors)), step):
        some = residue.vectors[start : start + step]
        rest = (residue.sealed, residue.texts, residue.keys) if not start else ((), ())
        parts.append(store.verify_erased(Residue(some, *rest)))
        if also:
            parts.append(search_places(Residue(some, *rest), also, store.rows))
    return ResidueSearch(
        _union(part.searched for part in parts),
        _union(part.forms for part in parts),
        sum(part.bytes for part in parts),
        _union(part.remains for part in parts),
        _union(part.unsearched for part in parts),
    )  # fmt: skip


def _completed(search: ResidueSearch, store: VectorStore, names: Sequence[str], lost: int) -> ResidueSearch:
    """Add what the store says of itself after the erasure, and what nobody knows any more."""
    remains, unsearched, listed = search.remains, search.unsearched, store.subjects()
    if still := [name for name in names if name in listed]:
        remains += (f"subjects of the store, {len(still)} of them still there: text",)
    if lost:
        told = "the process that erased them was ended, and nobody knows them any more"
        unsearched += (f"vectors of {lost} rows: {told}",)
    return ResidueSearch(search.searched, search.forms, search.bytes, remains, unsearched)


def _union(parts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each for part in parts for each in part))


def _kept(ledgers: Sequence[Path], names: Sequence[str]) -> list[str]:
    """What ledgers hold about these people, and why it is kept."""
    told = []
    for path in ledgers:
        form = format_of(path)
        if form is FileFormat.LEDGER:
            ledger = FileLedger(path)
            hashed = {ledger.hashed(name) for name in names}
            count = sum(charge.record in hashed for charge in ledger.charges())
            told.append(
                f"{path}: {count} charges of these subjects, under keyed digests and without names; "
                "without them the same budget could be spent a second time"
            )
        elif form is FileFormat.ANSWER_LEDGER:
            places = {name for place in AnswerLedger(path).accounts() for name in place}
            same = len(places & set(names))
            also = f", {same} of them named like an erased subject" if same else ""
            told.append(f"{path}: counts of answers by client and gallery{also}; without them limits would begin anew")
        else:
            raise ParameterError(misfit(path, FileFormat.LEDGER, str(form), "a privacy ledger or an answer ledger"))
    return told


def _is_of(each: ErasedSubject, name: str, key: ReceiptKey) -> bool:
    return reference(name, key.salt(each.nonce, each.place)) == each.reference


def _noted(path: Path) -> list[ErasedSubject]:
    if not path.exists():
        return []
    try:
        return [ErasedSubject(**each) for each in json.loads(path.read_bytes())]
    except (ValueError, TypeError) as error:
        remedy = "move it away: erasures that were begun and not finished then get no receipt"
        raise ParameterError(Problem(str(path), str(error), "a note of erasures that were begun", remedy)) from None


def _note(path: Path, begun: Sequence[ErasedSubject]) -> None:
    if not begun:
        path.unlink(missing_ok=True)
        return
    with replacing(path) as temporary:
        temporary.touch(mode=0o600)
        temporary.write_text(json.dumps([asdict(each) for each in begun]))
