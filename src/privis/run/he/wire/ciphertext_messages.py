"""Messages between owner and server: typed, for one specification, complete and undamaged, or refused.

Layout: magic with the format's number, kind (8 bits), digest of the specification and SHA-256 of the body (32 bytes
each), the parts in ``framing``. Any change of these, or of a kind's meaning, takes a new number in the magic; a reader
knows its own number alone and refuses all others. New kinds may be added under the same number.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Sequence
from enum import Enum
from typing import BinaryIO

from privis.errors import Problem, ProtocolError
from privis.run.he.wire import framing as frames

_MAGIC = b"privis ckks 1\n"
_HEAD = struct.Struct(f">{len(_MAGIC)}sB32s32s")
_BLOCK = 1 << 20


class MessageKind(Enum):
    """Kind of a message: evaluation keys, a query or a reply."""

    KEYS = 1  # evaluation keys
    QUERY = 2  # encrypted inputs of one or more images
    REPLY = 3  # their encrypted outputs


def written(kind: MessageKind, digest: str, parts: Sequence[bytes]) -> bytes:
    """One message of ``parts`` for the specification named ``digest`` (64 hexadecimal digits).

    >>> read(MessageKind.QUERY, "00" * 32, written(MessageKind.QUERY, "00" * 32, [b"a", b""]))
    [b'a', b'']
    """
    body = frames.join(parts)
    return _HEAD.pack(_MAGIC, kind.value, bytes.fromhex(digest), hashlib.sha256(body).digest()) + body


def write_message(
    file: BinaryIO, kind: MessageKind, digest: str, writers: Sequence[Callable[[BinaryIO], None]]
) -> None:
    """Write what `written` would make of parts that are written one after the other; ``file`` can seek and be read."""
    start = file.tell()
    file.write(bytes(_HEAD.size))
    frames.write_joined(file, writers)
    end = file.tell()
    file.seek(start + _HEAD.size)
    checksum = hashlib.sha256()
    while block := file.read(_BLOCK):
        checksum.update(block)
    file.seek(start)
    file.write(_HEAD.pack(_MAGIC, kind.value, bytes.fromhex(digest), checksum.digest()))
    file.seek(end)


def specification_of(kind: MessageKind, data: bytes) -> str:
    """The digest of the specification that a message is for; ProtocolError as of `read`.

    >>> specification_of(MessageKind.QUERY, written(MessageKind.QUERY, "0a" * 32, [b"a"])) == "0a" * 32
    True
    """
    stated = data[_HEAD.size - 64 : _HEAD.size - 32].hex()
    read(kind, stated.ljust(64, "0"), data)
    return stated


def read(kind: MessageKind, digest: str, data: bytes) -> list[bytes]:
    """The parts of a message; ProtocolError for one of another kind or specification, cut short or damaged."""
    what = kind.name.lower()
    if len(data) < _HEAD.size:
        raise ProtocolError(Problem(what, f"{len(data)} bytes", "a whole message", "send it again"))
    magic, found, spec, checksum = _HEAD.unpack_from(data)
    if magic != _MAGIC or found not in [k.value for k in MessageKind]:
        raise ProtocolError(Problem(what, "bytes of another kind", f"a message that starts with {_MAGIC!r}"))
    if found != kind.value:
        raise ProtocolError(Problem(what, f"a message with {MessageKind(found).name.lower()}", f"one with {what}"))
    if spec != bytes.fromhex(digest):
        got, remedy = f"one for the program {spec.hex()[:16]}…", "fetch the specification again and make keys for it"
        raise ProtocolError(Problem(what, got, f"one for {digest[:16]}…", remedy))
    body = memoryview(data)[_HEAD.size :]  # keys are hundreds of megabytes: no copy but the parts
    if hashlib.sha256(body).digest() != checksum:
        raise ProtocolError(Problem(what, "a message cut short or damaged", "what was sent", "send it again"))
    return frames.split(body, what)
