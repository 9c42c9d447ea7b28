"""Compiled programs as bytes: JSON for the structure, the arrays behind it, never pickle.

Layout: a line with the format and its number, the length of the JSON in eight bytes, the JSON, and the arrays, each
from a multiple of 64 bytes on. The JSON names classes of a closed table. Arrays that a program uses twice are written
once, and read in place. A change of a class in the table, or of what one of its fields means, takes the next number;
readers refuse every other. Whether bytes are whole is for who keeps them to check (`privis.run.program_cache`).
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from privis.errors import Problem, ProgramError
from privis.program import Program, digest
from privis.program.files import from_bytes as read_program
from privis.program.files import to_bytes as written_program
from privis.readings import NodeError, PolynomialForm
from privis.run.he.circuit import circuit as steps
from privis.run.he.compiler.compiler import CompiledProgram, Options, compile_program
from privis.run.he.compiler.parameters import ParameterChoice
from privis.run.he.compiler.program_specification import Spec
from privis.run.he.engine import Parameters
from privis.run.he.packing.arrangement import Arrangement
from privis.run.he.packing.diagonals import Packed, Term
from privis.run.he.packing.layout import Layout
from privis.run.program_cache import CacheKey, ProgramCache

FORMAT = b"privis.compiled/1\n"
LIBRARIES = ("numpy", "scipy")  # whose sums and sorts the layouts come from
WORTH_KEEPING = 0.5  # seconds of a processor: what compiles faster is compiled again
_ALIGNED = 64
_CLASSES = {
    made.__name__: made
    for made in (
        Arrangement, steps.Circuit, steps.CircuitInput, steps.Linear, steps.Polynomial, steps.Product,
        CompiledProgram, Layout, NodeError, Packed, ParameterChoice, Parameters, PolynomialForm, Term,
    )
}  # fmt: skip


def cache_key(program: Program, options: Options, samples: Sequence[Sequence[NDArray[Any]]]) -> CacheKey:
    """Under which a program that is compiled with ``options`` is kept."""
    sha = hashlib.sha256()
    for array in (np.asarray(x, np.float64) for own in samples for x in own):
        sha.update(f"{array.shape}".encode() + array.tobytes())
    return CacheKey("ckks program", digest(program), f"{options!r} {sha.hexdigest()}", LIBRARIES)


def compile_kept(
    program: Program,
    options: Options,
    samples: Sequence[Sequence[NDArray[Any]]] = (),
    make: Callable[[], CompiledProgram] | None = None,
) -> CompiledProgram:
    """Compile a program, or read what took long to compile before from the `privis.run.program_cache.ProgramCache`.

    Args:
        program: as of `compile_program`.
        options: as of `compile_program`.
        samples: as of `compile_program`.
        make: how to compile it; None: `compile_program`.

    Returns:
        The compiled program.

    Raises:
        UnsupportedError: as of `compile_program`.
        DomainError: as of `compile_program`.
    """
    cache, key = ProgramCache(), cache_key(program, options, samples)
    content = cache.load(key)
    if content is not None:
        with suppress(ProgramError):
            return from_bytes(content)
    start = time.process_time()
    made = compile_program(program, options, samples) if make is None else make()
    if time.process_time() - start > WORTH_KEEPING:
        cache.store(key, to_parts(made))
    return made


def to_parts(made: CompiledProgram) -> list[bytes | memoryview]:
    """Write a compiled program.

    Args:
        made: what was compiled.

    Returns:
        Its bytes, in parts that follow each other.
    """
    writer = _Writer()
    text = json.dumps({"compiled": writer.value(made), "arrays": writer.entries}, allow_nan=False).encode()
    head = FORMAT + len(text).to_bytes(8, "big") + text
    parts: list[bytes | memoryview] = [head + bytes(-len(head) % _ALIGNED)]
    for array in writer.arrays:
        parts += [memoryview(array).cast("B") if array.size else b"", bytes(-array.nbytes % _ALIGNED)]
    return parts


def from_bytes(data: bytes | memoryview) -> CompiledProgram:
    """Read what `to_parts` wrote.

    Args:
        data: the parts, joined; arrays stay where they are.

    Returns:
        The compiled program.

    Raises:
        ProgramError: bytes of anything else.
    """
    try:
        whole = memoryview(data)
        start = len(FORMAT) + 8
        if bytes(whole[: len(FORMAT)]) != FORMAT:
            raise ValueError("another format")
        size = int.from_bytes(whole[len(FORMAT) : start], "big")
        found = json.loads(bytes(whole[start : start + size]))
        first = start + size + -(start + size) % _ALIGNED
        reader = _Reader([_array(whole, first, entry) for entry in found["arrays"]])
        made = reader.value(found["compiled"])
        if not isinstance(made, CompiledProgram):
            raise ValueError("no compiled program")
        return made
    except ProgramError:
        raise
    except Exception as error:  # whatever hostile bytes do to a decoder, they are no compiled program
        reason = f"{type(error).__name__}: {error}"
        raise ProgramError(Problem("compiled program", reason, f"bytes of format {FORMAT.decode().strip()}")) from None


def _array(whole: memoryview, first: int, entry: list[Any]) -> NDArray[Any]:
    kind, offset, shape = entry
    dtype = np.dtype(str(kind))
    if dtype.hasobject:
        raise ValueError("an array of objects")
    return np.frombuffer(whole, dtype, math.prod(shape), first + offset).reshape(shape)


@dataclass(eq=False)
class _Writer:
    """Arrays so far, with kind, offset and shape of each; ``known``: what was written, kept alive by ``held``."""

    arrays: list[NDArray[Any]] = field(default_factory=list)
    entries: list[list[Any]] = field(default_factory=list)
    known: dict[int, Any] = field(default_factory=dict)
    held: list[Any] = field(default_factory=list)
    offset: int = 0

    def value(self, x: Any) -> Any:
        """JSON of a value."""
        match x:
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
            case steps.InputEncoding():
                return {"encoding": x.value}
        if id(x) not in self.known:
            self.held.append(x)
            self.known[id(x)] = self._written(x)
        return self.known[id(x)]

    def _written(self, x: Any) -> Any:
        match x:
            case np.ndarray():
                return {"array": self._kept(x)}
            case sparse.csr_array():
                return {"matrix": [*map(self.value, (x.data, x.indices, x.indptr)), list(x.shape)]}
            case Program():
                return {"program": self.value(np.frombuffer(written_program(x), np.uint8))}
            case Spec():
                return {"spec": x.to_json()}
        if is_dataclass(x) and type(x).__name__ in _CLASSES:
            return {"is": type(x).__name__, "of": {f.name: self.value(getattr(x, f.name)) for f in fields(x)}}
        raise ProgramError(Problem("compiled program", f"a {type(x).__name__}", "what its format knows"))

    def _kept(self, array: NDArray[Any]) -> int:
        array = np.ascontiguousarray(array).reshape(array.shape)
        self.arrays.append(array)
        self.entries.append([array.dtype.str, self.offset, list(array.shape)])
        self.offset += array.nbytes + -array.nbytes % _ALIGNED
        return len(self.arrays) - 1


@dataclass(frozen=True, eq=False)
class _Reader:
    """The arrays, and programs that were read."""

    arrays: Sequence[NDArray[Any]]
    programs: dict[int, Program] = field(default_factory=dict)

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
            case {"encoding": name}:
                return steps.InputEncoding(name)
            case {"matrix": [*parts, shape]}:
                data, indices, indptr = map(self.value, parts)
                return sparse.csr_array((data, indices, indptr), shape=tuple(shape))
            case {"program": {"array": int(number)}}:
                if number not in self.programs:
                    self.programs[number] = read_program(self.arrays[number].tobytes())
                return self.programs[number]
            case {"spec": str(text)}:
                return Spec.from_json(text)
            case {"is": str(name), "of": dict(values)}:
                return _CLASSES[name](**{key: self.value(each) for key, each in values.items()})
        raise ValueError(f"unknown value {str(x)[:80]}")


__all__ = ["cache_key", "compile_kept", "from_bytes", "to_parts"]
