"""The secret that makes noise unpredictable to everyone else and repeatable for its holder.

Evolution of the key file: a line that names the format and its number, and 32 bytes. A reader refuses any other. The
noise that follows from a key is pinned by stored digests: another derivation takes the next number, so that a key never
gives two noises.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from privis.file_formats import FileFormat
from privis.privacy.sampling.lazy_kernels import kernels
from privis.privacy.sampling.secret_file import SecretBytes, SecretFile, StoredKey, derived

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherContext

_MEMORY = "/dev/shm"
_MOST_BLOCKS = 16
_KEPT_COUNTERS = 1 << 14  # blocks, of 16 bytes each

Counters = npt.NDArray[np.uint8]
"""Blocks to encrypt, (n, 16)."""


class NoiseStream(SecretBytes):
    """The random words of one release of one record, addressed by coordinate.

    Coordinate i always has the same words, whatever was asked for before: whole, in chunks, again after a
    crash. The words are AES-256 in counter mode, indistinguishable from uniform for whoever cannot break
    AES; every guarantee on noise drawn from them is computational in that sense. Made by `ReleaseKey.stream`.

    Args:
        secret: 32 bytes; `ReleaseKey.stream` makes them.
    """

    __slots__ = ("_cipher",)

    def __init__(self, secret: bytes) -> None:
        super().__init__(secret)
        self._cipher: CipherContext | None = None

    def narrowed(self, purpose: bytes) -> NoiseStream:
        """An independent stream for one use of this stream.

        Args:
            purpose: names the use.

        Returns:
            The stream.
        """
        return NoiseStream(derived(self._secret, b"narrowed", purpose))

    def words(self, start: int, count: int) -> npt.NDArray[np.uint64]:
        """Give two uniform words for each of consecutive coordinates.

        Args:
            start: the first coordinate.
            count: of coordinates.

        Returns:
            Uint64 (2 * count,).
        """
        if start + count <= _KEPT_COUNTERS:
            return self._encrypted(_first_counters()[start : start + count])
        return self._encrypted(_counters(np.arange(start, start + count)))

    def extra(self, coordinates: npt.NDArray[np.int64], blocks: int) -> npt.NDArray[np.uint64]:
        """Give further uniform words for each of scattered coordinates.

        Args:
            coordinates: int64 (count,).
            blocks: of two words each, at most 16.

        Returns:
            Uint64 (count * 2 * blocks,).

        Raises:
            ValueError: there are more blocks.
        """
        if blocks > _MOST_BLOCKS:
            raise ValueError("counters of neighbouring coordinates would overlap")
        return self._encrypted(kernels().scattered_counters(coordinates, _MOST_BLOCKS, blocks).view(np.uint8))

    def _encrypted(self, counters: Counters) -> npt.NDArray[np.uint64]:
        """Counter mode at any positions: encrypting counters, all distinct, block by block is not ECB of data."""
        if self._cipher is None:  # kept, as making one takes as long as 50 kB of its output
            cipher, cipher_of, mode = _library()
            self._cipher = cipher(cipher_of(self._secret), mode).encryptor()
        size = counters.nbytes
        out = np.empty(size // 8 + 2, "<u8")  # the library asks for room that it does not use
        # bytes: cryptography 42 takes the rows of anything else for its length, and leaves the rest of `out` unwritten
        if self._cipher.update_into(counters.data.cast("B"), out.data.cast("B")) != size:
            raise ArithmeticError("AES wrote fewer bytes than it was given")
        return out[: size // 8]


def _counters(lower: npt.NDArray[np.int64]) -> Counters:
    counters = np.zeros((lower.size, 2), ">u8")  # the upper half of the counters of `extra` is not 0
    counters[:, 1] = lower
    return counters.view(np.uint8)


@cache
def _library() -> tuple[Any, Any, Any]:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    return Cipher, algorithms.AES, modes.ECB()


@cache
def _first_counters() -> Counters:
    return _counters(np.arange(_KEPT_COUNTERS))


class ReleaseKey(StoredKey):
    """Thirty-two secret bytes from which all noise of a release is derived.

    Keep it as long as the release may be repeated or resumed, and secret for ever: who has it can take the
    noise off. It has no repr of its content and cannot be pickled. `generate` takes it from the operating
    system.

    Args:
        secret: 32 bytes; `generate` and `load` make keys from a good source.

    Raises:
        ParameterError: these are not 32 bytes.
    """

    __slots__ = ("__weakref__", "_lent")

    file = SecretFile(
        b"privis release key 1\n",
        FileFormat.RELEASE_KEY,
        "ReleaseKey.save",
        "privis keygen {} makes a new one, whose noise is another",
        "nothing was released with it",
    )

    def __init__(self, secret: bytes) -> None:
        super().__init__(secret)
        self._lent: tuple[int, Path] | None = None  # by which process, and where

    @classmethod
    def of(cls, key: KeySource | None) -> ReleaseKey:
        """Give ``key`` itself, or the key in the file that it names; a fresh one for None.

        Args:
            key: a key, or the path of its file.

        Returns:
            The key.

        Raises:
            ParameterError: the file cannot be loaded, as in `load`.
        """
        if key is None:
            return cls.generate()
        return key if isinstance(key, ReleaseKey) else cls.load(Path(key))

    def lent(self) -> Path:
        """Give a file from which this user's other processes on this machine load the key while this object lives.

        For libraries that pickle what they hand to their workers: the path gives nothing away. The file has mode 0600,
        in a folder of its own (0700) that lies in memory where the system offers that. It is removed with the last
        reference to this object, at the latest when the process ends; only a kill leaves it there.

        Returns:
            Path of the file.
        """
        if self._lent is None or self._lent[0] != os.getpid():  # a fork lends its own: its parent may end before it
            place = _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else None
            folder = tempfile.mkdtemp(prefix="privis-", dir=place)
            weakref.finalize(self, _remove, folder, os.getpid())
            path = Path(folder, "release.key")
            self.save(path)
            self._lent = os.getpid(), path
        return self._lent[1]

    def stream(self, record: str, content: bytes, purpose: bytes) -> NoiseStream:
        """Give the noise stream of one record, one content and one purpose.

        The same four, key included, give the same noise: repeating a release is the same release and costs nothing
        more. Anything else gives independent noise, and each part is needed:

        - content: with equal noise on two versions of one record, their difference would be released exactly;
        - purpose: with equal noise at two scales or on two features, the noise could be differenced away;
        - record: with equal noise on equal images, equal outputs would reveal that two people gave the same
          image.

        Args:
            record: identity of the image or corpus.
            content: digest of the image itself.
            purpose: digest of everything that decides what is released: feature, release and their parameters.

        Returns:
            The stream.

        >>> key = ReleaseKey(bytes(32))  # a test key: use ReleaseKey.generate()
        >>> first = key.stream("a.png", b"digest", b"hog")
        >>> int(first.words(7, 1)[0]) == int(first.words(0, 8)[14])
        True
        >>> int(first.words(0, 1)[0]) == int(key.stream("b.png", b"digest", b"hog").words(0, 1)[0])
        False
        """
        return NoiseStream(derived(self._secret, b"stream", record.encode("utf-8", "surrogatepass"), content, purpose))


KeySource = ReleaseKey | str | os.PathLike[str]
"""A key, or the path of the file that holds it."""


def _remove(folder: str, process: int) -> None:
    if os.getpid() == process:  # not by a fork that ends
        shutil.rmtree(folder, ignore_errors=True)
