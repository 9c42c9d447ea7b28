"""``privis card``: a signed card of a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from privis.cli.cards.verify_card import image_size_of
from privis.cli.console import explained, out
from privis.errors import ParameterError, Problem
from privis.file_formats import FileFormat, misfit

TableFile = Annotated[
    Path, typer.Argument(metavar="TABLE", help="A table that privis extract or privis release wrote.")
]
KeyFile = Annotated[Path, typer.Option("--key", help="Card key of the site: privis keygen KEY --for card.")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="Card to write; else TABLE.card.json.")]
BudgetLedger = Annotated[Path | None, typer.Option("--ledger", help="Budget ledger that the run was charged to.")]
AnswersLedger = Annotated[Path | None, typer.Option("--answers", help="Ledger of answers about what is in the table.")]
Attacks = Annotated[
    list[Path] | None, typer.Option("--attack", help="JSON file with figures of an attack on it; any number of times.")
]
Declared = Annotated[
    Path | None,
    typer.Option(
        help="TOML file with what you know: site, custody, provenance, cost.predicted, cost.measured, limits."
    ),
]
ImageSize = Annotated[
    str | None, typer.Option("--image-size", metavar="HxW", help="Of the images, where noise is on their pixels.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
_LARGEST = 1 << 24


def card(
    table: TableFile,
    key: KeyFile,
    output: Output = None,
    ledger: BudgetLedger = None,
    answers: AnswersLedger = None,
    attack: Attacks = None,
    declared: Declared = None,
    image_size: ImageSize = None,
    as_json: AsJson = False,
) -> None:
    """Sign a card of a table: what it guarantees, what it is charged to, who saw what, and what it does not show.

    privis card hog.npz --key card.key --ledger budget

    privis verify hog.npz --public-key HEX --ledger budget
    """
    with explained():
        from privis.cards.card_check import beside
        from privis.cards.card_contents import Declaration
        from privis.cards.card_key import CardKey
        from privis.cards.epsilon_check import epsilon_findings
        from privis.cards.ledger_chain import ANSWERS, BUDGET, answers_link, budget_link
        from privis.cards.signed_card import SignedCard
        from privis.cards.table_bytes import content_of
        from privis.io.atomic import check_writable, replacing
        from privis.privacy import Guarantee

        place = output or beside(table)
        check_writable(place)
        signing, content = CardKey.load(key), content_of(table, whole=True)
        size = None if image_size is None else image_size_of(image_size)
        wrong = epsilon_findings(content.card, content.components, size).problems
        if wrong:
            remedy = "nothing is signed that does not follow"
            raise ParameterError(
                Problem(str(table), "; ".join(wrong), "a guarantee that follows from its release", remedy)
            )
        figures = _figures(attack or ())
        known = None if declared is None else Declaration.load(declared)
        chain: dict[str, Any] = {}
        if answers is not None:
            chain[ANSWERS] = answers_link(answers)
        if ledger is not None:
            chain[BUDGET] = budget_link(ledger, Guarantee.from_dict(content.card["guarantee"]))
        time = datetime.now(UTC).isoformat(timespec="seconds")
        made = SignedCard.issued(
            content, signing, time=time, chain=chain, attacks=figures, declared=known, image_size=size
        )
        with replacing(place) as temporary:
            temporary.write_bytes(made.to_bytes())
        if as_json:
            print(json.dumps({"card": str(place), "public_key": signing.public, "table": made.document["table"]}))
            return
        out.print(f"{place}: signed by {signing.public}", markup=False, soft_wrap=True)
        for sentence in made.document["limits"]:
            out.print(str(sentence), markup=False, soft_wrap=True)


def _figures(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """What attacks found, each a JSON document as it was printed."""
    found = []
    for path in paths:
        try:
            if path.stat().st_size > _LARGEST:
                raise ValueError("a file that is too large")
            figures = json.loads(path.read_bytes())
            json.dumps(figures, allow_nan=False)
        except (OSError, ValueError, RecursionError) as error:
            reason = (error.strerror or "an error") if isinstance(error, OSError) else str(error)[:200]
            expected = "figures of an attack, as JSON"
            raise ParameterError(misfit(path, FileFormat.JSON, reason, expected)) from None
        found.append({"file": path.name, "figures": figures})
    return found
