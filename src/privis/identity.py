"""The identity of a feature, a release, a unit or an executor: a digest of all that decides what it does.

Noise, charges and unfinished runs hang on identities, so two things share one only when they are the same thing:

- a dataclass is its *identifier* and the values of its fields, in order. Names of classes and fields do not count: the
  identifier is a class attribute of its own (``identifier = "privis.hog/1"``), whose number changes with the meaning of
  the fields. A class without one, or one that only inherits it, is known by module and qualified name;
- an array is its type, shape and bytes, whatever its byte order, memory layout and the print options;
- a number is its type's kind and its exact value; -0.0 is another number than 0.0, and every NaN is one;
- text, bytes, enum members (their values), tuples and lists, sets and mappings go by content;
- anything else, functions above all, has no content to go by and is refused.

A field that is added to a class that has identities already is marked `LATER`.

What a class cannot know of itself (code that reads files, a network that draws random numbers) is not in its identity.
Noise on features therefore hangs on the exact values that it hides, too; see `privis.extraction.extractor`.

Format: SHA-256 over ``FORMAT`` and one encoding, in which every part stands behind its kind and length, so that no two
values read alike. Another encoding gets another ``FORMAT``; digests of both are then different identities.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from types import MappingProxyType
from typing import Any

import numpy as np

from privis.errors import ParameterError, Problem

FORMAT = b"privis identity 1"

UNIDENTIFIED: Mapping[str, bool] = MappingProxyType({"identified": False})
"""Metadata of a dataclass field that decides nothing of the result: a cache, a limit, a callback, an address."""

LATER: Mapping[str, bool] = MappingProxyType({"later": True})
"""Metadata of a field that its class got after identities of it were stored. At its default it is left out, so that the
object is what it was; any other value counts, with the field's place among such fields. New ones go to the end."""


def identity(value: object, where: str = "identity") -> bytes:
    """Digest what decides ``value``: equal for equal content, in every process and version of the same format.

    Args:
        value: a frozen dataclass, or a tuple of such and of plain values.
        where: what messages call it.

    Returns:
        SHA-256, 32 bytes.

    Raises:
        ParameterError: naming every part of it that has no content to go by.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Mapped:
    ...     identifier = "author.mapped/1"
    ...     matrix: object
    >>> first, second = np.zeros(2000), np.zeros(2000)
    >>> second[1000] = 1.0  # where printing an array shows dots
    >>> identity(Mapped(first)) == identity(Mapped(second)), identity(Mapped(first)) == identity(Mapped(first.copy()))
    (False, True)
    """
    problems: list[Problem] = []
    encoded = _encoded(value, where, problems)
    if problems:
        raise ParameterError(*problems)
    return hashlib.sha256(FORMAT + encoded).digest()


def row_identities(matrix: np.ndarray) -> Iterator[bytes]:
    """Give `identity` of every row of a matrix, faster than row by row: what stands before the bytes is hashed once.

    Args:
        matrix: (n, d) numbers.

    Yields:
        SHA-256 of each row, 32 bytes.

    >>> rows = np.arange(6.0).reshape(3, 2)
    >>> list(row_identities(rows)) == [identity(row) for row in rows]
    True
    """
    if not matrix.size:
        yield from map(identity, matrix)
        return
    little = np.ascontiguousarray(matrix.astype(matrix.dtype.newbyteorder("<"), copy=False))
    problems: list[Problem] = []
    encoded = _array(little[0], "identity", problems)
    if problems:
        raise ParameterError(*problems)
    common = hashlib.sha256(FORMAT + encoded[: -little[0].nbytes])
    for row in little:
        digest = common.copy()
        digest.update(row)
        yield digest.digest()


def pair_identities(first: Sequence[str], second: Sequence[str | None]) -> Iterator[bytes]:
    """Give `identity` of pairs of texts, of which the second may be missing, several times as fast as one by one.

    Args:
        first: texts.
        second: as many texts or None.

    Yields:
        SHA-256 of each pair, 32 bytes.

    >>> list(pair_identities(["a", "b"], ["c", None])) == [identity(("a", "c")), identity(("b", None))]
    True
    """
    common = hashlib.sha256(FORMAT + _framed(b"sequence") + (2).to_bytes(8, "big"))
    text, none = _framed(b"text") + (1).to_bytes(8, "big"), _framed(_part(b"none"))
    for one, other in zip(first, second, strict=True):
        digest = common.copy()
        for each in (one, other):
            if each is None:
                digest.update(none)
            else:
                data = each.encode("utf-8", "surrogatepass")
                head = (len(text) + 8 + len(data)).to_bytes(8, "big")
                digest.update(b"".join((head, text, len(data).to_bytes(8, "big"), data)))
        yield digest.digest()


