"""Several small signed integers in one plaintext, and the messages that carry ciphertexts.

Layout of a message: magic with the format's number, digest of key and purpose (32 bytes), ciphertexts of fixed length,
SHA-256 of all before (32 bytes). A change takes a new number in the magic; readers refuse every other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from privis.errors import DomainError, Problem, ProtocolError
from privis.run.he.paillier.scheme import Ciphertexts, PublicKey

GUARD_BITS = 8
"""Empty bits above each number: one that was tampered with, or has overflowed, is noticed with 255 chances of 256."""

_MAGIC = b"privis paillier 1\n"
_DIGEST = 32  # bytes of SHA-256


@dataclass(frozen=True)
class Slots:
    """Numbers of magnitude at most ``most``, ``count`` of them in one plaintext, each in ``width`` bits.

    Number ``k`` is worth ``2**(k * width)``: sums of plaintexts are sums of all their numbers at once, as long as every
    sum is within ``most``.

    >>> few = Slots(most=1000, count=3)
    >>> few.unpack(few.pack([7, -1000, 3, 5]), 4)
    [7, -1000, 3, 5]
    """

    most: int
    count: int

    @classmethod
    def within(cls, largest: int, most: int, where: str) -> Slots:
        """As many numbers as plaintexts of magnitude ``largest`` hold; DomainError when not even one fits."""
        width = most.bit_length() + 1 + GUARD_BITS
        if width > largest.bit_length() - 1:
            got, expected = f"numbers of {most.bit_length()} bits", f"at most {largest.bit_length() - 2 - GUARD_BITS}"
            raise DomainError(Problem(where, got, expected, "a longer key, or values of a smaller range"))
        return cls(most, (largest.bit_length() - 1) // width)

    @property
    def width(self) -> int:
        """Bits of one number: its magnitude, its sign and the guard."""
        return self.most.bit_length() + 1 + GUARD_BITS

    def plaintexts(self, length: int) -> int:
        """Plaintexts that hold ``length`` numbers."""
        return -(-length // self.count)

    def pack(self, numbers: Sequence[int]) -> list[int]:
        """Plaintexts of all ``numbers``, in order."""
        groups = (numbers[start : start + self.count] for start in range(0, len(numbers), self.count))
        return [sum(number << self.width * place for place, number in enumerate(group)) for group in groups]

    def unpack(self, plaintexts: Sequence[int], length: int) -> list[int]:
        """The first ``length`` numbers; ProtocolError where one is beyond ``most``."""
        half, found = 1 << self.width - 1, []
        for plaintext in plaintexts:
            rest = plaintext
            for _ in range(min(self.count, length - len(found))):
                number = (rest + half) % (2 * half) - half
                rest = (rest - number) >> self.width
                found.append(number)
            if rest:
                raise ProtocolError(Problem("decrypted numbers", "more of them than agreed", f"{length}"))
        if any(abs(number) > self.most for number in found):
            got = f"one of {max(map(abs, found))}"
            raise ProtocolError(Problem("decrypted numbers", got, f"magnitudes of at most {self.most}"))
        return found


def message_bytes(bits: int, count: int) -> int:
    """Length of a message of ``count`` ciphertexts under a key of ``bits`` bits."""
    return len(_MAGIC) + 2 * _DIGEST + count * -(-2 * bits // 8)


def write_message(key: PublicKey, purpose: bytes, ciphertexts: Ciphertexts) -> bytes:
    """Ciphertexts of fixed length behind what they are for, with a checksum against accidents.

    The checksum keeps nobody from making another message: additive ciphertexts can be changed by whoever forwards
    them, and only the channel (TLS) prevents that.
    """
    size = -(-2 * key.bits // 8)
    body = b"".join(int(value).to_bytes(size, "big") for value in ciphertexts.ravel())
    head = _MAGIC + _header(key, purpose)
    return head + body + hashlib.sha256(head + body).digest()


def read_message(key: PublicKey, purpose: bytes, count: int, message: bytes) -> Ciphertexts:
    """The ``count`` ciphertexts of a message; ProtocolError unless it is whole, for this key and this purpose."""
    size, start, length = -(-2 * key.bits // 8), len(_MAGIC) + _DIGEST, message_bytes(key.bits, count)
    expected = f"a message of {length} bytes for {key}"
    if not message.startswith(_MAGIC) or len(message) != length:
        raise ProtocolError(Problem("Paillier message", f"{len(message)} bytes that are none", expected))
    if message[len(_MAGIC) : start] != _header(key, purpose):
        raise ProtocolError(Problem("Paillier message", "one for another key, program or sum", expected))
    if hashlib.sha256(message[:-_DIGEST]).digest() != message[-_DIGEST:]:
        raise ProtocolError(Problem("Paillier message", "damaged bytes", expected, "send it again"))
    places = range(start, len(message) - _DIGEST, size)
    return key.check([int.from_bytes(message[place : place + size], "big") for place in places])


def _header(key: PublicKey, purpose: bytes) -> bytes:
    return hashlib.sha256(key.fingerprint.encode() + purpose).digest()
