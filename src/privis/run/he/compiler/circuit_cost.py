"""What an encrypted run takes before any is started: seconds, memory, bytes of keys and messages."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from privis.run.he.circuit.circuit import Linear, Polynomial, Product
from privis.run.he.packing.arrangement import Arrangement
from privis.run.machine_profile import MachineProfile

if TYPE_CHECKING:
    from privis.run.he.compiler.program_specification import Spec

SECTION = "ckks"  # of a machine's profile
LARGE = 1 << 15  # the ring that times are stated for
WORD = 8  # bytes of a residue in memory
ON_WIRE, EMPTY_ON_WIRE = 1.012, 0.168  # of the bytes of a word that a residue fills, and leaves: after compression
BASE = 64 << 20  # bytes of an interpreter with the libraries
ROOT = 32  # bytes of a root of unity and its inverse, each with what makes a product modulo a prime quick
SWITCHING = 3.3  # polynomials with the primes of a level: what a process keeps of each to switch keys
MOST_AHEAD = 1 << 28  # bytes of weights that each of several processes encodes before they are needed
SERIAL_SHARE = 0.07  # of the work that two processes cannot share, and passing results on


@dataclass(frozen=True)
class CKKSTimings:
    """Seconds of operations at ring degree 2**15 with p primes, by ``calibration.measured``; others take their share.

    Key switching takes ``switch_square * p**2 + switch * p``, everything else its own constant times p. ``beside`` is
    how much longer two processes take at once than one alone: 1 on cores of their own, up to 2 on one core's two
    threads; ``write`` and ``read``: to pass a ciphertext on to another process. The defaults are those of one core of
    2.5 GHz with AVX-512.
    """

    switch_square: float = 6.2e-4
    switch: float = 4.0e-3
    multiply: float = 6.5e-4
    plain: float = 3.6e-4
    rescale: float = 1.7e-3
    encode: float = 1.05e-3
    add: float = 1.0e-4
    beside: float = 1.0
    write: float = 1.4e-4
    read: float = 3.0e-4

    def switching(self, level: int, degree: int) -> float:
        """Seconds of a rotation, a conjugation or a relinearisation at ``level``."""
        primes = level + 1
        return degree / LARGE * (self.switch_square * primes**2 + self.switch * primes)

    @classmethod
    def of_this_machine(cls) -> CKKSTimings:
        """What ``privis doctor --calibrate`` measured; the defaults where it never ran."""
        return MachineProfile.of_this_machine().section(SECTION, cls())


@dataclass(frozen=True)
class Prediction:
    """Seconds of the server for one image once weights are encoded, and of the first image, which encodes them.

    Bytes: ``memory`` of a server process at its peak, ``keys``, ``query`` and ``reply`` as they are sent.
    """

    seconds: float
    first_seconds: float
    memory: int
    keys: int
    query: int
    reply: int


def predict(spec: Spec, arrangement: Arrangement, cache: int, machine: CKKSTimings) -> Prediction:
    """Predict one run, of all images that share ciphertexts; ``cache``: bytes of encoded weights kept between runs."""
    degree = spec.parameters.degree
    share = degree / LARGE
    seconds = sum(machine.switching(level, degree) for _, level in arrangement.rotations())
    seconds += sum(machine.switching(level, degree) for level in arrangement.conjugations())
    for level in arrangement.relinearisations():
        seconds += machine.switching(level, degree) + share * (level + 1) * (machine.multiply + machine.rescale)
    encoding, encoded = 0.0, 0
    for index, step in enumerate(arrangement.circuit.steps):
        primes, count = arrangement.levels[index] + 1, arrangement.layouts[index].ciphertexts
        match step:
            case Linear(_, matrices, bias):
                packed = arrangement.packed[index]
                primes += packed.levels
                products = packed.products
                if arrangement.slot_per_image:  # with single numbers, which are encoded in no time
                    products = packed.levels * sum(matrix.nnz for matrix in matrices)
                seconds += share * primes * products * (machine.plain + machine.add)
                seconds += share * primes * count * machine.rescale * packed.levels
                weights = primes * packed.products + (primes - packed.levels) * count * bool(bias.any())
                encoding += share * weights * machine.encode
                encoded += weights * spec.parameters.degree * WORD
            case Polynomial(_, coefficients):
                seconds += share * primes * count * (len(coefficients) * machine.plain / 2 + machine.rescale)
            case Product():
                seconds += share * primes * count * machine.add
    if arrangement.processes > 1:
        seconds *= SERIAL_SHARE + (1 - SERIAL_SHARE) * machine.beside / 2
    kept = min(cache, encoded)
    again = encoding * (1 - kept / encoded) if encoded else 0.0
    ahead = arrangement.processes * min(encoded - kept, MOST_AHEAD) if arrangement.processes > 1 else 0
    key_bytes, working = _key_bytes(spec), kept + ahead + _ciphertexts(spec, arrangement)  # one after the other
    return Prediction(
        seconds + again,
        seconds + encoding,
        BASE + _key_memory(spec) + _tables(spec) + _program(arrangement) + max(key_bytes, working),
        key_bytes,
        sum(s.layout.ciphertexts * _fresh_bytes(spec, s.level) for s in spec.sources),
        sum(o.layout.ciphertexts * 2 * _polynomial_bytes(spec, (0,)) for o in spec.outputs),
    )


def _program(arrangement: Arrangement) -> int:
    """Weights as the compiler left them: matrices, and their diagonals."""
    matrices = (m for step in arrangement.circuit.steps if isinstance(step, Linear) for m in step.matrices)
    total = sum(part.nbytes for m in matrices for part in (m.data, m.indices, m.indptr))
    for packed in arrangement.packed.values():
        terms = (term for groups in packed.giants for _, own in groups for term in own)
        total += sum(part.nbytes for term in terms for part in (term.weights, term.slots) if part is not None)
    return total


def _tables(spec: Spec) -> int:
    """Roots of unity: the library keeps those of every level apart, twice, for each group of keys with its own ring."""
    top = spec.parameters.levels
    primes = [level + 2 for level in {top, *(group.level for group in spec.keys)}]
    return sum(count * (count + 3) for count in primes) * spec.parameters.degree * ROOT


def _key_memory(spec: Spec) -> int:
    """Each key: for each prime of the group two polynomials with all its primes and the special one."""
    total = 0
    for group in spec.keys:
        count = len(group.steps) + group.relinearise + group.conjugate
        total += count * (group.level + 1) * (group.level + 2) * 2 * spec.parameters.degree * WORD
    return total


def _key_bytes(spec: Spec) -> int:
    """Bytes of all evaluation keys on the wire; half of every key is a seed."""
    total, special = 0, len(spec.parameters.bits) - 1
    for group in spec.keys:
        rows = [*range(group.level + 1), special]
        count = len(group.steps) + group.relinearise + group.conjugate
        total += count * (group.level + 1) * _polynomial_bytes(spec, rows)
    return total


def _fresh_bytes(spec: Spec, level: int) -> int:
    return _polynomial_bytes(spec, range(level + 1))


def _polynomial_bytes(spec: Spec, rows: Any) -> int:
    filled = [math.ceil(spec.parameters.bits[row] / 8) for row in rows]
    sent = sum(ON_WIRE * size + EMPTY_ON_WIRE * (WORD - size) for size in filled)
    return math.ceil(spec.parameters.degree * sent)


def _ciphertexts(spec: Spec, arrangement: Arrangement) -> int:
    """Results, and what their steps work with, in every process, and what the library keeps of every level.

    It never gives memory back, and what served one level does not serve another one; ciphertexts are written over.
    """
    circuit, peak = arrangement.circuit, 0
    last = {o: i for i in range(len(circuit.steps)) for o in circuit.operands(i)}
    held: dict[int, int] = {}
    for index, step in enumerate(circuit.steps):
        level, own = arrangement.levels[index], arrangement.layouts[index].ciphertexts
        working = own
        if isinstance(step, Linear):
            working += sum(len(chain) for _, chain in arrangement.packed[index].babies)
        elif isinstance(step, Polynomial):
            working += 8
        held[index] = own
        sizes = [count * (arrangement.levels[value] + 1) for value, count in held.items()]
        peak = max(peak, sum(sizes) + working * (level + 1))
        held = {value: count for value, count in held.items() if last.get(value, -1) > index}
    polynomial = spec.parameters.degree * WORD
    if arrangement.slot_per_image:
        return 2 * peak * polynomial
    kept = SWITCHING * sum(range(1, spec.parameters.levels + 2))
    return round(arrangement.processes * (2 * peak + kept) * polynomial)
