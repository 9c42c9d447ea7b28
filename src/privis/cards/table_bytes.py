"""The bytes of a table that a card speaks of, and the card that the table carries itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privis.errors import ParameterError, Problem
from privis.io import tables
from privis.io.completeness.completeness import METADATA


@dataclass(frozen=True)
class TableContent:
    """What a card says of a table.

    Args:
        name: of its file.
        sha256: of its bytes.
        record_sha256: of the record beside a CSV table; empty for others.
        rows: how many; None where they were not read.
        components: how many.
        card: that it carries, of format 1.
        completeness: its statement of what went into its run and what came out; None where it has none.
    """

    name: str
    sha256: str
    record_sha256: str
    rows: int | None
    components: int
    card: Mapping[str, Any]
    completeness: Mapping[str, Any] | None = None

    key = "table"
    """Of a card, under which it is described."""
    kind = "table"
    """What it is, in one word."""

    def described(self) -> dict[str, Any]:
        """Give what stands in a card.

        Returns:
            All but the card that the table carries.
        """
        values = {"name": self.name, "sha256": self.sha256, "rows": self.rows, "components": self.components}
        values |= {"record_sha256": self.record_sha256} if self.record_sha256 else {}
        return values | ({} if self.completeness is None else {"completeness": dict(self.completeness)})


def digests(path: Path) -> tuple[str, str]:
    """Give the SHA-256 of a table, and that of the record beside it, empty where there is none.

    Args:
        path: of the table.

    Returns:
        Both, hexadecimal.

    Raises:
        OSError: a file cannot be read.
    """
    record = path.with_name(path.name + ".json")
    return _digest(path), _digest(record) if path.suffix.lower() == ".csv" else ""


def content_of(path: Path, whole: bool = False) -> TableContent:
    """Read what a card says of a table.

    Args:
        path: of the table.
        whole: whether its rows have to be readable, too.

    Returns:
        Digests, sizes and the card that it carries.

    Raises:
        ParameterError: it is no table of Privis, or carries no card.
    """
    table = tables.summary(path)
    rows = len(tables.read(path).paths) if whole else table.rows
    card = carried(table.metadata)
    if card is None:
        remedy = "tables that privis extract and privis release write carry one"
        raise ParameterError(Problem(str(path), "a table without a card", "a table that carries one", remedy))
    stated = _document_in(table.metadata, METADATA)
    return TableContent(path.name, *digests(path), rows, len(table.names), card, stated)


def carried(metadata: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Give the card in a table's metadata.

    Args:
        metadata: of the table.

    Returns:
        Its document, or None.
    """
    return _document_in(metadata, "privis.card")


def _document_in(metadata: Mapping[str, str], key: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(metadata.get(key, "null"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and found else None


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
