"""A fragment of an index: a Parquet file of sealed rows, a block per person and some tens of rows.

======================  ============================================================================
column                  what it holds, by block
======================  ============================================================================
``key`` (int64)         the random number of the person's key; one person's blocks follow each other
``rows`` (int32)        how many rows are sealed together
``bytes`` (int32)       length of what is sealed
``nonce`` (12 bytes)    of the encryption, as at the beginning of what is sealed
``sealed`` (binary)     see `privis.stores.sealing.sealed_rows`
======================  ============================================================================

Associated data of a block are the store's id, the fragment's name, the identity of the space, key and place of the
block and its rows: it cannot be moved unseen. Values are plain, as encrypted bytes do not shrink, so a block is read
from its place in the file without the others.

Evolution: the schema's metadata name the format; a reader refuses another number. Columns may be added under the same.
"""

from __future__ import annotations

import os
import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from cryptography.exceptions import InvalidTag
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.file_formats import FileFormat, misfit
from privis.io.atomic import replacing
from privis.stores.parquet.store_files import StoreFolder, StoreManifest
from privis.stores.sealing.key_ring import KeyRing
from privis.stores.sealing.sealed_rows import NONCE_BYTES, packed, seal, texts_of_blocks, unseal
from privis.stores.vector_rows import VectorRows

FORMAT = "privis.fragment/1"
LARGEST = 32 << 20
"""Bytes of the vectors of a fragment that is written, at most: what is in memory at a time."""
BLOCK = 1 << 16
"""Bytes of the vectors of a block, at most: what is decrypted for one row."""

_LISTED = ["key", "rows", "bytes", "nonce"]
_SCHEMA = pa.schema(
    [
        pa.field("key", pa.int64(), nullable=False),
        pa.field("rows", pa.int32(), nullable=False),
        pa.field("bytes", pa.int32(), nullable=False),
        pa.field("nonce", pa.binary(NONCE_BYTES), nullable=False),
        pa.field("sealed", pa.binary(), nullable=False),
    ],
    metadata={"privis.fragment": FORMAT},
)
_PAGE_HEADER = 4096  # more bytes than there are between the values of two pages


class FragmentGone(Exception):
    """A fragment's file is not there: another process replaced it, or it is lost."""


