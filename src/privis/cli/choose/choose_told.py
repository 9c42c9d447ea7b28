"""What ``privis choose`` says: tables and sentences for people, one document for programs."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from privis.choose.precedents import Precedents
from privis.choose.recommend import Recommendation
from privis.choose.way import AdmissibleWay
from privis.cli.console import out

MOST_SHOWN = 12
_MIB = 1 << 20


def document_of(answer: Recommendation) -> dict[str, Any]:
    """Give an answer as JSON.

    Args:
        answer: that was found.

    Returns:
        The document.
    """
    best = answer.recommended
    return {
        "recommended": None if best is None else {**_choice(answer, best), "why": answer.why},
        "alternatives": [_choice(answer, choice) for choice in answer.choices[1:]],
        "excluded": [{"what": one.what, "why": one.why} for one in answer.excluded],
        "rules": [{"rule": rule.rule, "agrees": rule.agrees, "told": rule.told} for rule in answer.rules],
        "why": answer.why,
        "solved": answer.solved or None,
    }


def _choice(answer: Recommendation, choice: AdmissibleWay) -> dict[str, Any]:
    accuracy, way = choice.accuracy, choice.way
    return {
        "command": choice.command,
        "before": list(choice.before),
        "feature": way.feature,
        "under": way.under.value,
        "release": way.release.value,
        "extracted_by": way.extracted_by.value,
        "seconds": round(answer.seconds(choice), 4),
        "seconds_an_image": round(answer.seconds(choice) / max(1, choice.images), 4),
        "seconds_without_network": round(choice.cost.seconds, 4),
        "memory_mib": round(choice.cost.memory / _MIB, 1),
        "megabytes": round(choice.cost.sent / 1e6, 4),
        "rounds": choice.cost.rounds,
        "joules": choice.cost.joules,
        "basis": choice.cost.basis,
        "epsilon": choice.epsilon,
        "unit": None if choice.epsilon is None else answer.job.unit,
        "accuracy": None if accuracy is None else {
            "metric": accuracy.metric, "value": accuracy.value, "low": accuracy.low, "high": accuracy.high,
            "set": accuracy.set, "epsilon": accuracy.epsilon, "source": accuracy.page, "command": accuracy.command,
            "date": accuracy.date,
        },
        "signal_to_noise": choice.signal,
    }  # fmt: skip


def tell(answer: Recommendation) -> None:
    """Print an answer for people.

    Args:
        answer: that was found.
    """
    out.print(answer.why, markup=False, soft_wrap=True)
    if answer.solved:
        out.print(f"{answer.solved[0].upper()}{answer.solved[1:]}.", markup=False, soft_wrap=True)
    best = answer.recommended
    if best is not None:
        for line in (*best.before, best.command):
            out.print(f"  {line}", markup=False, soft_wrap=True)
        out.print(f"Predicted from {best.cost.basis}.", markup=False, soft_wrap=True)
        if best.accuracy is not None:
            out.print(f"Measured: {best.accuracy.words}.", markup=False, soft_wrap=True)
        out.print(_table(answer))
        if len(answer.choices) > MOST_SHOWN:
            out.print(f"and {len(answer.choices) - MOST_SHOWN} more; --json has all")
    for rule in answer.rules:
        said = {True: "agrees", False: "disagrees", None: "open"}[rule.agrees]
        out.print(f"Rule, {rule.rule}: {said}: {rule.told}.", markup=False, soft_wrap=True)
    if answer.excluded:
        table = Table("excluded", "why")
        for one in answer.excluded:
            table.add_row(escape(one.what), escape(one.why))
        out.print(table)


def _table(answer: Recommendation) -> Table:
    table = Table("way", "seconds", "MiB", "MB sent", "rounds", "epsilon", "accuracy", "joules")
    for choice in answer.choices[:MOST_SHOWN]:
        accuracy = "not measured" if choice.accuracy is None else f"{choice.accuracy.value:.3g} ({choice.accuracy.set})"
        table.add_row(
            escape(choice.way.words), f"{answer.seconds(choice):.3g}", f"{choice.cost.memory / _MIB:,.0f}",
            f"{choice.cost.sent / 1e6:.3g}", f"{choice.cost.rounds:,}",
            "" if choice.epsilon is None else f"{choice.epsilon:g}", accuracy,
            "no counter" if choice.cost.joules is None else f"{choice.cost.joules:.3g}",
        )  # fmt: skip
    return table


def precedents_document(found: Precedents, sector: str | None) -> dict[str, Any]:
    """Give the precedents as JSON.

    Args:
        found: the pinned copy.
        sector: of the deployments; None: all.

    Returns:
        The document.
    """
    rows = [
        {
            "name": one.name, "curators": list(one.curators), "sector": one.sector, "published": one.published,
            "variant": one.variant, "model": one.model, "unit": one.unit, "epsilon": one.epsilon, "delta": one.delta,
            "rho": one.rho, "status": one.status,
        }
        for one in found.of_sector(sector)
    ]  # fmt: skip
    return {"source": found.source, "commit": found.commit, "date": found.date, "deployments": rows}


def tell_precedents(found: Precedents, sector: str | None) -> None:
    """Print what others chose.

    Args:
        found: the pinned copy.
        sector: of the deployments; None: all.
    """
    table = Table("deployment", "who", "epsilon", "delta", "rho", "unit", "model", "published", "status")
    for one in found.of_sector(sector):
        numbers = ("" if value is None else f"{value}" for value in (one.epsilon, one.delta, one.rho))
        words = (one.unit or "not stated", one.model or "", one.published, one.status)
        table.add_row(escape(one.name), escape(", ".join(one.curators)), *map(escape, numbers), *map(escape, words))
    out.print(table)
    said = f"{found.source} at {found.commit[:12]} of {found.date} ({found.licence})"
    out.print(f"{said}. Units differ, so epsilons do not compare: read unit and model first.", markup=False)
