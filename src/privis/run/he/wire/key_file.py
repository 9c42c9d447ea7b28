"""Key bundles: files that say which kind of key they hold, for which program, and whether they are whole.

=========  =======================================================================================================
kind       content
=========  =======================================================================================================
SECRET     decrypts; mode 0600 and read only if nobody else may; never leaves its owner
EVALUATION lets a server compute on ciphertexts, and decrypt nothing
PUBLIC     the specification of the program that the keys were made for, or a public key
KEPT       what the owner of images keeps of an encrypted query, to read its answer; mode 0600 as SECRET
ANSWER     an encrypted answer, with the digest of the query that it answers
=========  =======================================================================================================

Layout: 8 bytes of magic, version and kind (16 bits each, big-endian), 4 bytes 0, the digest of the specification
(32 bytes), the length of the content (64 bits), SHA-256 of all of these and the content (32 bytes), the content.

A change of the layout raises the version; a reader refuses versions other than its own, because a key that is read
wrongly decrypts wrongly. Kinds keep their numbers, and new ones may be added to a version.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from privis.errors import OutputError, ParameterError, Problem, ProtocolError

if TYPE_CHECKING:
    from privis.file_formats import FileFormat

_MAGIC = b"\x8ePRIVIS\n"
_VERSION = 1
_FIELDS = struct.Struct(">8sHH4x32sQ")
_DIGEST_BYTES = 32
_BLOCK = 1 << 20

HEADER_BYTES = _FIELDS.size + _DIGEST_BYTES


class KeyKind(Enum):
    """Kind of the keys in a bundle."""

    SECRET = 1
    EVALUATION = 2
    PUBLIC = 3
    KEPT = 4
    ANSWER = 5

    @property
    def is_private(self) -> bool:
        """Whether a file of this kind must be readable by its owner alone."""
        return self in (KeyKind.SECRET, KeyKind.KEPT)


_KEYGEN = "make keys with privis keygen"
_REMEDIES = {
    KeyKind.KEPT: "encrypt the images again, which keeps one",
    KeyKind.ANSWER: "let the server compute again",
}  # else _KEYGEN


@dataclass(frozen=True)
class Bundle:
    """What the header of a bundle says: ``spec`` and ``digest`` are 64 hexadecimal digits, ``length`` is in bytes.

    ``digest`` names the bundle: equal digests, equal kind, specification and content.
    """

    kind: KeyKind
    spec: str
    length: int
    digest: str

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return HEADER_BYTES + self.length


def write(
    path: Path,
    kind: KeyKind,
    spec: str,
    content: bytes | memoryview,
    *,
    mode: int = 0o600,
    replace: bool = False,
) -> Bundle:
    """Write a new bundle, whole or not at all, with ``mode``; nothing is ever overwritten unless ``replace`` says so.

    Raises OutputError when the file exists or cannot be written.
    """
    fields, digest = _header(kind, spec, content)
    with _named_errors(path, kind, replace=replace):
        _write_whole(path, lambda file: file.writelines((fields, digest, content)), mode, replace)
    return Bundle(kind, spec, len(content), digest.hex())


def write_in_place(
    path: Path, kind: KeyKind, spec: str, make: Callable[[BinaryIO], None], *, mode: int = 0o600
) -> Bundle:
    """As `write`, of content that ``make`` writes to the unfinished file itself, so that it is never all in memory.

    The file can seek and be read; nothing is there under ``path`` before it is whole.
    """
    found: list[Bundle] = []

    def whole(file: BinaryIO) -> None:
        file.write(bytes(HEADER_BYTES))
        make(file)
        length = file.seek(0, os.SEEK_END) - HEADER_BYTES
        fields = _FIELDS.pack(_MAGIC, _VERSION, kind.value, bytes.fromhex(spec), length)
        digest = hashlib.sha256(fields)
        file.seek(HEADER_BYTES)
        while block := file.read(_BLOCK):
            digest.update(block)
        file.seek(0)
        file.write(fields + digest.digest())
        found.append(Bundle(kind, spec, length, digest.hexdigest()))

    with _named_errors(path, kind, replace=False):
        _write_whole(path, whole, mode, replace=False)
    return found[0]


@contextmanager
def _named_errors(path: Path, kind: KeyKind, *, replace: bool) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        never = path.exists() and not replace
        remedy = "keys are never overwritten: choose another place" if never else "choose another place"
        reason = error.strerror or str(error)
        raise OutputError(Problem(str(path), reason, f"a new file for {_named(kind)}", remedy)) from error


def packed(kind: KeyKind, spec: str, content: bytes) -> bytes:
    """The bytes of the file that `write` would write."""
    return b"".join((*_header(kind, spec, content), content))


def unpacked(data: bytes, where: str, kind: KeyKind, spec: str) -> bytes:
    """The content of what `packed` made, checked to be whole, of ``kind`` and ``spec``; ProtocolError otherwise."""
    found = parse(data[:HEADER_BYTES], where)
    require(found, where, kind, spec)
    content = data[HEADER_BYTES:]
    digest = hashlib.sha256(data[: _FIELDS.size])
    digest.update(content)
    _require_whole(found, len(content), digest.hexdigest(), where)
    return content


def _header(kind: KeyKind, spec: str, content: bytes | memoryview) -> tuple[bytes, bytes]:
    """The fields of a bundle, and the digest of them and of the content."""
    fields = _FIELDS.pack(_MAGIC, _VERSION, kind.value, bytes.fromhex(spec), len(content))
    digest = hashlib.sha256(fields)
    digest.update(content)
    return fields, digest.digest()


def write_message(path: Path, message: bytes) -> None:
    """Write a message, which is whole by its own format, as a file, whole or not at all; an earlier one goes.

    Raises OutputError when it cannot be written.
    """
    try:
        _write_whole(path, lambda file: file.writelines((message,)), 0o644, replace=True)
    except OSError as error:
        got, remedy = error.strerror or str(error), "choose another place"
        raise OutputError(Problem(str(path), got, "a file for an encrypted query", remedy)) from error


def read_message(path: Path) -> bytes:
    """The bytes of a message that `write_message` wrote; ParameterError for a file that cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        from privis.file_formats import FileFormat, misfit  # takes longer than reading a message

        remedy = "encrypt images first: privis stage encrypt"
        raise ParameterError(misfit(path, FileFormat.QUERY, str(error.strerror), remedy=remedy)) from error


