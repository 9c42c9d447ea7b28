"""Budgets that a ledger holds, spent and left, as ``privis ledger show`` has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from privis.cli.release_files import LedgerPlace
from privis.errors import ParameterError, Problem
from privis.privacy.guarantee import shown

_MOST = 50


def budget_view(body: Mapping[str, Any], language: str) -> dict[str, Any]:
    """Say what a ledger's accounts have spent, those that spent most first.

    Args:
        body: ``ledger``: the path of one.
        language: of the page; accounts have no words.

    Returns:
        For JSON: the budget, how many accounts there are, and the first of them.

    Raises:
        ParameterError: there is no ledger.
    """
    path = body.get("ledger")
    if not isinstance(path, str) or not path.strip():
        raise ParameterError(Problem("ledger", "nothing", "the path or address of a ledger, of privis ledger init"))
    place = LedgerPlace(path.strip())
    opened = (place if place.is_address else LedgerPlace(str(Path(place.text).expanduser()))).opened()
    budget = opened.budget
    accounts = [
        {
            "account": name[:16],
            "spent": shown(spent.epsilon),
            "left": f"{max(0.0, budget.epsilon - spent.epsilon):.4g}",
            "share": min(1.0, spent.epsilon / budget.epsilon),
            "charges": spent.charges,
        }
        for name, spent in opened.worst(_MOST)
    ]
    return {
        "epsilon": shown(budget.epsilon),
        "delta": budget.delta,
        "per": budget.per.value,
        "unit": budget.unit.value,
        "total": opened.accounts,
        "accounts": accounts,
    }
