"""Compiled programs as bytes, in the layout of `structure_files`: the closed table of classes, and the cache of them.

A change of a class in the table, or of what a field means, takes the next number in ``FORMAT``; readers refuse
every other. Whether bytes are whole is for who keeps them to check (`privis.run.program_cache`).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import Problem, ProgramError
from privis.program import Program, digest
from privis.program.files import from_bytes as read_program
from privis.program.files import to_bytes as written_program
from privis.readings import NodeError, PolynomialForm
from privis.run.he.circuit import circuit as steps
from privis.run.he.compiler.compiler import CompiledProgram, Options, compile_program
from privis.run.he.compiler.parameter_choice import ParameterChoice
from privis.run.he.compiler.program_specification import Spec
from privis.run.he.engine import Parameters
from privis.run.he.packing.arrangement import Arrangement
from privis.run.he.packing.diagonals import Packed, Term
from privis.run.he.packing.layout import Layout
from privis.run.program_cache import CacheKey, ProgramCache
from privis.run.structure_files import BytesKind, StructureKinds, read_structure, written_structure

FORMAT = b"privis.compiled/2\n"
LIBRARIES = ("numpy", "scipy")  # whose sums and sorts the layouts come from
WORTH_KEEPING = 0.5  # seconds of a processor: what compiles faster is compiled again
_KINDS = StructureKinds(
    (
        Arrangement, steps.Circuit, steps.CircuitInput, steps.Linear, steps.Polynomial, steps.Product,
        CompiledProgram, Layout, NodeError, Packed, ParameterChoice, Parameters, PolynomialForm, Term,
    ),
    (steps.InputEncoding,),
    (
        BytesKind("program", Program, written_program, read_program),
        BytesKind("spec", Spec, lambda spec: spec.to_json().encode(), lambda data: Spec.from_json(data.decode())),
    ),
)  # fmt: skip


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
    return written_structure(FORMAT, made, _KINDS)


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
        made = read_structure(FORMAT, data, _KINDS)
        if not isinstance(made, CompiledProgram):
            raise ValueError("no compiled program")
        return made
    except ProgramError:
        raise
    except Exception as error:  # whatever hostile bytes do to a decoder, they are no compiled program
        reason = f"{type(error).__name__}: {error}"
        raise ProgramError(Problem("compiled program", reason, f"bytes of format {FORMAT.decode().strip()}")) from None


__all__ = ["cache_key", "compile_kept", "from_bytes", "to_parts"]
