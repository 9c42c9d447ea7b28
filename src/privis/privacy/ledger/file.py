"""A privacy budget in a file that processes share, which is never overspent and never forgets."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from typing import Self

from privis.errors import ParameterError, Problem
from privis.privacy.guarantee import Guarantee
from privis.privacy.ledger.budget import Budget, Per
from privis.privacy.ledger.chained_file import ChainedFile, now
from privis.privacy.ledger.composition import Spent
from privis.privacy.ledger.disk import PRIVACY
from privis.privacy.ledger.entries import CORPUS, Books, Charge, charge_line, first_line


class FileLedger(ChainedFile[Books]):
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

    words = PRIVACY
    opened = Books.opened

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
        return cls._created(path, first_line(budget, secrets.token_hex(16), now()))

    @property
    def place(self) -> str:
        """Where it is: the path, made absolute."""
        return str(self.path)

    @property
    def budget(self) -> Budget:
        """The budget that the ledger was made with."""
        with self._looked_up() as books:
            return books.budget

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
        with self._locked(os.O_RDWR) as files:
            books = self._caught_up(files, repair=True)
            charge = books.decided(record, guarantee, release_id, formerly, now())
            if charge is not None:
                self._append(files, books, charge_line(charge, books.head.digest))

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
            return books.worst(most)

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
        lines = self.lines()
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
