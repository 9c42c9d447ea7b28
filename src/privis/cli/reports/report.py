"""``privis report``: one page on what protects images, for whoever answers for it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from privis.cli.cards.verify_card import CardWords
from privis.cli.console import err, explained, out
from privis.errors import ParameterError, Problem, refuse
from privis.file_formats import FileFormat, format_of, misfit

Files = Annotated[
    list[Path],
    typer.Argument(metavar="FILES…", help="Tables, cards, classifiers, galleries of faces, search indexes, ledgers."),
]
Output = Annotated[Path, typer.Option("-o", "--output", help="Page to write: one HTML file, which prints on A4.")]
LanguageName = Annotated[str, typer.Option("--language", metavar="en|zh", help="Language of the page.")]
Attacks = Annotated[
    list[Path] | None,
    typer.Option("--attack", help="What privis attack --json printed; any number of times."),
]
Ledgers = Annotated[
    list[Path] | None, typer.Option("--ledger", help="Budget ledger of the releases; any number of times.")
]
Answers = Annotated[list[Path] | None, typer.Option("--answers", help="Ledger of answers; any number of times.")]
Declared = Annotated[
    Path | None,
    typer.Option(help="TOML file with what only you know: site, purpose, necessity, people, recipients, custody, …"),
]
Uses = Annotated[
    list[str] | None,
    typer.Option(
        "--use", metavar="FIELD", help="security, medical, finance or retrieval: which annexes it has; else all."
    ),
]
PublicKey = Annotated[
    str | None, typer.Option("--public-key", metavar="HEX", help="Of the site that is meant to have signed cards.")
]
ImageSize = Annotated[
    str | None, typer.Option("--image-size", metavar="HxW", help="Of the images, where noise is on their pixels.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]

T = TypeVar("T")


def report(
    files: Files,
    output: Output,
    language: LanguageName = "en",
    attack: Attacks = None,
    ledger: Ledgers = None,
    answers: Answers = None,
    declared: Declared = None,
    use: Uses = None,
    public_key: PublicKey = None,
    image_size: ImageSize = None,
    as_json: AsJson = False,
) -> None:
    """Write a report: what was done, what it guarantees, what attackers reached, who holds keys, and the annexes.

    privis report hog.parquet --ledger budget --attack found.json --declared ward.toml -o report.html

    privis report faces.gallery --use security --language zh -o baogao.html

    Annexes stand under the headings of ISO/IEC 27559, NIST SP 800-226, GDPR Article 35, China's face rule, PIPL 55 and
    56, and HIPAA. Every statement says how it is known. A card that does not verify is shown as such.
    """
    with explained():
        from datetime import date

        from privis.attack.attack_finding import FORMAT
        from privis.cli.reports.report_attacks import attacks_of_others, refuted
        from privis.cli.reports.report_files import (
            LEDGERS,
            FileVerifier,
            answer_facts,
            budget_facts,
            checked_file,
            signed_attacks,
            without_doubles,
        )
        from privis.io.atomic import check_writable
        from privis.report.protection.given.report_declaration import ReportDeclaration
        from privis.report.protection.given.report_evidence import ReportEvidence
        from privis.report.protection.given.reported_attacks import figures_of_file
        from privis.report.protection.protection_report import USES, written
        from privis.report.protection.report_words import Language

        words = CardWords(None, public_key, None, None, image_size)
        problems = _worded(language, use or (), [each.value for each in Language], USES)
        collect = _Collector(problems)
        collect.from_call(words.check)
        budgets, answered = list(ledger or ()), list(answers or ())
        about = [path for path in files if format_of(path) not in LEDGERS]
        for path in files:
            if (found := format_of(path)) in LEDGERS:
                (budgets if found is FileFormat.LEDGER else answered).append(path)
        named = [*files, *budgets, *answered, *(attack or ()), *([] if declared is None else [declared])]
        problems += _would_replace(output, named)
        problems += _no_ledgers(budgets, FileFormat.LEDGER) + _no_ledgers(answered, FileFormat.ANSWER_LEDGER)
        figures = [
            each
            for path in attack or ()
            for each in collect.from_call(lambda path=path: figures_of_file(path, FORMAT)) or ()
        ]
        said = None if declared is None else collect.from_call(lambda: ReportDeclaration.load(declared))
        if not about:
            expected, remedy = "at least one table, card, classifier, gallery or index", "name what the report is about"
            problems.append(Problem("FILES", "ledgers alone", expected, remedy))
        verifier = FileVerifier()
        if not problems:
            verifier = FileVerifier(
                public_key, tuple(dict.fromkeys(budgets)), tuple(dict.fromkeys(answered)), words.size
            )
        checked = [collect.from_call(lambda path=path: checked_file(path, verifier)) for path in dict.fromkeys(about)]
        found_files = tuple(each for each in checked if each is not None)
        if len(found_files) == len(checked):
            problems += attacks_of_others(attack or (), found_files)
        refuse(ParameterError, problems)
        check_writable(output)
        found_files = refuted(attack or (), found_files)
        signed = [each for file in found_files for each in signed_attacks(file)]
        evidence = ReportEvidence(
            found_files, without_doubles([*figures, *signed]), tuple(map(budget_facts, verifier.budgets)),
            tuple(map(answer_facts, verifier.answers)), said or ReportDeclaration(), tuple(dict.fromkeys(use or ())),
            date.today(),
        )  # fmt: skip
        written(evidence, Language(language), output)
        if as_json:
            told = [{"file": each.name, "kind": each.kind, "standing": each.standing.value} for each in found_files]
            print(json.dumps({"report": str(output), "language": language, "files": told,
                              "attacks": len(evidence.attacks), "stored_people": evidence.people}))  # fmt: skip
            return
        for each in found_files:
            if not each.holds:
                err.print(f"privis: {each.name} does not verify, and is shown so", markup=False, soft_wrap=True)
        out.print(f"{output}: open it in a browser; printed, it is A4", markup=False, soft_wrap=True)


class _Collector:
    """Notes what calls refuse, so that all of it is said at once."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    def from_call(self, call: Callable[[], T]) -> T | None:
        try:
            return call()
        except ParameterError as error:
            self.problems += error.problems
            return None


def _worded(language: str, uses: Iterable[str], languages: list[str], known: tuple[str, ...]) -> list[Problem]:
    problems = []
    if language not in languages:
        problems.append(Problem("--language", repr(language)[:80], f"one of {', '.join(languages)}"))
    problems += [Problem("--use", repr(each)[:80], f"one of {', '.join(known)}") for each in uses if each not in known]
    return problems


def _would_replace(output: Path, named: Iterable[Path]) -> list[Problem]:
    """Refuse to write over what the report is made of."""
    place = os.path.realpath(output)
    remedy = "choose another name for the report"
    return [
        Problem("-o", f"{output}, which the report is made of", "a new file", remedy)
        for path in dict.fromkeys(named)
        if os.path.realpath(path) == place
    ]


def _no_ledgers(paths: Iterable[Path], form: FileFormat) -> list[Problem]:
    return [misfit(path, form, "another file", str(form)) for path in paths if format_of(path) is not form]
