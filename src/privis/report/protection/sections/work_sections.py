"""Sections on what was done, and what it guarantees."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from privis.privacy import Guarantee
from privis.report.elements import bound, number, scientific
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
from privis.report.protection.report_figures import guess_chart, most_guessed, of_hundred
from privis.report.protection.report_words import Html, Words

_UNITS = {
    "whole image": "image", "pixels": "pixels", "patch": "patch", "person": "person",
    "person added or removed": "presence", "person and day": "day", "enrolment": "enrolment", "dataset": "dataset",
    "metric": "metric",
}  # fmt: skip
_COUNTED = ("feature", "rows", "components", "images", "classes", "people", "usable")
_EXECUTORS = ("Clear", "CKKS", "Paillier", "MPC")


def work_sections(evidence: ReportEvidence, words: Words) -> list[Section]:
    """Make these sections.

    Args:
        evidence: of the report.
        words: of its language.

    Returns:
        What was done, and its guarantee.
    """
    return [_done(evidence, words), guarantee_section(evidence, words)]


def said_by(file: CheckedFile, otherwise: StatementKind = StatementKind.DERIVED) -> StatementKind:
    """Give the kind of what a file says.

    Args:
        file: that says it.
        otherwise: where nothing is found against it.

    Returns:
        The kind.
    """
    return otherwise if file.holds else StatementKind.UNVERIFIED


def described(values: Mapping[str, Any]) -> Html:
    """Name a class and its parameters as code.

    Args:
        values: as a card describes it.

    Returns:
        One line of code.

    >>> described({"class": "Laplace", "epsilon": 4.0})
    '<code>Laplace(epsilon=4.0)</code>'
    """
    return Html(f"<code>{escape(_plainly(values))}</code>")


def _plainly(values: Mapping[str, Any]) -> str:
    shown = ", ".join(f"{key}={_value(value)}" for key, value in values.items() if key not in ("class", "name"))
    return f"{values.get('class', values.get('name', '?'))}({shown})"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return _plainly(value)
    text = str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def unit_words(guarantee: Guarantee, words: Words) -> Html:
    """Say what a guarantee hides.

    Args:
        guarantee: of a release.
        words: of the language.

    Returns:
        Some words.
    """
    key = f"unit.{_UNITS.get(guarantee.unit, '')}"
    return words.say(key) if key in words.messages else words.translated(guarantee.unit)


def _done(evidence: ReportEvidence, words: Words) -> Section:
    write = FactWriter(words, "done")
    parts = [
        Section(f"file-{place}", words.plain(file.name), (Facts(tuple(_deeds(file, write))),))
        for place, file in enumerate(evidence.files, 1)
    ]
    stated = [
        write.said(key, words.original(evidence.declared.sentences[key]), StatementKind.DECLARED)
        for key in ("site", "controller", "purpose", "people", "recipients")
        if key in evidence.declared.sentences
    ]
    blocks: list[Block] = [Note(words.say("done.intro"))]
    blocks += [Facts(tuple(stated))] if stated else [Note(words.say("done.nothing_declared"))]
    return Section("done", words.say("title.done"), tuple(blocks), tuple(parts))


def _deeds(file: CheckedFile, write: FactWriter) -> Iterator[Fact]:
    """What was done, of one file."""
    words, card, counts = write.words, file.card, file.counts
    counted = {name: f"{value:,}" for name, value in counts.items()}
    values: dict[str, object] = {**dict.fromkeys(_COUNTED, "–"), **counted, **file.words}
    if isinstance(card.get("feature"), Mapping):
        values["feature"] = described(card["feature"])
    key = file.kind
    if file.kind in ("table", "card"):
        key = "table" if counts.get("images") else "table_hidden"
    yield write.fact(
        key, said_by(file, StatementKind.MEASURED if file.kind != "card" else StatementKind.DERIVED), values, "what"
    )
    if file.kind == "table":
        yield write.fact("table_paths", StatementKind.DERIVED, None, "names")
    if isinstance(card.get("under"), Mapping):
        name = str(card["under"].get("class", ""))
        yield write.fact(f"under.{name if name in _EXECUTORS else 'other'}", said_by(file),
                         {"under": described(card["under"])}, "under")  # fmt: skip
    if file.kind in ("gallery", "index"):
        yield write.fact(
            f"stored.{file.words.get('protection', 'exact')}", StatementKind.MEASURED, file.words, "protection"
        )
    elif file.kind not in ("head", "classifier") and isinstance(card.get("release"), Mapping):
        yield write.fact("released", said_by(file), {"release": described(card["release"])}, "protection")
    elif file.guarantee is not None and math.isfinite(file.guarantee.epsilon):
        yield write.fact(
            "trained", said_by(file), {"mechanism": words.translated(file.guarantee.mechanism)}, "protection"
        )
    else:
        yield write.fact(
            "exact" if file.kind in ("table", "card") else "exact_model", said_by(file), None, "protection"
        )
    yield write.fact(
        f"standing.{file.standing.value}", StatementKind.MEASURED, {"key": file.signed_by[:16]}, "standing"
    )


def guarantee_section(evidence: ReportEvidence, words: Words) -> Section:
    """Say what every file guarantees, and all releases together.

    Args:
        evidence: of the report.
        words: of its language.

    Returns:
        The section.
    """
    write = FactWriter(words, "guarantee")
    blocks: list[Block] = [Note(words.say("guarantee.intro"))]
    parts = []
    for place, file in enumerate(evidence.files, 1):
        parts.append(Section(f"guarantee-{place}", words.plain(file.name), (Facts(tuple(_promises(file, write))),)))
    points = [(file.name, *strongest(file.guarantee)) for file in evidence.files if has_guarantee(file)]
    if points:
        blocks.append(Note(words.say("guess.intro")))
        blocks.append(Drawing(guess_chart(points, words), words.say("guess.caption"), wide=True))
        heads = tuple(words.say(f"guess.head.{key}") for key in ("file", "epsilon", "right"))
        rows = [
            (words.plain(name), words.plain(bound(epsilon)), words.plain(of_hundred(most_guessed(epsilon, delta))))
            for name, epsilon, delta in points
        ]
        blocks.append(Grid(words.say("guess.table"), heads, tuple(rows), StatementKind.DERIVED, frozenset({1, 2})))
    parts.append(Section("together", words.say("title.together"), tuple(_together(evidence, write))))
    return Section("guarantee", words.say("title.guarantee"), tuple(blocks), tuple(parts))


def has_guarantee(file: CheckedFile) -> bool:
    """Tell whether a file states a finite epsilon and no check speaks against it.

    Args:
        file: of the report.

    Returns:
        Whether it does.
    """
    return file.holds and file.guarantee is not None and math.isfinite(strongest(file.guarantee)[0])


def strongest(guarantee: Guarantee | None) -> tuple[float, float]:
    """Give epsilon and delta of what is asked about: of whole images where epsilon is per unit of distance.

    Args:
        guarantee: of a file.

    Returns:
        Both; infinity without one.
    """
    if guarantee is None:
        return math.inf, 0.0
    if guarantee.unit == "metric":
        return guarantee.whole_image_epsilon, guarantee.whole_image_delta
    return guarantee.epsilon, guarantee.delta


def _promises(file: CheckedFile, write: FactWriter) -> Iterator[Fact]:
    """What one file guarantees."""
    words, found, kind = write.words, file.guarantee, said_by(file)
    if not file.holds:
        yield write.fact("broken", StatementKind.MEASURED, None, "broken")
    if found is None or not math.isfinite(found.epsilon):
        yield write.fact("none", kind, None, "protects")
        return
    yield write.fact("protects", kind, {"unit": unit_words(found, words)})
    yield write.fact("relation", kind, {"relation": words.translated(found.relation)})
    values = {"epsilon": bound(found.epsilon), "factor": factor(found.epsilon), "delta": scientific(found.delta)}
    yield write.fact("metric" if found.unit == "metric" else "epsilon", kind, values, "epsilon")
    if file.holds:
        epsilon, delta = strongest(found)
        yield write.fact("guess", kind, {"right": of_hundred(most_guessed(epsilon, delta))})
    whole = found.whole_image_epsilon
    if not math.isfinite(whole):
        yield write.fact("whole_unbounded", kind, None, "whole")
    elif found.unit != "whole image":
        values = {"epsilon": bound(whole), "delta": scientific(found.whole_image_delta), "factor": factor(whole)}
        yield write.fact("whole_weak" if whole > 10 else "whole", kind, values, "whole")
    yield write.fact("mechanism", kind, {
        "mechanism": words.translated(found.mechanism), "scale": number(found.scale), "norm": found.norm,
        "sensitivity": number(found.sensitivity),
    })  # fmt: skip
    yield write.said("reason", words.translated(found.sensitivity_reason), kind)
    for promise in found.promises:
        yield write.said("promise", words.translated(promise), StatementKind.UNVERIFIED)


def factor(epsilon: float) -> str:
    """Write e to an epsilon, rounded up.

    Args:
        epsilon: of a guarantee.

    Returns:
        Its text.

    >>> factor(1.0), factor(40.0)
    ('2.72', '10^18')
    """
    if not math.isfinite(epsilon):
        return "∞"
    return bound(math.exp(epsilon)) if epsilon < 7 else f"10^{math.ceil(epsilon / math.log(10)):,}"


def _together(evidence: ReportEvidence, write: FactWriter) -> Iterator[Block]:
    """What all releases add up to."""
    words = write.words
    if not evidence.budgets:
        yield Facts((write.fact("no_ledger", StatementKind.DERIVED, None, "ledger"),))
    for each in evidence.budgets:
        if each.problems:
            yield Facts((_chain(each.name, each.head, each.problems, write),))
            continue
        unit = words.say(f"budget.{each.per}.{each.unit}")
        facts = [
            write.fact("budget", StatementKind.MEASURED, {
                "name": each.name, "epsilon": bound(each.epsilon), "delta": scientific(each.delta), "about": unit,
            }, "ledger"),
            write.fact("spent", StatementKind.MEASURED, {
                "charges": f"{each.charges:,}", "records": f"{each.records:,}", "most": bound(each.most_spent),
                "left": f"{max(0.0, each.epsilon - each.most_spent):.4g}",
            }),
        ]  # fmt: skip
        facts.append(_chain(each.name, each.head, (), write))
        yield Facts(tuple(facts))
    for given in evidence.answers:
        counts = {"name": given.name, "accounts": f"{given.accounts:,}", "decisions": f"{given.decisions:,}",
                  "scores": f"{given.scores:,}", "most": f"{given.most:,}"}  # fmt: skip
        yield Facts(
            (
                write.fact("answers", StatementKind.MEASURED, counts),
                _chain(given.name, given.head, given.problems, write),
            )
        )


def _chain(name: str, head: str, problems: tuple[str, ...], write: FactWriter) -> Fact:
    if not problems:
        return write.fact("intact", StatementKind.MEASURED, {"head": head[:16]}, "chain")
    listed = Html("; ".join(write.words.translated(each) for each in problems))
    return write.fact("damaged", StatementKind.MEASURED, {"name": name, "problems": listed}, "chain")
