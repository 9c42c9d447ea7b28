"""What a compiled program will take on a server: seconds, memory, bytes of keys and messages."""

from __future__ import annotations

from privis.run.he.compiled import Compiled
from privis.run.he.engine import KeyGroup
from privis.run.he.evaluator import CACHE
from privis.serve.limits import MIB
from privis.serve.offering import Estimate

_RESIDUE = 8  # bytes
_ON_WIRE = 0.39  # of a key or fresh ciphertext: one half is a seed, and the library packs what is left
_ANSWERED = 0.95
_INTERPRETER = 150 * MIB
_ALIVE = 32  # ciphertexts at a time, at the highest level

# Seconds on one core of 2.5 GHz with AVX-512 and rings of 2**15, for p primes: fits to measured tables.
_LARGE = 1 << 15


def estimate(made: Compiled) -> Estimate:
    """Predict one job of ``made``: the first one of a worker, which also encodes the weights."""
    arrangement, spec = made.choice.arrangement, made.spec
    degree, levels = spec.parameters.degree, spec.parameters.levels
    seconds = sum(_switching(level, degree) for _, level in arrangement.rotations())
    seconds += sum(1.1 * _switching(level, degree) for level in arrangement.relinearisations())
    encoded = 0
    for index, packed in arrangement.packed.items():
        primes = arrangement.levels[index] + packed.levels + 1
        count = sum(term.weights is not None for groups in packed.giants for _, terms in groups for term in terms)
        seconds += 1.4e-3 * primes * count * degree / _LARGE
        encoded += count * primes * degree * _RESIDUE
    keys = sum(_key_bytes(group, degree) for group in spec.keys)
    ciphertext = 2 * (levels + 1) * degree * _RESIDUE
    reply = sum(2 * degree * _RESIDUE * output.layout.ciphertexts for output in spec.outputs)
    return Estimate(
        seconds,
        int(_ON_WIRE * keys),
        int(_ON_WIRE * ciphertext * spec.queried),
        int(_ANSWERED * reply) + MIB,
        keys + min(encoded, CACHE) + _ALIVE * ciphertext + _INTERPRETER,
    )


def _switching(level: int, degree: int) -> float:
    """Seconds of one rotation or relinearisation."""
    primes = level + 1
    return (6.2e-4 * primes**2 + 4e-3 * primes) * degree / _LARGE


def _key_bytes(group: KeyGroup, degree: int) -> int:
    """Memory of the keys of a group: for each prime two polynomials with all primes and the special one."""
    count = len(group.steps) + group.relinearise
    return count * (group.level + 1) * (group.level + 2) * 2 * degree * _RESIDUE
