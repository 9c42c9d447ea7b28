"""Receipts of erasures: what was searched for and where, what was found, signed, and chained to the one before.

A receipt names nobody and holds nothing of what was erased but 16 bytes of some encrypted blobs, which mean nothing
without their key and show later whether a backup of them was put back.

Format: ``format`` names it, and a reader refuses any other. Whatever comes, goes or means something else takes the next
number, as everything but the signature is signed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from privis.errors import ParameterError
from privis.file_formats import FileFormat, misfit
from privis.stores.erasure.receipt_key import ReceiptKey, is_signed, reference
from privis.stores.vector_store import ErasureStatus, ResidueSearch

FORMAT = "privis.erasure/1"
OUT_OF_REACH = "copies, backups and snapshots made elsewhere, and blocks that the disk has freed"
"""What no search of a store's files can say anything about."""
LEAST_FORMS = frozenset({"float32", "float16", "int8 by the largest"})
"""Forms of vectors without which nothing is called gone."""
_LARGEST = 1 << 28
_MARKS = (FORMAT.encode(), b'"sealed_windows"', b'"out_of_reach"')
"""Of which a receipt that was changed in one place holds two."""
_TOKENS = re.compile(r'("(?:[^"\\]|\\.)*")|\s+')


@dataclass(frozen=True)
class ErasedSubject:
    """Somebody who was erased, without the name.

    Args:
        reference: keyed digest of the name, as of `privis.stores.erasure.receipt_key.reference`.
        rows: how many were erased.
        nonce: which the salt of the reference is derived with.
        place: that the salt is derived with.
    """

    reference: str
    rows: int
    nonce: str
    place: int


