"""What the files of a report say, as it was read: no path of an image, no name of a person, nothing secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Any

from privis.privacy import Guarantee
from privis.report.protection.given.report_declaration import ReportDeclaration
from privis.report.protection.given.reported_attacks import AttackFigure


class Standing(Enum):
    """What a check of a file found."""

    SIGNED = "signed"
    SIGNED_BY_ANYBODY = "signed_by_anybody"
    RECOMPUTED = "recomputed"
    WITHOUT_CARD = "without_card"
    BROKEN = "broken"


@dataclass(frozen=True)
class CheckedFile:
    """One file, what it is and what a check of it found.

    Args:
        name: of the file, without its folder.
        kind: key of the word for it: ``table``, ``card``, ``head``, ``classifier``, ``gallery``, ``index``.
        sha256: of its bytes; empty for a folder.
        standing: of its card.
        guarantee: of what it holds; None: exact, or not stated.
        card: that it carries, or its signed card; empty without one.
        counts: what was counted in it, by name.
        words: of its feature and protection: names, not sentences.
        problems: of the check.
        checked: by the check.
        not_checked: by the check.
        signed_by: public key, hexadecimal.
    """

    name: str
    kind: str
    sha256: str
    standing: Standing
    guarantee: Guarantee | None = None
    card: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    checked: tuple[str, ...] = ()
    not_checked: tuple[str, ...] = ()
    signed_by: str = ""

    @property
    def holds(self) -> bool:
        """Whether no check found anything against it."""
        return self.standing is not Standing.BROKEN

    @property
    def people(self) -> int | None:
        """Persons stored in it; None where it does not store any."""
        return self.counts.get("people") if self.kind in ("gallery", "index") else None


@dataclass(frozen=True)
class BudgetFacts:
    """A budget ledger.

    Args:
        name: of the file.
        epsilon: of the budget.
        delta: of the budget.
        per: ``subject`` or ``corpus``.
        unit: what it protects.
        charges: releases that were charged.
        records: accounts.
        most_spent: epsilon of the account that spent most.
        head: digest of its last line.
        problems: that a check of the chain found.
    """

    name: str
    epsilon: float
    delta: float
    per: str
    unit: str
    charges: int
    records: int
    most_spent: float
    head: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class AnswerFacts:
    """A ledger of answers.

    Args:
        name: of the file.
        accounts: clients and galleries.
        decisions: that were given.
        scores: that were given.
        most: answers to one client about one gallery.
        head: digest of its last line.
        problems: that a check of the chain found.
    """

    name: str
    accounts: int
    decisions: int
    scores: int
    most: int
    head: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportEvidence:
    """Everything that a report is made of.

    Args:
        files: that it is about.
        attacks: figures of attacks that ran.
        budgets: ledgers of releases.
        answers: ledgers of answers.
        declared: what only the user can know.
        uses: fields of use: keys of ``use`` in the messages; empty: not stated.
        made: day of the report.
    """

    files: tuple[CheckedFile, ...]
    attacks: tuple[AttackFigure, ...]
    budgets: tuple[BudgetFacts, ...]
    answers: tuple[AnswerFacts, ...]
    declared: ReportDeclaration
    uses: tuple[str, ...]
    made: date

    @property
    def people(self) -> int | None:
        """Persons stored in all galleries and indexes together, one counted as often as it is stored."""
        stored = [each.people for each in self.files if each.people is not None]
        return sum(stored) if stored else None