def _write_whole(path: Path, make: Callable[[BinaryIO], None], mode: int, replace: bool) -> None:
    """A file under another name first; FileExistsError unless ``replace`` where there is one."""
    descriptor, unfinished = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".unfinished", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w+b") as file:  # mkstemp makes it with mode 0600
            make(file)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        if replace:
            os.replace(unfinished, path)
        else:
            os.link(unfinished, path)  # unlike a rename, refuses to replace a key
    finally:
        with suppress(OSError):
            os.unlink(unfinished)


def parse(header: bytes, where: str) -> Bundle:
    """Read the first `HEADER_BYTES` of a bundle; ProtocolError when they are of anything else."""
    expected, remedy = "a key bundle", _KEYGEN
    if len(header) < HEADER_BYTES:
        raise ProtocolError(Problem(where, f"{len(header)} bytes", f"{expected} of at least {HEADER_BYTES}", remedy))
    magic, version, kind, spec, length = _FIELDS.unpack_from(header)
    if magic != _MAGIC:
        raise ProtocolError(Problem(where, "something else", expected, remedy))
    if version != _VERSION or kind not in {known.value for known in KeyKind} or any(header[12:16]):
        raise ProtocolError(Problem(where, f"version {version}, kind {kind}", f"version {_VERSION}", "update Privis"))
    return Bundle(KeyKind(kind), spec.hex(), length, header[_FIELDS.size : HEADER_BYTES].hex())


def require(found: Bundle, where: str, kind: KeyKind, spec: str | None = None) -> None:
    """Raise ProtocolError unless ``found`` is of ``kind`` and, if given, of the program whose digest is ``spec``."""
    if found.kind is not kind:
        remedy = "a secret key never leaves its owner" if found.kind is KeyKind.SECRET else ""
        raise ProtocolError(Problem(where, _named(found.kind), _named(kind), remedy))
    if spec is not None and found.spec != spec:
        got, expected = (
            f"{'an answer' if kind is KeyKind.ANSWER else 'keys'} of another program ({found.spec[:12]}…)",
            f"keys of {spec[:12]}…",
        )
        remedy = "make new keys with privis keygen: the program, or its parameters, changed"
        raise ProtocolError(Problem(where, got, expected, remedy))


