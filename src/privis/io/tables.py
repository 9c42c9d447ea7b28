"""Tables out, and in again: one row per image as Parquet, npz or CSV.

=========  =====================================================================================================
suffix     layout
=========  =====================================================================================================
.parquet   columns ``path`` (string) and ``feature`` (fixed-size list of float32); the metadata as the schema's
           key-value pairs, and the components' names under ``privis.names`` (JSON)
.npz       arrays ``paths``, ``features`` (float32, n x d), ``names`` and ``metadata`` (one JSON string)
.csv       columns ``path`` and one per component; metadata and the table's SHA-256 in ``<table>.json`` beside it
=========  =====================================================================================================

Equal content gives equal bytes: no file holds a time or a path of its own. Floats in CSV have the fewest
digits that give the same float32 back. A path that is not UTF-8 is written with ``\\xff``-like escapes.

Evolution of the format: columns, arrays and their types stay; they have no number. What is new goes into the metadata,
a mapping from text to text whose keys begin with ``privis.``: readers keep keys that they do not know. Values with
formats of their own (``privis.card``, ``privis.guarantee``) say how these evolve. A key keeps its name whatever module
writes it.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import MissingExtraError, ParameterError, Problem
from privis.file_formats import FileFormat, format_of, misfit
from privis.io.atomic import check_writable, replacing

Vectors = NDArray[np.float32]
_Found = TypeVar("_Found")

_NAMES = "privis.names"
_DAMAGES = (
    OSError, ValueError, LookupError, EOFError, TypeError, StopIteration, ArithmeticError, MemoryError, RuntimeError,
    SyntaxError, AttributeError, tokenize.TokenError, zipfile.BadZipFile, zlib.error, csv.Error,
)  # fmt: skip
"""What readers of files raise that were changed somewhere."""
_BLOCK_VALUES = 1 << 22
"""Float32 values held and written at a time (16 MiB); it decides Parquet's row groups, so it decides bytes."""


@dataclass(frozen=True)
class Table:
    """What a table file holds: row i of ``features``, float32 (n, d), belongs to ``paths[i]``."""

    paths: tuple[str, ...]
    features: Vectors
    names: tuple[str, ...]
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class Summary:
    """What a table file says of itself: ``rows`` is None where only reading all of them tells it."""

    rows: int | None
    names: tuple[str, ...]
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class _Content:
    paths: Sequence[str]
    blocks: Iterable[Vectors]
    names: Sequence[str]
    metadata: Mapping[str, str]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.paths), len(self.names)


def check(path: Path) -> None:
    """Refuse a table ``path`` that could not be written at the end of a run, before the run starts.

    Raises:
        ParameterError: the suffix is none of .parquet, .npz, .csv.
        OutputError: the folder is missing or may not be written, or the path is a folder.
        MissingExtraError: Parquet without a working pyarrow.
    """
    form = _form(path)
    check_writable(path)
    if form is _PARQUET:
        pyarrow_module()


def write(
    path: Path,
    paths: Sequence[str],
    blocks: Iterable[Vectors],
    *,
    names: Sequence[str],
    metadata: Mapping[str, str],
    scratch: Path | None = None,
) -> None:
    """Write one row per path to ``path``, in the format of its suffix; memory holds a few blocks of 16 MiB.

    ``blocks`` are float32 arrays (k, d) that follow one another, len(paths) rows in all; d = len(names). The file
    appears whole or not at all; until then it is in ``scratch``, by default the folder of ``path``.

    Raises:
        ParameterError: unknown suffix, or blocks whose rows or width disagree with ``paths`` and ``names``.
        OutputError: the disk is full, the folder is not writable, …; an earlier file is untouched.
    """
    check(path)
    shown = paths if all(map(str.isascii, paths)) else [printable(name) for name in paths]
    content = _Content(shown, blocks, names, dict(sorted(metadata.items())))
    with replacing(path, scratch) as temporary:
        _form(path).write(temporary, content)
        if path.suffix.lower() == ".csv":
            _write_sidecar(path, temporary, content)


def read(path: Path) -> Table:
    """Read a table that `write` wrote.

    Raises:
        ParameterError: unknown suffix, no such file, a damaged one, or a CSV whose ``.json`` is another's.
    """
    return _read(path, lambda form: form.read(path))


