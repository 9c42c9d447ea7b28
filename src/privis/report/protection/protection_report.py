"""The report of what protects images: from evidence to one page in a language, written whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from privis.errors import OutputError
from privis.io.atomic import replacing, unwritable
from privis.report.elements import bound
from privis.report.protection.given.report_evidence import CheckedFile, ReportEvidence
from privis.report.protection.report_blocks import Block, Fact, Facts, Grid, Note, Section, StatementKind
from privis.report.protection.report_document import document
from privis.report.protection.report_figures import figure_text
from privis.report.protection.report_words import Html, Language, Words
from privis.report.protection.sections.law_annexes import (
    dates_and_sources,
    face_rule,
    gdpr_35,
    hipaa_expert,
    pipl_55_56,
)
from privis.report.protection.sections.risk_sections import risk_sections
from privis.report.protection.sections.standard_annexes import iso_27559, nist_800_226
from privis.report.protection.sections.use_sections import use_sections
from privis.report.protection.sections.work_sections import has_guarantee, unit_words, work_sections
from privis.version import VERSION

USES = ("security", "medical", "finance", "retrieval")
"""Fields of use that a report may be for; they decide which annexes it has."""

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What turns a line round or moves a terminal's cursor: no name and no declaration needs it."""


def rendered(evidence: ReportEvidence, language: Language) -> str:
    """Make the page.

    Args:
        evidence: of the report.
        language: of the page.

    Returns:
        An HTML document that refers to nothing outside itself and runs no script.
    """
    words = Words.of(language)
    title = words.say("document.title", {"name": _subject(evidence, words)})
    sections = [*work_sections(evidence, words), *use_sections(evidence, words), *risk_sections(evidence, words)]
    foot = words.say("document.foot", {"version": VERSION, "day": evidence.made.isoformat()})
    page = document(title, tuple(_head(evidence, words)), sections, _annexes(evidence, words), foot, words)
    return _CONTROL.sub("\ufffd", page)


def written(evidence: ReportEvidence, language: Language, path: Path) -> None:
    """Write the page to a file, whole or not at all.

    Args:
        evidence: of the report.
        language: of the page.
        path: of the file.

    Raises:
        OutputError: it cannot be written.
    """
    page = rendered(evidence, language)
    try:
        with replacing(path) as temporary:
            temporary.write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise error if isinstance(error, OutputError) else unwritable(path, error) from error


def _subject(evidence: ReportEvidence, words: Words) -> Html:
    first = words.plain(evidence.files[0].name)
    others = len(evidence.files) - 1
    return first if not others else words.say("document.and_more", {"first": first, "others": others})


def _head(evidence: ReportEvidence, words: Words) -> Iterator[Block]:
    """What somebody reads who reads no further."""
    site = evidence.declared.sentences.get("site")
    uses = Html(words.messages["between.items"].join(words.say(f"use.{each}") for each in evidence.uses))
    facts = [Fact(words.say("head.label.day"), words.plain(evidence.made.isoformat()), StatementKind.MEASURED)]
    if site:
        facts.append(Fact(words.say("head.label.site"), words.original(site), StatementKind.DECLARED))
    if evidence.uses:
        facts.append(Fact(words.say("head.label.use"), uses, StatementKind.DECLARED))
    yield Facts(tuple(facts))
    broken = [each for each in evidence.files if not each.holds]
    for each in broken:
        problems = Html("; ".join(words.translated(problem) for problem in each.problems))
        yield Note(words.say("head.broken", {"name": each.name, "problems": problems}), True, StatementKind.MEASURED)
    heads = tuple(words.say(f"head.grid.{key}") for key in ("file", "kind", "unit", "epsilon", "whole", "standing"))
    rows = tuple(_row(each, words) for each in evidence.files)
    yield Grid(words.say("head.caption"), heads, rows, None, frozenset({3, 4}))
    signed = all(each.signed for each in evidence.attacks)
    yield Note(
        _strongest_attack(evidence, words),
        kind=StatementKind.DECLARED if signed and evidence.attacks else StatementKind.MEASURED,
    )
    yield Grid(
        words.say("kinds.caption"),
        (words.say("kinds.head.kind"), words.say("kinds.head.means")),
        tuple(
            (Html(f'<span class="kind {kind.value}">{words.say(f"kind.{kind.value}")}</span>'),
             words.say(f"kinds.{kind.value}")) for kind in StatementKind
        ),
    )  # fmt: skip


def _row(file: CheckedFile, words: Words) -> tuple[Html, ...]:
    kind = words.say(f"kind_of_file.{file.kind}")
    standing = words.say(f"standing.{file.standing.value}")
    if not file.holds:
        return words.plain(file.name), kind, words.say("head.not_shown"), Html("–"), Html("–"), standing
    if not has_guarantee(file) or file.guarantee is None:
        return words.plain(file.name), kind, words.say("head.exact"), Html("∞"), Html("∞"), standing
    whole = words.plain(bound(file.guarantee.whole_image_epsilon))
    epsilon = words.plain(bound(file.guarantee.epsilon))
    return words.plain(file.name), kind, unit_words(file.guarantee, words), epsilon, whole, standing


def _strongest_attack(evidence: ReportEvidence, words: Words) -> Html:
    found = [each for each in evidence.attacks if each.is_share]
    if not evidence.attacks:
        return words.say("head.no_attack")
    if not found:
        return words.say("head.attacks", {"all": len(evidence.attacks)})
    worst = max(found, key=lambda each: (each.verdict == "above", each.value))
    verdict = words.say(f"attacks.verdict.{worst.verdict}")
    values = {
        "all": len(evidence.attacks), "attack": worst.attack, "measure": words.translated(worst.measure),
        "figure": figure_text(worst, words), "verdict": verdict,
    }  # fmt: skip
    return words.say("head.worst", values)


def _annexes(evidence: ReportEvidence, words: Words) -> list[Section]:
    """Standards and laws, of which the fields of use leave some out."""
    uses = set(evidence.uses)
    made = [iso_27559(evidence, words), nist_800_226(evidence, words), gdpr_35(evidence, words)]
    stored = evidence.people is not None
    if not uses or stored or uses & {"security", "finance", "retrieval"}:
        made.append(face_rule(evidence, words))
    made.append(pipl_55_56(evidence, words))
    if not uses or "medical" in uses:
        made.append(hipaa_expert(evidence, words))
    return [*made, dates_and_sources(evidence, words)]
