"""How stores and libraries write a vector or a text: the byte strings that a search for what was erased looks for.

Nothing is unpickled or parsed: a form is what the bytes would be. Vectors whose components lie in columns of their own,
far from each other, have no such form.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
SEALED, TEXT, KEY = "sealed", "text", "key"
OF_LENGTH_ONE = " of length 1"
SHORTEST_TEXT = 8
"""Bytes from which on a text is looked for anywhere; shorter ones only as whole values."""


@dataclass(frozen=True)
class Pattern:
    """Bytes to look for.

    Args:
        form: what they are.
        row: of which vector, blob or text.
        content: the bytes.
        whole: whether nothing less than all of them counts; else any 16 bytes in a row that tell something.
    """

    form: str
    row: int
    content: bytes
    whole: bool = False


def vector_patterns(vectors: Floats, only: Container[str] | None = None) -> Iterator[Pattern]:
    """Write vectors in every form.

    Args:
        vectors: (rows, components).
        only: forms that are wanted; None: all.

    Yields:
        Patterns; some forms have several per row.
    """
    if not vectors.size:
        return
    rows = np.ascontiguousarray(vectors, "<f4")
    for form, write in _FORMS.items():
        if only is None or form in only:
            for row, contents in enumerate(zip(*write(rows), strict=True)):
                yield from (Pattern(form, row, content) for content in contents)


def sealed_patterns(blobs: Sequence[bytes], form: str = SEALED) -> Iterator[Pattern]:
    """Write sealed blobs, or keys, as they are, in base64 and in hexadecimal digits.

    Args:
        blobs: encrypted bytes, or keys.
        form: what the patterns are called: ``sealed`` or ``key``.

    Yields:
        Patterns of this form.
    """
    for row, blob in enumerate(blobs):
        for content in (blob, *_base64(blob), blob.hex().encode()):
            yield Pattern(form, row, content)


def text_patterns(texts: Sequence[str]) -> Iterator[Pattern]:
    """Write texts in UTF-8, UTF-16, as JSON escapes and, of a digest, as the bytes that it stands for.

    Args:
        texts: ids, subjects, digests.

    Yields:
        Patterns of the form ``text``. A short text comes only with its length in front of it, as in Parquet.
    """
    for row, text in enumerate(texts):
        plain = text.encode("utf-8", "surrogatepass")
        if len(plain) < SHORTEST_TEXT or len(set(plain)) < 3:
            framed = [len(plain).to_bytes(4, "little"), len(plain).to_bytes(4, "big")]
            written = [front + plain for front in framed]
        else:
            written = [plain, text.encode("utf-16-le", "surrogatepass"), json.dumps(text)[1:-1].encode()]
        if len(text) == 64 and not set(text) - set("0123456789abcdef"):
            written.append(bytes.fromhex(text))
        for content in dict.fromkeys(written):
            if len(content) >= SHORTEST_TEXT:
                yield Pattern(TEXT, row, content, whole=True)


def _plain(kind: str) -> Callable[[Floats], list[list[bytes]]]:
    def write(rows: Floats) -> list[list[bytes]]:
        with np.errstate(over="ignore"):
            return [[row.tobytes() for row in rows.astype(kind)]]

    return write


def _bfloat16(order: str, nearest: bool) -> Callable[[Floats], list[list[bytes]]]:
    def write(rows: Floats) -> list[list[bytes]]:
        bits = rows.view("<u4").astype(np.uint64)
        rounded = (bits + 0x7FFF + (bits >> 16 & 1) if nearest else bits) >> 16
        return [[row.tobytes() for row in rounded.astype(f"{order}u2")]]

    return write


def _planes(kind: str) -> Callable[[Floats], list[list[bytes]]]:
    """BYTE_STREAM_SPLIT of Parquet and the shuffle filters of HDF5 and Blosc: first bytes first, then second bytes."""

    def write(rows: Floats) -> list[list[bytes]]:
        with np.errstate(over="ignore"):
            split = rows.astype(kind).view(np.uint8).reshape(*rows.shape, -1)
        return [[row.tobytes() for row in split[:, :, plane]] for plane in range(split.shape[2])]

    return write


def _codes(coded: Callable[[NDArray[np.float64]], NDArray[Any]]) -> Callable[[Floats], list[list[bytes]]]:
    def write(rows: Floats) -> list[list[bytes]]:
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.nan_to_num(coded(rows.astype(np.float64)), posinf=0, neginf=0)
        return [[row.tobytes() for row in np.clip(values, -128, 255).astype(np.int16).astype(np.uint8)]]

    return write


def _scanned(rows: NDArray[np.float64]) -> NDArray[Any]:
    scales = np.float32(np.abs(rows).max(1) / 127).astype(np.float64)[:, None]  # as `ExactScan` codes them
    return np.rint(rows / scales).clip(-127, 127)


def _between(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    least = rows.min(1, keepdims=True)
    spread: NDArray[np.float64] = (rows - least) / (rows.max(1, keepdims=True) - least) * 255
    return spread


def _marked(front: bytes, kind: str) -> Callable[[Floats], list[list[bytes]]]:
    """Numbers one by one behind a byte that names their type, as pickles and MessagePack write a list."""

    def write(rows: Floats) -> list[list[bytes]]:
        numbers = rows.astype(kind).view(np.uint8).reshape(*rows.shape, -1)
        marks = np.full((*rows.shape, 1), front[0], np.uint8)
        return [[row.tobytes() for row in np.concatenate([marks, numbers], axis=2)]]

    return write


def _base64(content: bytes) -> list[bytes]:
    """As a longer text in base64 would hold it, wherever it begins; without the ends that hang on its neighbours."""
    found = []
    for cut in range(3):
        part = content[cut:]
        found.append(base64.b64encode(part[: len(part) // 3 * 3]))
    return found


def _in_base64(rows: Floats) -> list[list[bytes]]:
    return [list(each) for each in zip(*(_base64(row.tobytes()) for row in rows), strict=True)]


def _digits(between: str, double: bool) -> Callable[[Floats], list[list[bytes]]]:
    def write(rows: Floats) -> list[list[bytes]]:
        if double:
            return [[between.join(map(repr, row)).encode() for row in rows.tolist()]]
        return [[between.join(str(x).removesuffix(".0") for x in row).encode() for row in rows]]

    return write


def _of_length_one(kind: str) -> Callable[[Floats], list[list[bytes]]]:
    def write(rows: Floats) -> list[list[bytes]]:
        lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            scaled = np.nan_to_num(rows / lengths).astype(kind)
            single = np.nan_to_num(rows / lengths.astype(np.float32)).astype(kind)
        return [[row.tobytes() for row in scaled], [row.tobytes() for row in single]]

    return write


_FORMS: dict[str, Callable[[Floats], list[list[bytes]]]] = {
    "float32": _plain("<f4"),
    "float32 big-endian": _plain(">f4"),
    "float64": _plain("<f8"),
    "float64 big-endian": _plain(">f8"),
    "float16": _plain("<f2"),
    "float16 big-endian": _plain(">f2"),
    "bfloat16": _bfloat16("<", nearest=True),
    "bfloat16 cut off": _bfloat16("<", nearest=False),
    "bfloat16 big-endian": _bfloat16(">", nearest=True),
    f"float32{OF_LENGTH_ONE}": _of_length_one("<f4"),
    f"float16{OF_LENGTH_ONE}": _of_length_one("<f2"),
    "byte planes of float32": _planes("<f4"),
    "byte planes of float64": _planes("<f8"),
    "byte planes of float16": _planes("<f2"),
    "int8 by the largest": _codes(_scanned),
    "int8 times 127": _codes(lambda rows: np.rint(rows * 127)),
    "int8 times 127 cut off": _codes(lambda rows: np.trunc(rows * 127)),
    "uint8 between extremes": _codes(lambda rows: np.rint(_between(rows))),
    "uint8 between extremes cut off": _codes(lambda rows: np.trunc(_between(rows))),
    "int8 between extremes": _codes(lambda rows: np.rint(_between(rows)) - 128),
    "pickled numbers": _marked(b"G", ">f8"),
    "MessagePack float64": _marked(b"\xcb", ">f8"),
    "MessagePack float32": _marked(b"\xca", ">f4"),
    "base64 of float32": _in_base64,
    "decimal text of float32": _digits(",", double=False),
    "decimal text of float32, spaced": _digits(", ", double=False),
    "decimal text of float32, in lines": _digits("\n", double=False),
    "decimal text of float64": _digits(",", double=True),
    "decimal text of float64, spaced": _digits(", ", double=True),
    "decimal text of float64, in lines": _digits("\n", double=True),
}
VECTOR_FORMS = tuple(_FORMS)
"""Names of all forms of a vector."""
