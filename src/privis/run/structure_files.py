"""Frozen dataclasses with arrays as bytes: JSON for the structure, the arrays behind it, never pickle.

Layout: a line with the format and its number, the length of the JSON in eight bytes, the JSON, and the arrays, each
from a multiple of 64 bytes on. The JSON names classes of a closed table. What is used twice is written once, and arrays
are read in place. Whether bytes are whole is for who keeps them to check (`privis.run.program_cache`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import Problem, ProgramError

_ALIGNED = 64


@dataclass(frozen=True)
class BytesKind:
    """A class that has bytes of its own: the ``word`` that names it, and how they are written and read."""

    word: str
    kind: type
    write: Callable[[Any], bytes]
    read: Callable[[bytes], Any]


@dataclass(frozen=True)
class StructureKinds:
    """The closed table of what a structure may consist of, beside numbers, texts, arrays and sparse matrices."""

    classes: tuple[type, ...]
    enumerations: tuple[type[Enum], ...] = ()
    own_bytes: tuple[BytesKind, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, type]:
        """Classes and enumerations by their names."""
        return {made.__name__: made for made in (*self.classes, *self.enumerations)}


def written_structure(fmt: bytes, made: Any, kinds: StructureKinds) -> list[bytes | memoryview]:
    """Write a structure.

    Args:
        fmt: the line that names format and number.
        made: the structure.
        kinds: what it may consist of.

    Returns:
        Its bytes, in parts that follow each other.

    Raises:
        ProgramError: it consists of something else.
    """
    writer = _Writer(kinds)
    text = json.dumps({"structure": writer.value(made), "arrays": writer.entries}, allow_nan=False).encode()
    head = fmt + len(text).to_bytes(8, "big") + text
    parts: list[bytes | memoryview] = [head + bytes(-len(head) % _ALIGNED)]
    for array in writer.arrays:
        parts += [memoryview(array).cast("B") if array.size else b"", bytes(-array.nbytes % _ALIGNED)]
    return parts


def read_structure(fmt: bytes, data: bytes | memoryview, kinds: StructureKinds) -> Any:
    """Read what `written_structure` wrote; bytes of anything else raise whatever a decoder meets in them.

    Args:
        fmt: the line that names format and number.
        data: the parts, joined; arrays stay where they are.
        kinds: what the structure may consist of.

    Returns:
        The structure.

    Raises:
        ValueError: another format, or something that ``kinds`` does not know.
    """
    whole = memoryview(data)
    start = len(fmt) + 8
    if bytes(whole[: len(fmt)]) != fmt:
        raise ValueError("another format")
    size = int.from_bytes(whole[len(fmt) : start], "big")
    found = json.loads(bytes(whole[start : start + size]))
    first = start + size + -(start + size) % _ALIGNED
    return _Reader(kinds, [_array(whole, first, entry) for entry in found["arrays"]]).value(found["structure"])


def _array(whole: memoryview, first: int, entry: list[Any]) -> NDArray[Any]:
    kind, offset, shape = entry
    dtype = np.dtype(str(kind))
    if dtype.hasobject:
        raise ValueError("an array of objects")
    return np.frombuffer(whole, dtype, math.prod(shape), first + offset).reshape(shape)


@dataclass(eq=False)
class _Writer:
    """Arrays so far, with kind, offset and shape of each; ``known``: what was written, kept alive by ``held``."""

    kinds: StructureKinds
    arrays: list[NDArray[Any]] = field(default_factory=list)
    entries: list[list[Any]] = field(default_factory=list)
    known: dict[int, Any] = field(default_factory=dict)
    held: list[Any] = field(default_factory=list)
    offset: int = 0

    def value(self, x: Any) -> Any:
        """JSON of a value."""
        match x:
            case Enum():
                return {"enum": type(x).__name__, "value": x.value}
            case bool() | int() | str() | None:
                return x
            case float():
                return x if math.isfinite(x) else {"float": str(x)}
            case np.generic():
                return self.value(x.item())
            case complex():
                return {"complex": [x.real, x.imag]}
            case tuple() | list():
                return [self.value(each) for each in x]
            case dict():
                return {"map": [[self.value(key), self.value(each)] for key, each in x.items()]}
        if id(x) not in self.known:
            self.held.append(x)
            self.known[id(x)] = self._written(x)
        return self.known[id(x)]

    def _written(self, x: Any) -> Any:
        if isinstance(x, np.ndarray):
            return {"array": self._kept(x)}
        if type(x).__name__ == "csr_array":
            return {"matrix": [*map(self.value, (x.data, x.indices, x.indptr)), list(x.shape)]}
        for own in self.kinds.own_bytes:
            if isinstance(x, own.kind):
                return {"bytes": own.word, "of": self.value(np.frombuffer(own.write(x), np.uint8))}
        if is_dataclass(x) and type(x) in self.kinds.classes:
            return {"is": type(x).__name__, "of": {f.name: self.value(getattr(x, f.name)) for f in fields(x)}}
        raise ProgramError(Problem("structure", f"a {type(x).__name__}", "what its format knows"))

    def _kept(self, array: NDArray[Any]) -> int:
        array = np.ascontiguousarray(array).reshape(array.shape)
        self.arrays.append(array)
        self.entries.append([array.dtype.str, self.offset, list(array.shape)])
        self.offset += array.nbytes + -array.nbytes % _ALIGNED
        return len(self.arrays) - 1


@dataclass(frozen=True, eq=False)
class _Reader:
    """The arrays, and what was read of bytes."""

    kinds: StructureKinds
    arrays: Sequence[NDArray[Any]]
    made: dict[tuple[str, int], Any] = field(default_factory=dict)

    def value(self, x: Any) -> Any:
        """The value of JSON."""
        match x:
            case bool() | int() | float() | str() | None:
                return x
            case list():
                return tuple(self.value(each) for each in x)
            case {"array": int(number)}:
                return self.arrays[number]
            case {"float": "inf" | "-inf" | "nan" as text}:
                return float(text)
            case {"complex": [real, imaginary]}:
                return complex(real, imaginary)
            case {"map": pairs}:
                return {self.value(key): self.value(each) for key, each in pairs}
            case {"enum": str(name), "value": word}:
                return self.kinds.by_name[name](word)
            case {"matrix": [*parts, shape]}:
                from scipy import sparse  # a structure without matrices is read without it

                data, indices, indptr = map(self.value, parts)
                return sparse.csr_array((data, indices, indptr), shape=tuple(shape))
            case {"bytes": str(word), "of": {"array": int(number)}}:
                if (word, number) not in self.made:
                    (read,) = (own.read for own in self.kinds.own_bytes if own.word == word)
                    self.made[word, number] = read(self.arrays[number].tobytes())
                return self.made[word, number]
            case {"is": str(name), "of": dict(values)}:
                return self.kinds.by_name[name](**{key: self.value(each) for key, each in values.items()})
        raise ValueError(f"unknown value {str(x)[:80]}")


__all__ = ["BytesKind", "StructureKinds", "read_structure", "written_structure"]
