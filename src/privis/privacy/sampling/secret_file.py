"""Files of secrets: 32 bytes behind a line that names what they are, readable by their owner alone."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NoReturn, Self

from privis.errors import OutputError, ParameterError, Problem
from privis.file_formats import FileFormat, misfit

KEY_BYTES = 32
"""Bytes of every secret."""


class SecretBytes:
    """Bytes that no repr, pickle or comparison gives away."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: secret>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is secret and is never pickled; load it where it is needed")

    # Immutable, so that a copy is the object itself; scikit-learn's `clone` copies parameters.
    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self


@dataclass(frozen=True)
class SecretFile:
    """One kind of file that holds one secret.

    Args:
        header: its first line, which names the kind and its number.
        format: what it is called.
        maker: what writes it, in messages.
        missing: what to do where there is none, with ``{}`` for the path.
        unused: what is certain of a file that a kill cut off.
    """

    header: bytes
    format: FileFormat
    maker: str
    missing: str
    unused: str

    def save(self, path: str | Path, secret: bytes) -> None:
        """Write a secret to a new file that only its owner can read (mode 0600).

        It is on the disk when this returns; a kill before leaves no file, where the file system knows nameless ones.

        Args:
            path: of a file that is not there yet.
            secret: its bytes.

        Raises:
            OutputError: the file exists or cannot be written.
        """
        folder = os.path.dirname(os.path.abspath(path))
        try:
            with os.fdopen(_nameless(folder, path), "wb") as file:
                file.write(self.header + secret)
                file.flush()
                os.fsync(file.fileno())
                if not os.fstat(file.fileno()).st_nlink:  # given a name only now that it is whole
                    os.link(f"/proc/self/fd/{file.fileno()}", path, src_dir_fd=file.fileno(), follow_symlinks=True)
            _flush(folder)
        except OSError as error:
            remedy = "keys are never overwritten: choose another name, or load this one"
            expected = f"a new file for the {self._noun}"
            raise OutputError(Problem(str(path), str(error.strerror), expected, remedy)) from error

    def load(self, path: str | Path) -> bytes:
        """Read a secret that `save` wrote.

        Args:
            path: of its file.

        Returns:
            The secret.

        Raises:
            ParameterError: the file cannot be read, is readable by anyone but its owner or is of another kind.
        """
        try:
            with open(path, "rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                content = file.read(len(self.header) + KEY_BYTES + 1)
        except OSError as error:
            remedy, expected = self.missing.format(path), f"a {self._noun} file"
            raise ParameterError(misfit(path, self.format, str(error.strerror), expected, remedy)) from error
        if len(content) != len(self.header) + KEY_BYTES or not content.startswith(self.header):
            cut = len(content) < len(self.header) + KEY_BYTES and self.header.startswith(content[: len(self.header)])
            remedy = f"a kill while it was made cut it off: {self.unused}, so delete it" if cut else ""
            got, expected = f"{len(content)} bytes that are no key", f"a {self._noun}, which {self.maker} wrote"
            raise ParameterError(misfit(path, self.format, got, expected, remedy))
        if mode & 0o077:
            remedy = "run: chmod 600, if nobody else has read it"
            raise ParameterError(Problem(str(path), f"mode {mode:04o}", "mode 0600", remedy))
        return content[len(self.header) :]

    @property
    def _noun(self) -> str:
        return str(self.format).removeprefix("a ")


class StoredKey(SecretBytes):
    """Thirty-two secret bytes that a file of its own kind keeps.

    Args:
        secret: 32 bytes; `generate` and `load` make keys from a good source.

    Raises:
        ParameterError: these are not 32 bytes.
    """

    __slots__ = ()

    file: ClassVar[SecretFile]

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ParameterError(Problem(type(self).__name__, f"{len(secret)} bytes", f"{KEY_BYTES} secret bytes"))
        super().__init__(secret)

    @classmethod
    def generate(cls) -> Self:
        """Make a fresh key from the operating system's random generator.

        Returns:
            The key.
        """
        return cls(os.urandom(KEY_BYTES))

    def save(self, path: str | Path) -> None:
        """Write the key to a new file that only its owner can read (mode 0600).

        It is on the disk when this returns; a kill before leaves no file, where the file system knows nameless ones.

        Args:
            path: of a file that is not there yet.

        Raises:
            OutputError: the file exists or cannot be written.
        """
        self.file.save(path, self._secret)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a key that `save` wrote.

        Args:
            path: of its file.

        Returns:
            The key.

        Raises:
            ParameterError: the file cannot be read, is readable by anyone but its owner or is of another kind.
        """
        return cls(cls.file.load(path))


def _nameless(folder: str, path: str | Path) -> int:
    """Open a new file in ``folder`` that has no name yet, or ``path`` itself where that cannot be."""
    try:
        return os.open(folder, os.O_WRONLY | os.O_TMPFILE, 0o600)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            raise
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def _flush(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def derived(secret: bytes, *fields: bytes) -> bytes:
    """Derive another secret by keyed BLAKE2b (RFC 7693) of fields, each behind its length.

    Args:
        secret: 32 bytes.
        fields: what the other one is for; no two lists of fields read the same.

    Returns:
        32 bytes.
    """
    message = b"".join([len(field).to_bytes(8, "big") + field for field in fields])
    return hashlib.blake2b(message, digest_size=KEY_BYTES, key=secret).digest()
