"""A privacy budget in a file that processes share, which is never overspent and never forgets."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from privis.errors import BudgetError, OutputError, ParameterError, Problem
from privis.file_formats import FileFormat, format_of, misfit
from privis.privacy.guarantee import Guarantee
from privis.privacy.ledger.audit import Audit, audit
from privis.privacy.ledger.budget import Budget, Per, cost_of
from privis.privacy.ledger.composition import Spent
from privis.privacy.ledger.disk import contents, damaged, head_path, refusal, sync_folder, write, written
from privis.privacy.ledger.entries import (
    CORPUS,
    SLOT_BYTES,
    START,
    Books,
    Charge,
    LedgerHead,
    charge_line,
    complete_lines,
    figures_of,
    first_line,
    guarantee_digest,
    heads,
)


@dataclass(frozen=True)
class _Files:
    """Descriptors of the open files of a ledger, under its lock."""

    lines: int
    head: int


class FileLedger:
    """A ledger in the file ``path``, with its head in ``path + ".head"``; see `privis.privacy.ledger.entries`.

    Processes and threads may share it: every charge holds an exclusive ``flock``. A charge is on the disk when `charge`
    returns: the line is written and synced, then the head is written. What a crash leaves is put in order by the
    next charge:

    - part of a line: that charge never returned and nothing was sampled for it; the part is cut off;
    - a whole line that the head does not know yet: it counts. Nobody may have seen its release, and repeating
      it (the same key, so the same release_id) is free.

    The head is not synced, as nothing is lost without it: after a power cut it may be some seconds old, and the lines
    behind it count.

    Anything else that does not fit is damage, and every charge is refused until the file is restored. A charge reads
    only what was added since this object's last look; a new object reads and checks the whole chain.

    An object never goes behind what it has seen: once it has read or written a line, a ledger without that line (a
    backup put back, another file, a shorter one) is damage to it. So it is for its forks and for what its pickle
    becomes, as a pickle holds the path and the last head seen, but no more: what others add later they see when they
    look. A new object knows only the files: that both were put back before it was made, it cannot see; a head noted
    elsewhere shows it (``verify``, ``privis ledger verify --head``).

    Copies, deep copies and scikit-learn's clones are the object itself: there is no way to reset a budget by copying.
    Only local file systems keep locks and fsync reliably.

    Args:
        path: a ledger that `create` made.

    Raises:
        ParameterError: there is no ledger at ``path``.
        DamagedLedgerError: from what reads the file: it does not fit itself, or what was read before.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.abspath(path))
        self._books: Books | None = None
        self._seen: LedgerHead | None = None
        if not self.path.is_file():
            remedy = f"make one: privis ledger init {self.path} --epsilon 1 --delta 1e-6"
            raise ParameterError(misfit(self.path, FileFormat.LEDGER, "no file", "a ledger", remedy))

    def __repr__(self) -> str:
        return f"FileLedger({str(self.path)!r})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[str], LedgerHead | None]:
        return type(self), (str(self.path),), self._seen

    def __setstate__(self, seen: LedgerHead) -> None:
        self._seen = seen

    @classmethod
    def create(cls, path: str | os.PathLike[str], budget: Budget) -> Self:
        """Make a new ledger that only its owner can read (mode 0600).

        Args:
            path: of the file; its head is ``path + ".head"``.
            budget: what may be spent, and by whom.

        Returns:
            The ledger.

        Raises:
            OutputError: the file exists or cannot be written.
        """
        line = first_line(budget, secrets.token_hex(16), _now())
        head = LedgerHead(1, len(line), hashlib.sha256(line).hexdigest())
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
            raise OutputError(Problem(str(path), str(error.strerror), "a new file for the ledger", remedy)) from error
        return cls(path)

    @property
    def budget(self) -> Budget:
        """The budget that the ledger was made with."""
        with self._looked_up() as books:
            return books.budget

    @property
    def identity(self) -> str:
        """SHA-256 of the first line, whose random salt no other ledger has: wherever it lies, it is this ledger."""
        with self._locked(os.O_RDONLY) as files:
            self._caught_up(files, repair=False)  # raises when the ledger is damaged
            return hashlib.sha256(next(complete_lines(contents(files.lines)))).hexdigest()

    @property
    def head(self) -> LedgerHead:
        """How far the ledger is written; noted elsewhere, it shows later that nothing was rewritten."""
        with self._looked_up() as books:
            return books.head

    def mark(self) -> str:
        """SHA-256 of the last line: all that was charged before is at or before it; see `missing`."""
        return self.head.digest

    def charge(self, record: str, guarantee: Guarantee, release_id: str, *, formerly: Sequence[str] = ()) -> None:
        """Charge one release of ``record``, durably, or raise ``BudgetError``; see
        `privis.privacy.ledger.ledger_protocol.Ledger`.

        Raises:
            BudgetError: the budget does not allow it: nothing is charged.
            OutputError: the file cannot be written: nothing may be released then either.
        """
        figures = figures_of(guarantee)
        with self._locked(os.O_RDWR) as files:
            books = self._caught_up(files, repair=True)
            hashed = books.hashed(record)
            self._books = books  # whole, whatever is decided now
            if books.released(hashed, release_id, figures):
                return
            cost = cost_of(guarantee, books.budget)
            account = books.account(hashed, formerly)
            if not account.fits(cost, books.budget):
                raise BudgetError(refusal(record, account, cost, books.budget))
            self._books = None  # until line and books agree again
            digest = guarantee_digest(guarantee)
            charge = Charge(_now(), hashed, release_id, *figures, cost.epsilon, cost.delta, digest)
            self._append(files, books, charge)
            self._require_in_place(files)  # a charge to a file that nobody finds again is none
            self._books, self._seen = books, books.head

    def spent(self, record: str | None = None, *, formerly: Sequence[str] = ()) -> Spent:
        """Give what ``record``, or of a ledger per corpus the corpus, has spent at the budget's delta.

        Args:
            record: whose budget it is; None: the corpus's.
            formerly: names that earlier versions gave the same record.

        Returns:
            Epsilon at the budget's delta, and the number of charges.

        Raises:
            ParameterError: there is no record, and the budget is per subject.
        """
        with self._looked_up() as books:
            if books.budget.per is Per.CORPUS:
                return books.account(CORPUS).spent(books.budget)
            if record is None:
                raise ParameterError(Problem("record", "none", "a record, as the budget is per subject"))
            return books.account(books.hashed(record), formerly).spent(books.budget)

    def worst(self, most: int = 20) -> list[tuple[str, Spent]]:
        """Give the accounts that spent most.

        Args:
            most: how many.

        Returns:
            Hashed record ("corpus" for a ledger per corpus) and what it spent, most first.
        """
        with self._looked_up() as books:
            rough = {name: account.spent(books.budget, precise=False) for name, account in books.accounts.items()}
            names = sorted(rough, key=lambda name: -rough[name].epsilon)[:most]
            return [(name, books.accounts[name].spent(books.budget)) for name in names]

    @property
    def accounts(self) -> int:
        """How many records, people or corpora have charges."""
        with self._looked_up() as books:
            return len(books.accounts)

    def charges(self) -> Iterator[Charge]:
        """Give all charges in their order, as an auditor wants them; records are hashed.

        Returns:
            One charge per line.
        """
        with self._locked(os.O_RDONLY) as files:
            self._caught_up(files, repair=False)  # raises when the ledger is damaged
            lines = list(complete_lines(contents(files.lines)))
        books = Books.opened(lines[0])
        for line in lines[1:]:
            yield books.read(line)[0]

    def hashed(self, record: str) -> str:
        """Give the name that ``record`` has in this ledger and its exports.

        Args:
            record: as of `charge`.

        Returns:
            Hexadecimal digits.
        """
        with self._looked_up() as books:
            return books.hashed(record)

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
            head = b"" if files.head < 0 else contents(files.head)
            return audit(contents(files.lines), head, seen | ({known_head} if known_head else set()))

    def missing(self, digests: Collection[str]) -> set[str]:
        """Give those of ``digests`` (SHA-256 of lines that once were the last) that no line has.

        Args:
            digests: SHA-256 of lines.

        Returns:
            Those of them.

        Raises:
            DamagedLedgerError: the ledger does not fit itself.
        """
        with self._locked(os.O_RDONLY) as files:
            self._caught_up(files, repair=False)
            there = {hashlib.sha256(line).hexdigest() for line in complete_lines(contents(files.lines))}
        return set(digests) - there

    @contextlib.contextmanager
    def _looked_up(self) -> Iterator[Books]:
        """Give the books as long as the lock is held: threads share them, and a charge changes them."""
        with self._locked(os.O_RDONLY) as files:
            yield self._caught_up(files, repair=False)

    @contextlib.contextmanager
    def _locked(self, mode: int, head_needed: bool = True) -> Iterator[_Files]:
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
                remedy = "ledger and head belong together; without both nothing is released"
                found = format_of(self.path)
                if found not in (FileFormat.LEDGER, FileFormat.MISSING):
                    raise OutputError(misfit(self.path, FileFormat.LEDGER, str(found), remedy="")) from error
                what = f"{error.strerror}: {error.filename}"
                raise OutputError(Problem(f"ledger {self.path}", what, "a ledger to use", remedy)) from error
            files = _Files(lines, head)
            self._require_in_place(files)  # it may have been replaced while this process waited for the lock
            yield files

    def _require_in_place(self, files: _Files) -> None:
        if not (self.path.exists() and os.path.samestat(os.fstat(files.lines), os.stat(self.path))):
            raise damaged(self.path, "another file, put there while this one was in use")

    def _caught_up(self, files: _Files, repair: bool) -> Books:
        """Read on from the last look to the end; the books are forgotten if anything goes wrong meanwhile."""
        books, self._books = self._books, None
        size = os.fstat(files.lines).st_size
        known = next(iter(heads(os.pread(files.head, 2 * SLOT_BYTES, 0))), None)
        if known is None:
            raise damaged(self.path, "no intact head")
        if known.size > size:
            raise damaged(self.path, f"{size} bytes where {known.size} were written")
        if books is not None and books.head.size > known.size:
            books = None  # an earlier file was put back, or the head does not know some lines: read everything again
        passed = {books.head} if books else set[LedgerHead]()
        start = books.head.size if books else 0
        for line in complete_lines(contents(files.lines, start)):
            books = _next(self.path, books, line)
            passed.add(books.head)
        if books is None or known not in passed:
            raise damaged(self.path, f"another line {known.lines} than was written")
        if self._seen is not None and self._seen not in passed:
            what = f"no line {self._seen.lines} as seen before: an earlier or another ledger was put in its place"
            raise damaged(self.path, what)
        if repair and size > known.size:
            self._settle(files, books.head)
        self._books, self._seen = books, books.head
        return books

    def _settle(self, files: _Files, head: LedgerHead) -> None:
        """Finish what a process began and did not end: see the class."""
        with written(self.path):
            os.ftruncate(files.lines, head.size)
            os.fdatasync(files.lines)
            write(files.head, head.packed(), head.slot)

    def _append(self, files: _Files, books: Books, charge: Charge) -> None:
        line, size = charge_line(charge, books.head.digest), books.head.size
        with written(self.path):
            try:
                write(files.lines, line, size)
                os.fdatasync(files.lines)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(files.lines, size)  # a full disk: leave nothing to put in order
                raise
            books.read(line)
            write(files.head, books.head.packed(), books.head.slot)


def _next(path: Path, books: Books | None, line: bytes) -> Books:
    try:
        if books is None:
            return Books.opened(line)
        _, wrong = books.read(line)
    except ValueError as error:
        raise damaged(path, f"line {books.head.lines if books else 1}: {error}") from error
    if wrong:
        raise damaged(path, f"line {books.head.lines} {' and '.join(wrong)}")
    return books


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
