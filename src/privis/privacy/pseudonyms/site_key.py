"""The secret of a site under which ids of its patients become pseudonyms.

Evolution of the key file: a line that names the format and its number, and 32 bytes. A reader refuses any other.
Pseudonyms that follow from a key are pinned by a stored value: another derivation takes the next number, so that a
person never has two under one key.
"""

from __future__ import annotations

import hashlib
import hmac

from privis.file_formats import FileFormat
from privis.privacy.sampling.secret_file import SecretFile, StoredKey

_PURPOSE = b"privis patient 1\n"
_SHOWN_BYTES = 16


class SiteKey(StoredKey):
    """Thirty-two secret bytes under which an id becomes the same pseudonym every time, and another at other sites.

    Guarantee: a pseudonym is the first 128 bits of HMAC-SHA256 (RFC 2104) of the id. If that is a pseudorandom
    function, whoever lacks the key learns from pseudonyms only which are equal. Whoever has it can check every id that
    they think of, and ids of hospitals are few: keep it inside. Losing it gives everybody a new pseudonym, and so a new
    budget in a ledger: keep a copy.

    Args:
        secret: 32 bytes; `generate` and `load` make keys from a good source.

    Raises:
        ParameterError: these are not 32 bytes.

    >>> key = SiteKey(bytes(32))  # a test key: use SiteKey.generate()
    >>> key.pseudonym("4711") == key.pseudonym("4711"), key.pseudonym("4711") == key.pseudonym("4712")
    (True, False)
    """

    __slots__ = ()

    file = SecretFile(
        b"privis site key 1\n",
        FileFormat.SITE_KEY,
        "SiteKey.save",
        "privis keygen {} --for site makes a new one, under which everybody has another pseudonym",
        "nobody has a pseudonym under it",
    )

    def pseudonym(self, name: str) -> str:
        """Give what stands for somebody.

        Args:
            name: their id, in the one form that `privis.subjects` gives ids.

        Returns:
            32 hexadecimal digits.
        """
        message = _PURPOSE + name.encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, message, hashlib.sha256).digest()[:_SHOWN_BYTES].hex()
