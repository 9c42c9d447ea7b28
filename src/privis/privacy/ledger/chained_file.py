"""A file of chained lines that processes share: locked, synced, never torn, and refused once it was changed."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Generic, Self, TypeVar

from privis.errors import OutputError, ParameterError, Problem
from privis.file_formats import FileFormat, format_of, misfit
from privis.privacy.ledger.audit import Audit, audit
from privis.privacy.ledger.chain import SLOT_BYTES, START, ChainedBooks, LedgerHead, complete_lines, heads
from privis.privacy.ledger.disk import Wording, contents, damaged, head_path, sync_folder, write, written

SomeBooks = TypeVar("SomeBooks", bound=ChainedBooks)
LEDGERS = frozenset({FileFormat.LEDGER, FileFormat.ANSWER_LEDGER, FileFormat.RECEIPTS})
"""Files of this kind: one that is taken for another is named, as nothing is wrong with it."""


@dataclass(frozen=True)
class Files:
    """Descriptors of the open files of a ledger, under its lock."""

    lines: int
    head: int


class ChainedFile(Generic[SomeBooks]):
    """A ledger in the file ``path``, with its head in ``path + ".head"``; see `privis.privacy.ledger.chain`.

    Processes and threads may share it: every entry holds an exclusive ``flock``. It is on the disk when it was written:
    the line is synced, then the head is written. What a crash leaves is put in order by the next entry:

    - part of a line: that entry was never made and nothing rests on it; the part is cut off;
    - a whole line that the head does not know yet: it counts.

    The head is not synced, as nothing is lost without it: after a power cut it may be some seconds old, and the lines
    behind it count.

    Anything else that does not fit is damage, and every entry is refused until the file is restored. An entry reads
    only what was added since this object's last look; a new object reads and checks the whole chain.

    An object never goes behind what it has seen: once it has read or written a line, a ledger without that line (a
    backup put back, another file, a shorter one) is damage to it. So it is for its forks and for what its pickle
    becomes, as a pickle holds the path and the last head seen, but no more: what others add later they see when they
    look. A new object knows only the files: that both were put back before it was made, it cannot see; a head noted
    elsewhere shows it (``verify``).

    Copies, deep copies and scikit-learn's clones are the object itself: there is no way to reset a budget by copying.
    Only local file systems keep locks and fsync reliably.

    Args:
        path: a ledger that exists.

    Raises:
        ParameterError: there is no ledger at ``path``.
        DamagedLedgerError: from what reads the file: it does not fit itself, or what was read before.
    """

    words: ClassVar[Wording]
    opened: ClassVar[Callable[[bytes], ChainedBooks]]  # the books of a first line

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.abspath(path))
        self._books: SomeBooks | None = None
        self._seen: LedgerHead | None = None
        if not self.path.is_file():
            remedy = f"{self.words.command} init {path} makes one"
            raise ParameterError(misfit(self.path, self.words.form, "no file", f"a {self.words.noun}", remedy))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[str], LedgerHead | None]:
        return type(self), (str(self.path),), self._seen

    def __setstate__(self, seen: LedgerHead) -> None:
        self._seen = seen

    @classmethod
    def _created(cls, path: str | os.PathLike[str], line: bytes) -> Self:
        """Make a new file with this first line, that only its owner can read (mode 0600)."""
        head = START.after(line)
        flags = os.O_WRONLY | os.O_CREAT
        try:
            lines = os.open(path, flags | os.O_EXCL, 0o600)
            try:
                fcntl.flock(lines, fcntl.LOCK_EX)
                heads_file = os.open(head_path(path), flags | os.O_TRUNC, 0o600)
                try:
                    write(lines, line, 0)
                    os.fsync(lines)
                    write(heads_file, START.packed() + head.packed(), 0)
                    os.fsync(heads_file)
                finally:
                    os.close(heads_file)
                sync_folder(Path(path))
            finally:
                os.close(lines)
        except OSError as error:
            remedy = "ledgers are never overwritten: choose another name, or go on with that one"
            expected = f"a new file for the {cls.words.noun}"
            raise OutputError(Problem(str(path), str(error.strerror), expected, remedy)) from error
        return cls(path)

    @property
    def identity(self) -> str:
        """SHA-256 of the first line, whose random salt no other ledger has: wherever it lies, it is this ledger."""
        return hashlib.sha256(self.lines()[0]).hexdigest()

    @property
    def head(self) -> LedgerHead:
        """How far the ledger is written; noted elsewhere, it shows later that nothing was rewritten."""
        with self._looked_up() as books:
            return books.head

    def verify(self, known_head: str = "") -> Audit:
        """Recompute chain and totals from the file.

        A line that this object has seen must be there as well. Never raises for what is wrong with the ledger: the
        audit's ``problems`` say it.

        Args:
            known_head: SHA-256 of a line that must be there; empty: none.

        Returns:
            Totals, and all that is wrong.
        """
        seen = {self._seen.digest} if self._seen else set[str]()
        with self._locked(os.O_RDONLY, head_needed=False) as files:
            head, known = b"" if files.head < 0 else contents(files.head), {known_head} if known_head else set[str]()
            return audit(contents(files.lines), head, seen | known, type(self).opened)

    def missing(self, digests: Collection[str]) -> set[str]:
        """Give those of ``digests`` (SHA-256 of lines that once were the last) that no line has.

        Args:
            digests: SHA-256 of lines.

        Returns:
            Those of them.

        Raises:
            DamagedLedgerError: the ledger does not fit itself.
        """
        return set(digests) - {hashlib.sha256(line).hexdigest() for line in self.lines()}

    def lines(self) -> list[bytes]:
        """Give every line.

        Returns:
            Lines, each with its newline.

        Raises:
            DamagedLedgerError: the ledger does not fit itself.
        """
        with self._locked(os.O_RDONLY) as files:
            self._caught_up(files, repair=False)
            return list(complete_lines(contents(files.lines)))

    @contextlib.contextmanager
    def _looked_up(self) -> Iterator[SomeBooks]:
        """Give the books as long as the lock is held: threads share them, and an entry changes them."""
        with self._locked(os.O_RDONLY) as files:
            yield self._caught_up(files, repair=False)

    @contextlib.contextmanager
    def _locked(self, mode: int, head_needed: bool = True) -> Iterator[Files]:
        """Open both files anew: a lock belongs to an open file, so that threads and forks exclude each other too."""
        with contextlib.ExitStack() as stack:
            try:
                lines = os.open(self.path, mode)
                stack.callback(os.close, lines)
                fcntl.flock(lines, fcntl.LOCK_EX)
                stack.callback(fcntl.flock, lines, fcntl.LOCK_UN)  # a fork in between keeps the file open, not locked
                head = -1
                if head_needed or head_path(self.path).exists():
                    head = os.open(head_path(self.path), mode)
                    stack.callback(os.close, head)
            except OSError as error:
                words = self.words
                remedy = f"ledger and head belong together; without both nothing is {words.released}"
                found = format_of(self.path)
                if found not in (words.form, FileFormat.MISSING):
                    raise OutputError(misfit(self.path, words.form, str(found), remedy="")) from error
                what = f"{error.strerror}: {error.filename}"
                problem = Problem(f"{words.noun} {self.path}", what, f"a {words.noun} to use", remedy)
                raise OutputError(problem) from error
            files = Files(lines, head)
            self._require_in_place(files)  # it may have been replaced while this process waited for the lock
            if self._books is None and format_of(self.path) in LEDGERS - {self.words.form}:
                raise OutputError(misfit(self.path, self.words.form, "another ledger"))
            yield files

    def _require_in_place(self, files: Files) -> None:
        if not (self.path.exists() and os.path.samestat(os.fstat(files.lines), os.stat(self.path))):
            raise self._damaged("another file, put there while this one was in use")

    def _caught_up(self, files: Files, repair: bool) -> SomeBooks:
        """Read on from the last look to the end; the books are forgotten if anything goes wrong meanwhile."""
        books, self._books = self._books, None
        size = os.fstat(files.lines).st_size
        known = next(iter(heads(os.pread(files.head, 2 * SLOT_BYTES, 0))), None)
        if known is None:
            raise self._damaged("no intact head")
        if known.size > size:
            raise self._damaged(f"{size} bytes where {known.size} were written")
        if books is not None and books.head.size > known.size:
            books = None  # an earlier file was put back, or the head does not know some lines: read everything again
        passed = {books.head} if books else set[LedgerHead]()
        start = books.head.size if books else 0
        for line in complete_lines(contents(files.lines, start)):
            books = self._next(books, line)
            passed.add(books.head)
        if books is None or known not in passed:
            raise self._damaged(f"another line {known.lines} than was written")
        if self._seen is not None and self._seen not in passed:
            what = f"no line {self._seen.lines} as seen before: an earlier or another ledger was put in its place"
            raise self._damaged(what)
        if repair and size > known.size:
            self._settle(files, books.head)
        self._books, self._seen = books, books.head
        return books

    def _next(self, books: SomeBooks | None, line: bytes) -> SomeBooks:
        try:
            if books is None:
                return type(self).opened(line)  # type: ignore[return-value]
            _, wrong = books.read(line)
        except ValueError as error:
            raise self._damaged(f"line {books.head.lines if books else 1}: {error}") from error
        if wrong:
            raise self._damaged(f"line {books.head.lines} {' and '.join(wrong)}")
        return books

    def _settle(self, files: Files, head: LedgerHead) -> None:
        """Finish what a process began and did not end: see the class."""
        with written(self.path, self.words):
            os.ftruncate(files.lines, head.size)
            os.fdatasync(files.lines)
            write(files.head, head.packed(), head.slot)

    def _append(self, files: Files, books: SomeBooks, line: bytes) -> None:
        """Write a line durably, and read it into ``books``; nothing rests on it before this returned."""
        self._books, size = None, books.head.size  # until line and books agree again
        with written(self.path, self.words):
            try:
                write(files.lines, line, size)
                os.fdatasync(files.lines)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(files.lines, size)  # a full disk: leave nothing to put in order
                raise
            books.read(line)
            write(files.head, books.head.packed(), books.head.slot)
        self._require_in_place(files)  # an entry in a file that nobody finds again is none
        self._books, self._seen = books, books.head

    def _damaged(self, what: str) -> Exception:
        return damaged(self.path, what, self.words)


def now() -> str:
    """UTC to the millisecond, as lines hold it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
