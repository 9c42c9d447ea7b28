"""The key of one export: from it come new UIDs, pseudonyms and numbers of days, alike for all of its files.

All are HMAC-SHA256 (RFC 2104) of what they replace, with a word that says what for. Under the assumption that HMAC is a
pseudorandom function, who lacks the key cannot tell whether two exports under different keys are of one patient, nor
check a guessed Patient ID. Who has the key can check guesses: it is as private as the originals.

Format: the first line of the file names it; another kind of key takes the next number, which earlier versions refuse.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata

from privis.file_formats import FileFormat
from privis.privacy.sampling.secret_file import SecretFile, StoredKey

MOST_DAYS = 3650
"""By which dates of a patient are moved into the past."""
_UID_ROOT = "2.25."


class ExportKey(StoredKey):
    """Replaces identifiers of one export; in no representation, and never pickled.

    Args:
        secret: 32 random bytes.

    >>> key = ExportKey(bytes(32))
    >>> key.days("ann") == key.days("ann"), 1 <= key.days("ann") <= MOST_DAYS
    (True, True)
    """

    file = SecretFile(
        b"privis deidentification key 1\n", FileFormat.DEIDENTIFICATION_KEY, "privis dicom deidentify --key",
        "a run with --key makes one", "it replaced nothing",
    )  # fmt: skip

    def uid(self, uid: str) -> str:
        """Replace a UID by another, alike in all files of the export.

        Args:
            uid: of the original.

        Returns:
            A UID under 2.25, made of 128 bits (DICOM PS3.5, B.2).
        """
        return _UID_ROOT + str(int.from_bytes(self._mac("uid", uid.strip("\0 "))[:16]))

    def pseudonym(self, patient: str) -> str:
        """Replace what a patient is called.

        Args:
            patient: as `patient_form` gives it.

        Returns:
            ``P-`` and 16 letters and digits of 80 bits.
        """
        return "P-" + base64.b32encode(self._mac("patient", patient)[:10]).decode()

    def days(self, patient: str) -> int:
        """Say by how many days dates of a patient are moved into the past.

        Args:
            patient: as `patient_form` gives it.

        Returns:
            1 to `MOST_DAYS`.
        """
        return 1 + int.from_bytes(self._mac("days", patient)[:16]) % MOST_DAYS

    def file_name(self, name: str) -> str:
        """Replace the name of a file, which often holds that of a person.

        Args:
            name: below the folder of inputs.

        Returns:
            16 hexadecimal digits.
        """
        return self._mac("file", name)[:8].hex()

    def mark(self) -> str:
        """Tell keys apart without giving them away.

        Returns:
            32 hexadecimal digits.
        """
        return self._mac("mark", "")[:16].hex()

    def _mac(self, purpose: str, text: str) -> bytes:
        message = purpose.encode() + b"\0" + text.encode("utf-8", "surrogateescape")
        return hmac.new(self._secret, message, hashlib.sha256).digest()


def patient_form(name: str) -> str:
    """Give the one form of a Patient ID or name that all its spellings share.

    Args:
        name: as a file has it.

    Returns:
        Without differences of case, width of letters, and spaces.

    >>> patient_form(" Ab 17") == patient_form("AB17 ")
    True
    """
    return "".join(unicodedata.normalize("NFKC", name).casefold().replace("\0", "").split())