def _read(path: Path, reading: Callable[[_Form], _Found]) -> _Found:
    try:
        form = _FORMS.get(path.suffix.lower())
        if form is None:
            found = format_of(path)
            got = repr(path.suffix) if found is FileFormat.TABLE else str(found)
            raise ParameterError(Problem(str(path), got, "a table written by privis: one of .parquet, .npz, .csv"))
        return reading(form)
    except ParameterError:
        raise
    except _DAMAGES as error:
        expected, remedy = "a table written by privis", "extract it again"
        raise ParameterError(misfit(path, FileFormat.TABLE, str(error), expected, remedy)) from error


def summary(path: Path) -> Summary:
    """Read what a table says of itself, not its rows.

    Raises:
        ParameterError: unknown suffix, no such file, or one whose description is damaged.
    """
    return _read(path, lambda form: form.summarise(path))


def paths_of(path: Path) -> tuple[str, ...]:
    """Read the paths of an npz or CSV table, not its rows.

    Raises:
        ParameterError: as of `read`.
    """
    if path.suffix.lower() == ".npz":
        return _read(path, lambda form: _npz_paths(path))
    return read(path).paths


def _form(path: Path) -> _Form:
    form = _FORMS.get(path.suffix.lower())
    if form is None:
        got = repr(path.suffix) if path.suffix else "no suffix"
        raise ParameterError(Problem(str(path), got, "one of .parquet, .npz, .csv", "rename the output"))
    return form


def printable(path: str) -> str:
    """The name that a table gives a path: one that is not UTF-8 with ``\\xff``-like escapes."""
    return path if path.isascii() else os.fsencode(path).decode("utf-8", "backslashreplace")


