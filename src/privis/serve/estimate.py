"""What a compiled program will take on a server: seconds, memory, bytes of keys and messages."""

from __future__ import annotations

from privis.run.he.compiled import Compiled
from privis.run.he.engine import KeyGroup
from privis.run.he.evaluator import CACHE
from privis.serve.limits import MIB
from privis.serve.offering import Estimate

_RESIDUE, _RESIDUE_BITS = 8, 64  # of a number modulo a prime
_PACKED_BITS = 10  # beyond those of the prime: what the library's compression leaves of a residue
_SEEDED = 0.5  # of a key or a fresh ciphertext that is sent: the other half is a seed
_LOADED = 1.8  # memory that stays with the library's pool after keys of size 1 were loaded
_ALIVE = 46  # ciphertexts at a time, at the highest level
_INTERPRETER = 60 * MIB  # pages of the interpreter that a worker changes

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
    bits = spec.parameters.bits
    keys = sum(_key_bytes(group, degree) for group in spec.keys)
    ciphertext = 2 * (levels + 1) * degree * _RESIDUE
    return Estimate(
        seconds,
        int(_SEEDED * _packed(bits) * keys),
        int(_SEEDED * _packed(bits[:-1]) * ciphertext * spec.queried),
        int(_packed(bits[:1]) * 2 * degree * _RESIDUE * spec.answered),
        int(_LOADED * keys) + min(encoded, CACHE) + _ALIVE * ciphertext + _INTERPRETER,
    )


def _switching(level: int, degree: int) -> float:
    """Seconds of one rotation or relinearisation."""
    primes = level + 1
    return (6.2e-4 * primes**2 + 4e-3 * primes) * degree / _LARGE


def _packed(bits: tuple[int, ...]) -> float:
    """Bytes sent for each byte of residues of such primes."""
    return min(1.0, (sum(bits) / len(bits) + _PACKED_BITS) / _RESIDUE_BITS)


def _key_bytes(group: KeyGroup, degree: int) -> int:
    """Memory of the keys of a group: for each prime two polynomials with all primes and the special one."""
    count = len(group.steps) + group.relinearise
    return count * (group.level + 1) * (group.level + 2) * 2 * degree * _RESIDUE
