"""What a LanceDB store says of itself, and the change that was begun in it, as the texts of its folder.

Evolution: both documents name their format. Entries may be added under the same number, and a reader leaves alone those
that it does not know; another meaning of an entry takes another number, which earlier versions refuse.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from privis.stores.vector_store import VectorSpace

RECORD_FORMAT = "privis.lance-store/1"
CHANGE_FORMAT = "privis.lance-change/1"

_TABLE = re.compile(r"rows-[1-9][0-9]{0,17}")
_TYPES = frozenset(("str", "int", "float", "bool"))


@dataclass(frozen=True)
class LanceRecord:
    """What a store is, and which of LanceDB's tables in its folder is its own.

    Args:
        store_id: 32 hexadecimal digits, drawn when it was made.
        space: what made its vectors.
        sealed: whether rows are encrypted per subject.
        table: name of the table; a rewritten store has another one.
        columns: types of the metadata by column.
        longest: at least the length of every vector in it.
        index: kind of the approximate index; None: there is none.
    """

    store_id: str
    space: VectorSpace
    sealed: bool
    table: str = "rows-1"
    columns: Mapping[str, str] = field(default_factory=dict)
    longest: float = 0.0
    index: str | None = None

    @property
    def next_table(self) -> str:
        """Name of the table that a rewritten store has.

        >>> LanceRecord("0" * 32, VectorSpace(b"", "", 1), True).next_table
        'rows-2'
        """
        return f"rows-{int(self.table.removeprefix('rows-')) + 1}"

    def to_bytes(self) -> bytes:
        """Write the record.

        Returns:
            A JSON document.
        """
        space = {
            "identity": self.space.identity.hex(),
            "words": self.space.words,
            "components": self.space.components,
            "guarantee": self.space.guarantee,
        }
        content = {
            "format": RECORD_FORMAT,
            "store": self.store_id,
            "space": space,
            "sealed": self.sealed,
            "table": self.table,
            "columns": dict(self.columns),
            "longest": self.longest,
            "index": self.index,
        }
        return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> LanceRecord:
        """Read a record.

        Args:
            content: what `to_bytes` gave.

        Returns:
            The record.

        Raises:
            ValueError: it is damaged, or something else; the text says what.
        """
        document = _document(content, RECORD_FORMAT)
        try:
            space = document["space"]
            made = cls(
                document["store"],
                VectorSpace(bytes.fromhex(space["identity"]), space["words"], space["components"], space["guarantee"]),
                document["sealed"],
                document["table"],
                document["columns"],
                float(document["longest"]),
                document["index"],
            )
            fits = re.fullmatch(r"[0-9a-f]{32}", made.store_id) and _TABLE.fullmatch(made.table)
            fits = fits and type(made.sealed) is bool and made.longest >= 0 and set(made.columns.values()) <= _TYPES
            fits = fits and type(made.space.components) is int and made.space.components > 0
            if not fits or not (made.index is None or isinstance(made.index, str)):
                raise ValueError("an entry of another type")
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no entry {error}" if isinstance(error, KeyError) else str(error)) from error
        return made


@dataclass(frozen=True)
class BegunChange:
    """A change that was begun, and is finished or undone before the next one.

    Args:
        work: "write": rows are added or an index is built, "erase": people are erased.
        table: the table as it was.
        version: of that table.
        files: of that table's folder, as they were; of "write".
        subjects: who is erased; of "erase" in an open store.
        keys: numbers of the keys that are dropped; of "erase" in a sealed store.
    """

    work: str
    table: str
    version: int = 0
    files: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    keys: tuple[int, ...] = ()

    def to_bytes(self) -> bytes:
        """Write it down.

        Returns:
            A JSON document.
        """
        content = {
            "format": CHANGE_FORMAT,
            "work": self.work,
            "table": self.table,
            "version": self.version,
            "files": list(self.files),
            "subjects": list(self.subjects),
            "keys": list(self.keys),
        }
        return json.dumps(content, ensure_ascii=False).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> BegunChange:
        """Read what was begun.

        Args:
            content: what `to_bytes` gave.

        Returns:
            The change.

        Raises:
            ValueError: it is damaged, or something else; the text says what.
        """
        document = _document(content, CHANGE_FORMAT)
        try:
            made = cls(
                document["work"],
                document["table"],
                int(document["version"]),
                tuple(document["files"]),
                tuple(document["subjects"]),
                tuple(int(number) for number in document["keys"]),
            )
            if made.work not in ("write", "erase") or not _TABLE.fullmatch(made.table):
                raise ValueError("an entry of another type")
            if not all(isinstance(each, str) for each in (*made.files, *made.subjects)):
                raise ValueError("an entry of another type")
        except (KeyError, TypeError) as error:
            raise ValueError(f"no entry {error}" if isinstance(error, KeyError) else str(error)) from error
        return made


def _document(content: bytes, wanted: str) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from error
    said = document.get("format") if isinstance(document, dict) else None
    if said != wanted:
        raise ValueError(f"the format {said!r}, not {wanted!r}")
    return document  # type: ignore[no-any-return]
