"""Rows of a store: a vector with the id of its image, whose it is, the digest of its file, and metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.subjects import shortened, subject_ids

Value = str | int | float | bool | None
"""What a column of metadata holds; None where it is not known."""

_COLUMN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
MOST_LETTERS = 63
"""Of a column's name, as in PostgreSQL."""


def value_problems(where: str, value: object) -> list[Problem]:
    """Find what no store can hold: a NUL, text that is no Unicode, whole numbers beyond 64 bits.

    Args:
        where: the value, in messages.
        value: a value of metadata, or an id.

    Returns:
        A problem, or none.

    >>> [each.got for each in value_problems("year", 2**63)], value_problems("year", 2024)
    (['a number of 64 bits and a sign'], [])
    """
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return [Problem(where, f"a number of {value.bit_length()} bits and a sign", "63 bits and a sign")]
    if isinstance(value, str) and not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        return [Problem(where, f"{value!r}, which is no Unicode", "text of UTF-8", "rename what it names")]
    if isinstance(value, str) and "\0" in value:
        return [Problem(where, f"{value!r} with a NUL", "text without one")]
    return []


@dataclass(frozen=True, eq=False)
class VectorRows:
    """Rows that are added to a store or read from it.

    Args:
        ids: of the images, say their paths; each once. A row whose id is in the store already takes its place.
        subjects: whose each image is, by the rules of `privis.subjects`.
        sources: SHA-256 of each image's file, hexadecimal.
        vectors: float32 (rows, components), finite.
        metadata: further columns by name, one value per row; of a column all values are of one type, or None.

    Raises:
        ParameterError: lengths differ, an id comes twice, a subject or digest is none, numbers are not finite, or a
            column has a name or values that a store cannot hold; all at once.

    >>> rows = VectorRows(("a.png",), ("ann",), ("0" * 64,), np.ones((1, 4), np.float32), {"year": (2024,)})
    >>> len(rows), rows.vectors.shape
    (1, (1, 4))
    """

    ids: tuple[str, ...]
    subjects: tuple[str, ...]
    sources: tuple[str, ...]
    vectors: NDArray[np.float32] = field(repr=False)
    metadata: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "subjects", subject_ids(self.subjects))
        count, problems = len(self.ids), []
        columns = {"subjects": self.subjects, "sources": self.sources, **self.metadata}
        for name, values in columns.items():
            if len(values) != count:
                problems.append(Problem(f"VectorRows.{name}", f"{len(values)} values", f"{count}, one per id"))
        fits = self.vectors.ndim == 2 and len(self.vectors) == count and self.vectors.dtype == np.float32
        if not fits or not self.vectors.shape[1]:
            got = f"{self.vectors.dtype} of shape {self.vectors.shape}"
            problems.append(Problem("VectorRows.vectors", got, f"float32 ({count}, components)"))
        elif not np.isfinite(self.vectors).all():
            row = int(np.flatnonzero(~np.isfinite(self.vectors).all(1))[0])
            problems.append(Problem(f"VectorRows.vectors row {row}", "NaN or infinity", "finite numbers"))
        problems += self._problems_of_ids() + self._problems_of_columns()
        refuse(ParameterError, problems)

    def _problems_of_ids(self) -> list[Problem]:
        seen: set[str] = set()
        found = []
        for place, name in enumerate(self.ids):
            if not isinstance(name, str) or not name:
                found.append(Problem(f"VectorRows.ids[{place}]", repr(name), "a text of at least one character"))
                continue
            found += value_problems(f"VectorRows.ids[{place}]", name)
            if name in seen:
                found.append(Problem(f"VectorRows.ids[{place}]", f"{name!r} again", "each id once"))
            seen.add(name)
        for place, digest in enumerate(self.sources):
            if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
                got = "no SHA-256"
                found.append(Problem(f"VectorRows.sources[{place}]", got, "64 hexadecimal digits, small letters"))
        return shortened(found, "VectorRows")

    def _problems_of_columns(self) -> list[Problem]:
        found = []
        for name, values in self.metadata.items():
            if not _COLUMN.fullmatch(name) or len(name) > MOST_LETTERS or name in ("id", "subject", "source", "vector"):
                expected = f"letters, digits and _, at most {MOST_LETTERS}, and none of id, subject, source, vector"
                found.append(Problem(f"metadata column {name!r}", "this name", expected))
            kinds = {type(value) for value in values if value is not None}
            for place, value in enumerate(values):
                found += value_problems(f"metadata column {name!r}, row {place}", value)
            if len(kinds) > 1 or not kinds <= {str, int, float, bool}:
                got = ", ".join(sorted(kind.__name__ for kind in kinds))
                found.append(
                    Problem(
                        f"metadata column {name!r}", got, "values of one type: text, whole numbers, numbers or Booleans"
                    )
                )
        return shortened(found, "VectorRows")

    def __len__(self) -> int:
        return len(self.ids)
