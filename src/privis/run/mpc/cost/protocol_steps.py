"""What SPU does for each instruction of compiled code: a list of protocol steps and how many elements each takes.

A secret is shared additively ("arithmetic") or bit by bit ("boolean"), and which of the two decides what an
instruction costs: comparisons make boolean bits, sums and products convert them first, each time they are read.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from privis.run.mpc.cost.hlo import Code, Instruction, Tensor
from privis.run.mpc.fixed_point import FixedPoint

PUBLIC, ARITHMETIC = -1, 0  # what a value is; a positive number is the bits of a boolean secret
EQUAL_BITS = 8  # the width in which SPU keeps the result of an equality


class Kernel(Enum):
    """The steps that take messages or time."""

    LOCAL = "local"  # additions, copies, products with public numbers; views are free
    CONTRACT = "contract"  # multiply-adds of a matrix product or convolution on this party's own shares
    MATMUL = "matmul"  # messages of a matrix product between secrets: one per element of the result
    MULTIPLY = "multiply"
    MULTIPLY_BIT = "multiply by a bit"
    TRUNCATE = "truncate"
    TRUNCATE_SHORT = "truncate by a few bits"
    TO_ARITHMETIC = "boolean to arithmetic"
    TO_SECRET = "public to secret"
    LESS = "less"
    EQUAL = "equal"
    AND = "and"
    FLOOR = "floor"
    RSQRT = "rsqrt"
    SQRT = "sqrt"
    RECIPROCAL = "reciprocal"
    LARGEST = "the k largest"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class ProtocolStep:
    """One kernel on ``elements`` elements; ``bits`` where the operand is boolean."""

    kernel: Kernel
    elements: int
    bits: int = 0


Kinds = Mapping[str, int]
Made = Generator[ProtocolStep, None, int]  # the steps of an instruction, and then what its result is
MOVES = frozenset(
    "slice reshape transpose broadcast reverse gather dynamic_slice dynamic_update_slice bitcast_convert".split()
)
LINEAR = frozenset(("add", "subtract", "negate"))
CONTRACTIONS = frozenset(("dot", "dot_general", "convolution"))
FUNCTIONS = {
    "rsqrt": ((Kernel.RSQRT, 1),),
    "sqrt": ((Kernel.SQRT, 1),),
    "reciprocal": ((Kernel.RECIPROCAL, 1),),
    "divide": ((Kernel.RECIPROCAL, 1), (Kernel.MULTIPLY, 1), (Kernel.TRUNCATE, 1)),
    "abs": ((Kernel.LESS, 1), (Kernel.TO_ARITHMETIC, 1), (Kernel.MULTIPLY, 1)),
    "floor": ((Kernel.FLOOR, 1),),
    "exponential": ((Kernel.MULTIPLY, 8), (Kernel.TRUNCATE, 8), (Kernel.TRUNCATE_SHORT, 1)),
    "tanh": ((Kernel.LESS, 2), (Kernel.MULTIPLY_BIT, 2), (Kernel.MULTIPLY, 9), (Kernel.TRUNCATE, 11)),
}  # fmt: skip


def steps(code: Code, fixed: FixedPoint) -> Iterator[ProtocolStep]:
    """All steps of ``code``, in order."""
    kinds = {name: ARITHMETIC if tensor.secret else PUBLIC for name, tensor in code.inputs}
    yield from _run(code.instructions, kinds, 1, fixed)


def _run(
    instructions: tuple[Instruction, ...], kinds: dict[str, int], times: int, fixed: FixedPoint
) -> Iterator[ProtocolStep]:
    """Steps of a block whose tensors are repeated ``times`` side by side; ``kinds`` learns what each value is."""
    for instruction in instructions:
        if not any(tensor.secret for tensor in instruction.made):
            kinds |= dict.fromkeys(instruction.results, PUBLIC)
            continue
        made = yield from _instruction(instruction, kinds, times, fixed)
        kinds |= dict.fromkeys(instruction.results, made)


def _instruction(op: Instruction, kinds: Kinds, times: int, fixed: FixedPoint) -> Made:
    """Steps of one instruction with a secret result; returns what that result is."""
    size = op.made[0].size * times
    given = [(kinds[name], tensor.size * times) for name, tensor in zip(op.operands, op.taken, strict=False)]
    kind = given[0][0]
    match op.name:
        case name if name in MOVES:  # another view of the same memory
            return kind
        case "convert":
            return (yield from _convert(op, kind, size, fixed))
        case "pad" | "concatenate":
            yield ProtocolStep(Kernel.LOCAL, size)
            if len({one for one, _ in given}) == 1:
                return kind
            yield from _arithmetic(given)
            return ARITHMETIC
        case "not":
            return kind
        case "less":
            yield from _arithmetic(given)
            yield ProtocolStep(Kernel.LESS, size)
            return 1
        case "equal":
            yield from _arithmetic(given)
            yield ProtocolStep(Kernel.EQUAL, size)
            return EQUAL_BITS
        case "and" | "or" | "xor":
            return (yield from _logic(op.name, given, size))
        case "select":
            return (yield from _select(given, size))
        case "multiply":
            return (yield from _multiply(op.taken, given, size))
        case name if name in CONTRACTIONS:
            return (yield from _contract(op, given, times))
        case name if name in LINEAR:
            yield ProtocolStep(Kernel.LOCAL, size)
            yield from _arithmetic(given)
            return ARITHMETIC
        case "reduce" | "reduce_window":
            return (yield from _reduce(op, kinds, times, fixed))
        case "custom_call" if "@spu.gather" in op.text and kinds[op.operands[1]] == PUBLIC:
            yield ProtocolStep(Kernel.LOCAL, size)
            return kind
        case "custom_call" if "@mhlo.topk" in op.text:  # row after row
            yield from _arithmetic(given)
            row = op.taken[0].shape[-1]
            yield from [ProtocolStep(Kernel.LARGEST, row)] * (op.taken[0].size * times // row)
            return ARITHMETIC
        case "custom_call" if "prefer_a" in op.text:
            yield from _arithmetic(given)
            return ARITHMETIC
        case name if name in FUNCTIONS:
            yield from _arithmetic(given)
            for kernel, count in FUNCTIONS[name]:
                yield from [ProtocolStep(kernel, size, 1)] * count
            return ARITHMETIC
        case _:
            yield ProtocolStep(Kernel.UNKNOWN, size)
            return ARITHMETIC


def _arithmetic(given: list[tuple[int, int]]) -> Iterator[ProtocolStep]:
    """Convert every boolean operand."""
    for bits, size in given:
        if bits > 0:
            yield ProtocolStep(Kernel.TO_ARITHMETIC, size, bits)


def _convert(op: Instruction, kind: int, size: int, fixed: FixedPoint) -> Made:
    """A change of type: from public to secret, from bits to fixed point, else nothing happens."""
    source, target = op.taken[0], op.made[0]
    if kind == PUBLIC and target.dtype == "i1":  # a boolean share of a public bit needs no message
        return 1
    if kind == PUBLIC:
        yield ProtocolStep(Kernel.TO_SECRET, size)
        return ARITHMETIC
    if source.real and not target.real:  # rounds towards zero
        yield ProtocolStep(Kernel.FLOOR, size)
        yield ProtocolStep(Kernel.LESS, size)
        yield ProtocolStep(Kernel.TO_ARITHMETIC, size, 1)
    if kind > 0 and target.real and not source.real:
        return kind + fixed.fraction_bits
    return kind


def _logic(name: str, given: list[tuple[int, int]], size: int) -> Made:
    first, second = (kind for kind, _ in given)
    if PUBLIC in (first, second):
        return max(first, second)
    if ARITHMETIC in (first, second):
        yield ProtocolStep(Kernel.UNKNOWN, size)
        return 1
    if name != "xor":
        yield ProtocolStep(Kernel.AND, size)
    return min(first, second) if name == "and" else max(first, second)


def _select(given: list[tuple[int, int]], size: int) -> Made:
    """``chosen * (yes - no) + no``: ``no`` is read, and converted, twice."""
    (chosen, _), yes, no = given
    branches = [yes, no]
    yield ProtocolStep(Kernel.LOCAL, size)
    yield from _arithmetic([yes, no, no])
    if chosen == PUBLIC:
        return max(kind for kind, _ in branches)
    if all(kind == PUBLIC for kind, _ in branches):
        yield from _arithmetic([(chosen, size)])
    elif chosen == 1:
        yield ProtocolStep(Kernel.MULTIPLY_BIT, size)
    else:
        yield from _arithmetic([(chosen, size)])
        yield ProtocolStep(Kernel.MULTIPLY, size)
    return ARITHMETIC


def _multiply(taken: tuple[Tensor, ...], given: list[tuple[int, int]], size: int) -> Made:
    """A product with a bit is an oblivious transfer, one of two bits a conjunction."""
    yield ProtocolStep(Kernel.LOCAL, size)
    (first, _), (second, _) = given
    if PUBLIC in (first, second):
        yield from _arithmetic(given)
    elif first == second == 1 and not any(tensor.real for tensor in taken):
        yield ProtocolStep(Kernel.AND, size)
        return 1
    elif 1 in (first, second):
        other = second if first == 1 else first
        yield from _arithmetic([(other, size)])
        yield ProtocolStep(Kernel.MULTIPLY_BIT, size)
    else:
        yield from _arithmetic(given)
        yield ProtocolStep(Kernel.MULTIPLY, size)
    if all(tensor.real for tensor in taken):
        yield ProtocolStep(Kernel.TRUNCATE, size)
    return ARITHMETIC


def _contract(op: Instruction, given: list[tuple[int, int]], times: int) -> Made:
    """SPU multiplies the matrices of a batch one after another."""
    left, right = op.taken
    made = op.made[0].size * times
    yield from _arithmetic(given)
    batch = math.prod(left.shape[axis] for axis in op.integers("batching_dims"))
    if op.name == "convolution":
        depth = right.size // right.shape[-1]
    else:
        axes = op.integers("contracting_dims") if op.name == "dot_general" else (len(left.shape) - 1,)
        depth = math.prod(left.shape[axis] for axis in axes)
    secrets = all(kind != PUBLIC for kind, _ in given)
    yield ProtocolStep(Kernel.CONTRACT, made * depth * (2 if secrets else 1))
    for _ in range(batch):
        if secrets:
            yield ProtocolStep(Kernel.MATMUL, made // batch, depth)
        if left.real and right.real:
            yield ProtocolStep(Kernel.TRUNCATE, made // batch)
    return ARITHMETIC


def _reduce(op: Instruction, kinds: Kinds, times: int, fixed: FixedPoint) -> Made:
    """Halve the reduced axes until one element is left; odd ones out join at the end, one after another."""
    count = len(op.made)
    values, first = op.operands[: 2 * count : 2], op.taken[0]
    if op.name == "reduce_window":
        values, length, initial = op.operands[:count], math.prod(op.integers("window_dimensions")), False
    else:
        axes = op.integers("dimensions")
        length, initial = math.prod(first.shape[axis] for axis in axes), 0 in axes
    kept = op.made[0].size * times
    yield ProtocolStep(Kernel.LOCAL, first.size * times)
    kind = kinds[values[0]]
    if "applies pphlo.add" in op.text:
        half = length // 2 * kept
        yield from _arithmetic([(kind, half), (kind, half), (kind, kept * (length % 2))] if length > 1 else [])
        return kind if length == 1 else ARITHMETIC
    for elements in _levels(length, initial):
        if "applies pphlo." in op.text:
            yield ProtocolStep(Kernel.AND if kind > 0 else Kernel.UNKNOWN, elements * kept)
            continue
        own = {**dict(zip(op.parameters, [kinds[v] for v in values] * 2, strict=True))}
        yield from _run(op.body, own, elements * kept, fixed)
    return kind


def _levels(length: int, initial: bool) -> Iterator[int]:
    """Elements of each application of the function, ``initial`` being one more."""
    last = int(initial)
    while length > 1:
        last += length % 2
        length //= 2
        yield length
    yield from [1] * last
