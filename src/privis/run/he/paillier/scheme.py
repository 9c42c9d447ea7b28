"""Paillier's additive scheme, the public side: whoever has the public key encrypts, adds and scales, and reads nothing.

Modulo ``n**2``: ``E(a) * E(b) = E(a + b)``, ``E(a)**k = E(k * a)``, and ``E(a) * (1 + n)**k = E(a + k)``. Key pairs,
encryption and decryption are python-paillier's; arithmetic is gmpy2's. Reference: Paillier, 1999,
doi:10.1007/3-540-48910-X_16.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import secrets
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, ProtocolError
from privis.extras import optional_import
from privis.run.he.wire import key_file as bundle

with optional_import("he", "Paillier"):
    import gmpy2 as _gmpy2
    from phe.paillier import PaillierPublicKey

gmpy2: Any = _gmpy2  # it has no types

LEAST_BITS = 2048
"""Of a modulus: 112-bit security; 3072 bits give 128 (NIST SP 800-57 part 1, revision 5, table 2)."""

DEFAULT_BITS = 3072
MOST_BITS = 8192
SCHEME = hashlib.sha256(b"privis paillier 1").hexdigest()
"""What bundles of this scheme are marked with, in place of the digest of a program."""

Ciphertexts = NDArray[np.object_]
"""Integers modulo ``n**2``, gmpy2's, of any shape."""


