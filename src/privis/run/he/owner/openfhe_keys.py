"""OpenFHE, the key owner's side: secret keys, encryption, decryption, evaluation keys. Never on a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import openfhe
from numpy.typing import NDArray

from privis.errors import Problem, ProtocolError
from privis.run.he.backends.openfhe import OpenFheRing, read, ring
from privis.run.he.engine import KeyGroup, Parameters, galois_elements


@dataclass(frozen=True, eq=False, repr=False)
class OpenFheSecret:
    """A secret key and what needs it. Never printed, never pickled."""

    ring: OpenFheRing
    key: Any

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret key is never pickled; save it as a typed file")

    @classmethod
    def generate(cls, parameters: Parameters) -> OpenFheSecret:
        """A fresh secret key from the library's generator, seeded by the operating system."""
        made = ring(parameters)
        return cls(made, made.context.KeyGen().secretKey)

    @classmethod
    def from_bytes(cls, parameters: Parameters, data: bytes) -> OpenFheSecret:
        """Read what ``to_bytes`` wrote; ProtocolError for anything else."""
        return cls(ring(parameters), read(openfhe.DeserializePrivateKeyString, data, "secret key"))

    def to_bytes(self) -> bytes:
        """The secret key, serialised: for a file that nobody else can read."""
        return bytes(openfhe.Serialize(self.key, openfhe.BINARY))

    def encrypt(self, values: NDArray[Any], level: int, scale: float) -> bytes:
        """Encrypt a vector and serialise the ciphertext."""
        made = self.ring.context.Encrypt(self.key, self.ring.encoded(values, level, scale))
        made.SetScalingFactor(scale)
        return bytes(openfhe.Serialize(made, openfhe.BINARY))

    def decrypt(self, data: bytes) -> NDArray[np.complex128]:
        """The numbers in all slots of a serialised ciphertext."""
        cipher = read(openfhe.DeserializeCiphertextString, data, "ciphertext")
        if cipher.NumberCiphertextElements() < 2:
            raise ProtocolError(Problem("ciphertext", "one that hides nothing", "an encrypted result"))
        cipher.SetNoiseScaleDeg(1)
        return self.ring.decoded(self.ring.context.Decrypt(self.key, cipher), cipher.GetScalingFactor())

    def evaluation_keys(self, groups: Sequence[KeyGroup]) -> list[bytes]:
        """Serialised keys, for each group its relinearisation and rotation keys in this order."""
        parts, context = [], self.ring.context
        for group in groups:
            if group.relinearise:
                context.EvalMultKeyGen(self.key)
                (made,) = context.GetEvalMultKeyVector(self.key.GetKeyTag())
                parts.append(bytes(openfhe.Serialize(made, openfhe.BINARY)))
            else:
                parts.append(b"")
            elements = galois_elements(group, self.ring.parameters.degree)
            made = context.EvalAutomorphismKeyGen(self.key, elements) if elements else None
            parts.append(b"" if made is None else bytes(openfhe.Serialize(made, openfhe.BINARY)))
        return parts
