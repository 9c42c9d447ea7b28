"""The instructions of SPU's compiled code, read from its text: what really runs, after every rewriting."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from privis.errors import Problem, ProgramError


@dataclass(frozen=True)
class Tensor:
    """Shape, element type ("f32", "i64", "i1" …) and secrecy of a value."""

    shape: tuple[int, ...]
    dtype: str
    secret: bool

    @property
    def size(self) -> int:
        """Number of elements of the tensor."""
        return math.prod(self.shape)

    @property
    def real(self) -> bool:
        """Fixed point rather than ring integers."""
        return self.dtype.startswith("f")


@dataclass(frozen=True)
class Instruction:
    """One operation: its name, the values it makes and reads, its text, and the function it applies when it has one."""

    name: str
    results: tuple[str, ...]
    operands: tuple[str, ...]
    taken: tuple[Tensor, ...]
    made: tuple[Tensor, ...]
    text: str
    parameters: tuple[str, ...] = ()
    body: tuple[Instruction, ...] = ()

    def integers(self, attribute: str) -> tuple[int, ...]:
        """The list ``attribute = [1, 2]`` or ``attribute = array<i64: 1, 2>`` of the text; empty without it."""
        found = re.search(attribute + r" = (?:array<i64: ([\d, -]*)>|\[([\d, -]*)\])", self.text)
        listed = (found[1] or found[2] or "") if found else ""
        return tuple(int(number) for number in listed.split(",") if number.strip())


@dataclass(frozen=True)
class Code:
    """The inputs of a compiled program, in order, and its instructions."""

    inputs: tuple[tuple[str, Tensor], ...]
    instructions: tuple[Instruction, ...]


_TENSOR = re.compile(r"tensor<((?:\d+x)*)(?:!pphlo\.secret<(\w+)>|(\w+))>")
_VALUE = re.compile(r"%\w+(?:#\d+)?")
_LINE = re.compile(r'^\s*(?:(%\w+)(?::(\d+))? = )?"?pphlo\.(\w+)"?(.*)$')


def read(code: bytes) -> Code:
    """Read compiled code; ProgramError when it is not SPU's.

    >>> text = b'''func.func @main(%arg0: tensor<4x!pphlo.secret<f32>>) -> tensor<4x!pphlo.secret<f32>> {
    ...   %0 = pphlo.negate %arg0 : tensor<4x!pphlo.secret<f32>>
    ... }'''
    >>> [(i.name, i.made[0].shape) for i in read(text).instructions]
    [('negate', (4,))]
    """
    lines = iter(code.decode().splitlines())
    for line in lines:
        if "func.func @main(" in line:
            arguments = line[: line.index(") ->")] if ") ->" in line else line
            return Code(tuple(_arguments(arguments)), tuple(_block(lines)))
    raise ProgramError(Problem("compiled code", "no function main", "the text of SPU's compiler"))


def _arguments(line: str) -> Iterator[tuple[str, Tensor]]:
    for found in re.finditer(r"(%\w+): (tensor<(?:[^<>]|<[^<>]*>)*>)", line):
        yield found[1], _tensors(found[2])[0]


def _tensors(signature: str) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(tuple(int(n) for n in dims.split("x") if n), secret or public, bool(secret))
        for dims, secret, public in _TENSOR.findall(signature)
    )


def _block(lines: Iterator[str]) -> Iterator[Instruction]:
    """Instructions up to the brace that closes the block."""
    for line in lines:
        if line.strip().startswith(("}", "return")) or "pphlo.return" in line:
            if line.strip().startswith("}"):
                return
            continue
        found = _LINE.match(line)
        if found is None or found[3] == "free":
            continue
        result, count, name, rest = found[1] or "", int(found[2] or 1), found[3], found[4]
        results = (result,) if count == 1 else tuple(f"{result}#{index}" for index in range(count))
        parameters: tuple[str, ...] = ()
        body: tuple[Instruction, ...] = ()
        if name == "reduce" and " applies " not in rest:
            parameters, body = _reducer(next(lines), lines)
        elif rest.endswith("({"):
            parameters = tuple(name for name, _ in _arguments(next(lines)))
            body, end = _region(lines)
            rest = rest[:-2] + end
        yield _instruction(name, results, rest, parameters, body)


def _reducer(head: str, lines: Iterator[str]) -> tuple[tuple[str, ...], tuple[Instruction, ...]]:
    """The function of a reduction: pairs of (accumulated, new), listed pair by pair."""
    names = [name for name, _ in _arguments(head)]
    return (*names[0::2], *names[1::2]), tuple(_block(lines))


def _region(lines: Iterator[str]) -> tuple[tuple[Instruction, ...], str]:
    """A region and the text that follows its closing brace, where its operation's types stand."""
    collected: list[str] = []
    for line in lines:
        if line.strip().startswith("}"):
            return tuple(_block(iter([*collected, "}"]))), line.strip()[1:]
        collected.append(line)
    raise ProgramError(Problem("compiled code", "a region without end", "the text of SPU's compiler"))


def _instruction(
    name: str, results: tuple[str, ...], rest: str, parameters: tuple[str, ...], body: tuple[Instruction, ...]
) -> Instruction:
    if name in ("constant", "iota"):
        made = _tensors(rest[rest.rindex("tensor<") :])
        return Instruction(name, results, (), (), made, "", parameters, body)
    text, signature = rest.rsplit(" : ", 1)
    operands = tuple(_VALUE.findall(text))
    if "->" in signature:
        before, after = signature.rsplit("->", 1)
        taken, made = _tensors(before), _tensors(after)
    else:
        made = _tensors(signature)
        taken = made * len(operands)
    return Instruction(name, results, operands, taken, made, text, parameters, body)
