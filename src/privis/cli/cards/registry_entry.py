"""``privis card --format dp-registry``: an entry for OpenDP's registry of deployments of differential privacy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privis.cli.cards.attack_figures import attack_figures
from privis.cli.cards.card_subject import subject_at
from privis.cli.cards.verify_card import image_size_of
from privis.cli.console import err, out
from privis.cli.release_files import LedgerPlace
from privis.errors import ParameterError, Problem, refuse
from privis.file_formats import FileFormat, format_of


@dataclass(frozen=True)
class EntryOptions:
    """The options of ``privis card`` that an entry is made of.

    Args:
        table: a table, or a signed card.
        key: card key, which has no place here.
        output: YAML file to write.
        ledger: budget ledger.
        answers: answer ledger.
        attacks: files with figures of attacks.
        declared: TOML file.
        image_size: HEIGHTxWIDTH.
    """

    table: Path
    key: Path | None
    output: Path | None
    ledger: LedgerPlace | None
    answers: Path | None
    attacks: tuple[Path, ...]
    declared: Path | None
    image_size: str | None


def write_entry(options: EntryOptions, as_json: bool) -> None:
    """Write the entry and say where.

    Args:
        options: of the command.
        as_json: one JSON document on stdout.

    Raises:
        ParameterError: something is missing, does not fit or does not follow; nothing is written.
        MissingExtraError: PyYAML is not installed.
    """
    from privis.cards.card_contents import Declaration
    from privis.cards.registry.deployment_entry import deployment_entry
    from privis.cards.registry.entry_file import entry_bytes, name_fits
    from privis.cards.registry.entry_words import EntryWords
    from privis.extras import require
    from privis.io.atomic import check_writable, replacing

    require("registry", "an entry of the registry")
    if options.output is None:
        raise ParameterError(Problem("-o", "nothing", "the YAML file to write, as ward_7_hog_2026.yaml"))
    if options.key is not None:
        remedy = "leave it out; to name who signs, give the signed card instead of the table"
        raise ParameterError(Problem("--key", "given", "none with --format dp-registry, which is not signed", remedy))
    check_writable(options.output)
    known = Declaration() if options.declared is None else Declaration.load(options.declared)
    document = _document(options, known)
    words = EntryWords.of(known.registry, "--declared" if options.declared is None else str(options.declared))
    entry = deployment_entry(document, words)
    written = entry_bytes(entry)
    with replacing(options.output) as temporary:
        temporary.write_bytes(written)
    if not name_fits(options.output):
        said = f"{options.output.name}: the registry takes names of small letters, digits and underscores, as a_b.yaml"
        err.print(said, markup=False, soft_wrap=True)
    if as_json:
        print(json.dumps({"entry": str(options.output), "url_slug": entry["url_slug"]}))
        return
    out.print(f"{options.output}: {entry['url_slug']}, a draft for the registry", markup=False, soft_wrap=True)


def _document(options: EntryOptions, known: Any) -> Mapping[str, Any]:
    """A card of format 2 that follows: as it was signed, or as it would be."""
    from privis.cards.card_check import Against, checked_card
    from privis.cards.epsilon_check import epsilon_findings
    from privis.cards.ledger_chain import ANSWERS, BUDGET, answers_link, budget_link
    from privis.cards.signed_card import FORMAT, OF_CONTENT, unsigned_document
    from privis.privacy import Guarantee

    size = None if options.image_size is None else image_size_of(options.image_size)
    if format_of(options.table) is FileFormat.CARD:
        budget = None if options.ledger is None else options.ledger.file_or_ledger()
        ledgers = {name: place for name, place in ((BUDGET, budget), (ANSWERS, options.answers)) if place}
        check = checked_card(options.table, Against(None, ledgers, size))
        _refuse_problems(options.table, list(check.findings.problems))
        if check.card.get("format") not in (FORMAT, OF_CONTENT):
            remedy = "give the table, which carries it, or sign a card of the table"
            raise ParameterError(Problem(str(options.table), "a card that is not signed", "a signed card", remedy))
        if options.attacks:
            remedy = "give --attack where the card is signed"
            raise ParameterError(Problem("--attack", "with a signed card", "a table with it", remedy))
        return check.card
    content = subject_at(options.table)
    _refuse_problems(options.table, list(epsilon_findings(content.card, content.components, size).problems))
    figures = attack_figures(options.attacks)
    chain: dict[str, Any] = {}
    if options.answers is not None:
        chain[ANSWERS] = answers_link(options.answers)
    if options.ledger is not None:
        chain[BUDGET] = budget_link(options.ledger.file_or_ledger(), Guarantee.from_dict(content.card["guarantee"]))
    return unsigned_document(content, "", chain, figures, known, size)


def _refuse_problems(path: Path, problems: list[str]) -> None:
    remedy = "nothing is registered that does not follow"
    refuse(ParameterError, [Problem(str(path), each, "a guarantee that follows from its release", remedy)
                            for each in problems])  # fmt: skip
