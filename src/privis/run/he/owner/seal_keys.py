"""Microsoft SEAL, the key owner's side: secret keys, encryption, decryption, evaluation keys. Never on a server."""

from __future__ import annotations

import io
import shutil
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from privis.errors import Problem, ProtocolError
from privis.extras import optional_import
from privis.run.he.backends.seal import KeyContext, SealRing, from_bytes, key_context, ring
from privis.run.he.backends.seal_files import saved, to_bytes, write_galois_keys
from privis.run.he.engine import KeyGroup, Parameters, galois_elements

with optional_import("he", "homomorphic encryption"):
    import tenseal.sealapi as seal

_MAGIC, _HEADER = 0xA15E, 16  # of SEAL's files
_BLOCK = 1 << 20


@dataclass(frozen=True, eq=False, repr=False)
class SealSecret:
    """A secret key and what needs it. Never printed, never pickled."""

    parameters: Parameters
    key: Any

    @cached_property
    def ring(self) -> SealRing:
        """The parameters with all their levels: many times what making keys needs."""
        return ring(self.parameters)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret key is never pickled; save it as a typed file")

    @classmethod
    def generate(cls, parameters: Parameters) -> SealSecret:
        """A fresh secret key from the operating system's random numbers."""
        return cls(parameters, seal.KeyGenerator(key_context(parameters).context).secret_key())

    @classmethod
    def from_bytes(cls, parameters: Parameters, data: bytes) -> SealSecret:
        """Read what ``to_bytes`` wrote; ProtocolError for anything else."""
        made, key = key_context(parameters), seal.SecretKey()
        from_bytes(lambda path: key.load(made.context, path), data, "secret key")
        return cls(parameters, key)

    def to_bytes(self) -> bytes:
        """The secret key, serialised: for a file that nobody else can read."""
        return to_bytes(self.key)

    def encrypt(self, values: NDArray[Any], level: int, scale: float) -> bytes:
        """A serialised ciphertext, half of it a seed."""
        plain = seal.Plaintext()
        self.ring.encoder.encode(values.tolist(), list(self.ring.names[level]), scale, plain)
        return to_bytes(self._encryptor.encrypt_symmetric(plain))

    def decrypt(self, data: bytes) -> NDArray[np.complex128]:
        """The numbers in all slots of a serialised ciphertext."""
        cipher, plain = seal.Ciphertext(), seal.Plaintext()
        from_bytes(lambda path: cipher.load(self.ring.context, path), data, "ciphertext")
        if not cipher.is_ntt_form() or cipher.size() < 2:
            raise ProtocolError(Problem("ciphertext", "one that hides nothing", "an encrypted result"))
        self._decryptor.decrypt(cipher, plain)
        return np.array(self.ring.encoder.decode_complex(plain))

    def evaluation_keys(
        self, groups: Sequence[KeyGroup], progress: Callable[[float], None] = lambda share: None
    ) -> list[bytes]:
        """Serialised keys, for each group its relinearisation and rotation keys in this order.

        ``progress`` is told the share that is done: a key has a row per prime of its ring for each of its primes.
        """
        parts = []
        for write in self.key_writers(groups, progress):
            data = io.BytesIO()
            write(data)
            parts.append(data.getvalue())
        return parts

    def key_writers(
        self, groups: Sequence[KeyGroup], progress: Callable[[float], None] = lambda share: None
    ) -> Iterator[Callable[[BinaryIO], None]]:
        """As `evaluation_keys`, one function for each part, which writes it to a file that can seek.

        Each key of a group is made when it is written and dropped then, so that one key is in memory at a time.
        """
        degree, done, whole = self.parameters.degree, 0, key_context(self.parameters)
        sizes = [(g.relinearise + len(galois_elements(g, degree))) * (g.level + 1) ** 2 for g in groups]

        def told(count: int, group: KeyGroup) -> None:
            nonlocal done
            done += count * (group.level + 1) ** 2
            progress((done or 1) / (sum(sizes) or 1))  # a single component needs no key

        for group in groups:
            small = whole.below(group.level)
            key = self.key if small is whole else self._restricted(small, whole)
            maker = seal.KeyGenerator(small.context, key)
            elements = galois_elements(group, degree)

            def relinearisation(file: BinaryIO, maker: Any = maker, group: KeyGroup = group) -> None:
                if group.relinearise:
                    with saved(maker.create_relin_keys()) as own:
                        shutil.copyfileobj(own, file, _BLOCK)
                    told(1, group)

            def rotations(
                file: BinaryIO, maker: Any = maker, group: KeyGroup = group, elements: list[int] = elements
            ) -> None:
                def each() -> Iterator[tuple[int, BinaryIO]]:
                    for element in elements:
                        with saved(maker.create_galois_keys([element])) as own:
                            yield element, own
                        told(1, group)

                if elements:
                    write_galois_keys(file, each())
                elif not group.relinearise:
                    told(0, group)

            yield relinearisation
            yield rotations

    @cached_property
    def _encryptor(self) -> Any:
        return seal.Encryptor(self.ring.context, self.key)

    @cached_property
    def _decryptor(self) -> Any:
        return seal.Decryptor(self.ring.context, self.key)

    def _restricted(self, small: KeyContext, whole: KeyContext) -> Any:
        """This secret key in a ring of fewer primes: the matching residues, in SEAL's uncompressed file layout."""
        degree, moduli = self.parameters.degree, len(whole.moduli)
        rows = [*range(len(small.moduli) - 1), moduli - 1]
        residues = self._residues.reshape(moduli, degree)[rows].reshape(-1)
        key = seal.SecretKey()
        file = _plaintext_file(small.context.key_parms_id(), residues, self._version)
        from_bytes(lambda path: key.load(small.context, path), file, "secret key")
        return key

    @cached_property
    def _residues(self) -> NDArray[np.uint64]:
        data = self.key.data()
        return np.array([data.data(i) for i in range(data.coeff_count())], np.uint64)

    @cached_property
    def _version(self) -> bytes:
        """Major and minor version in the header of the files this SEAL writes."""
        return self.to_bytes()[3:5]


def _plaintext_file(name: Sequence[int], residues: NDArray[np.uint64], version: bytes) -> bytes:
    """A plaintext (a secret key is one) as SEAL writes it uncompressed: header, name, count, scale, residues."""
    inner = struct.pack("<Q", len(residues)) + residues.tobytes()
    inner = _file_header(len(inner), version) + inner
    body = struct.pack("<QQQQQd", *name, len(residues), 1.0) + inner
    return _file_header(len(body), version) + body


def _file_header(size: int, version: bytes) -> bytes:
    return struct.pack("<HBBBBHQ", _MAGIC, _HEADER, version[0], version[1], 0, 0, _HEADER + size)
