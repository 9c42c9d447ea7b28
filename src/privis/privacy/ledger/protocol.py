"""The contract of a privacy budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from privis.privacy.guarantee import Guarantee
from privis.privacy.ledger.budget import Budget, BudgetUnit


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

    def charge(self, record: str, guarantee: Guarantee, release_id: str, *, formerly: Sequence[str] = ()) -> None:
        """Charge one release of ``record``; raises ``BudgetError`` when it would overspend.

        ``record`` is whose budget it is: an image (`privis.image_record`), a person where the budget
        is one person's, or the name of the corpus for an aggregate. ``formerly``, passed where there are any, are
        names that earlier versions gave the same record: what was charged under them still counts.
        """
        ...


def counts_images(ledger: object) -> bool:
    """Whether ``ledger`` keeps one account per image, whoever is in it.

    A ledger that states no budget of its own is not asked: there a subject, where one is named, has the account.
    """
    return _budget_unit(ledger) is BudgetUnit.IMAGE


def counts_people(ledger: object) -> bool:
    """Whether ``ledger`` keeps one account per person, so that every image needs one: also one that wraps another."""
    return _budget_unit(ledger) is BudgetUnit.PERSON


def _budget_unit(ledger: object) -> BudgetUnit | None:
    budget = getattr(ledger, "budget", None)
    return budget.unit if isinstance(budget, Budget) else None
