"""What ties a card to ledgers: their identities, and the SHA-256 of the line that was the last when it was charged.

Each line of a ledger holds the digest of the one before it, so that this digest stands for all that was charged until
then: no line before it can be changed, left out or put in without another digest. What was charged later does not
matter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from privis.cards.findings import Findings
from privis.errors import DamagedLedgerError, ParameterError, Problem
from privis.file_formats import FileFormat, format_of, misfit
from privis.privacy import AnswerLedger, FileLedger, Guarantee
from privis.privacy.ledger.audit import Audit
from privis.privacy.ledger.chain import START, complete_lines
from privis.privacy.ledger.entries import Books, Charge
from privis.privacy.ledger.ledger_protocol import KeptLedger

BUDGET, ANSWERS = "budget", "answers"
_FORMS = {BUDGET: FileFormat.LEDGER, ANSWERS: FileFormat.ANSWER_LEDGER}


LedgerAt = Path | KeptLedger
"""A file that is meant to be a ledger, or a ledger that was opened."""


def budget_link(place: LedgerAt, guarantee: Guarantee) -> dict[str, Any]:
    """Tie a card to the ledger that its release was charged to.

    Args:
        place: of the ledger.
        guarantee: of the card.

    Returns:
        The ledger's identity, how many lines it had and the digest of the last one when the release was charged for the
        last time, how many charges of it there are until then, and the budget.

    Raises:
        DamagedLedgerError: the ledger does not fit itself.
        ParameterError: it holds no charge of this guarantee.
    """
    ledger = FileLedger(_of_form(place, BUDGET)) if isinstance(place, Path) else place
    head, count, last = START, 0, None
    books: Books | None = None
    for line in ledger.lines():
        if books is None:
            books = Books.opened(line)
        elif _is_of(books.read(line)[0], guarantee):
            count, last = count + 1, head.after(line)
        head = head.after(line)
    if last is None:
        got = f"no charge of epsilon {guarantee.epsilon:g} for {guarantee.unit} by {guarantee.mechanism}"
        remedy = "give the ledger that the run was charged to, or no ledger"
        raise ParameterError(Problem(ledger.place, got, "the ledger that the release was charged to", remedy))
    budget = ledger.budget
    return {
        "ledger": ledger.identity, "lines": last.lines, "head": last.digest, "charges": count,
        "epsilon": budget.epsilon, "delta": budget.delta, "per": budget.per.value, "unit": budget.unit.value,
    }  # fmt: skip


def answers_link(path: Path) -> dict[str, Any]:
    """Tie a card to a ledger of answers as it is now.

    Args:
        path: of the ledger.

    Returns:
        Its identity, how many lines it has and the digest of the last one.

    Raises:
        DamagedLedgerError: the ledger does not fit itself.
    """
    ledger = AnswerLedger(_of_form(path, ANSWERS))
    head = ledger.head
    return {"ledger": ledger.identity, "lines": head.lines, "head": head.digest}


def chain_findings(
    chain: Mapping[str, Any], given: Mapping[str, LedgerAt], guarantee: Guarantee | None = None
) -> Findings:
    """Compare a card's chain with ledgers.

    Args:
        chain: of the card, by `BUDGET` and `ANSWERS`.
        given: ledgers, by the same names.
        guarantee: of the card.

    Returns:
        What does not fit, and which ledger was not given.

    Raises:
        OutputError: a ledger cannot be read.
        ParameterError: a file is no such ledger.
    """
    found = Findings()
    for name, place in given.items():
        if isinstance(place, Path):
            _of_form(place, name)  # another kind of file is a mistake, not a card that does not hold
    for name, form in _FORMS.items():
        link, place = chain.get(name), given.get(name)
        if place is None:
            missing = (
                f"the chain: {form} was not given"
                if link
                else f"the card is chained to no {str(form).split(maxsplit=1)[1]}"
            )
            found += Findings(not_checked=(missing,))
        elif not link:
            found += Findings((f"the card is not chained to {_named(place)}",))
        else:
            found += _compared(name, link, place, guarantee)
    return found


def audited(path: Path) -> Audit:
    """Recompute the chain of a ledger of either kind.

    Args:
        path: of the ledger.

    Returns:
        Totals, and all that is wrong.

    Raises:
        ParameterError: it is none.
    """
    return AnswerLedger(path).verify() if format_of(path) is FileFormat.ANSWER_LEDGER else FileLedger(path).verify()


def _compared(name: str, link: Mapping[str, Any], place: LedgerAt, guarantee: Guarantee | None) -> Findings:
    path = _named(place)
    audit = audited(place) if isinstance(place, Path) else place.verify()
    problems = [f"{path}: {problem}" for problem in audit.problems]
    lines = list(complete_lines(place.read_bytes())) if isinstance(place, Path) else _lines_of(place)
    number = link["lines"]
    digests = [hashlib.sha256(line).hexdigest() for line in lines]
    if not digests or digests[0] != link["ledger"]:
        problems.append(f"{path} is another ledger than the card is chained to")
    elif not (isinstance(number, int) and 1 <= number <= len(lines) and digests[number - 1] == link["head"]):
        problems.append(f"line {number} of {path} is not the one that the card is chained to")
    elif name == BUDGET and guarantee is not None:
        problems += _budget_problems(link, path, lines[:number], guarantee)
    return Findings(tuple(problems), (f"the chain of {path}, to line {number}",))


def _named(place: LedgerAt) -> str:
    return str(place) if isinstance(place, Path) else place.place


def _lines_of(ledger: KeptLedger) -> list[bytes]:
    try:
        return ledger.lines()
    except DamagedLedgerError:
        return []  # the audit says why


def _budget_problems(link: Mapping[str, Any], path: str, lines: list[bytes], guarantee: Guarantee) -> list[str]:
    try:
        books = Books.opened(lines[0])
        charges = sum(_is_of(books.read(line)[0], guarantee) for line in lines[1:])
    except ValueError as error:
        return [f"{path}: {error}"]
    budget = books.budget
    said = (link["charges"], link["epsilon"], link["delta"], link["per"], link["unit"])
    if said == (charges, budget.epsilon, budget.delta, budget.per.value, budget.unit.value) and charges:
        return []
    return [f"{path} holds {charges} charges of this guarantee, under a budget of epsilon {budget.epsilon:g}"]


def _is_of(charge: Charge, guarantee: Guarantee) -> bool:
    """Whether a charge is of this guarantee, or of one of its images, which the guarantee is the weakest of."""
    said = (charge.unit, charge.mechanism, charge.nominal_epsilon)
    same = said == (guarantee.unit, guarantee.mechanism, guarantee.epsilon)
    return same and charge.nominal_delta <= guarantee.delta


def _of_form(path: Path, name: str) -> Path:
    """The path, if that is a ledger of this kind, whatever is wrong inside."""
    found = format_of(path)
    damaged = found is FileFormat.UNKNOWN and path.is_file()
    if found is not _FORMS[name] and not damaged:
        raise ParameterError(misfit(path, _FORMS[name], str(found)))
    return path