def _rebatched(content: _Content) -> Iterator[Vectors]:
    """The blocks cut anew, so that the bytes written do not depend on how the rows arrived; each ends with the next."""
    total, width = content.shape
    rows = max(1, _BLOCK_VALUES // max(1, width))
    joined = np.empty((min(rows, total), width), np.float32)
    count = seen = 0
    for block in content.blocks:
        if block.ndim != 2 or block.shape[1] != width:
            raise ParameterError(Problem("blocks", f"shape {block.shape}", f"(k, {width}), one column per name"))
        seen += len(block)
        if seen > total:
            break
        for start in range(-count, len(block), rows):  # what is left of a block that is begun, and others
            part = block[max(start, 0) : start + rows]
            joined[count : count + len(part)] = part
            count += len(part)
            if count == rows:
                yield joined
                count = 0
    if seen != total:
        got = "too many rows" if seen > total else f"{seen} rows"
        raise ParameterError(Problem("blocks", got, f"{total}, one per path"))
    if count:
        yield joined[:count]


# Parquet ----------------------------------------------------------------------------------------------------


def pyarrow_module() -> Any:
    """Import pyarrow with its Parquet; MissingExtraError where there is none that works."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        remedy = "install a pyarrow that fits the installed numpy, or write .npz or .csv"
        raise MissingExtraError(Problem("Parquet", str(error), "a working pyarrow", remedy)) from error
    return pyarrow


def _write_parquet(path: Path, content: _Content) -> None:
    arrow = pyarrow_module()
    width = len(content.names)
    pairs = {**content.metadata, _NAMES: json.dumps(list(content.names))}
    fields = [
        arrow.field("path", arrow.string()),
        arrow.field("feature", arrow.list_(arrow.float32(), width)),
    ]
    schema = arrow.schema(fields, metadata=pairs)
    options = {"compression": "zstd", "use_dictionary": False, "write_statistics": ["path"]}
    with arrow.parquet.ParquetWriter(path, schema, **options) as writer:
        start = 0
        for block in _rebatched(content):
            values = arrow.Array.from_buffers(arrow.float32(), block.size, [None, arrow.py_buffer(block)])
            paths = arrow.array(content.paths[start : start + len(block)], arrow.string())
            columns = [paths, arrow.FixedSizeListArray.from_arrays(values, width)]
            writer.write_table(arrow.Table.from_arrays(columns, schema=schema), row_group_size=len(block))
            start += len(block)


def _read_parquet(path: Path) -> Table:
    with pyarrow_module().parquet.ParquetFile(path, buffer_size=1 << 20) as file:
        pairs = {key.decode(): value.decode() for key, value in (file.schema_arrow.metadata or {}).items()}
        names = tuple(json.loads(pairs.pop(_NAMES)))
        features = np.empty((file.metadata.num_rows, len(names)), np.float32)
        paths: list[str] = []
        for batch in file.iter_batches(1 << 11, columns=["path", "feature"]):  # so that rows are held once
            values = _floats(batch.column("feature").flatten()).reshape(len(batch), len(names))
            features[len(paths) : len(paths) + len(batch)] = values
            paths += batch.column("path").to_pylist()
    return Table(tuple(paths), features, names, pairs)


def _summarise_parquet(path: Path) -> Summary:
    found = pyarrow_module().parquet.read_metadata(path)
    pairs = {key.decode(): value.decode() for key, value in found.metadata.items() if key.startswith(b"privis.")}
    return Summary(found.num_rows, tuple(json.loads(pairs.pop(_NAMES))), pairs)


def _floats(values: Any) -> Vectors:
    return np.frombuffer(values.buffers()[1], np.float32, len(values), 4 * values.offset)


# npz --------------------------------------------------------------------------------------------------------


def _write_npz(path: Path, content: _Content) -> None:
    characters = max(1, max(map(len, content.paths), default=1))
    with zipfile.ZipFile(path, "w") as archive:
        with _member(archive, "features", np.dtype("<f4"), content.shape) as member:
            for block in _rebatched(content):
                member.write(np.ascontiguousarray(block, "<f4").data)
        with _member(archive, "paths", np.dtype(f"<U{characters}"), (len(content.paths),)) as member:
            for start in range(0, len(content.paths), 4096):
                member.write(np.array(content.paths[start : start + 4096], f"<U{characters}").tobytes())
        text = {"names": np.array(content.names, "U"), "metadata": np.array(json.dumps(content.metadata))}
        for name, values in text.items():
            with _member(archive, name, values.dtype, values.shape) as member:
                member.write(values.tobytes())


def _member(archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> IO[bytes]:
    info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
    # text in numpy's four bytes a character shrinks at once; features hardly shrink at all
    info.compress_type = zipfile.ZIP_STORED if dtype.kind == "f" else zipfile.ZIP_DEFLATED
    member = archive.open(info, "w", force_zip64=True)
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_2_0(member, header)
    return member


def _read_npz(path: Path) -> Table:
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
        paths = tuple(arrays["paths"].tolist())
        names = tuple(arrays["names"].tolist())
        return Table(paths, arrays["features"], names, json.loads(str(arrays["metadata"])))


def _npz_paths(path: Path) -> tuple[str, ...]:
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
        return tuple(arrays["paths"].tolist())


def _summarise_npz(path: Path) -> Summary:
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
        rows, names = len(arrays["paths"]), tuple(arrays["names"].tolist())
        return Summary(rows, names, json.loads(str(arrays["metadata"])))


# CSV --------------------------------------------------------------------------------------------------------


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _write_csv(path: Path, content: _Content) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", *content.names])
        start = 0
        for block in _rebatched(content):
            for name, vector in zip(content.paths[start : start + len(block)], block, strict=True):
                writer.writerow([name, *vector.astype("U").tolist()])
            start += len(block)


def _write_sidecar(path: Path, temporary: Path, content: _Content) -> None:
    document = {"sha256": _digest(temporary), "metadata": content.metadata}
    with replacing(_sidecar(path), temporary.parent) as unfinished:
        unfinished.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_csv(path: Path) -> Table:
    document = json.loads(_sidecar(path).read_text(encoding="utf-8"))
    if document["sha256"] != _digest(path):
        raise ValueError(f"a table that changed after {_sidecar(path).name} was written")
    with open(path, encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        names = tuple(next(rows)[1:])
        paths, vectors = [], []
        for row in rows:
            paths.append(row[0])
            vectors.append(np.array(row[1:], np.float32))
    return Table(tuple(paths), np.array(vectors, np.float32).reshape(-1, len(names)), names, document["metadata"])


def _summarise_csv(path: Path) -> Summary:
    document = json.loads(_sidecar(path).read_text(encoding="utf-8"))
    with open(path, encoding="utf-8", newline="") as file:
        return Summary(None, tuple(next(csv.reader(file))[1:]), document["metadata"])


@dataclass(frozen=True)
class _Form:
    write: Callable[[Path, _Content], None]
    read: Callable[[Path], Table]
    summarise: Callable[[Path], Summary]


_PARQUET = _Form(_write_parquet, _read_parquet, _summarise_parquet)
_FORMS = {
    ".parquet": _PARQUET,
    ".npz": _Form(_write_npz, _read_npz, _summarise_npz),
    ".csv": _Form(_write_csv, _read_csv, _summarise_csv),
}