def fragment_rows(components: int) -> int:
    """How many rows a fragment has at most.

    Args:
        components: of a vector.

    Returns:
        Rows, at least 1.
    """
    return max(1, LARGEST // (4 * components))


def write_fragment(folder: StoreFolder, manifest: StoreManifest, ring: KeyRing, rows: VectorRows) -> str:
    """Seal rows and write them as a new file, which no manifest names yet.

    Args:
        folder: of the index.
        manifest: whose store and space the rows are of.
        ring: a key of every subject.
        rows: at least one; metadata in the types of the manifest.

    Returns:
        The name of the fragment.

    Raises:
        OutputError: it cannot be written; nothing is left of it.
    """
    name = uuid.uuid4().hex
    places, most = ring.places_of(rows.subjects), max(1, BLOCK // (4 * manifest.space.components))
    order = np.argsort(_first_seen(places), kind="stable")
    starts = np.flatnonzero(np.diff(places[order], prepend=-1))
    prefix, blocks = _prefix(manifest, name), []
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        place = int(places[order[start]])
        key, cipher = int(ring.numbers[place]), ring.cipher(place)
        for first in range(start, end, most):
            taken = order[first : min(first + most, end)]
            columns = {column: [values[row] for row in taken] for column, values in rows.metadata.items()}
            content = packed(
                rows.vectors[taken], [rows.sources[row] for row in taken], [rows.ids[row] for row in taken], columns
            )
            sealed = seal(cipher, content, prefix + _where(key, len(blocks), len(taken)))
            blocks.append((key, len(taken), len(sealed), sealed[:NONCE_BYTES], sealed))
    table = pa.table([list(values) for values in zip(*blocks, strict=True)], schema=_SCHEMA)
    with replacing(folder.fragment(name)) as temporary:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            pq.write_table(
                table, file, row_group_size=len(blocks), compression="none", use_dictionary=False,
                write_statistics=False, column_encoding=dict.fromkeys(_SCHEMA.names, "PLAIN"),
            )  # fmt: skip
    return name


def _first_seen(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number values by where they come first, so that rows keep their order as far as persons are kept together."""
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    return first[inverse]


def _prefix(manifest: StoreManifest, name: str) -> bytes:
    return bytes.fromhex(manifest.store_id) + bytes.fromhex(name) + manifest.space.identity


def _where(key: int, block: int, rows: int) -> bytes:
    return struct.pack("<qii", key, block, rows)


@dataclass(frozen=True, eq=False)
class Fragment:
    """A fragment that is there: its blocks, and how they are unsealed.

    Args:
        path: of its file.
        prefix: what the associated data of its blocks begin with.
        components: of a vector.
        keys: int64 (blocks,), the number of each block's key.
        counts: int64 (blocks,), rows.
        lengths: int64 (blocks,), bytes that are sealed.
        nonces: of each block.
        begin: byte of the file from which on sealed blocks are found.
    """

    path: Path
    prefix: bytes
    components: int
    keys: NDArray[np.int64]
    counts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    nonces: Sequence[bytes] = field(repr=False)
    begin: int

    @classmethod
    def open(cls, folder: StoreFolder, manifest: StoreManifest, name: str) -> Fragment:
        """Read which blocks a fragment has, not the blocks.

        Args:
            folder: of the index.
            manifest: that names the fragment.
            name: of the fragment.

        Returns:
            The fragment.

        Raises:
            FragmentGone: there is no such file.
            ParameterError: it is damaged, or not what the manifest says.
        """
        path = folder.fragment(name)
        try:
            with pq.ParquetFile(path, memory_map=False) as file:
                said = (file.schema_arrow.metadata or {}).get(b"privis.fragment", b"").decode("utf-8", "replace")
                if said != FORMAT:
                    raise ParameterError(Problem(str(path), f"format {said!r}", FORMAT, "update Privis"))
                table, place = file.read(_LISTED), file.schema_arrow.get_field_index("sealed")
                begin = file.metadata.row_group(0).column(place).data_page_offset
        except FileNotFoundError:
            raise FragmentGone(str(path)) from None
        except (OSError, pa.ArrowException, KeyError, IndexError) as error:
            raise ParameterError(misfit(path, FileFormat.FRAGMENT, str(error).split("\n")[0])) from error
        keys, counts, lengths = (np.asarray(table[column], np.int64) for column in _LISTED[:3])
        if counts.sum() != manifest.fragments[name] or (len(counts) and counts.min() < 1):
            got = f"{counts.sum():,} rows"
            raise ParameterError(Problem(str(path), got, f"{manifest.fragments[name]:,}, as store.json says"))
        nonces = table["nonce"].to_pylist()
        return cls(path, _prefix(manifest, name), manifest.space.components, keys, counts, lengths, nonces, begin)

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """Where each sealed block begins in the file, int64 (blocks,): found by length and nonce."""
        return self._offsets(self._read())

    def _read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            raise FragmentGone(str(self.path)) from None
        except OSError as error:
            raise ParameterError(misfit(self.path, FileFormat.FRAGMENT, str(error.strerror))) from error

    def _offsets(self, content: bytes) -> NDArray[np.int64]:
        found = np.empty(len(self.keys), np.int64)
        place, end = self.begin, self.begin + _PAGE_HEADER
        for block, (length, nonce) in enumerate(zip(self.lengths.tolist(), self.nonces, strict=True)):
            begin = struct.pack("<i", length) + nonce
            place = content.find(begin, place, end)
            if place < 0:
                raise ParameterError(Problem(str(self.path), f"no block {block} where it was", "a whole fragment"))
            found[block] = place + 4
            place += 4 + length
            end = place + _PAGE_HEADER
        return found

    def unsealed(self, blocks: NDArray[np.int64], ring: KeyRing) -> list[bytes | None]:
        """Decrypt blocks; the whole file is read at once.

        Args:
            blocks: which, ascending.
            ring: their keys.

        Returns:
            The content of each; None where it is damaged.

        Raises:
            FragmentGone: the file is not there any more.
            ParameterError: it cannot be read.
        """
        content = self._read()
        if "offsets" not in vars(self):
            vars(self)["offsets"] = self._offsets(content)
        view = memoryview(content)
        spans = zip(self.offsets[blocks].tolist(), self.lengths[blocks].tolist(), strict=True)
        return self._contents(blocks, [view[start : start + length] for start, length in spans], ring)

    def picked(self, blocks: NDArray[np.int64], ring: KeyRing) -> list[bytes | None]:
        """Decrypt a few blocks, each read from its place.

        Args:
            blocks: which, ascending.
            ring: their keys.

        Returns:
            The content of each; None where it is damaged.

        Raises:
            FragmentGone: the file is not there any more.
        """
        spans = list(zip(self.offsets[blocks].tolist(), self.lengths[blocks].tolist(), strict=True))
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            raise FragmentGone(str(self.path)) from None
        try:
            read = [os.pread(descriptor, length, start) for start, length in spans]
        finally:
            os.close(descriptor)
        return self._contents(blocks, read, ring)

    def sealed(self, blocks: NDArray[np.int64]) -> list[bytes]:
        """Read blocks as they are stored.

        Args:
            blocks: which.

        Returns:
            Nonce, encrypted content and tag of each.
        """
        content = self._read()
        spans = zip(self.offsets[blocks].tolist(), self.lengths[blocks].tolist(), strict=True)
        return [content[start : start + length] for start, length in spans]

    def _contents(
        self, blocks: NDArray[np.int64], sealed: Sequence[bytes | memoryview], ring: KeyRing
    ) -> list[bytes | None]:
        found: list[bytes | None] = []
        last, cipher = -1, None
        keys, counts = self.keys[blocks].tolist(), self.counts[blocks].tolist()
        places = ring.places(self.keys[blocks]).tolist()
        for block, key, count, place, each in zip(blocks.tolist(), keys, counts, places, sealed, strict=True):
            if cipher is None or place != last:  # one cipher for a person's blocks, which follow each other
                last, cipher = place, ring.cipher(place)
            try:
                found.append(unseal(cipher, each, self.prefix + _where(key, block, count)))
            except (InvalidTag, ValueError):
                found.append(None)
        return found

    def vectors(self, contents: Sequence[bytes], blocks: NDArray[np.int64]) -> NDArray[np.float32]:
        """Read the vectors of blocks.

        Args:
            contents: of the blocks, unsealed.
            blocks: their places.

        Returns:
            float32 (rows, components), which may not be written.
        """
        ends = (4 * self.components * self.counts[blocks]).tolist()
        numbers = b"".join([content[:end] for content, end in zip(contents, ends, strict=True)])
        return np.frombuffer(numbers, "<f4").reshape(-1, self.components)

    def texts(self, contents: Sequence[bytes], blocks: NDArray[np.int64]) -> tuple[list[str], list[dict[str, Any]]]:
        """Read digests, ids and metadata of blocks.

        Args:
            contents: of the blocks, unsealed.
            blocks: their places.

        Returns:
            Digests of all rows; by block, ``ids`` and ``columns`` by these words.
        """
        return texts_of_blocks(contents, self.counts[blocks].tolist(), self.components)
