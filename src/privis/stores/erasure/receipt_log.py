"""The receipts of one store in their order: a chained file beside it, which only its owner's key can go on with.

Format: the first line names it, the store and the public key; every other line is a receipt, each with the SHA-256 of
the line before it, as `privis.privacy.ledger.chain` says. Another meaning of a line takes the next number.
"""

from __future__ import annotations

import json
import math
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from privis.errors import OutputError, ParameterError, Problem
from privis.file_formats import FileFormat
from privis.io.writer_lock import one_writer
from privis.privacy.ledger.chain import START, LedgerHead, complete_lines
from privis.privacy.ledger.chained_file import ChainedFile, now
from privis.privacy.ledger.disk import Wording, head_path
from privis.stores.erasure.erasure_receipt import ErasureReceipt, status_of
from privis.stores.erasure.receipt_key import ReceiptKey

FORMAT = "privis receipts 1"
_BEGINNING = f'{{"format": "{FORMAT}"'.encode()
_WORDING = Wording(
    "log of receipts", "receipt", "claimed to be erased", "then erase again", "privis", FileFormat.RECEIPTS
)  # fmt: skip


@dataclass(frozen=True)
class ReceiptFiles:
    """Where a store's receipts are, outside of what holds its vectors.

    Args:
        log: receipts in their order; its head is ``log + ".head"``.
        key: that signs them, readable by its owner alone.
        begun: a note of erasures that were begun, without names.
    """

    log: Path
    key: Path
    begun: Path

    @classmethod
    def beside(cls, place: str | os.PathLike[str]) -> Self:
        """Name the files beside a store or gallery.

        Args:
            place: path of the store.

        Returns:
            ``place.receipts`` and, with endings, the others.
        """
        log = os.path.normpath(os.fspath(place)) + ".receipts"
        return cls(Path(log), Path(log + ".key"), Path(log + ".begun"))


@dataclass(eq=False)
class ReceiptBooks:
    """What the lines of a log say, as far as they were read.

    Args:
        head: how far that is.
        store: id of the store.
        public_key: of its owner, hexadecimal.
        digests: of all lines that are receipts, in their order.
    """

    head: LedgerHead
    store: str
    public_key: str
    digests: list[str] = field(default_factory=list)

    @classmethod
    def opened(cls, line: bytes) -> ReceiptBooks:
        """Open the books with a log's first line; raises ``ValueError`` when it is none."""
        try:
            values = json.loads(line)
            if values["format"] != FORMAT or not values["salt"]:
                raise ValueError(f"format {values['format']!r}")
            return cls(START.after(line), str(values["store"]), str(values["public_key"]))
        except (KeyError, TypeError, UnicodeDecodeError) as error:
            raise ValueError("no first line of a log of receipts") from error

    @property
    def records(self) -> int:
        """How many receipts there are."""
        return len(self.digests)

    def overspent(self) -> list[str]:
        """None: each line is judged by itself."""
        return []

    def read(self, line: bytes) -> tuple[ErasureReceipt, list[str]]:
        """Add a line and return its receipt, with all that is wrong with it; ``ValueError`` when it is none."""
        digest, self.head = self.head.digest, self.head.after(line)
        receipt = ErasureReceipt.from_dict(json.loads(line))
        wrong = [] if receipt.previous == digest else ["does not follow the line before it"]
        if receipt.store != self.store:
            wrong.append("is of another store")
        if receipt.public_key != self.public_key or not receipt.is_signed:
            wrong.append("was not signed by the key of this store")
        if receipt.line() != line:
            wrong.append("is not written as receipts are")
        self.digests.append(self.head.digest)
        return receipt, wrong


