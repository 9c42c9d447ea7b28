"""The secret of a renewable template: a rotation that only its holder knows, and ids of images that only it can read.

Evolution of the key file: a line that names the format and its number, and 32 bytes. A reader refuses any other. The
rotation that follows from a key is pinned by a stored digest: another derivation takes the next number.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.file_formats import FileFormat
from privis.privacy.sampling.release_key import NoiseStream
from privis.privacy.sampling.secret_file import SecretFile, StoredKey, derived

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

MOST_COMPONENTS = 8192
"""Of a rotation, which has the square of it as entries: 512 MiB."""


class TemplateKey(StoredKey):
    """Thirty-two secret bytes from which a rotation of templates follows, and another one of every other key.

    Guarantee: a rotation keeps inner products, so that accuracy is what it was, and comparisons work on rotated
    templates as they stand, also encrypted or shared. Without the key, and if AES-256 cannot be told from random, a set
    of templates under one key tells their lengths and the angles between them and nothing else, because a random
    orthogonal matrix that is uniform (Haar) gives every set with the same inner products with the same density. One
    template alone tells its length. Templates under two keys are independent given their lengths, one by one; two whole
    sets of the same people are not, as their angles are alike: `for_person` gives each person a key of their own.

    None is irreversible for whoever has the key, who turns all templates back exactly. Nor is the key secret from
    somebody who knows as many templates before and after as there are components; a few tell something of the others
    (``python -m benchmarks.renewable_templates``).

    References: Y. Wang and K. N. Plataniotis, "An Analysis of Random Projection for Changeable and Privacy-Preserving
    Biometric Verification", IEEE Trans. SMC-B 40(5), 2010; attacks with known rows: C. R. Giannella, K. Liu and H.
    Kargupta, "Breaching Euclidean Distance-Preserving Data Perturbation Using Few Known Inputs", arXiv:0911.2942.

    Args:
        secret: 32 bytes; `generate` and `load` make keys from a good source.

    Raises:
        ParameterError: these are not 32 bytes.

    >>> key = TemplateKey(bytes(32))  # a test key: use TemplateKey.generate()
    >>> turned = key.rotation(3)
    >>> bool(np.allclose(turned @ turned.T, np.eye(3)))
    True
    """

    __slots__ = ("_rotation",)

    file = SecretFile(
        b"privis template key 1\n",
        FileFormat.TEMPLATE_KEY,
        "TemplateKey.save",
        "privis keygen {} --for templates makes a new one, under which no earlier template can be compared",
        "no template is under it",
    )

    def __init__(self, secret: bytes) -> None:
        super().__init__(secret)
        self._rotation: NDArray[np.float64] | None = None

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits that tell this key from others, and from which nobody finds it."""
        return derived(self._secret, b"fingerprint")[:16].hex()

    def for_person(self, subject: str) -> TemplateKey:
        """Derive the key of one person, for one-to-one comparisons with a claimed id.

        Args:
            subject: the person's id.

        Returns:
            A key from which neither this one follows nor that of anybody else.
        """
        return TemplateKey(derived(self._secret, b"person", subject.encode("utf-8", "surrogatepass")))

    def rotation(self, components: int) -> NDArray[np.float64]:
        """Give the orthogonal matrix of the key, drawn uniformly (Haar) to double precision.

        The triangular factor's diagonal is made positive, as in F. Mezzadri, "How to generate random matrices from the
        classical compact groups", Notices of the AMS 54(5), 2007.

        Args:
            components: of a template.

        Returns:
            (components, components), orthogonal; another, independent one for each number of components.

        Raises:
            ParameterError: more than 8,192 components, or none.
        """
        if not 1 <= components <= MOST_COMPONENTS:
            expected = f"from 1 to {MOST_COMPONENTS:,} components"
            raise ParameterError(Problem("TemplateKey.rotation", f"{components:,} components", expected))
        if self._rotation is None or len(self._rotation) != components:
            from scipy.special import ndtri

            stream = NoiseStream(derived(self._secret, b"rotation", components.to_bytes(8, "big")))
            words = stream.words(0, (components * components + 1) // 2)[: components * components]
            normal = ndtri(((words >> np.uint64(11)) + 0.5) / (1 << 53)).reshape(components, components)
            orthogonal, triangular = np.linalg.qr(normal)
            self._rotation = orthogonal * np.where(np.diag(triangular) < 0, -1.0, 1.0)
            self._rotation.setflags(write=False)
        return self._rotation

    def sealed(self, record: str) -> str:
        """Encrypt the id of an image, so that a leaked file does not say which image it was.

        Equal ids give equal texts (AES-SIV, RFC 5297), so that an image that is enrolled twice is still found.

        Args:
            record: the id.

        Returns:
            Text in base64, for `opened` with the same key.
        """
        return base64.urlsafe_b64encode(self._cipher().encrypt(record.encode("utf-8", "surrogatepass"), None)).decode()

    def opened(self, sealed: str) -> str:
        """Decrypt what `sealed` gave.

        Args:
            sealed: the text.

        Returns:
            The id.

        Raises:
            ParameterError: it was sealed under another key, or is damaged.
        """
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher().decrypt(base64.urlsafe_b64decode(sealed), None).decode("utf-8", "surrogatepass")
        except (InvalidTag, binascii.Error, ValueError):
            expected, got = "one that was sealed under this key", "another text"
            raise ParameterError(Problem("id of an image", got, expected, "use the key of the gallery")) from None

    def _cipher(self) -> AESSIV:
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        return AESSIV(derived(self._secret, b"seal, mac") + derived(self._secret, b"seal, cipher"))