@dataclass(frozen=True)
class ErasureReceipt:
    """What an erasure did and what its search found, without a name.

    Args:
        store: id of the store.
        kind: of the store, say "parquet".
        status: what became of the vectors.
        subjects: who was erased.
        searched: where erased bytes were looked for, and how.
        forms: how they were written for the search.
        bytes: how many were read.
        remains: where something was found, and in which form.
        unsearched: what could not be read or told apart, and why.
        began: UTC, ISO 8601.
        ended: UTC, ISO 8601.
        sealed: whether the store encrypts its vectors.
        sealed_windows: 16 bytes of encrypted blobs that were erased, hexadecimal.
        kept: what was kept and why, as sentences.
        out_of_reach: what the search says nothing about.
        previous: SHA-256 of the line before it in the store's log.
        public_key: that checks the signature, hexadecimal.
        signature: of all the others, hexadecimal.
    """

    store: str
    kind: str
    status: ErasureStatus
    subjects: tuple[ErasedSubject, ...]
    searched: tuple[str, ...]
    forms: tuple[str, ...]
    bytes: int
    remains: tuple[str, ...]
    unsearched: tuple[str, ...]
    began: str
    ended: str
    sealed: bool
    sealed_windows: tuple[str, ...] = field(default=(), repr=False)
    kept: tuple[str, ...] = ()
    out_of_reach: str = OUT_OF_REACH
    previous: str = ""
    public_key: str = ""
    signature: str = ""

    @property
    def rows(self) -> int:
        """How many rows were erased."""
        return sum(subject.rows for subject in self.subjects)

    @property
    def search(self) -> ResidueSearch:
        """The search that it reports."""
        return ResidueSearch(self.searched, self.forms, self.bytes, self.remains, self.unsearched)

    def to_dict(self) -> dict[str, Any]:
        """Give the receipt as its JSON document holds it.

        Returns:
            Texts, numbers, lists and dictionaries.
        """
        return {"format": FORMAT, **asdict(self), "status": self.status.value, "rows": self.rows}

    def line(self) -> bytes:
        """Give the receipt as one line, the same for equal receipts: what the next one holds the digest of.

        Returns:
            JSON and a newline.
        """
        return _canonical(self.to_dict()) + b"\n"

    @property
    def digest(self) -> str:
        """SHA-256 of `line`."""
        return hashlib.sha256(self.line()).hexdigest()

    def signed(self, key: ReceiptKey, previous: str) -> ErasureReceipt:
        """Sign the receipt.

        Args:
            key: of the store's owner.
            previous: SHA-256 of the line before it.

        Returns:
            The receipt with its signature.
        """
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        bare = ErasureReceipt(**{**values, "previous": previous, "public_key": key.public, "signature": ""})
        return ErasureReceipt(**{**values, "previous": previous, "public_key": key.public} | {
            "signature": key.sign(_signed_part(bare.to_dict()))
        })  # fmt: skip

    @property
    def is_signed(self) -> bool:
        """Whether the key that it names signed it; whose key that is, is another question."""
        return is_signed(_signed_part(self.to_dict()), self.signature, self.public_key)

    def about(self, subject: str, salt: str) -> bool:
        """Check whether the receipt is about somebody, with the salt that the store's owner handed over.

        Args:
            subject: the id.
            salt: hexadecimal.

        Returns:
            Whether one of its references is that of the id under the salt.
        """
        return reference(subject, salt) in {each.reference for each in self.subjects}

    def known_to(self, key: ReceiptKey, subjects: Sequence[str]) -> tuple[str, ...]:
        """Find whom the receipt is about, as who has the key can.

        Args:
            key: of the store's owner.
            subjects: ids to try.

        Returns:
            Those of them that it is about.
        """
        found = set()
        for each in self.subjects:
            salt = key.salt(each.nonce, each.place)
            found |= {subject for subject in subjects if reference(subject, salt) == each.reference}
        return tuple(subject for subject in subjects if subject in found)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read a receipt's document.

        Args:
            document: as `to_dict` gave it.

        Returns:
            The receipt; nothing is checked but its form.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(document, Mapping) or document.get("format") != FORMAT:
            raise ValueError(f"no document of the format {FORMAT}")
        try:
            values = {each.name: document[each.name] for each in fields(cls)}
            for name, value in values.items():
                if isinstance(value, list):
                    values[name] = tuple(value)
            values["status"] = ErasureStatus(values["status"])
            values["subjects"] = tuple(ErasedSubject(**each) for each in values["subjects"])
            made = cls(**values)
            if made.line() != _canonical(document) + b"\n":
                raise ValueError("keys or values that do not belong there")
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no receipt: {type(error).__name__} {error}") from error
        return made

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read the receipt at ``path``, however its JSON is indented.

        Args:
            path: of the file: the receipt, or a document with it under ``receipt``, as of privis face remove.

        Returns:
            The receipt; nothing is checked but its form.

        Raises:
            ParameterError: it is missing or no receipt.
        """
        try:
            if Path(path).stat().st_size > _LARGEST:
                raise ValueError("a file that is too large")
            data = Path(path).read_bytes()
            document = json.loads(data)
            if not _is_faithful(data, document):
                raise ValueError("letters that were not written so")
            if isinstance(document, Mapping) and isinstance(document.get("receipt"), Mapping):
                document = document["receipt"]
            return cls.from_dict(document)
        except (OSError, ValueError, RecursionError) as error:
            reason = (error.strerror or "an error") if isinstance(error, OSError) else str(error)[:200]
            expected = "a receipt of an erasure, as privis search erase or privis face remove printed it"
            raise ParameterError(misfit(path, FileFormat.ERASURE_RECEIPT, reason, expected)) from None


def was_receipt(path: str | Path) -> bool:
    """Whether a file that cannot be read was a receipt before it was damaged.

    Args:
        path: of the file.

    Returns:
        Whether it has marks of one.
    """
    try:
        if not Path(path).is_file() or Path(path).stat().st_size > _LARGEST:
            return False
        data = Path(path).read_bytes()
    except OSError:
        return False
    return sum(mark in data for mark in _MARKS) > 1


def status_of(search: ResidueSearch, sealed: bool) -> ErasureStatus:
    """Decide what may be claimed after a search.

    Args:
        search: what was found.
        sealed: whether the store encrypts vectors under keys that it dropped.

    Returns:
        Gone only where everything was searched, vectors in `LEAST_FORMS` at least, and nothing was found; key destroyed
        where only encrypted forms remain, or not everything was searched, of a store that encrypts; else unsupported.
    """
    if not search.searched or any(not place.endswith(": sealed") for place in search.remains):
        return ErasureStatus.UNSUPPORTED
    if not search.remains and not search.unsearched and set(search.forms) >= LEAST_FORMS:
        return ErasureStatus.GONE
    return ErasureStatus.KEY_DESTROYED if sealed else ErasureStatus.UNSUPPORTED


def _is_faithful(data: bytes, document: Any) -> bool:
    """Whether a text is what its document is written as, whatever spaces are between: no other spelling of a letter."""
    packed = _TOKENS.sub(lambda found: found[1] or "", data.decode("utf-8"))
    return packed in (json.dumps(document, separators=(",", ":"), ensure_ascii=ascii) for ascii in (True, False))


def _signed_part(document: Mapping[str, Any]) -> bytes:
    return _canonical({name: value for name, value in document.items() if name != "signature"})


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
