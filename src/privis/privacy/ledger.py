"""The contract of a privacy budget."""

from __future__ import annotations

from typing import Protocol

from privis.privacy.guarantee import Guarantee


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

    def charge(self, record: str, guarantee: Guarantee, release_id: str) -> None:
        """Charge one release of ``record``; raises ``BudgetError`` when it would overspend.

        ``record`` is whose budget it is: a person where images have subjects, otherwise the image, or the name of the
        corpus for an aggregate.
        """
        ...
