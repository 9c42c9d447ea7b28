"""``privis card``: a signed card of a table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from privis.cli.cards.attack_figures import attack_figures
from privis.cli.cards.card_subject import subject_at
from privis.cli.cards.registry_entry import EntryOptions, write_entry
from privis.cli.cards.run_cost import run_cost
from privis.cli.cards.verify_card import image_size_of
from privis.cli.console import explained, out
from privis.cli.release_files import LedgerPlace
from privis.errors import ParameterError, Problem, refuse


class CardForm(StrEnum):
    """What ``privis card`` writes."""

    SIGNED = "signed"
    REGISTRY = "dp-registry"


TableFile = Annotated[
    Path,
    typer.Argument(
        metavar="TABLE",
        help="A table that privis extract or privis release wrote, or a classifier; of dp-registry also a signed card.",
    ),
]
KeyFile = Annotated[
    Path | None, typer.Option("--key", help="Card key of the site: privis keygen KEY --for card. Needed to sign.")
]
Form = Annotated[
    CardForm,
    typer.Option("--format", help="A signed card, or an entry (YAML) for OpenDP's registry of deployments."),
]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", help="File to write; else TABLE.card.json. Needed for dp-registry, .yaml."),
]
BudgetLedger = Annotated[
    LedgerPlace | None,
    typer.Option(
        "--ledger",
        metavar="PATH",
        parser=LedgerPlace,
        help="Budget ledger that the run was charged to.",
    ),
]
AnswersLedger = Annotated[Path | None, typer.Option("--answers", help="Ledger of answers about what is in the table.")]
Attacks = Annotated[
    list[Path] | None, typer.Option("--attack", help="JSON file with figures of an attack on it; any number of times.")
]
Declared = Annotated[
    Path | None,
    typer.Option(
        help="TOML file with what you know: site, custody, provenance, cost.predicted, cost.measured, limits, "
        "registry (for dp-registry: all that is missing is told at once)."
    ),
]
ImageSize = Annotated[
    str | None, typer.Option("--image-size", metavar="HxW", help="Of the images, where noise is on their pixels.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def card(
    table: TableFile,
    key: KeyFile = None,
    output: Output = None,
    form: Form = CardForm.SIGNED,
    ledger: BudgetLedger = None,
    answers: AnswersLedger = None,
    attack: Attacks = None,
    declared: Declared = None,
    image_size: ImageSize = None,
    as_json: AsJson = False,
) -> None:
    """Sign a card of a table or a classifier: its guarantee, its ledgers, who saw what, and what it does not show.

    privis card hog.npz --key card.key --ledger budget

    privis verify hog.npz --public-key HEX --ledger budget

    privis card hog.npz --format dp-registry --declared words.toml -o ward_7_hog_2026.yaml
    """
    with explained():
        if form is CardForm.REGISTRY:
            options = EntryOptions(table, key, output, ledger, answers, tuple(attack or ()), declared, image_size)
            write_entry(options, as_json)
            return
        if key is None:
            remedy = "privis keygen KEY --for card makes one; --format dp-registry needs none"
            raise ParameterError(Problem("--key", "nothing", "the card key of the site, which signs", remedy))
        from privis.cards.card_check import beside
        from privis.cards.card_contents import Declaration
        from privis.cards.card_key import CardKey
        from privis.cards.epsilon_check import epsilon_findings
        from privis.cards.ledger_chain import ANSWERS, BUDGET, answers_link, budget_link
        from privis.cards.signed_card import SignedCard
        from privis.io.atomic import check_writable, replacing
        from privis.privacy import Guarantee

        place = output or beside(table)
        check_writable(place)
        signing, content = CardKey.load(key), subject_at(table)
        size = None if image_size is None else image_size_of(image_size)
        wrong = epsilon_findings(content.card, content.components, size).problems
        if wrong:
            remedy = "nothing is signed that does not follow"
            raise ParameterError(
                Problem(str(table), "; ".join(wrong), "a guarantee that follows from its release", remedy)
            )
        figures = attack_figures(attack or ())
        _refuse_contradictions({**content.card, content.key: content.described()}, figures)
        known = None if declared is None else Declaration.load(declared)
        chain: dict[str, Any] = {}
        if answers is not None:
            chain[ANSWERS] = answers_link(answers)
        if ledger is not None:
            chain[BUDGET] = budget_link(ledger.file_or_ledger(), Guarantee.from_dict(content.card["guarantee"]))
        time = datetime.now(UTC).isoformat(timespec="seconds")
        made = SignedCard.issued(
            content,
            signing,
            time=time,
            chain=chain,
            attacks=figures,
            declared=known,
            image_size=size,
            cost=run_cost(content.card, getattr(content, "rows", None)),
        )
        with replacing(place) as temporary:
            temporary.write_bytes(made.to_bytes())
        if as_json:
            print(json.dumps({"card": str(place), "public_key": signing.public, content.key: made.content}))
            return
        out.print(f"{place}: signed by {signing.public}", markup=False, soft_wrap=True)
        for sentence in made.document["limits"]:
            out.print(str(sentence), markup=False, soft_wrap=True)


def _refuse_contradictions(card: Mapping[str, Any], figures: list[dict[str, Any]]) -> None:
    """ParameterError where an attack refutes what would be signed, or attacked something else."""
    from privis.cards.attack_check import attack_findings

    remedy = "give figures of attacks on this very output, and look for what is wrong with its noise"
    problems = attack_findings({**card, "attacks": figures}).problems
    expected = "figures that do not contradict its guarantee"
    refuse(ParameterError, [Problem("--attack", each, expected, remedy) for each in problems])
