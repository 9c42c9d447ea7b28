"""The key that signs receipts of a store, and stands behind references to people who are not named any more.

Receipts are signed with Ed25519 (RFC 8032). A reference is HMAC-SHA256 of the subject under a salt of its own, derived
from the key, the receipt's nonce and the place in it. Who has neither salt nor key learns nothing from it; with the
salt and a name one can check whether a receipt is about that name; who has the key can do so for every name they think
of, so the key is as private as the store.

Format: the first line of the file names it; another kind of key takes the next number, which earlier versions refuse.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import os
import re
from pathlib import Path
from typing import Self

from privis.file_formats import FileFormat
from privis.io.writer_lock import one_writer
from privis.privacy.sampling.secret_file import SecretFile, StoredKey, derived

_DIGITS = re.compile("[0-9a-f]+")


class SigningKey(StoredKey):
    """Signs with Ed25519 (RFC 8032), whose private key its 32 bytes are.

    Args:
        secret: 32 random bytes.
    """

    __slots__ = ()

    @property
    def public(self) -> str:
        """The public key that checks its signatures, 64 hexadecimal digits."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self._secret).public_key().public_bytes_raw().hex()

    def sign(self, message: bytes) -> str:
        """Sign a message.

        Args:
            message: the bytes.

        Returns:
            The signature, 128 hexadecimal digits.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self._secret).sign(message).hex()


class ReceiptKey(SigningKey):
    """Signs receipts and refers to subjects; in no representation, and never pickled.

    Args:
        secret: 32 random bytes.
    """

    file = SecretFile(
        b"privis receipt key 1\n", FileFormat.RECEIPT_KEY, "privis",
        "the first erasure makes one; put it back from a backup if there was one", "it signed nothing",
    )  # fmt: skip

    @classmethod
    def at(cls, path: str | Path) -> Self:
        """Read the key at ``path``, or make it where there is none; also when several do so at once.

        Args:
            path: of its file.

        Returns:
            The key.

        Raises:
            ParameterError: the file is something else, or others may read it.
            OutputError: it cannot be written.
        """
        with one_writer(Path(os.path.abspath(path)).parent, math.inf):  # one process makes it, others find it whole
            if not os.path.lexists(path):
                cls.generate().save(path)
        return cls.load(path)

    def salt(self, nonce: str, place: int) -> str:
        """Derive the salt of a reference: who is told it can check a name against this one reference.

        Args:
            nonce: of the receipt.
            place: of the subject in it.

        Returns:
            64 hexadecimal digits.
        """
        return derived(self._secret, b"salt of an erased subject", nonce.encode(), place.to_bytes(8, "big")).hex()


def is_signed(message: bytes, signature: str, public: str) -> bool:
    """Check a signature.

    Args:
        message: the bytes.
        signature: hexadecimal.
        public: key, hexadecimal.

    Returns:
        Whether that key signed the message; texts in capitals are none, so that every changed letter shows.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if _DIGITS.fullmatch(signature) is None or _DIGITS.fullmatch(public) is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def reference(subject: str, salt: str) -> str:
    """Refer to a subject without naming it.

    Args:
        subject: the id.
        salt: of the reference, hexadecimal.

    Returns:
        64 hexadecimal digits, which only who knows the salt can compare with a name.
    """
    message = b"privis erased subject " + subject.encode("utf-8", "surrogatepass")
    return hmac.digest(bytes.fromhex(salt), message, hashlib.sha256).hex()
