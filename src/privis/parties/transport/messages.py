"""Control-plane wire format: a JSON header, then blob chunks of 1 MiB; no pickle.

Format: a header is the JSON object ``{"kind", "body", "size"}``; chunks follow until ``size`` bytes have come. Keys of
the header are never renamed or given another meaning. A reader ignores keys that it does not know, so that one may be
added; members still run the same version of Privis, which they compare before anything is shared. A change that an
older reader would misunderstand takes another gRPC service name than ``privis.Party``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from privis.errors import PartyError, Problem

PIECE = 1 << 20  # bytes of a blob in one message of the transport
LARGEST_HEADER = 32 << 20  # bytes; names and shapes of a million items fit
MOST_CHARACTERS = 2000  # of one part of a problem
LARGEST_BLOB = 1 << 36  # bytes; more is no share but a mistake


@dataclass(frozen=True, eq=False, repr=False)
class ControlMessage:
    """One control message: its kind, JSON values, and bytes (a share), which are in no representation."""

    kind: str
    body: Mapping[str, Any] = field(default_factory=dict)
    blob: bytes = b""


def pieces(message: ControlMessage) -> Iterator[bytes]:
    """Cut a message for the transport: a header, then the blob piece by piece."""
    header = {"kind": message.kind, "body": dict(message.body), "size": len(message.blob)}
    yield json.dumps(header, allow_nan=False).encode()
    for start in range(0, len(message.blob), PIECE):
        yield message.blob[start : start + PIECE]


def messages(stream: Iterable[bytes]) -> Iterator[ControlMessage]:
    """Put messages together again; PartyError when the bytes are anything else.

    >>> [(m.kind, m.body, m.blob) for m in messages(pieces(ControlMessage("share", {"name": "x"}, b"abc")))]
    [('share', {'name': 'x'}, b'abc')]
    """
    source = iter(stream)
    for head in source:
        try:
            header = json.loads(head)
            kind, body, size = str(header["kind"]), dict(header["body"]), int(header["size"])
        except (ValueError, KeyError, TypeError) as error:
            raise PartyError(Problem("message", f"{type(error).__name__}", "a message of privis")) from None
        if not 0 <= size <= LARGEST_BLOB:
            raise PartyError(Problem("message", f"{size} bytes announced", f"at most {LARGEST_BLOB}"))
        blob = bytearray()
        while len(blob) < size:
            piece = next(source, None)
            if not piece:
                raise PartyError(Problem("message", f"{len(blob)} bytes", f"the {size} announced"))
            blob += piece
        yield ControlMessage(kind, body, bytes(blob))


def printable(text: Any) -> str:
    r"""What a peer says, for a log or a terminal: no new lines, no control characters, at most 2000 characters.

    >>> printable("a\nb\x1b[2J")
    'a b [2J'
    """
    return "".join(one if one.isprintable() else " " for one in str(text)[:MOST_CHARACTERS])


def problems_to(problems: Iterable[Problem]) -> list[dict[str, str]]:
    """Convert problems to JSON values, for `problems_from`."""
    return [{"where": p.where, "got": p.got, "expected": p.expected, "remedy": p.remedy} for p in problems]


def problems_from(values: Any) -> tuple[Problem, ...]:
    """Problems that a peer reports; whatever else it sends is one problem too."""
    try:
        return tuple(Problem(*(printable(v[key]) for key in ("where", "got", "expected", "remedy"))) for v in values)
    except (KeyError, TypeError):
        return (Problem("peer", "a report that cannot be read", "problems"),)
