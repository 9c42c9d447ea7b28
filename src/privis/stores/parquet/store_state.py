"""Reads what an index is made of at this moment, beside a writer or without one."""

from __future__ import annotations

from privis.errors import ParameterError, Problem
from privis.stores.parquet.store_files import StoreFolder, StoreManifest
from privis.stores.sealing.subject_keys import SubjectKeys


def state_of(folder: StoreFolder, keys: SubjectKeys, partial: bool) -> bytes:
    """Tell this state of a store from all others.

    Args:
        folder: of the index.
        keys: its file of keys.
        partial: whether a manifest that is lost is no error.

    Returns:
        Bytes, equal only while nothing was changed.

    Raises:
        ParameterError: manifest or keys cannot be read.
    """
    try:
        content = folder.read_bytes()
    except ParameterError:
        if not partial:
            raise
        content = b""
    return b"\n".join([content, repr(folder.read_journal()).encode(), keys.version()])


def manifest_of(folder: StoreFolder, keys: SubjectKeys, partial: bool, problems: list[Problem]) -> StoreManifest:
    """Read the manifest, or the copy of it that lies beside the keys where somebody asked for what is left.

    Args:
        folder: of the index.
        keys: its file of keys.
        partial: whether the copy will do.
        problems: gets what is wrong with the manifest where the copy is given.

    Returns:
        The manifest.

    Raises:
        ParameterError: it cannot be read.
    """
    try:
        return StoreManifest.of_json(folder.read_bytes(), folder.manifest)
    except ParameterError as error:
        copy = keys.text("manifest") if partial else None
        if copy is None:
            raise
        problems += error.problems
        return StoreManifest.of_json(copy, keys.path)
