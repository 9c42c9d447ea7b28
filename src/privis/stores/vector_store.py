"""What every store of vectors can do, whatever holds its bytes.

A store keeps vectors that one space made, compares them by inner product, and erases people. Vectors are sealed with
AES-256 in Galois/counter mode under a key per subject (NIST SP 800-38D); the keys are in a file of their own, so a
store that never rewrites what it deleted still loses a person with the key. A store whose own index has to read vectors
keeps them open, says so, and has to rewrite what held them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from privis.stores.vector_rows import Value, VectorRows


@dataclass(frozen=True)
class VectorSpace:
    """What made the vectors of a store: those of another space are refused.

    Args:
        identity: 32 bytes, equal only for vectors that may be compared.
        words: what made them, for people.
        components: length of a vector.
        guarantee: what holds for each released vector, as of ``Guarantee.to_dict``; None: exact vectors.
    """

    identity: bytes
    words: str
    components: int
    guarantee: Mapping[str, Any] | None = None


class Relation(Enum):
    """How a column of metadata is compared with a value; rows where it is None never fit."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="


@dataclass(frozen=True)
class Condition:
    """A condition on a column of metadata, or on ``id``, ``subject`` or ``source``; of several all must hold.

    Args:
        column: its name.
        relation: how it is compared.
        value: with what; of the column's type.
    """

    column: str
    relation: Relation
    value: Value


@dataclass(frozen=True)
class SearchResult:
    """The most similar rows of each query, the most similar first; shorter where fewer rows are there or fit.

    Args:
        ids: by query.
        scores: by query, inner products in double precision of what is stored as float32.
        metadata: by query and row, the columns of metadata.
        recall: of an approximate search, the share of the exact answers that a sample of queries got; None: exact.
    """

    ids: tuple[tuple[str, ...], ...]
    scores: tuple[NDArray[np.float64], ...] = field(repr=False)
    metadata: tuple[tuple[Mapping[str, Value], ...], ...] = ()
    recall: float | None = None


@dataclass(frozen=True)
class StoreDescription:
    """What a store holds and how, without a word about anyone in it.

    Args:
        kind: say "parquet", "lancedb", "postgresql".
        place: path or address without a password.
        store_id: 32 hexadecimal digits, drawn when it was made.
        space: what made the vectors.
        rows: how many there are.
        subjects: how many people they are of.
        columns: types of the metadata by column: "str", "int", "float" or "bool".
        sealed: whether vectors are encrypted per subject.
        bytes: size of its files, or of its tables.
    """

    kind: str
    place: str
    store_id: str
    space: VectorSpace
    rows: int
    subjects: int
    columns: Mapping[str, str]
    sealed: bool
    bytes: int


class ErasureStatus(Enum):
    """What became of erased vectors: nothing is claimed that was not searched for."""

    GONE = "gone"
    KEY_DESTROYED = "key-destroyed"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True)
class Residue:
    """What an erased vector, or its encrypted form, would look like in a file: secret until it is found nowhere.

    Args:
        vectors: float32 (rows, components), those that were erased.
        sealed: their encrypted forms as they were stored.
        texts: ids, subjects and digests that nothing may hold any more.
        keys: of the subjects, which were dropped; only to be searched for.
    """

    vectors: NDArray[np.float32] = field(repr=False)
    sealed: tuple[bytes, ...] = field(repr=False)
    texts: tuple[str, ...] = field(repr=False)
    keys: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class ResidueSearch:
    """Where erased bytes were looked for, and where they were found.

    Args:
        searched: files or tables, each with how it was read ("bytes", "decompressed pages", "pickled numbers", ...).
        forms: how the vectors were written for the search: "float32", "float16", "int8", "sealed", ...
        bytes: how many bytes were read.
        remains: where something was found, and in which form.
        unsearched: what could not be read, and why; with one of these nothing is called gone.
    """

    searched: tuple[str, ...]
    forms: tuple[str, ...]
    bytes: int
    remains: tuple[str, ...] = ()
    unsearched: tuple[str, ...] = ()


class VectorStore(Protocol):
    """Where vectors are kept, searched and forgotten; one writer at a time, readers beside it."""

    def describe(self) -> StoreDescription:
        """Say what it holds and how."""
        ...

    def subjects(self) -> Mapping[str, int]:
        """Rows of each subject."""
        ...

    def add(self, rows: VectorRows) -> int:
        """Add rows, all or none; those whose ids are there take their places. Gives how many were replaced."""
        ...

    def rows(self, where: Sequence[Condition] = ()) -> Iterator[VectorRows]:
        """Read what is stored, some thousand rows at a time."""
        ...

    def search(
        self, queries: NDArray[Any], top: int, where: Sequence[Condition] = (), approximate: bool = False
    ) -> SearchResult:
        """Find the most similar rows of each query (queries, components)."""
        ...

    def erase(self, subjects: Sequence[str]) -> Residue:
        """Drop these subjects' keys, then rewrite all that holds their rows; begun erasures are finished when the
        store is opened again. Gives what `verify_erased` has to look for.
        """
        ...

    def verify_erased(self, residue: Residue) -> ResidueSearch:
        """Read every byte that the store keeps, its logs, journals, temporary files and indexes among them."""
        ...
