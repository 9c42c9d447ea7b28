"""Programs as bytes: JSON for the structure and npz for the arrays, never pickle; and the digest of both.

Evolution of the format: ``FORMAT`` is in the file and in the digest, and a reader refuses any other. An op that is
added leaves it, and the digests of older programs; so does what is digested only where there is some, as
``alternatives`` are. An op whose name, fields or meaning change takes the next number, which changes every digest. A
file with an op that a version does not know is refused by that version.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import math
from pathlib import Path

import numpy as np

from privis.errors import OutputError, Problem, ProgramError
from privis.file_formats import FileFormat, misfit
from privis.program import ops
from privis.program.graph import Input, Node, Program, Region
from privis.program.shapes import Shape

FORMAT = "privis.program/1"
_BY_NAME = {op.__name__: op for op in ops.OPS}  # closed table: a file can name these and nothing else


def _encode(value: object, arrays: list[np.ndarray]) -> object:
    match value:
        case np.ndarray():
            arrays.append(value)
            return {"array": len(arrays) - 1}
        case ops.Kind():
            return {"kind": value.value}
        case np.floating() | np.integer():
            return _encode(value.item(), arrays)
        case float() if not math.isfinite(value):
            return {"float": str(value)}
        case bool() | int() | float() | str() | None:
            return value
        case tuple():
            return [_encode(item, arrays) for item in value]
    raise ProgramError(Problem("program", f"a {type(value).__name__} inside an op", "numbers, tuples and arrays"))


def _decode(value: object, arrays: list[np.ndarray]) -> object:
    match value:
        case {"array": int(index)}:
            return arrays[index]
        case {"kind": str(name)}:
            return ops.Kind(name)
        case {"float": "inf" | "-inf" | "nan" as text}:
            return float(text)
        case list():
            return tuple(_decode(item, arrays) for item in value)
        case bool() | int() | float() | str() | None:
            return value
    raise ValueError(f"unknown value {value!r}")


def _structure(program: Program, arrays: list[np.ndarray]) -> dict[str, object]:
    nodes = []
    for node in program.nodes:
        fields = {f.name: _encode(getattr(node.op, f.name), arrays) for f in dataclasses.fields(node.op)}
        nodes.append({"op": type(node.op).__name__, "operands": list(node.operands), "fields": fields})
    inputs = [_encode((list_of.shape, list_of.low, list_of.high, list_of.step), arrays) for list_of in program.inputs]
    return {"format": FORMAT, "inputs": inputs, "nodes": nodes, "outputs": list(program.outputs)}


def _regions(program: Program, arrays: list[np.ndarray]) -> list[object]:
    regions: list[object] = []
    for r in program.regions:
        alternative = r.polynomial
        stated = None if alternative is None else _structure(alternative, arrays)
        regions.append([r.name, r.first, r.last, list(r.inputs), stated])
    return regions


def digest(program: Program) -> str:
    """Return the SHA-256 of everything that decides what ``program`` computes, as 64 hexadecimal digits.

    The polynomial alternatives of regions count, with the nodes that they stand for: under CKKS they are what runs.
    Names of regions, and regions without an alternative, are hints and do not count.
    """
    arrays: list[np.ndarray] = []
    structure = _structure(program, arrays)
    stated = [
        [r.first, r.last, list(r.inputs), _structure(r.polynomial, arrays)] for r in program.regions if r.polynomial
    ]
    if stated:  # a program without alternatives keeps the digest that stored tables and ledgers know
        structure["alternatives"] = stated
    text = json.dumps(structure, sort_keys=True, allow_nan=False)
    sha = hashlib.sha256(text.encode())
    for array in arrays:
        sha.update(f"{array.dtype.str}{array.shape}".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def to_bytes(program: Program) -> bytes:
    """Return ``program`` as the bytes of a zip of JSON and npy members."""
    arrays: list[np.ndarray] = []
    structure = _structure(program, arrays)
    structure["regions"] = _regions(program, arrays)
    text = json.dumps(structure, allow_nan=False).encode()
    buffer = io.BytesIO()
    members = {f"a{i}": array for i, array in enumerate(arrays)}
    np.savez_compressed(buffer, structure=np.frombuffer(text, np.uint8), **members)
    return buffer.getvalue()


def save(program: Program, path: str | Path) -> None:
    """Write ``program`` to ``path`` as ``to_bytes`` makes it; OutputError when it cannot be written."""
    try:
        Path(path).write_bytes(to_bytes(program))
    except OSError as error:
        remedy = "choose a folder you may write to"
        raise OutputError(Problem(str(path), error.strerror or "an error", "a writable file", remedy)) from None


def load(path: str | Path) -> Program:
    """Read a program that ``save`` wrote; ProgramError when the file is anything else or does not fit together."""
    return _read(path, path)


def from_bytes(data: bytes) -> Program:
    """Read what ``to_bytes`` made; ProgramError when the bytes are anything else or do not fit together."""
    return _read(io.BytesIO(data), None)


def _read(source: str | Path | io.BytesIO, path: str | Path | None) -> Program:
    try:
        if not isinstance(source, io.BytesIO):  # a damaged zip would leave the file open
            source = io.BytesIO(Path(source).read_bytes())
        with np.load(source, allow_pickle=False) as members:
            structure = json.loads(members["structure"].tobytes())
            arrays = [members[f"a{i}"] for i in range(len(members.files) - 1)]
        if structure["format"] != FORMAT:
            raise ValueError(f"format {structure['format']!r}")
        program = _program(structure, arrays)
    except ProgramError:
        raise
    except Exception as error:  # whatever hostile bytes do to a decoder, the file is no program
        reason, expected = f"{type(error).__name__}: {error}", f"a program, a file of format {FORMAT}"
        if path is None:
            raise ProgramError(Problem("program", reason, expected)) from None
        raise ProgramError(misfit(path, FileFormat.PROGRAM, reason, expected)) from None
    return program


def _program(structure: dict[str, object], arrays: list[np.ndarray]) -> Program:
    inputs = tuple(Input(*_decode(x, arrays)) for x in structure["inputs"])  # type: ignore[attr-defined,misc]
    nodes = []
    for entry in structure["nodes"]:  # type: ignore[attr-defined]
        fields = {name: _decode(value, arrays) for name, value in entry["fields"].items()}
        nodes.append(Node(_BY_NAME[entry["op"]](**fields), tuple(entry["operands"])))
    regions = []
    for name, start, end, taken, *stated in structure.get("regions", ()):  # type: ignore[attr-defined]
        alternative = _program(stated[0], arrays) if stated and stated[0] is not None else None
        regions.append(Region(name, start, end, tuple(taken), alternative))
    program = Program(inputs, tuple(nodes), tuple(structure["outputs"]), tuple(regions))  # type: ignore[arg-type]
    _check_order(program)
    _check_regions(program, program.shapes)  # the shape reading refuses ops that do not fit together
    return program


def _check_order(program: Program) -> None:
    """Every operand must come before its reader: that is what makes the graph acyclic."""
    first = len(program.inputs)
    for index, node in enumerate(program.nodes):
        if not all(0 <= operand < first + index for operand in node.operands):
            raise ValueError(f"node {index} reads a value that comes later")
    if not all(0 <= output < first + len(program.nodes) for output in program.outputs):
        raise ValueError("an output that does not exist")
    for region in program.regions:
        if not 0 <= region.first <= region.last < len(program.nodes):
            raise ValueError(f"region {region.name!r} outside the program")
        if not all(0 <= value < first + region.first for value in region.inputs):
            raise ValueError(f"region {region.name!r} reads a value that comes later")


def _check_regions(program: Program, shapes: list[Shape]) -> None:
    """A polynomial alternative takes what its region takes and makes what it makes."""
    for region in program.regions:
        alternative = region.polynomial
        if alternative is None:
            continue
        taken = [shapes[value] for value in region.inputs]
        made = (shapes[len(program.inputs) + region.last],)
        if [x.shape for x in alternative.inputs] != taken or alternative.output_shapes != made:
            raise ValueError(f"region {region.name!r} has a polynomial alternative of other shapes")
