"""Where an index keeps its vectors: a store is made, or opened, by what the index's file says of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from privis.errors import ParameterError, Problem
from privis.estimators.search.indexing.index_file import VECTORS, IndexFile, StoreKind, keys_of
from privis.stores import VectorSpace, VectorStore
from privis.stores.erasure.erasing import erased
from privis.stores.erasure.erasure_receipt import ErasureReceipt
from privis.stores.erasure.receipt_log import ReceiptFiles


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
        MissingExtraError: the store's library is not installed.
    """
    match file.kind:
        case StoreKind.PARQUET:
            from privis.stores.parquet import ParquetStore

            return ParquetStore.create(folder / VECTORS, space, keys=keys)
        case StoreKind.LANCEDB:
            from privis.stores.lance import LanceStore

            return LanceStore.create(folder / VECTORS, space, keys=keys)
        case StoreKind.LANCEDB_OPEN:
            from privis.stores.lance import LanceStore

            return LanceStore.create(folder / VECTORS, space, sealed=False)
        case StoreKind.POSTGRESQL:
            from privis.stores.postgresql import PostgresqlStore

            return PostgresqlStore.create(file.address, space, keys=keys)


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
        MissingExtraError: the store's library is not installed.
    """
    match file.kind:
        case StoreKind.PARQUET:
            from privis.stores.parquet import ParquetStore

            return ParquetStore.open(folder / VECTORS, space=space, keys=keys)
        case StoreKind.LANCEDB | StoreKind.LANCEDB_OPEN:
            from privis.stores.lance import LanceStore

            return LanceStore.open(folder / VECTORS, space, keys)
        case StoreKind.POSTGRESQL:
            from privis.stores.postgresql import PostgresqlStore

            return PostgresqlStore.open(file.address, space, keys=keys)


def store_of_index(place: str | os.PathLike[str]) -> tuple[VectorStore, ReceiptFiles]:
    """Open what holds the vectors of an index, whatever made them.

    Args:
        place: folder of the index.

    Returns:
        Its store, in which begun erasures are finished, and the files of its receipts.

    Raises:
        ParameterError: there is no index, or it is damaged.
        MissingExtraError: the store's library is not installed.
    """
    folder = Path(os.path.abspath(place))
    return open_store(IndexFile.load(folder), folder, keys_of(folder), None), ReceiptFiles.beside(folder)


def beside_store(place: str | os.PathLike[str]) -> tuple[Path, ...]:
    """List what an index keeps in its folder and its store does not search.

    Args:
        place: folder of the index.

    Returns:
        Files and folders.
    """
    return tuple(sorted(path for path in Path(os.path.abspath(place)).iterdir() if path.name != VECTORS))


def erase_from_index(
    place: str | os.PathLike[str], subjects: Sequence[str], ledgers: Sequence[Path] = ()
) -> ErasureReceipt:
    """Erase people from an index, search its store, folder and keys for what is left, and sign a receipt.

    Args:
        place: folder of the index.
        subjects: ids of the people; of images that are subjects of their own, their paths.
        ledgers: privacy and answer ledgers about the index; their entries are kept, and the receipt says why.

    Returns:
        The receipt, which is in the log beside the index already.

    Raises:
        ParameterError: there is no index, it is damaged, or somebody is not in it.
        OutputError: the store or the log cannot be written.
        DamagedLedgerError: the log of receipts is not what was written.
    """
    store, _ = store_of_index(place)
    return erase_from_store(store, Path(place), subjects, ledgers)


def erase_from_store(
    store: VectorStore,
    place: Path | None,
    subjects: Sequence[str],
    ledgers: Sequence[Path] = (),
    receipts: ReceiptFiles | None = None,
) -> ErasureReceipt:
    """Erase people from the store of an index.

    Args:
        store: of the index.
        place: its folder; None: it is in memory.
        subjects: ids of the people.
        ledgers: about the index; that beside it, ``INDEX.ledger``, need not be named.
        receipts: files for the receipts; None: those beside the folder.

    Returns:
        The receipt.

    Raises:
        ParameterError: there are no files for receipts, or somebody is not in the index.
    """
    if place is None:
        if receipts is None:
            expected = "files for the receipts, which an index in memory has no place for"
            raise ParameterError(Problem("Index.erase.receipts", "none", expected, "ReceiptFiles.beside(PATH)"))
        return erased(store, subjects, receipts, ledgers)
    folder = Path(os.path.abspath(place))
    own = Path(f"{folder}.ledger")
    known = [*ledgers, *([own] if own.is_file() and own not in ledgers else [])]
    return erased(store, subjects, receipts or ReceiptFiles.beside(folder), known, beside_store(folder))
