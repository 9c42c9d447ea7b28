"""Checking a ledger from its bytes alone: every line, the head, every total."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from privis.privacy.ledger.chain import SLOT_BYTES, START, ChainedBooks, LedgerHead, complete_lines, heads
from privis.privacy.ledger.entries import Books

MOST_PROBLEMS = 20


@dataclass(frozen=True)
class Audit:
    """What a check of a ledger found.

    ``problems`` is empty when all is well; ``notes`` is what an interrupted process left, which is nothing wrong.
    ``head`` is the SHA-256 of the last line: written down elsewhere, it shows later that nothing was rewritten.
    """

    charges: int
    records: int
    head: str
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def audit(
    data: bytes,
    head_data: bytes,
    known_heads: Collection[str] = (),
    opened: Callable[[bytes], ChainedBooks] = Books.opened,
) -> Audit:
    """Check the bytes of a ledger and of its head; each of ``known_heads`` (SHA-256) must be that of a line.

    ``opened`` makes the books of a first line.
    """
    lines = list(complete_lines(data))
    known = heads(head_data)
    trail = [START]  # the head after every line
    books, problems = _followed(lines, trail, opened)
    problems += _head_problems(trail, known, head_data)
    notes = []
    newest = known[0] if known else START
    if books is not None and newest.lines and len(lines) > newest.lines:
        notes.append(f"charges that a crash kept out of the head: {len(lines) - newest.lines}; they count")
    if torn := len(data) - trail[-1].size:
        notes.append(f"{torn} bytes at the end are part of a charge that was never made")
    return _summed_up(books, trail, known_heads, problems, notes)


def audit_of_lines(
    lines: Iterable[bytes], head: LedgerHead, known_heads: Collection[str] = (), notes: Sequence[str] = ()
) -> Audit:
    """Check the lines of a ledger that has one head, which is written together with them.

    Args:
        lines: of the ledger, in their order.
        head: that was written.
        known_heads: SHA-256, each of which must be that of a line.
        notes: for the result.

    Returns:
        Totals, and all that is wrong.
    """
    trail = [START]
    books, problems = _followed(lines, trail, Books.opened)
    if head.lines >= len(trail):
        problems.append(f"{head.lines} lines were written, {len(trail) - 1} are left")
    elif head != trail[-1]:
        problems.append(f"the head is of {head.lines} lines, and not that of the {len(trail) - 1} that are there")
    return _summed_up(books, trail, known_heads, problems, list(notes))


def _summed_up(
    books: ChainedBooks | None, trail: list[LedgerHead], known: Collection[str], problems: list[str], notes: list[str]
) -> Audit:
    there = {head.digest for head in trail}
    problems += [
        f"no line has the noted head {digest[:16]}…: the ledger was rewritten or put back"
        for digest in sorted(known)
        if digest not in there
    ]
    if books is not None:
        problems += books.overspent()
    if len(problems) > MOST_PROBLEMS:
        problems[MOST_PROBLEMS:] = [f"and {len(problems) - MOST_PROBLEMS} more"]
    records = books.records if books else 0
    return Audit(max(0, len(trail) - 2), records, trail[-1].digest, tuple(problems), tuple(notes))


def _followed(
    lines: Iterable[bytes], trail: list[LedgerHead], opened: Callable[[bytes], ChainedBooks]
) -> tuple[ChainedBooks | None, list[str]]:
    """Read all lines, whatever is wrong with some, and note the head after each."""
    books: ChainedBooks | None = None
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        last = trail[-1]
        trail.append(last.after(line))
        try:
            if number == 1:
                books = opened(line)
            elif books is not None:
                books.head = last
                problems += [f"line {number} {wrong}" for wrong in books.read(line)[1]]
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    return books, problems


def _head_problems(trail: list[LedgerHead], known: list[LedgerHead], head_data: bytes) -> list[str]:
    """What is wrong with the two heads, given the head after every line."""
    if not known:
        return ["there is no intact head, so that lines may be missing at the end"]
    problems = []
    if len(known) < 2 and not _half_written(trail, known[0], head_data):
        problems.append("one of the two heads is damaged")
    if len(head_data) != 2 * SLOT_BYTES:
        problems.append(f"the heads have {len(head_data)} bytes instead of {2 * SLOT_BYTES}")
    if known[0].lines >= len(trail):
        problems.append(f"{known[0].lines} lines were written, {len(trail) - 1} are left")
    problems += [
        f"line {head.lines} is another one than was written"
        for head in known
        if head.lines < len(trail) and head != trail[head.lines]
    ]
    return problems


def _half_written(trail: list[LedgerHead], known: LedgerHead, head_data: bytes) -> bool:
    """Whether a process ended while it wrote the head of the line after ``known``; the next charge writes it again."""
    if known.lines + 2 != len(trail) or len(trail) < 3:  # the first two heads are written together
        return False
    new, old = trail[-1], trail[-3]
    slot = head_data[new.slot : new.slot + SLOT_BYTES]
    return any(slot == new.packed()[:length] + old.packed()[length:] for length in range(SLOT_BYTES))
