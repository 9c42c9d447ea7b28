"""Lines of which each holds the SHA-256 of the one before it, and the head that says how far they were written.

The head, a small file beside them, holds the number of lines, their bytes and the SHA-256 of the last one, so that a
file cut off at the end is noticed. It is kept twice and written in turns, with a checksum: a power cut in the middle of
a write leaves the earlier one. The number of lines in front of it is its format: another layout takes another width.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, Self

NO_LINE = "0" * 64
SLOT_BYTES = 124


@dataclass(frozen=True)
class LedgerHead:
    """How far a ledger was written: ``lines`` of ``size`` bytes, and the SHA-256 of the last one."""

    lines: int
    size: int
    digest: str

    def packed(self) -> bytes:
        """Give the head as one line of `SLOT_BYTES` bytes, its checksum last."""
        text = f"{self.lines:020d} {self.size:020d} {self.digest} "
        return f"{text}{hashlib.sha256(text.encode()).hexdigest()[:16]}\n".encode()

    @property
    def slot(self) -> int:
        """Where in the file it belongs: heads take turns."""
        return self.lines % 2 * SLOT_BYTES

    def after(self, line: bytes) -> LedgerHead:
        """Give the head of the same lines and one more."""
        return LedgerHead(self.lines + 1, self.size + len(line), hashlib.sha256(line).hexdigest())


START = LedgerHead(0, 0, NO_LINE)


def heads(data: bytes) -> list[LedgerHead]:
    """Read the intact heads, the newest first.

    >>> head = LedgerHead(3, 1200, "ab" * 32)
    >>> heads(bytes(SLOT_BYTES) + head.packed()) == [head]
    True
    """
    found = []
    for start in (0, SLOT_BYTES):
        words = data[start : start + SLOT_BYTES].decode("ascii", "replace").split()
        if len(words) == 4 and words[0].isdecimal() and words[1].isdecimal():
            head = LedgerHead(int(words[0]), int(words[1]), words[2])
            if head.packed() == data[start : start + SLOT_BYTES] and head.slot == start:
                found.append(head)
    return sorted(found, key=lambda head: -head.lines)


def complete_lines(data: bytes) -> Iterator[bytes]:
    """Return the lines of ``data`` that end with a newline."""
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield data[start : end + 1]
        start = end + 1


class ChainedBooks(Protocol):
    """What the lines of one file add up to, as far as they were read; ``head`` says how far that is."""

    head: LedgerHead

    @classmethod
    def opened(cls, line: bytes) -> Self:
        """Open the books with the first line; raises ``ValueError`` when it is none."""
        ...

    def read(self, line: bytes) -> tuple[Any, list[str]]:
        """Add a line; return what it says, with all that is wrong with it; ``ValueError`` when it is none."""
        ...

    def overspent(self) -> list[str]:
        """Sentences about accounts that hold more than they may."""
        ...

    @property
    def records(self) -> int:
        """How many different things the lines are about."""
        ...