def read(path: Path, kind: KeyKind, spec: str | None = None) -> bytes:
    """The content of the bundle at ``path``, checked to be whole, of ``kind`` and of the program ``spec``.

    Raises ParameterError for a file that cannot be read, or a secret one that others can read; ProtocolError for one
    that is damaged, of another kind or of another program.
    """
    try:
        with open(path, "rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            header = file.read(HEADER_BYTES)
            found = _parsed(header, path, kind)
            require(found, str(path), kind, spec)
            if kind.is_private and mode & 0o077:
                remedy = f"chmod 600 {path}, if nobody else has read it"
                raise ParameterError(Problem(str(path), f"mode {mode:04o}", "mode 0600", remedy))
            content = file.read()
    except OSError as error:
        raise ParameterError(_misfit(path, kind, str(error.strerror), _REMEDIES.get(kind, _KEYGEN))) from error
    digest = hashlib.sha256(header[: _FIELDS.size])
    digest.update(content)
    _require_whole(found, len(content), digest.hexdigest(), str(path))
    return content


def peek(path: Path, kind: KeyKind) -> Bundle:
    """What the header at ``path`` says, without a look at the content; errors as of `read`."""
    try:
        with open(path, "rb") as file:
            found = _parsed(file.read(HEADER_BYTES), path, kind)
    except OSError as error:
        raise ParameterError(_misfit(path, kind, str(error.strerror), _REMEDIES.get(kind, _KEYGEN))) from error
    require(found, str(path), kind)
    return found


def _parsed(header: bytes, path: Path, kind: KeyKind) -> Bundle:
    """As `parse`; what is at ``path`` instead is named."""
    try:
        return parse(header, str(path))
    except ProtocolError as error:
        (problem,) = error.problems
        if header.startswith(_MAGIC):  # a bundle, but damaged or of another version
            raise
        raise ProtocolError(_misfit(path, kind, problem.got, _REMEDIES.get(kind, problem.remedy))) from None


def _misfit(path: Path, kind: KeyKind, reason: str, remedy: str) -> Problem:
    from privis.file_formats import misfit

    return misfit(path, _format_of(kind), reason, f"a file with {_named(kind)}", remedy)


def inspect(path: Path) -> Bundle:
    """What the bundle at ``path`` says it is, checked to be whole, with a megabyte of memory; errors as of `read`."""
    try:
        with open(path, "rb") as file:
            header = file.read(HEADER_BYTES)
            found = _parsed(header, path, KeyKind.EVALUATION)
            digest, length = hashlib.sha256(header[: _FIELDS.size]), 0
            while block := file.read(_BLOCK):
                digest.update(block)
                length += len(block)
    except OSError as error:
        raise ParameterError(_misfit(path, KeyKind.EVALUATION, str(error.strerror), "")) from error
    _require_whole(found, length, digest.hexdigest(), str(path))
    return found


def _require_whole(found: Bundle, length: int, digest: str, where: str) -> None:
    if length != found.length:
        raise ProtocolError(Problem(where, f"{length:,} bytes of content", f"{found.length:,}", "copy it again"))
    if not hmac.compare_digest(digest, found.digest):
        raise ProtocolError(Problem(where, "a damaged bundle", "content of its SHA-256", "copy it again"))


def _format_of(kind: KeyKind) -> FileFormat:
    from privis.file_formats import FileFormat  # takes longer than reading a file

    formats = {
        KeyKind.SECRET: FileFormat.SECRET_KEY,
        KeyKind.EVALUATION: FileFormat.EVALUATION_KEY,
        KeyKind.PUBLIC: FileFormat.PUBLIC_KEY,
        KeyKind.KEPT: FileFormat.KEPT_QUERY,
        KeyKind.ANSWER: FileFormat.ANSWER,
    }
    return formats[kind]


def _named(kind: KeyKind) -> str:
    return str(_format_of(kind))
