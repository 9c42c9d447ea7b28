"""A privacy budget in a PostgreSQL server, with the lines and the rules of a ledger file."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

from privis.errors import BudgetError, DamagedLedgerError, ParameterError, Problem
from privis.privacy.guarantee import Guarantee
from privis.privacy.ledger.audit import Audit, audit_of_lines
from privis.privacy.ledger.budget import Budget, Per
from privis.privacy.ledger.chain import START, LedgerHead
from privis.privacy.ledger.chained_file import now
from privis.privacy.ledger.composition import Spent
from privis.privacy.ledger.disk import PRIVACY
from privis.privacy.ledger.entries import CORPUS, Books, Charge, charge_line, first_line
from privis.stores.postgresql.ledger.ledger_sessions import LedgerSessions
from privis.stores.postgresql.ledger.ledger_tables import (
    add_lines,
    chain_problem,
    create_ledger,
    digests_there,
    found_lines,
    is_guarded,
    lines_after,
    read_head,
    statement,
)
from privis.stores.postgresql.postgresql_address import FORM, PostgresqlAddress
from privis.stores.postgresql.postgresql_connection import transacted

if TYPE_CHECKING:
    from psycopg import Connection

Given = TypeVar("Given")


@dataclass(frozen=True)
class ChargeRequest:
    """One release that is to be charged; see `privis.privacy.ledger.ledger_protocol.Ledger.charge`.

    Args:
        record: whose budget it is.
        guarantee: what the release costs.
        release_id: the same one again is the same release, and free.
    """

    record: str
    guarantee: Guarantee
    release_id: str


class PostgresqlLedger:
    """A ledger in the schema of an address: `privis.privacy.ledger.file.FileLedger` for clients on several machines.

    Lines, accounts and refusals are those of the file. A charge is one transaction: it locks the head (``SELECT … FOR
    UPDATE``), reads the lines of its records, decides, and inserts lines that the server holds against the head. When
    `charge` returns, they are committed and, unless the server was told otherwise (``fsync``), on its disk. A client
    that is killed before that has charged nothing; after it the same charge is free. A connection that is lost is made
    again, for as long as `privis.stores.postgresql.ledger.ledger_sessions.PATIENCE`, and the charge with it.

    An object never goes behind what it has seen: a database that lacks a line that this object, its forks or what its
    pickle becomes have read or written (a backup restored, a standby that took over too early) is damage to it. A new
    object lets the server follow the whole chain first. It knows only the database: a head noted elsewhere (``verify``)
    shows that an earlier state was restored before it was made.

    What a charge reads does not grow with the ledger where the budget is per subject. With one per corpus an object
    reads all lines once, and those of others as they come.

    Copies are the object itself; a pickle holds the address, which has no password, and the last head seen.

    Args:
        address: as of `PostgresqlAddress`; `create` made a ledger there.
        seen: head that was seen before, as a pickle knows it.

    Raises:
        ParameterError: there is no ledger, or the address has a password.
        DamagedLedgerError: from what reads the ledger: it does not fit itself, or what was read before.
        ServiceError: there is no server, or the role may not read.
        MissingExtraError: psycopg is not installed.
    """

    def __init__(self, address: str | PostgresqlAddress, seen: LedgerHead | None = None) -> None:
        self.address = _ledger_address(address)
        self._sessions = LedgerSessions(self.address)
        self._seen = seen
        self._opened: Books | None = None  # of the first line alone
        self._corpus: Books | None = None  # of all lines, where all are one account
        if seen is None:
            self._transacted(lambda connection: read_head(connection, self.address.schema), reading=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.address)!r})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[str, LedgerHead | None]]:
        return type(self), (str(self.address), self._seen)

    @classmethod
    def create(cls, address: str, budget: Budget) -> Self:
        """Make a new ledger, in a schema that is made unless it is there; no other role may read it yet.

        Args:
            address: as of `PostgresqlAddress`; the schema holds one ledger.
            budget: what may be spent, and by whom.

        Returns:
            The ledger.

        Raises:
            OutputError: there is a ledger.
            ParameterError: the address has a password, or is none.
            ServiceError: there is no server, or the role may not.
        """
        where, line = _ledger_address(address), first_line(budget, secrets.token_hex(16), now())
        transacted(where, lambda connection: create_ledger(connection, where.schema, line))
        return cls(where)

    @property
    def place(self) -> str:
        """Where it is: the address, as it was given."""
        return str(self.address)

    @property
    def budget(self) -> Budget:
        """The budget that the ledger was made with."""
        return self._looked_up(lambda connection, books: books.budget)

    @property
    def identity(self) -> str:
        """SHA-256 of the first line, whose random salt no other ledger has: wherever it lies, it is this ledger."""
        return self._looked_up(lambda connection, books: books.head.digest)

    @property
    def head(self) -> LedgerHead:
        """How far the ledger is written; noted elsewhere, it shows later that nothing was rewritten."""
        self._looked_up(lambda connection, books: None)
        return self._seen or START

    @property
    def accounts(self) -> int:
        """How many records, people or corpora have charges."""
        return len(self._whole().accounts)

    def mark(self) -> str:
        """SHA-256 of the last line: all that was charged before is at or before it; see `missing`."""
        return self.head.digest

    def missing(self, marks: Collection[str]) -> set[str]:
        """Give those of ``marks`` (SHA-256 of lines that once were the last) that no line has.

        Args:
            marks: that `mark` gave.

        Returns:
            Those of them.

        Raises:
            DamagedLedgerError: the ledger does not fit itself.
        """
        there = self._looked_up(lambda connection, books: digests_there(connection, self.address.schema, list(marks)))
        return set(marks) - there

    def charge(self, record: str, guarantee: Guarantee, release_id: str, *, formerly: Sequence[str] = ()) -> None:
        """Charge one release of ``record``, durably, or raise ``BudgetError``; see
        `privis.privacy.ledger.ledger_protocol.Ledger`.

        Args:
            record: whose budget it is.
            guarantee: what the release costs.
            release_id: the same one again is the same release, and free.
            formerly: earlier names of the record, which no ledger in PostgreSQL holds.

        Raises:
            BudgetError: the budget does not allow it: nothing is charged.
            ServiceError: the server cannot be reached or does not store it: nothing may be released then either.
        """
        self.charge_all([ChargeRequest(record, guarantee, release_id)])

    def charge_all(self, requests: Sequence[ChargeRequest]) -> None:
        """Charge several releases in one transaction: all of them, or none where one is refused.

        Args:
            requests: in the order in which they are charged.

        Raises:
            BudgetError: the budget does not allow one or more, and says which; nothing is charged.
            ServiceError: the server cannot be reached or does not store it: nothing may be released then either.
        """
        given = list(requests)
        if given:
            if self._seen is None:
                self.mark()  # the whole chain is followed before others wait
            books = self._transacted(lambda connection: self._charged(connection, given))
            self._seen = self._later(books.head)
            self._corpus = books if books.budget.per is Per.CORPUS else None  # only now: it is committed

    def spent(self, record: str | None = None, *, formerly: Sequence[str] = ()) -> Spent:
        """Give what ``record``, or of a ledger per corpus the corpus, has spent at the budget's delta.

        Args:
            record: whose budget it is; None: the corpus's.
            formerly: as of `charge`.

        Returns:
            Epsilon at the budget's delta, and the number of charges.

        Raises:
            ParameterError: there is no record, and the budget is per subject.
        """
        schema = self.address.schema

        def work(connection: Connection[Any], books: Books) -> Spent:
            if books.budget.per is Per.CORPUS:
                return _counted(books, lines_after(connection, schema, 1)).account(CORPUS).spent(books.budget)
            if record is None:
                raise ParameterError(Problem("record", "none", "a record, as the budget is per subject"))
            hashed = books.hashed(record)
            return _counted(books, found_lines(connection, schema, [hashed], [])).account(hashed).spent(books.budget)

        return self._looked_up(work)

    def worst(self, most: int = 20) -> list[tuple[str, Spent]]:
        """Give the accounts that spent most.

        Args:
            most: how many.

        Returns:
            Hashed record ("corpus" for a ledger per corpus) and what it spent, most first.
        """
        return self._whole().worst(most)

    def charges(self) -> Iterator[Charge]:
        """Give all charges in their order, as an auditor wants them; records are hashed.

        Returns:
            One charge per line.
        """
        first, *lines = self.lines()
        books = Books.opened(first)
        for line in lines:
            yield books.read(line)[0]

    def lines(self) -> list[bytes]:
        """Give every line: those that a ledger file would hold.

        Returns:
            Lines, each with its newline.

        Raises:
            DamagedLedgerError: the ledger does not fit itself.
        """
        return self._looked_up(lambda connection, books: lines_after(connection, self.address.schema, 0))

    def hashed(self, record: str) -> str:
        """Give the name that ``record`` has in this ledger and its exports.

        Args:
            record: as of `charge`.

        Returns:
            Hexadecimal digits.
        """
        return self._looked_up(lambda connection, books: books.hashed(record))

    def verify(self, known_head: str = "") -> Audit:
        """Recompute chain and totals from all lines, and look whether the server still refuses changes.

        A line that this object has seen must be there as well. Never raises for what is wrong with the ledger: the
        audit's ``problems`` say it.

        Args:
            known_head: SHA-256 of a line that must be there; empty: none.

        Returns:
            Totals, and all that is wrong.
        """
        schema = self.address.schema

        def work(connection: Connection[Any]) -> tuple[list[bytes], LedgerHead | None, bool]:
            return lines_after(connection, schema, 0), read_head(connection, schema), is_guarded(connection, schema)

        lines, head, guarded = self._transacted(work, reading=True)
        known = {each for each in (known_head, self._seen.digest if self._seen else "") if each}
        found = audit_of_lines(lines, head or START, known)
        if guarded:
            return found
        return replace(found, problems=(*found.problems, "triggers that refuse changes are gone or switched off"))

    def _whole(self) -> Books:
        first, *lines = self.lines()
        return _counted(Books.opened(first), lines)

    def _charged(self, connection: Connection[Any], requests: Sequence[ChargeRequest]) -> Books:
        """Decide and write under the lock of the head; give the books that result once the transaction is committed."""
        schema, time = self.address.schema, now()
        corpus, self._corpus = self._corpus, None  # until lines and books agree again
        opened, head = self._checked(connection, for_writing=True)
        if opened.budget.per is Per.CORPUS:
            books = corpus or opened
            books = _counted(books, lines_after(connection, schema, books.head.lines))
        else:
            records = [opened.hashed(each.record) for each in requests]
            releases = [each.release_id for each in requests]
            books = _counted(opened, found_lines(connection, schema, records, releases))
        books.head = head
        problems: list[Problem] = []
        lines = []
        for each in requests:
            try:
                charge = books.decided(each.record, each.guarantee, each.release_id, (), time)
            except BudgetError as error:
                problems += error.problems
                continue
            if charge is not None:
                lines.append(charge_line(charge, books.head.digest))
                books.add(charge)
                books.head = books.head.after(lines[-1])
        if problems:
            raise BudgetError(*problems)
        if lines:
            add_lines(connection, schema, head.lines, lines)
        return books

    def _looked_up(self, work: Callable[[Connection[Any], Books], Given]) -> Given:
        """Do work that reads, with the books of the first line."""

        def checked(connection: Connection[Any]) -> tuple[Given, LedgerHead]:
            opened, head = self._checked(connection)
            return work(connection, opened), head

        given, head = self._transacted(checked, reading=True)
        self._seen = self._later(head)
        return given

    def _checked(self, connection: Connection[Any], for_writing: bool = False) -> tuple[Books, LedgerHead]:
        """Give fresh books of the first line, and the head, once all that is new was followed."""
        schema, seen = self.address.schema, self._seen
        head = read_head(connection, schema, for_writing)
        if head is None:
            raise self._damaged("no head")
        if problem := chain_problem(connection, schema, head, seen):
            raise self._damaged(problem)
        if self._opened is None:
            row = connection.execute(statement("SELECT line FROM {s}.ledger_line WHERE number = 1", schema)).fetchone()
            try:
                self._opened = Books.opened(row[0].encode() if row else b"")
            except ValueError as error:
                raise self._damaged(f"line 1: {error}") from error
        first = self._opened
        return Books(first.budget, first.salt, first.head, former_names=first.former_names), head

    def _transacted(self, work: Callable[[Connection[Any]], Given], reading: bool = False) -> Given:
        from psycopg.errors import InvalidSchemaName, UndefinedFunction, UndefinedTable

        def known(connection: Connection[Any]) -> Given:
            try:
                return work(connection)
            except (UndefinedTable, UndefinedFunction, InvalidSchemaName):
                remedy = f"{PRIVACY.command} init {self.address} makes one"
                got = f"no ledger in schema {self.address.schema}"
                raise ParameterError(Problem(str(self.address), got, "a ledger", remedy)) from None

        return self._sessions.transacted(known, reading=reading)

    def _later(self, head: LedgerHead) -> LedgerHead:
        return self._seen if self._seen is not None and self._seen.lines > head.lines else head

    def _damaged(self, what: str) -> DamagedLedgerError:
        remedy = f"nothing is released on its account; see: {PRIVACY.command} verify {self.address}"
        return DamagedLedgerError(Problem(f"ledger {self.address}", what, "an unbroken chain", remedy))


def _counted(books: Books, lines: Iterable[bytes]) -> Books:
    """Add lines that the server has followed, or some of them, to books."""
    for line in lines:
        books.counted(line)
        books.head = books.head.after(line)
    return books


def _ledger_address(address: str | PostgresqlAddress) -> PostgresqlAddress:
    where = address if isinstance(address, PostgresqlAddress) else PostgresqlAddress(address)
    if where.element:
        raise ParameterError(Problem(str(where), f"an address of vectors in {where.element}", FORM))
    return where
