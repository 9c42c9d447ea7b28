"""The contract of a privacy budget."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol, runtime_checkable

from privis.privacy.guarantee import Guarantee
from privis.privacy.ledger.audit import Audit
from privis.privacy.ledger.budget import Budget, BudgetUnit
from privis.privacy.ledger.chain import LedgerHead
from privis.privacy.ledger.composition import Spent
from privis.privacy.ledger.entries import Charge


class Ledger(Protocol):
    """Keeps account of what was released about every record, and refuses what the budget does not allow.

    An implementation must

    - raise ``BudgetError`` *before* anything is sampled: the caller draws no noise until `charge` has
      returned, and a refusal therefore reveals nothing and costs nothing;
    - make the charge durable before it returns: a crash afterwards may waste budget, never overspend it;
    - charge a ``release_id`` once: the same record, guarantee and release_id again is the same release (its
      noise is a keyed function of them) and is free; the same release_id with another guarantee is an error;
    - be safe to share between threads and processes, and never be reset by copying or pickling.
    """

    @property
    def budget(self) -> Budget | None:
        """What may be spent, and by whom: by every image, every person, or the corpus.

        A ledger that has None here, or no such attribute, is not asked: a subject, where one is named, has the account.
        """
        ...

    def charge(self, record: str, guarantee: Guarantee, release_id: str, *, formerly: Sequence[str] = ()) -> None:
        """Charge one release, durably.

        Args:
            record: whose budget it is: an image (`privis.image_record`), a person where the budget is one person's, or
                the name of the corpus for an aggregate.
            guarantee: what the release costs.
            release_id: the same one again is the same release, and free.
            formerly: names that earlier versions gave the same record; what was charged under them still counts.

        Raises:
            BudgetError: it would overspend; nothing is charged.
        """
        ...


@runtime_checkable
class WrittenLedger(Protocol):
    """A ledger whose entries can be asked for later; with it a run that is taken up again knows what it charged."""

    def mark(self) -> str:
        """How far the ledger is written: all that was charged before is at or before this mark.

        Returns:
            The mark: text that `missing` takes.
        """
        ...

    def missing(self, marks: Collection[str], /) -> set[str]:
        """Marks that the ledger does not have, or no more.

        Args:
            marks: that `mark` gave.

        Returns:
            Those of them.
        """
        ...

    def spent(self, record: str, /) -> Spent:
        """Ask what was spent.

        Args:
            record: whose budget it is.

        Returns:
            Epsilon, delta and the number of charges.
        """
        ...


class KeptLedger(Protocol):
    """A ledger that commands show and check, in a file or a database: `Ledger`, `WrittenLedger` and more."""

    @property
    def place(self) -> str:
        """Where it is: a path, or an address."""
        ...

    @property
    def budget(self) -> Budget:
        """What may be spent, and by whom."""
        ...

    @property
    def identity(self) -> str:
        """SHA-256 of the first line."""
        ...

    @property
    def head(self) -> LedgerHead:
        """How far it is written."""
        ...

    @property
    def accounts(self) -> int:
        """How many records, people or corpora have charges."""
        ...

    def charge(self, record: str, guarantee: Guarantee, release_id: str, *, formerly: Sequence[str] = ()) -> None:
        """As of `Ledger`."""
        ...

    def mark(self) -> str:
        """As of `WrittenLedger`."""
        ...

    def missing(self, marks: Collection[str], /) -> set[str]:
        """As of `WrittenLedger`."""
        ...

    def spent(self, record: str | None = None, *, formerly: Sequence[str] = ()) -> Spent:
        """What a record has spent, or the corpus; see `privis.privacy.ledger.file.FileLedger.spent`."""
        ...

    def worst(self, most: int = 20) -> list[tuple[str, Spent]]:
        """The accounts that spent most: hashed record and what it spent."""
        ...

    def charges(self) -> Iterator[Charge]:
        """All charges in their order."""
        ...

    def lines(self) -> list[bytes]:
        """Every line, with its newline."""
        ...

    def hashed(self, record: str) -> str:
        """The name that a record has in it."""
        ...

    def verify(self, known_head: str = "") -> Audit:
        """Recompute chain and totals; never raises for what is wrong with the ledger."""
        ...


def budget_of(ledger: object) -> Budget | None:
    """The budget that ``ledger`` states, also one that wraps another; None where it states none."""
    budget = getattr(ledger, "budget", None)
    return budget if isinstance(budget, Budget) else None


def counts_images(ledger: object) -> bool:
    """Whether ``ledger`` keeps one account per image, whoever is in it."""
    budget = budget_of(ledger)
    return budget is not None and budget.unit is BudgetUnit.IMAGE


def counts_people(ledger: object) -> bool:
    """Whether ``ledger`` keeps one account per person, so that every image needs one."""
    budget = budget_of(ledger)
    return budget is not None and budget.unit is BudgetUnit.PERSON
