"""Sums of vectors of many owners, encrypted under one analyst's key: histograms of a hospital each, the total to one.

====================  ===============================  ====================================================
who                   holds                            sees
====================  ===============================  ====================================================
an owner              its counts, the public key       its own counts
the aggregator        the public key                   ciphertexts, and which owners have sent one
the analyst           the secret key                   the total and the number of owners in it
====================  ===============================  ====================================================

Whoever gets hold of the secret key *and* of a single owner's message reads that owner's counts: aggregator and
analyst must be different parties that do not pool what they have. All are assumed to follow the protocol; an owner
may send any counts within bounds, and nobody can tell. Totals are exact, and say as much about each owner as a total
of that many does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import DomainError, ParameterError, Problem, ProtocolError, refuse
from privis.run.he.paillier.scheme import PaillierKeyOwner, PublicKey, largest_plaintext
from privis.run.he.paillier.slots import Slots, message_bytes, read_message, write_message


@dataclass(frozen=True)
class Total:
    """The sum of the vectors, int64 ``(length,)``, and over how many owners."""

    values: NDArray[np.int64]
    owners: int


@dataclass(frozen=True)
class EncryptedSum:
    """What owners, aggregator and analyst agree on, all of it public.

    ``length`` numbers from each owner (bins), each of magnitude at most ``most``; at most ``owners`` of them in a
    total and at least ``fewest``, below which the aggregator refuses; ``name`` tells this sum from others. Numbers are
    packed, with 8 guard bits and one number that counts the owners, so that 48 bins of a thousand images of 64x64
    pixels are a single ciphertext.

    >>> histograms = EncryptedSum("colours", length=48, most=64 * 64, owners=1000)
    >>> histograms.ciphertexts(3072), histograms.message_bytes(3072)
    (1, 850)
    """

    name: str
    length: int
    most: int
    owners: int
    fewest: int = 2

    def __post_init__(self) -> None:
        found = {"length": self.length, "most": self.most, "owners": self.owners, "fewest": self.fewest}
        problems = [
            Problem(f"EncryptedSum.{field}", repr(value), "an integer of at least 1")
            for field, value in found.items()
            if not isinstance(value, int) or isinstance(value, bool) or value < 1
        ]
        if not problems and self.most * self.owners >= 1 << 62:
            got = f"totals of up to {self.most * self.owners:.3g}"
            problems.append(Problem("EncryptedSum.most", got, "totals below 2**62", "fewer owners or smaller numbers"))
        if not problems and self.fewest > self.owners:
            problems.append(Problem("EncryptedSum.fewest", f"{self.fewest}", f"at most owners = {self.owners}"))
        refuse(ParameterError, problems)

    @property
    def purpose(self) -> bytes:
        """What tells messages of this sum from any others."""
        return hashlib.sha256(repr(self).encode()).digest()

    def ciphertexts(self, bits: int) -> int:
        """Ciphertexts of one message under a key of ``bits`` bits."""
        return self._slots(bits).plaintexts(self.length + 1)

    def message_bytes(self, bits: int) -> int:
        """Size of an owner's message and of a total under a key of ``bits`` bits."""
        return message_bytes(bits, self.ciphertexts(bits))

    def encrypt(self, key: PublicKey, values: NDArray[Any]) -> bytes:
        """One owner's message. Raises DomainError for values that are no integers or larger than agreed."""
        array = np.asarray(values)
        problems = []
        if array.shape != (self.length,):
            problems.append(Problem(self.name, f"shape {array.shape}", f"shape ({self.length},)"))
        elif array.dtype.kind not in "iufb" or not (np.isfinite(array) & (array == np.rint(array))).all():
            problems.append(Problem(self.name, f"{array.dtype} values that are no integers", "whole numbers"))
        elif max(-int(array.min()), int(array.max())) > self.most:  # numpy's magnitude of -2**63 is negative
            got = f"magnitudes up to {max(-int(array.min()), int(array.max())):g}"
            problems.append(Problem(self.name, got, f"at most {self.most}", "agree on a larger bound"))
        refuse(DomainError, problems)
        numbers = [1, *(int(value) for value in array)]
        return write_message(key, self.purpose, key.encrypt(self._slots(key.bits).pack(numbers)))

    def add(self, key: PublicKey, messages: Iterable[bytes]) -> bytes:
        """The aggregator's total: the product of all ciphertexts, times a fresh encryption of zero.

        Raises ProtocolError for a message that is not of this sum and key or comes twice, DomainError for fewer or
        more owners than agreed. Messages are read one at a time.
        """
        count = self.ciphertexts(key.bits)
        total, seen = key.masks(count), set[bytes]()
        for message in messages:
            if (known := hashlib.sha256(message).digest()) in seen:
                raise ProtocolError(Problem(self.name, "the same message twice", "one message of each owner"))
            seen.add(known)
            total = key.add(total, read_message(key, self.purpose, count, message))
        if not self.fewest <= len(seen) <= self.owners:
            raise DomainError(Problem(self.name, f"{len(seen)} owners", f"{self.fewest} to {self.owners}"))
        return write_message(key, self.purpose, total)

    def decrypt(self, key: PaillierKeyOwner, total: bytes) -> Total:
        """The analyst's result; ProtocolError for what is no total of this sum, as far as guard bits tell."""
        public = key.public
        found = read_message(public, self.purpose, self.ciphertexts(public.bits), total)
        owners, *values = self._slots(public.bits).unpack(key.decrypt(found), self.length + 1)
        if not self.fewest <= owners <= self.owners or max(map(abs, values)) > owners * self.most:
            got = f"{owners} owners with totals up to {max(map(abs, values))}"
            expected = f"{self.fewest} to {self.owners} owners of at most {self.most} each"
            raise ProtocolError(Problem(self.name, got, expected))
        return Total(np.array(values, np.int64), owners)

    def _slots(self, bits: int) -> Slots:
        return Slots.within(largest_plaintext(bits), self.most * self.owners, self.name)
