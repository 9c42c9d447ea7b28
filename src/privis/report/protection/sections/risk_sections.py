"""Sections on attacks, keys, what each party saw, limits, and the checks behind a report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from privis.cards.card_contents import DECLARED, Declaration, keys_of, limits_of, provenance_of, seen_by
from privis.report.protection.given.report_evidence import CheckedFile, ReportEvidence
from privis.report.protection.report_blocks import (
    Block,
    Drawing,
    Fact,
    Facts,
    FactWriter,
    Grid,
    Note,
    Section,
    StatementKind,
)
from privis.report.protection.report_figures import attack_bars, figure_text
from privis.report.protection.report_words import Html, Words
from privis.report.protection.sections.work_sections import said_by

_AS_DECLARED, _NOT_STATED = "as declared", "not stated"
_NO_ATTACK = "No attack was run on this "
_NAMED = {"head": "classifier", "classifier": "classifier"}
"""What cards call a file, by its kind; the others are tables."""
_CARD = ("feature", "under", "release", "guarantee", "threat_model")


def risk_sections(evidence: ReportEvidence, words: Words) -> list[Section]:
    """Make these sections.

    Args:
        evidence: of the report.
        words: of its language.

    Returns:
        Attacks, custody, what each party saw, limits and checks.
    """
    return [
        _attacks(evidence, words),
        _custody(evidence, words),
        _seen(evidence, words),
        _limits(evidence, words),
        _checks(evidence, words),
    ]


def _attacks(evidence: ReportEvidence, words: Words) -> Section:
    found = evidence.attacks
    blocks: list[Block] = [Note(words.say("attacks.intro"))]
    if not found:
        blocks.append(Note(words.say("attacks.none"), warns=True))
        return Section("attacks", words.say("title.attacks"), tuple(blocks))
    above = sum(each.verdict == "above" for each in found)
    counted = {"all": len(found), "above": above, "unknown": sum(each.verdict == "unknown" for each in found)}
    kind = StatementKind.DECLARED if all(each.signed for each in found) else StatementKind.MEASURED
    blocks.append(Note(words.say("attacks.counted", counted), above > 0, kind))
    shares = [each for each in found if each.is_share]
    if shares:
        blocks.append(Drawing(attack_bars(shares, words), words.say("attacks.drawn")))
    heads = tuple(words.say(f"attacks.head.{key}") for key in ("attack", "measure", "figure", "tries", "verdict"))
    rows = [
        (
            Html(f"{words.plain(each.attack)}<br><small>{words.plain(each.against)}</small>"),
            words.translated(each.measure),
            words.plain(figure_text(each, words)),
            words.plain(f"{each.tries:,}" if each.tries else "–"),
            words.say(f"attacks.verdict.{each.verdict}"),
        )
        for each in found
    ]
    level = {f"{100 * each.confidence:g}" for each in found if math.isfinite(each.low)}
    caption = words.say("attacks.caption", {"level": " / ".join(sorted(level)) or "95"})
    blocks.append(Grid(caption, heads, tuple(rows), kind, frozenset({3})))
    blocks.append(Facts(tuple(_attackers(evidence, FactWriter(words, "attacks")))))
    return Section("attacks", words.say("title.attacks"), tuple(blocks))


def _attackers(evidence: ReportEvidence, write: FactWriter) -> Iterator[Fact]:
    """What attackers knew, and what their figures mean."""
    words, listed = write.words, set()
    for each in evidence.attacks:
        kind = StatementKind.DECLARED if each.signed else StatementKind.MEASURED
        if each.knows and (each.attack, each.knows) not in listed:
            listed.add((each.attack, each.knows))
            knows = Html(words.messages["between.items"].join(words.translated(part) for part in each.knows))
            yield Fact(words.plain(each.attack), words.say("attacks.knows", {"knows": knows}), kind)
        if each.sentence and words.knows(each.sentence):
            yield Fact(words.plain(each.attack), words.translated(each.sentence), kind)


def _whole(card: Mapping[str, Any]) -> bool:
    """Whether a card has what its sections are made of."""
    return all(key in card for key in _CARD) and all(isinstance(card[key], Mapping) for key in ("under", "guarantee"))


def _declaration(evidence: ReportEvidence) -> Declaration:
    given = evidence.declared
    return Declaration(custody=given.custody, provenance=given.provenance)


def _custody(evidence: ReportEvidence, words: Words) -> Section:
    rows = [_holder(key, opens, held, kind, words) for key, (opens, held, kind) in _holders(evidence)]
    blocks: list[Block] = [Note(words.say("custody.intro"))]
    heads = tuple(words.say(f"custody.head.{key}") for key in ("key", "opens", "held", "kind"))
    if rows:
        blocks.append(Grid(words.say("custody.caption"), heads, tuple(rows)))
    else:
        blocks.append(Note(words.say("custody.none")))
    bounds = _bounds(evidence, words)
    return Section("custody", words.say("title.custody"), (*blocks, *bounds))


def _holders(evidence: ReportEvidence) -> list[tuple[str, tuple[str, str, StatementKind]]]:
    """Every key with what it opens, who holds it and how that is known; one that several files state stands once."""
    declared, opens = evidence.declared.custody, {}
    holders: dict[tuple[str, str], StatementKind] = {}
    for file in evidence.files:
        for each in _keys(file, evidence):
            name, what, held = (str(each.get(part, "")) for part in ("key", "opens", "held_by"))
            if name not in opens or opens[name] == _AS_DECLARED:
                opens[name] = what
            if held in (_NOT_STATED, ""):
                held = declared.get(name, "")
                kind = StatementKind.DECLARED if held else StatementKind.LAWYER
            else:
                kind = said_by(file, StatementKind.DECLARED if each.get("basis") == DECLARED else StatementKind.DERIVED)
            holders.setdefault((name, held), kind)
    named = {name for name, held in holders if held}
    return [(name, (opens[name], held, kind)) for (name, held), kind in holders.items() if held or name not in named]


def _holder(key: str, opens: str, held: str, kind: StatementKind, words: Words) -> tuple[Html, ...]:
    holder = words.original(held) if held else words.say("custody.open")
    return words.translated(key), words.translated(opens), holder, words.say(f"kind.{kind.value}")


def _keys(file: CheckedFile, evidence: ReportEvidence) -> list[Mapping[str, str]]:
    custody = evidence.declared.custody
    if _whole(file.card):
        signed = file.card.get("keys")
        if isinstance(signed, list):
            return [each for each in signed if isinstance(each, Mapping)]
        return [each for each in keys_of(file.card, _declaration(evidence)) if each["key"] != "card key"]
    names = []
    if file.words.get("protection") == "keyed":
        names.append(("template key", "gives every template of the gallery"))
    if file.words.get("protection") == "sealed":
        names.append(("keys of the index", "open the vectors of the index"))
    if file.guarantee is not None and math.isfinite(file.guarantee.epsilon):
        names.append(("release key", "takes the noise away"))
    return [
        {"key": name, "opens": opens, "held_by": custody.get(name, "not stated"),
         "basis": DECLARED if name in custody else ""} for name, opens in names
    ]  # fmt: skip


def _bounds(evidence: ReportEvidence, words: Words) -> list[Block]:
    """Where bounds and projections come from."""
    rows: dict[tuple[Html, ...], None] = {}
    for file in evidence.files:
        if not _whole(file.card):
            continue
        signed = file.card.get("provenance")
        listed = signed if isinstance(signed, list) else provenance_of(file.card, _declaration(evidence))
        for each in listed:
            if isinstance(each, Mapping):
                is_declared = each.get("basis") == DECLARED
                kind = said_by(file, StatementKind.DECLARED if is_declared else StatementKind.DERIVED)
                where = str(each.get("provenance", ""))
                text = words.original(where) if is_declared else words.translated(where)
                value = each.get("value")
                shown = words.plain("–" if value is None else value if isinstance(value, int | float) else "…")
                rows[words.plain(each.get("name", "")), shown, text, words.say(f"kind.{kind.value}")] = None
    if not rows:
        return []
    heads = tuple(words.say(f"bounds.head.{key}") for key in ("name", "value", "provenance", "kind"))
    return [Grid(words.say("bounds.caption"), heads, tuple(rows))]


def _seen(evidence: ReportEvidence, words: Words) -> Section:
    blocks: list[Block] = [Note(words.say("seen.intro"))]
    heads = tuple(words.say(f"seen.head.{key}") for key in ("who", "what"))
    for file in evidence.files:
        rows: list[tuple[Html, ...]] = []
        if _whole(file.card):
            signed = file.card.get("seen")
            listed = signed if isinstance(signed, list) else seen_by(file.card, _NAMED.get(file.kind, "table"))
            rows = [
                (words.translated(str(each.get("who", ""))), words.translated(str(each.get("what", ""))))
                for each in listed
                if isinstance(each, Mapping)
            ]
        elif file.kind in ("gallery", "index", "head", "classifier"):
            protection = file.words.get("protection", "exact")
            holder = f"seen.of_{file.kind}.{protection}"
            if holder in words.messages:
                rows = [(words.say(f"seen.holder.{file.kind}"), words.say(holder))]
        if rows:
            caption = words.say("seen.caption", {"name": file.name})
            blocks.append(Grid(caption, heads, tuple(rows), said_by(file)))
    return Section("seen", words.say("title.seen"), tuple(blocks))


def _limits(evidence: ReportEvidence, words: Words) -> Section:
    write = FactWriter(words, "limits")
    facts: list[Fact] = []
    for file in evidence.files:
        if not file.holds:
            facts.append(Fact(words.plain(file.name), words.say("limits.broken"), StatementKind.MEASURED))
        key = f"limits.{file.kind}"
        if key in words.messages:
            facts.append(Fact(words.plain(file.name), words.say(key), StatementKind.DERIVED))
        for sentence in _of_card(file, evidence) if _whole(file.card) else ():
            facts.append(Fact(words.plain(file.name), words.translated(sentence), said_by(file)))
    facts.append(write.fact("file_only", StatementKind.DERIVED, None, "all"))
    facts.append(write.fact("law", StatementKind.LAWYER, None, "all"))
    facts += [
        Fact(words.say("limits.label.declared"), words.original(each), StatementKind.DECLARED)
        for each in evidence.declared.limits
    ]
    return Section("limits", words.say("title.limits"), (Facts(tuple(facts)),))


def _of_card(file: CheckedFile, evidence: ReportEvidence) -> list[str]:
    """What a card does not show: as it was signed, or as it follows from a card that nobody signed."""
    signed = file.card.get("limits")
    if isinstance(signed, list):
        return [str(each) for each in signed if not (evidence.attacks and each.startswith(_NO_ATTACK))]
    ledgers = {"budget": {}} if evidence.budgets else {}
    found = limits_of(file.card, ledgers, len(evidence.attacks), Declaration(), _NAMED.get(file.kind, "table"))
    return [each for each in found if not each.startswith("The signature")]


def _checks(evidence: ReportEvidence, words: Words) -> Section:
    write = FactWriter(words, "checks")
    parts = []
    for place, file in enumerate(evidence.files, 1):
        facts = [write.said("digest", Html(f"<code>{file.sha256 or '–'}</code>"), StatementKind.MEASURED)]
        if file.signed_by:
            facts.append(
                write.said("signed_by", Html(f"<code>{words.plain(file.signed_by)}</code>"), StatementKind.MEASURED)
            )
        for key, sentences in (("problem", file.problems), ("checked", file.checked), ("open", file.not_checked)):
            facts += [write.said(key, words.translated(each), StatementKind.MEASURED) for each in sentences]
        parts.append(Section(f"checks-{place}", words.plain(file.name), (Facts(tuple(facts)),)))
    return Section("checks", words.say("title.checks"), (Note(words.say("checks.intro")),), tuple(parts))