@dataclass(frozen=True, repr=False)
class PublicKey:
    """The modulus ``n``, a product of two secret primes.

    Raises ParameterError for a modulus of fewer than ``LEAST_BITS`` bits.
    """

    modulus: int

    def __post_init__(self) -> None:
        bits = self.modulus.bit_length()
        if not LEAST_BITS <= bits <= MOST_BITS or self.modulus % 2 == 0:
            expected = f"an odd one of {LEAST_BITS} to {MOST_BITS} bits, {DEFAULT_BITS} for 128-bit security"
            raise ParameterError(Problem("PublicKey.modulus", f"one of {bits} bits", expected))

    def __repr__(self) -> str:
        return f"PublicKey({self.bits} bits, {self.fingerprint[:16]})"

    @property
    def bits(self) -> int:
        """Length of the modulus."""
        return self.modulus.bit_length()

    @cached_property
    def n(self) -> Any:
        """The modulus as a gmpy2 integer."""
        return gmpy2.mpz(self.modulus)

    @cached_property
    def square(self) -> Any:
        """The modulus of ciphertexts, gmpy2's."""
        return self.n * self.n

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the modulus, in hexadecimal."""
        return hashlib.sha256(str(self.modulus).encode()).hexdigest()

    @property
    def most(self) -> int:
        """The largest magnitude a plaintext may reach, a third of any modulus of as many bits; more is an overflow."""
        return largest_plaintext(self.bits)

    def encrypt(self, values: Iterable[int]) -> Ciphertexts:
        """Encrypt signed integers of at most ``most``; one exponentiation modulo ``n**2`` each."""
        plain = self.trivial(values)
        return plain * self.masks(len(plain)) % self.square

    def trivial(self, values: Iterable[int]) -> Ciphertexts:
        """``1 + n * value``: ciphertexts of public numbers, hiding nothing until they meet a mask."""
        return objects([(1 + self.n * self._inside(value)) % self.square for value in values])

    def masks(self, count: int) -> Ciphertexts:
        """Fresh encryptions of zero, ``r**n`` for random ``r``: what multiplies a ciphertext to make it a new one."""
        scheme = PaillierPublicKey(self.modulus)
        bases = [gmpy2.mpz(scheme.get_random_lt_n()) for _ in range(count)]
        return objects(powers(bases, self.n, self.square))

    def add(self, x: Ciphertexts, y: Ciphertexts) -> Ciphertexts:
        """Encryptions of the sums: the products of ciphertexts."""
        return x * y % self.square

    def negate(self, x: Ciphertexts) -> Ciphertexts:
        """Encryptions of the negatives: inverses."""
        flat = [gmpy2.invert(value, self.square) for value in x.ravel()]
        return objects(flat).reshape(x.shape)

    def scale(self, x: Ciphertexts, factor: int) -> Ciphertexts:
        """Encryptions of the multiples by one public integer."""
        x = x if factor >= 0 else self.negate(x)
        if abs(factor) == 1:
            return x
        return objects(powers([*x.ravel()], abs(factor), self.square)).reshape(x.shape)

    def check(self, ciphertexts: Sequence[int]) -> Ciphertexts:
        """Received integers as ciphertexts; ProtocolError for one that no encryption gives."""
        made = objects([gmpy2.mpz(value) for value in ciphertexts])
        if any(not 0 < value < self.square or gmpy2.gcd(value, self.n) != 1 for value in made):
            expected = "integers between 0 and n squared that share no factor with n"
            raise ProtocolError(Problem("Paillier ciphertext", "an integer that is none", expected))
        return made

    def save(self, path: str | Path) -> None:
        """Write a new bundle; OutputError when it exists or cannot be written."""
        bundle.write(Path(path), bundle.KeyKind.PUBLIC, SCHEME, str(self.modulus).encode())

    @classmethod
    def load(cls, path: str | Path) -> PublicKey:
        """Read what ``save`` wrote; ParameterError when it cannot be read, ProtocolError for anything else."""
        return cls(digits(bundle.read(Path(path), bundle.KeyKind.PUBLIC, SCHEME)))

    def _inside(self, value: int) -> int:
        if abs(value) > self.most:
            expected = f"less than a third of the {self.bits}-bit modulus"
            raise ParameterError(Problem("Paillier plaintext", f"one of {value.bit_length()} bits", expected))
        return value


class PaillierKeyOwner(Protocol):
    """The side that holds the secret key; see ``paillier_secret.SecretKey``."""

    @property
    def public(self) -> PublicKey:
        """The public key of this owner."""
        ...

    def encrypt(self, values: Iterable[int]) -> Ciphertexts:
        """Encrypt signed integers, a ciphertext each."""
        ...

    def decrypt(self, ciphertexts: Ciphertexts) -> list[int]:
        """Decrypt to signed integers."""
        ...


def largest_plaintext(bits: int) -> int:
    """The largest magnitude that every key of ``bits`` bits holds: sums beyond it are noticed, not wrapped round."""
    return (1 << bits - 1) // 3 - 1


def objects(values: Sequence[Any]) -> Ciphertexts:
    """An array of Python objects, also when it is empty."""
    made = np.empty(len(values), object)
    made[:] = values
    return made


def digits(content: bytes) -> int:
    """Read a decimal number of a key file; ProtocolError when it is none."""
    if not content.isdigit() or len(content) > MOST_BITS:
        raise ProtocolError(Problem("key file", f"{len(content)} bytes that are no number", "a key as it was saved"))
    return int(gmpy2.mpz(content.decode()))


def powers(bases: Sequence[Any], exponent: Any, modulus: Any) -> list[Any]:
    """``base**exponent`` of each, on all cores this process may use: gmpy2 computes without the interpreter lock."""
    cores = min(len(os.sched_getaffinity(0)), len(bases))
    if cores <= 1:
        return [gmpy2.powmod(base, exponent, modulus) for base in bases]
    parts = [list(bases[core::cores]) for core in range(cores)]
    with ThreadPoolExecutor(cores) as pool:
        found = [*pool.map(lambda part: gmpy2.powmod_base_list(part, exponent, modulus), parts)]
    return [value for values in itertools.zip_longest(*found) for value in values if value is not None]


def random_below(limit: Any) -> Any:
    """A uniform integer from 1 to ``limit - 1``."""
    return gmpy2.mpz(1 + secrets.randbelow(int(limit) - 1))