def identifier(kind: type) -> str:
    """What ``kind`` is called in identities: its own ``identifier``, or module and qualified name.

    Raises:
        TypeError: a class of Privis has none of its own: it would become another one when it is renamed.
    """
    own = vars(kind).get("identifier")
    if own is None and kind.__module__.startswith("privis."):
        raise TypeError(f"{kind.__qualname__} of {kind.__module__} has no identifier of its own")
    return str(own or f"{kind.__module__}.{kind.__qualname__}")


def _encoded(value: object, where: str, problems: list[Problem]) -> bytes:
    if type(value) is str:  # most of what is hashed a million times
        return _part(b"text", value.encode("utf-8", "surrogatepass"))
    match value:
        case Enum():
            return _encoded(value.value, where, problems)
        case np.ndarray():
            return _array(value, where, problems)
        case np.generic() if not isinstance(value.item(), np.generic):  # a long double has no other form
            return _encoded(value.item(), where, problems)
        case None:
            return _part(b"none")
        case bool():
            return _part(b"bool", b"1" if value else b"0")
        case int():
            return _part(b"int", str(value).encode())
        case float():
            return _part(b"float", b"nan" if math.isnan(value) else value.hex().encode())
        case str():
            return _part(b"text", value.encode("utf-8", "surrogatepass"))
        case bytes() | bytearray():
            return _part(b"bytes", bytes(value))
        case PurePath():
            return _part(b"text", str(value).encode("utf-8", "surrogatepass"))
        case tuple() | list():
            items = (_encoded(item, f"{where}[{index}]", problems) for index, item in enumerate(value))
            return _part(b"sequence", *items)
        case set() | frozenset():
            return _part(b"set", *sorted(_encoded(item, where, problems) for item in value))
        case Mapping():
            pairs = ((_encoded(k, where, problems), _encoded(v, f"{where}[{k!r}]", problems)) for k, v in value.items())
            return _part(b"mapping", *(part for pair in sorted(pairs) for part in pair))
    if is_dataclass(value) and not isinstance(value, type):
        return _dataclass(value, where, problems)
    remedy = "keep what it does in numbers, text, arrays or frozen dataclasses, and the code in the class"
    problems.append(Problem(where, f"a {type(value).__name__}", "content that can be compared byte by byte", remedy))
    return b""


def _dataclass(value: Any, where: str, problems: list[Problem]) -> bytes:
    own = getattr(value, "identified", None)  # for what its fields do not say: the offer of a server, say
    if own is not None:
        values = [_encoded(own(), where, problems)]
    else:
        values = [
            _encoded(getattr(value, field.name), f"{where}.{field.name}", problems)
            for field in fields(value)
            if _identified(field) and not _is_later(field)
        ]
        for place, field in enumerate(field for field in fields(value) if _is_later(field)):
            given = getattr(value, field.name)
            if given != field.default:
                later = _encoded(given, f"{where}.{field.name}", problems)
                values.append(_part(b"later", str(place).encode(), later))
    return _part(b"object", identifier(type(value)).encode(), *values)


def _identified(field: Field[Any]) -> bool:
    return bool(field.metadata.get("identified", True))


def _is_later(field: Field[Any]) -> bool:
    return bool(field.metadata.get("later", False))


def _array(array: np.ndarray, where: str, problems: list[Problem]) -> bytes:
    if array.dtype.hasobject or array.dtype.names is not None or array.dtype.char in "gG":  # bytes that mean nothing
        problems.append(
            Problem(where, f"an array of {array.dtype}", "an array of numbers or text", "long doubles: as float64")
        )
        return b""
    little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    return _part(b"array", little.dtype.str.encode(), repr(tuple(map(int, array.shape))).encode(), little.tobytes())


def _part(kind: bytes, *parts: bytes) -> bytes:
    return b"".join([_framed(kind), len(parts).to_bytes(8, "big"), *map(_framed, parts)])


def _framed(data: bytes) -> bytes:
    return len(data).to_bytes(8, "big") + data
