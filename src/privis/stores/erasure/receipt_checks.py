"""Checking a receipt: by itself, against its store's log, and against what the store holds now.

By itself a receipt shows only that somebody signed what it says and that it claims no more than its own search found.
The log shows that it is one of this store, unchanged and in its place. The store shows that nothing came back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from privis.errors import DamagedLedgerError, OutputError, ParameterError
from privis.stores.erasure.erasure_receipt import ErasureReceipt, status_of
from privis.stores.erasure.receipt_key import ReceiptKey
from privis.stores.erasure.receipt_log import ReceiptFiles, ReceiptLog
from privis.stores.erasure.residue_scanner import search_places
from privis.stores.vector_store import ErasureStatus, Residue, VectorStore


@dataclass(frozen=True)
class ReceiptCheck:
    """What a check of a receipt found.

    Args:
        status: what may be claimed now: that of the receipt, or unsupported where something contradicts it.
        searched: what was looked at for this check.
        remains: what contradicts the receipt.
        not_checked: what this check says nothing about, and why.
    """

    status: ErasureStatus
    searched: tuple[str, ...]
    remains: tuple[str, ...]
    not_checked: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether the receipt is true as far as it was checked, and says that the vectors are gone or unreadable."""
        return not self.remains and self.status is not ErasureStatus.UNSUPPORTED


def checked(
    receipt: ErasureReceipt,
    files: ReceiptFiles | None = None,
    store: VectorStore | None = None,
    also: Sequence[Path] = (),
) -> ReceiptCheck:
    """Check a receipt as far as can be with what is at hand.

    Args:
        receipt: to be checked.
        files: of the receipts of the store that it should be of; None: it is checked by itself.
        store: that store; None: it is not searched again.
        also: files and folders beside what the store keeps that are searched, too.

    Returns:
        What was found; nothing is raised for whatever is wrong with the receipt or the log.

    Raises:
        ParameterError: the key of the store cannot be read, so that nothing can be said.
    """
    searched, remains, missing = ["the receipt (signature, status against its own search)"], [], []
    if not receipt.is_signed:
        remains.append("the receipt: its signature does not fit: it was changed after it was signed")
    if receipt.status is not (allowed := status_of(receipt.search, receipt.sealed)):
        remains.append(f"the receipt: claims {receipt.status.value}, and its own search allows {allowed.value}")
    key = None
    if files is None:
        missing.append("whose key signed it, its place in the log, and what the store holds now: no index was given")
    else:
        key = ReceiptKey.load(files.key)
        searched.append(f"{files.log} (chain, signatures)")
        remains += _against_log(receipt, files, key)
    if store is not None and key is not None:
        found, looked, unread = _against_store(receipt, store, key, also)
        remains += found
        searched += looked
        missing += unread
    elif files is not None:
        missing.append("what the store holds now: it was not opened")
    if receipt.unsearched:
        missing.append(f"what was not searched when it was signed: {len(receipt.unsearched)} places, which it names")
    status = ErasureStatus.UNSUPPORTED if remains else receipt.status
    return ReceiptCheck(status, tuple(searched), tuple(remains), tuple(missing))


def _against_log(receipt: ErasureReceipt, files: ReceiptFiles, key: ReceiptKey) -> list[str]:
    found = []
    if receipt.public_key != key.public:
        found.append("the receipt: signed by another key than that of this store")
    try:
        log = ReceiptLog(files.log)
        if receipt.store != log.store:
            found.append(f"the receipt: of store {receipt.store}, and the log is of {log.store}")
        if log.public_key != key.public:
            found.append(f"{files.log}: made with another key than that of this store")
        if receipt.digest not in {each.digest for each in log.receipts()}:
            found.append(f"{files.log}: holds no such receipt: it was changed, or the log was")
    except (DamagedLedgerError, ParameterError, OutputError) as error:
        found += [str(problem) for problem in error.problems]
    return found


def _against_store(
    receipt: ErasureReceipt, store: VectorStore, key: ReceiptKey, also: Sequence[Path]
) -> tuple[list[str], list[str], list[str]]:
    about, found = store.describe(), []
    if about.store_id != receipt.store:
        found.append(f"the receipt: of store {receipt.store}, and this one is {about.store_id}")
    listed = list(store.subjects())
    if back := receipt.known_to(key, listed):
        found.append(f"subjects of the store: {len(back)} of the receipt are there; not erased, or added again since")
    looked = [f"subjects of the store ({len(listed)} compared by keyed digest)"]
    if not receipt.sealed_windows:
        return found, looked, ["backups that were put back: the store kept no encrypted bytes to know them by"]
    windows = tuple(bytes.fromhex(each) for each in receipt.sealed_windows)
    residue = Residue(np.zeros((0, about.space.components), np.float32), windows, ())
    unread: list[str] = []
    for search in (store.verify_erased(residue), search_places(residue, also)):
        found += search.remains
        looked += search.searched
        unread += search.unsearched
    return found, looked, unread
