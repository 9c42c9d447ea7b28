"""The port to a CKKS library: what the compiler and the machine ask of it, and nothing else.

A ciphertext holds ``slots`` numbers at a *level*, the number of rescalings it can still take, and at a *scale*, the
factor by which its numbers are stored. Slot ``s`` is the polynomial's value at the primitive root of unity to the power
``3 ** s``. Reference: Cheon, Kim, Kim and Song, 2017, doi:10.1007/978-3-319-70694-8_15.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.run.he.security import SecurityStandard, largest_modulus, sentence, standards_met

Ciphertext = Any  # the library's own object
Plaintext = Any

DEGREES = (4096, 8192, 16384, 32768)
"""Ring degrees that the libraries take and that leave room for a level."""


@dataclass(frozen=True)
class Parameters:
    """Ring degree and the bits of each prime: the lowest, one for each level, and the special one of key switching.

    Raises ParameterError for anything below 128-bit security by the standard of 2018, which libraries check again; a
    compiler may ask for more (`privis.run.he.security`).

    >>> Parameters(8192, (36, 28, 28, 42)).levels
    2
    """

    degree: int
    bits: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.degree not in DEGREES:
            raise ParameterError(Problem("Parameters.degree", f"{self.degree}", f"one of {[*DEGREES]}"))
        most = largest_modulus(SecurityStandard.STANDARD_2018)[self.degree]
        if len(self.bits) < 2 or sum(self.bits) > most or not all(20 <= b <= 60 for b in self.bits):
            got = f"primes of {self.bits} bits, {sum(self.bits)} together"
            expected = f"at least two of 20 to 60 bits, at most {most} bits together for 128-bit security"
            raise ParameterError(Problem("Parameters.bits", got, expected, "fewer levels, or a larger ring"))

    @property
    def levels(self) -> int:
        """Rescalings a fresh ciphertext can take."""
        return len(self.bits) - 2

    @property
    def standards(self) -> tuple[SecurityStandard, ...]:
        """The tables of 128-bit security that these parameters meet, with the ternary secrets of all libraries here.

        >>> [standard.value for standard in Parameters(8192, (36, 28, 28, 42)).standards]
        ['2018', '2024']
        """
        return standards_met(self.degree, sum(self.bits))

    @property
    def security(self) -> str:
        """One sentence: which tables of 128-bit security these parameters meet."""
        return sentence(self.degree, sum(self.bits))

    @property
    def slots(self) -> int:
        """Numbers in a ciphertext."""
        return self.degree // 2


@dataclass(frozen=True)
class KeyGroup:
    """Evaluation keys for ciphertexts up to ``level``: the lower, the smaller (a key grows with the level squared).

    ``steps`` are rotations: by ``r`` slots, slot ``s`` of the result holds slot ``s + r``, cyclically; ``conjugate``:
    a key for complex conjugates, too.
    """

    level: int
    steps: tuple[int, ...]
    relinearise: bool = True
    conjugate: bool = False


def galois_element(step: int, degree: int) -> int:
    """The automorphism that rotates by ``step`` slots."""
    return pow(3, step % (degree // 2), 2 * degree)


def galois_elements(group: KeyGroup, degree: int) -> list[int]:
    """The automorphisms that a group has keys for; the last of all conjugates."""
    conjugation = [2 * degree - 1] if group.conjugate else []
    return sorted({galois_element(step, degree) for step in group.steps}) + conjugation


class Engine(Protocol):
    """Arithmetic on ciphertexts with evaluation keys. No method can decrypt."""

    @property
    def parameters(self) -> Parameters:
        """Ring degree and bits of the primes."""
        ...

    @property
    def primes(self) -> tuple[int, ...]:
        """``primes[l]`` divides the scale when a ciphertext of level ``l`` is rescaled."""
        ...

    def encode(self, values: NDArray[Any] | float, level: int, scale: float) -> Plaintext:
        """Numbers, at most one per slot (real or complex), or one for all slots."""
        ...

    def is_zero(self, x: Plaintext) -> bool:
        """Whether nothing is left of the numbers at the plaintext's scale: no ciphertext is multiplied by that."""
        ...

    def level(self, x: Ciphertext) -> int:
        """Number of rescalings that a ciphertext can still take."""
        ...

    def scale(self, x: Ciphertext) -> float:
        """Factor by which the numbers are stored."""
        ...

    def at_scale(self, x: Ciphertext, scale: float) -> Ciphertext:
        """``x`` itself, from now on said to be at ``scale``: another unit of its numbers, for free."""
        ...

    def copy(self, x: Ciphertext) -> Ciphertext:
        """Another ciphertext of the same numbers."""
        ...

    def reusing(self) -> Engine:
        """This engine, which may write results over what is discarded, for a run."""
        ...

    def discard(self, x: Ciphertext) -> None:
        """Nobody reads ``x`` any more: it may be written over."""
        ...

    def negative(self, x: Ciphertext) -> Ciphertext:
        """Negate the numbers of all slots."""
        ...

    def add(self, x: Ciphertext, y: Ciphertext) -> Ciphertext:
        """Add slot by slot; same level, scales equal up to rounding."""
        ...

    def add_plain(self, x: Ciphertext, y: Plaintext) -> Ciphertext:
        """Add a plaintext slot by slot; same level and scale."""
        ...

    def accumulate(self, total: Ciphertext | None, x: Ciphertext) -> Ciphertext:
        """``total + x``, written over ``total``; None counts as zero."""
        ...

    def multiply(self, x: Ciphertext, y: Ciphertext) -> Ciphertext:
        """Multiply slot by slot, same level; the result must be relinearised before it is rotated or multiplied."""
        ...

    def multiply_plain(self, x: Ciphertext, y: Plaintext) -> Ciphertext:
        """Multiply by a plaintext slot by slot; same level; the plaintext must not be zero everywhere."""
        ...

    def relinearise(self, x: Ciphertext) -> Ciphertext:
        """Bring a product back to two polynomials; its numbers stay."""
        ...

    def rescale(self, x: Ciphertext, scale: float) -> Ciphertext:
        """One level lower; ``scale`` is the exact scale the caller knows it to have then."""
        ...

    def lower(self, x: Ciphertext, level: int) -> Ciphertext:
        """Drop to a lower level; numbers and scale stay."""
        ...

    def rotate(self, x: Ciphertext, step: int) -> Ciphertext:
        """By ``step`` slots; the step must have a key at this level."""
        ...

    def conjugate(self, x: Ciphertext) -> Ciphertext:
        """The complex conjugate, slot by slot; needs a key at this level."""
        ...

    def save(self, x: Ciphertext) -> bytes:
        """Bytes of a ciphertext, in the library's own format."""
        ...

    def load(self, data: bytes) -> Ciphertext:
        """Deserialise; ProtocolError for anything but a ciphertext of these parameters, of two polynomials."""
        ...

    def write(self, x: Ciphertext, file: int) -> None:
        """Pass a ciphertext on through an empty open file, in the quickest form that `read` understands."""
        ...

    def read(self, file: int) -> Ciphertext:
        """What another process of this machine wrote, with the same parameters; ProtocolError where it is damaged."""
        ...


class KeyOwner(Protocol):
    """The client's side: the secret key and what only it can do."""

    def encrypt(self, values: NDArray[Any], level: int, scale: float) -> bytes:
        """A serialised ciphertext, half of it a seed."""
        ...

    def decrypt(self, data: bytes) -> NDArray[np.complex128]:
        """The numbers in all slots of a serialised ciphertext."""
        ...

    def evaluation_keys(
        self, groups: Sequence[KeyGroup], progress: Callable[[float], None] = lambda share: None
    ) -> list[bytes]:
        """Serialised keys, for each group its relinearisation key, and those to rotate and conjugate, in this order."""
        ...
