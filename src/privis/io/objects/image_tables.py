"""Images in Parquet tables: a column of bytes, or of structs of ``bytes`` and ``path`` as Hugging Face writes them."""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from privis.errors import ImageError, Problem
from privis.io.objects.containers import opened, stamp_of
from privis.io.objects.object_store import MOST_BYTES
from privis.io.objects.source_bytes import SourceBytes
from privis.io.objects.source_names import RECORD, Inside, PlacedName, holds_secret

if TYPE_CHECKING:
    from pyarrow import DataType, RecordBatch, Table
    from pyarrow.parquet import ParquetFile

_BATCH = 16
_IDS = ("path", "file_name", "filename", "key", "__key__", "image_id", "id", "url")
_BY_CONTENT = "sha256:"
_NOTHING = "none"
Column = tuple[str, ...]
"""Name of a column, and of a field within it where it holds structs."""


def list_records(table: str) -> list[str]:
    """List the images of a table.

    Args:
        table: path or name of an object.

    Returns:
        Names of records, by the ``path`` in the column of images, else by the first column called ``path``,
        ``file_name``, ``filename``, ``key``, ``__key__``, ``image_id``, ``id`` or ``url`` that tells all rows apart
        and holds no credentials; else by the SHA-256 of each image's bytes, for which all of them are read: equal bytes
        are one record then. Rows without an image and an id are one record, ``none``, which cannot be read.

    Raises:
        ImageError: it cannot be read, is damaged, or has no column of images, or several of which none is called
            ``image``.
    """
    with _parquet(table) as file:
        image, ids = _columns(table, file)
        for column in ids:
            values = [(place, value) for place, value in _values(file, column)]
            often = Counter(str(value) for _, value in values)
            told_apart = len(often) == len(values) and all(value not in (None, "", b"") for _, value in values)
            if told_apart and not any(map(holds_secret, often)):  # names are written into tables
                return [PlacedName(f"{table}{RECORD}{value}", place) for place, value in values]
        found = {}
        for place, data in _values(file, image):
            digest = _NOTHING if data is None else _BY_CONTENT + hashlib.sha256(data).hexdigest()
            found.setdefault(digest, PlacedName(f"{table}{RECORD}{digest}", place))
        return list(found.values())


def holds_images(table: str) -> bool:
    """Whether a table has a column of images, and is no list of names alone.

    Args:
        table: path or name of an object.

    Returns:
        False also where it cannot be read.
    """
    try:
        with _parquet(table) as file:
            _columns(table, file)
    except ImageError:
        return False
    return True


def read_record(name: str, where: Inside) -> SourceBytes:
    """Read one image of a table.

    Args:
        name: of the source; one that says its place costs the images of its row group, once for those that follow each
            other, else the table is searched.
        where: its table and its id there.

    Returns:
        Its bytes.

    Raises:
        ImageError: there is no such record, or the table is damaged or cannot be read, or its row group holds more than
            `MOST_BYTES`.
    """
    stamp = stamp_of(where.container)
    if isinstance(name, PlacedName) and (data := _at(where, name.place, stamp)) is not None:
        return SourceBytes(name, data)
    for other in list_records(where.container):  # its place is not known, or another one by now
        if other == name and isinstance(other, PlacedName) and (data := _at(where, other.place, stamp)) is not None:
            return SourceBytes(name, data)
    raise ImageError(Problem(name, "no such record in the table, or one without bytes", "one with an image"))


def _at(where: Inside, place: tuple[int, int], stamp: Hashable) -> bytes | None:
    """The image at a place; None where another one than the named is there."""
    group, row = place
    rows = _row_group(where.container, group, stamp)
    if rows is None or row >= rows.num_rows:
        return None
    data, *known = (column[row].as_py() for column in rows.columns)
    if data is None or not (
        where.name in map(str, known) or where.name == _BY_CONTENT + hashlib.sha256(data).hexdigest()
    ):
        return None
    return data


@functools.lru_cache(maxsize=1)
def _row_group(table: str, group: int, stamp: Hashable) -> Table | None:
    """Images of a row group, and all that may be their ids: the records that follow each other share it."""
    with _parquet(table) as file:
        if group >= file.num_row_groups:
            return None
        size = file.metadata.row_group(group).total_byte_size
        if size > MOST_BYTES:
            remedy = "write it with fewer rows in a group"
            raise ImageError(Problem(table, f"a row group of {size:,} bytes", f"at most {MOST_BYTES:,}", remedy))
        image, ids = _columns(table, file)
        wanted = (image, *ids)
        return _flat(file.read_row_group(group, columns=[".".join(column) for column in wanted]), wanted)


@contextmanager
def _parquet(table: str) -> Iterator[ParquetFile]:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    with opened(table) as file:
        try:
            yield ParquetFile(pa.PythonFile(file, mode="r"))
        except (pa.ArrowException, OSError) as error:
            got = f"a damaged Parquet table ({type(error).__name__})"
            raise ImageError(Problem(table, got, "a whole one", "copy or download it again")) from None


def _columns(table: str, file: ParquetFile) -> tuple[Column, list[Column]]:
    """The column of images, and those that may tell rows apart."""
    import pyarrow as pa

    schema = file.schema_arrow
    images: dict[str, Column] = {}
    for column in schema:
        if _is_bytes(column.type):
            images[column.name] = (column.name,)
        elif pa.types.is_struct(column.type) and (place := column.type.get_field_index("bytes")) >= 0:
            if _is_bytes(column.type.field(place).type):
                images[column.name] = (column.name, "bytes")
    image = images.get("image") or (next(iter(images.values())) if len(images) == 1 else None)
    if image is None:
        got = f"{len(images)} columns of bytes" + (f" ({', '.join(images)})" if images else "")
        raise ImageError(Problem(table, got, "one, or one called image", "write a table with that column alone"))
    inner: list[Column] = []
    if len(image) > 1 and schema.field(image[0]).type.get_field_index("path") >= 0:
        inner.append((image[0], "path"))
    return image, inner + [(word,) for word in _IDS if word in schema.names and word != image[0]]


def _is_bytes(kind: DataType) -> bool:
    import pyarrow as pa

    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)


def _values(file: ParquetFile, column: Column) -> Iterator[tuple[tuple[int, int], Any]]:
    """Values of a column with their places, few of them in memory at once."""
    for group in range(file.num_row_groups):
        batches = file.iter_batches(_BATCH, row_groups=[group], columns=[".".join(column)])
        values = (value.as_py() for batch in batches for value in _flat(batch, (column,)).column(0))
        yield from (((group, row), value) for row, value in enumerate(values))


def _flat(rows: Table | RecordBatch, columns: tuple[Column, ...]) -> Any:
    """Columns as such, where they are fields of structs, too."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = {}
    for column in columns:
        values = rows.column(column[0])
        found[".".join(column)] = pc.struct_field(values, column[1]) if len(column) > 1 else values
    return pa.table(found)
