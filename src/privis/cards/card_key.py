"""The key that signs the cards of a site.

Format: the first line of the file names it; another kind of key takes the next number, which earlier versions refuse.
"""

from __future__ import annotations

from privis.file_formats import FileFormat
from privis.privacy.sampling.secret_file import SecretFile
from privis.stores.erasure.receipt_key import SigningKey


class CardKey(SigningKey):
    """Signs the cards of a site; in no representation, and never pickled.

    Guarantee: who lacks the key cannot sign another card under its public key (Ed25519, RFC 8032). Whoever has it can,
    so it stays at the site; the public key is told to everybody who checks cards, over a channel that they trust.

    Args:
        secret: 32 random bytes.

    Raises:
        ParameterError: these are not 32 bytes.

    >>> len(CardKey(bytes(32)).public)  # a test key: use CardKey.generate()
    64
    """

    __slots__ = ()

    file = SecretFile(
        b"privis card key 1\n", FileFormat.CARD_KEY, "CardKey.save",
        "privis keygen {} --for card makes a new one, with another public key", "it signed nothing",
    )  # fmt: skip
