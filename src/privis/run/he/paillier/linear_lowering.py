"""Linear programs under the additive scheme: the owner encrypts, a server combines, the owner decrypts.

A query is one ciphertext per element of the inputs. The reply is packed, many outputs to a ciphertext, and masked
afresh, so that its randomness says nothing about how the outputs were made.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import DomainError, Problem, UnsupportedError, refuse
from privis.program import Program, digest
from privis.program.graph import Node
from privis.readings import ranges
from privis.run.he.paillier.fixed_point_encoding import FixedPointEncoding, encode, held_input
from privis.run.he.paillier.linear_rules import LINEAR, LinearStep, NodeContext, linear_step
from privis.run.he.paillier.multi_exponentiation import zeros
from privis.run.he.paillier.scheme import Ciphertexts, PaillierKeyOwner, PublicKey, largest_plaintext, objects
from privis.run.he.paillier.slots import Slots, message_bytes, read_message, write_message


@dataclass(frozen=True, eq=False)
class LinearExtraction:
    """A linear program with everything that owner and server must agree on: fixed point, packing, key length."""

    program: Program
    bits: int
    inputs: tuple[FixedPointEncoding, ...]
    steps: tuple[LinearStep, ...]
    slots: Slots
    purpose: bytes

    @property
    def outputs(self) -> tuple[FixedPointEncoding, ...]:
        """How the outputs are held; ``error`` is the stated rounding of each."""
        return tuple(_held(self, index) for index in self.program.outputs)

    @property
    def lengths(self) -> tuple[int, int]:
        """Elements of all inputs and of all outputs."""
        shapes = ([x.shape for x in self.program.inputs], self.program.output_shapes)
        return sum(map(math.prod, shapes[0])), sum(map(math.prod, shapes[1]))

    @property
    def messages(self) -> tuple[int, int]:
        """Bytes of a query and of a reply."""
        asked, answered = self.lengths
        return message_bytes(self.bits, asked), message_bytes(self.bits, self.slots.plaintexts(answered))

    def query(self, owner: PaillierKeyOwner, *inputs: Any) -> bytes:
        """The owner's message; DomainError for arrays outside the declared shape, range or grid."""
        numbers: list[int] = []
        for index, (declared, held, array) in enumerate(zip(self.program.inputs, self.inputs, inputs, strict=True)):
            numbers += encode(declared, held, np.asarray(array, np.float64), f"input {index}")
        return write_message(owner.public, self.purpose, owner.encrypt(numbers))

    def reply(self, key: PublicKey, query: bytes) -> bytes:
        """The server's part; ProtocolError for a query of another program or key."""
        asked, _ = self.lengths
        flat, start, values = read_message(key, self.purpose, asked, query), 0, []
        for declared in self.program.inputs:
            size = math.prod(declared.shape)
            values.append(flat[start : start + size].reshape(declared.shape))
            start += size
        made = self.program.read(lambda index, _, operands: self.steps[index].run(key, operands), values)
        packed = self._packed(key, np.concatenate([made[index].ravel() for index in self.program.outputs]))
        return write_message(key, self.purpose, key.add(packed, key.masks(len(packed))))

    def result(self, owner: PaillierKeyOwner, reply: bytes) -> tuple[NDArray[np.float64], ...]:
        """The outputs; ProtocolError for a damaged reply, or one of another program or key."""
        _, length = self.lengths
        found = read_message(owner.public, self.purpose, self.slots.plaintexts(length), reply)
        numbers, arrays = iter(self.slots.unpack(owner.decrypt(found), length)), []
        for held, shape in zip(self.outputs, self.program.output_shapes, strict=True):
            values = [math.ldexp(next(numbers), held.exponent) for _ in range(math.prod(shape))]
            arrays.append(np.array(values, np.float64).reshape(shape))
        return tuple(arrays)

    def _packed(self, key: PublicKey, flat: Ciphertexts) -> Ciphertexts:
        """``sum_k 2**(k * width) y_k`` of each group, by Horner's rule for all groups at once."""
        groups, count = self.slots.plaintexts(len(flat)), min(self.slots.count, len(flat))
        padded = np.concatenate([flat, zeros((groups * count - len(flat),))]).reshape(groups, count)
        total = padded[:, -1]
        for place in range(count - 2, -1, -1):
            total = key.add(key.scale(total, 1 << self.slots.width), padded[:, place])
        return objects([*total])


def linear_extraction(program: Program, bits: int, weight_bits: int) -> LinearExtraction:
    """Choose fixed point and packing for a key of ``bits`` bits.

    Raises UnsupportedError with every node that is not linear, DomainError with every value that may overflow.
    """
    refuse(UnsupportedError, nonlinear_problems(program))
    if not all(map(math.prod, program.output_shapes)):
        raise UnsupportedError(Problem("outputs", "a tensor without elements", "at least one element each"))
    known, shapes, first = ranges(program), program.shapes, len(program.inputs)
    steps: list[LinearStep] = []
    problems: list[Problem] = []

    def kept(held: FixedPointEncoding, where: str) -> FixedPointEncoding | None:
        """None where the key does not hold it: what follows has no meaning."""
        problem = held.problem(where, bits)
        problems.extend([problem] if problem else [])
        return None if problem else held

    def rule(index: int, node: Node, operands: list[FixedPointEncoding | None]) -> FixedPointEncoding | None:
        known_operands = [held for held in operands if held is not None]
        if len(known_operands) < len(operands):
            return None
        bound = max(map(abs, known[first + index].bounds))
        context = NodeContext([shapes[i] for i in node.operands], shapes[first + index], bound, weight_bits)
        steps.append(linear_step(node.op, known_operands, context))
        return kept(steps[-1].held, program.where(index))

    inputs = tuple(held_input(declared) for declared in program.inputs)
    held = program.read(rule, [kept(one, f"input {index}") for index, one in enumerate(inputs)])
    refuse(DomainError, problems)
    outputs = [one for one in (held[index] for index in program.outputs) if one is not None]
    most = max((one.most for one in outputs), default=0)
    slots = Slots.within(largest_plaintext(bits), max(most, 1), "outputs")
    purpose = hashlib.sha256(f"{digest(program)} {bits} {weight_bits}".encode()).digest()
    return LinearExtraction(program, bits, inputs, tuple(steps), slots, purpose)


def nonlinear_problems(program: Program) -> list[Problem]:
    """Every node that the additive scheme has no operation for."""
    expected = f"a linear op ({', '.join(op.__name__ for op in LINEAR)})"
    remedy = "additive ciphertexts cannot be multiplied: use CKKS() for this program, or compute this node at the owner"
    return [
        Problem(program.where(index), "an op that is not linear", expected, remedy)
        for index, node in enumerate(program.nodes)
        if not isinstance(node.op, LINEAR)
    ]


def _held(extraction: LinearExtraction, index: int) -> FixedPointEncoding:
    first = len(extraction.inputs)
    return extraction.inputs[index] if index < first else extraction.steps[index - first].held
