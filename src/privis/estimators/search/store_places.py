"""Where an index keeps its vectors: a store is made, or opened, by what the index's file says of it."""

from __future__ import annotations

from pathlib import Path

from privis.errors import Problem, UnsupportedError
from privis.estimators.search.indexing.index_file import VECTORS, IndexFile, StoreKind
from privis.stores import VectorSpace, VectorStore


def create_store(file: IndexFile, folder: Path, keys: Path, space: VectorSpace) -> VectorStore:
    """Make the store of a new index.

    Args:
        file: what the index knows of itself.
        folder: of the index; it is there.
        keys: file of its subjects' keys.
        space: what makes its vectors.

    Returns:
        The store, empty.

    Raises:
        OutputError: it cannot be made.
        UnsupportedError: Privis has no such store.
    """
    match file.kind:
        case StoreKind.PARQUET:
            from privis.stores.parquet import ParquetStore

            return ParquetStore.create(folder / VECTORS, space, keys=keys)
        case StoreKind.POSTGRESQL:
            from privis.stores.postgresql import PostgresqlStore

            return PostgresqlStore.create(file.address, space, keys=keys)
        case _:
            raise UnsupportedError(Problem("--store", file.kind.value, "parquet, or postgresql://…"))


def open_store(file: IndexFile, folder: Path, keys: Path, space: VectorSpace | None) -> VectorStore:
    """Open the store of an index; erasures that were begun are finished.

    Args:
        file: what the index knows of itself.
        folder: of the index.
        keys: file of its subjects' keys.
        space: what makes vectors that are added or searched for; None: whatever made those of the store.

    Returns:
        The store.

    Raises:
        ParameterError: it is damaged, missing, or of another space.
        UnsupportedError: Privis has no such store.
    """
    match file.kind:
        case StoreKind.PARQUET:
            from privis.stores.parquet import ParquetStore

            return ParquetStore.open(folder / VECTORS, space=space, keys=keys)
        case StoreKind.POSTGRESQL:
            from privis.stores.postgresql import PostgresqlStore

            return PostgresqlStore.open(file.address, space, keys=keys)
        case _:
            raise UnsupportedError(Problem(str(folder), file.kind.value, "parquet, or postgresql"))