class ReceiptLog(ChainedFile[ReceiptBooks]):
    """The log of a store's receipts in the file ``path``, with its head in ``path + ".head"``.

    A receipt is on the disk when `issue` returns. Damage, another file in its place and one that was put back are
    refused, as of other chained files.

    Args:
        path: a log that `at` made.

    Raises:
        ParameterError: there is no log at ``path``.
        DamagedLedgerError: from what reads the file: it does not fit itself, or what was read before.
    """

    words = _WORDING
    opened = ReceiptBooks.opened

    @classmethod
    def at(cls, path: str | os.PathLike[str], store: str, key: ReceiptKey) -> Self:
        """Open the log at ``path``, or make it where there is none; also when several do so at once.

        Args:
            path: of the file.
            store: id of the store that it belongs to.
            key: of the store's owner.

        Returns:
            The log, read and whole.

        Raises:
            ParameterError: it is that of another store, or of another key.
            OutputError: it cannot be written.
            DamagedLedgerError: it is not what was written.
        """
        place = Path(os.path.abspath(path))
        with one_writer(place.parent, math.inf):  # one process makes it, and the others find it whole
            if _never_finished(place):
                place.unlink()
            if not place.exists():
                if head_path(place).exists() and head_path(place).stat().st_size:
                    got, remedy = "no file, and its head beside it", "put the file back, or move the head away as well"
                    raise OutputError(Problem(f"log of receipts {place}", got, "both or none", remedy))
                first = {"format": FORMAT, "time": now(), "salt": secrets.token_hex(16), "store": store}
                cls._created(place, json.dumps({**first, "public_key": key.public}).encode() + b"\n")
        made = cls(place)
        with made._looked_up() as books:
            if books.store != store:
                raise ParameterError(Problem(str(path), f"receipts of store {books.store}", f"those of {store}"))
            if books.public_key != key.public:
                got, remedy = "receipts that another key signed", "use the key that the first erasure made"
                raise ParameterError(Problem(str(path), got, f"those of key {key.public[:16]}", remedy))
        return made

    @classmethod
    def store_at(cls, path: str | os.PathLike[str]) -> str | None:
        """Tell whose log is at ``path``.

        Args:
            path: of the file.

        Returns:
            Id of the store; None where there is no log, or one whose making was ended.

        Raises:
            DamagedLedgerError: it is not what was written.
        """
        place = Path(os.path.abspath(path))
        return None if not place.exists() or _never_finished(place) else cls(place).store

    def issue(self, receipt: ErasureReceipt, key: ReceiptKey) -> ErasureReceipt:
        """Sign a receipt and put it at the end.

        Args:
            receipt: of this store.
            key: of the store's owner.

        Returns:
            The receipt with its signature and the digest of the one before.

        Raises:
            ParameterError: it claims more than its own search found.
            OutputError: it cannot be written.
            DamagedLedgerError: the log is not what was written.
        """
        allowed = status_of(receipt.search, receipt.sealed)
        if receipt.status is not allowed:
            raise ParameterError(Problem("ErasureReceipt.status", receipt.status.value, allowed.value))
        with self._locked(os.O_RDWR) as files:
            books = self._caught_up(files, repair=True)
            signed = receipt.signed(key, books.head.digest)
            self._append(files, books, signed.line())
        return signed

    def receipts(self) -> Sequence[ErasureReceipt]:
        """Read all receipts.

        Returns:
            In their order.

        Raises:
            DamagedLedgerError: the log is not what was written.
        """
        return [ErasureReceipt.from_dict(json.loads(line)) for line in self.lines()[1:]]

    @property
    def public_key(self) -> str:
        """The key that signs receipts of this store, hexadecimal."""
        with self._looked_up() as books:
            return books.public_key

    @property
    def store(self) -> str:
        """Id of the store."""
        with self._looked_up() as books:
            return books.store


def _never_finished(path: Path) -> bool:
    """Whether its making was ended by a kill: no receipt was ever in it, as that needs a head."""
    if not path.is_file() or (head_path(path).exists() and head_path(path).stat().st_size):
        return False
    start = path.read_bytes()
    begun = start.startswith(_BEGINNING) or _BEGINNING.startswith(start)
    return begun and len(list(complete_lines(start))) < 2
