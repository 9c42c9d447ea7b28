"""Sections on what is left to use, and what it took."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from privis.report.elements import number
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
from privis.report.protection.report_figures import percent, share_bar
from privis.report.protection.report_words import Html, Words
from privis.report.protection.sections.work_sections import said_by

_DEVIATION = {"discrete Laplace": math.sqrt(2), "rounded Gaussian": 1.0}
"""Standard deviation of noise over its scale."""


def use_sections(evidence: ReportEvidence, words: Words) -> list[Section]:
    """Make these sections.

    Args:
        evidence: of the report.
        words: of its language.

    Returns:
        Utility and cost.
    """
    return [_utility(evidence, words), _cost(evidence, words)]


def _utility(evidence: ReportEvidence, words: Words) -> Section:
    write = FactWriter(words, "utility")
    facts = [fact for file in evidence.files for fact in _errors(file, write)]
    blocks: list[Block] = [Note(words.say("utility.intro"))]
    if facts:
        blocks.append(Facts(tuple(facts)))
    measured = evidence.declared.utility
    grid = _costs(measured, words, "utility")
    if grid is None:
        blocks.append(Note(words.say("utility.not_stated")))
    else:
        blocks.append(grid)
        shares = {name: value for name, value in measured.get("measured", {}).items() if 0 <= value <= 1}
        if shares:
            bars = [
                f'<li><div class="named"><strong>{_counted(name, words)}</strong></div>'
                f'{share_bar(value, f"{name}: {percent(value)}")}<div class="told">{percent(value)}</div></li>'
                for name, value in shares.items()
            ]
            drawing = Html(f'<ul class="bars">{"".join(bars)}</ul>')
            blocks.append(Drawing(drawing, words.say("utility.drawn")))
    return Section("utility", words.say("title.utility"), tuple(blocks))


def _errors(file: CheckedFile, write: FactWriter) -> Iterator[Fact]:
    """Predicted errors and noise of one file."""
    words, name, kind = write.words, file.name, said_by(file)
    error = file.card.get("error")
    if isinstance(error, Mapping):
        known = error.get("relative")
        basis = words.translated(str(error.get("basis", "")))
        if known is None:
            yield write.fact("error_unknown", kind, {"name": name, "basis": basis}, "error")
        else:
            yield write.fact("error", kind, {"name": name, "error": f"{known:.2g}", "basis": basis})
    elif isinstance(file.card.get("under"), Mapping) and file.card["under"].get("class") == "Clear":
        yield write.fact("error_clear", kind, {"name": name}, "error")
    found = file.guarantee
    if found is not None and math.isfinite(found.epsilon) and found.scale > 0:
        deviation = _DEVIATION.get(found.mechanism)
        values = {
            "name": name, "noise": number((deviation or 1.0) * found.scale * found.step),
            "unit": words.translated(found.step_unit), "mechanism": words.translated(found.mechanism),
        }  # fmt: skip
        yield write.fact("noise" if deviation else "noise_of_vector", kind, values, "noise")


def _cost(evidence: ReportEvidence, words: Words) -> Section:
    blocks: list[Block] = [Note(words.say("cost.intro"))]
    for file in evidence.files:
        stated = file.card.get("cost")
        grid = _costs(stated, words, "cost", file.name, said_by(file, StatementKind.DECLARED)) if stated else None
        blocks += [] if grid is None else [grid]
    declared = _costs(evidence.declared.cost, words, "cost")
    listed = [block.rows for block in blocks if isinstance(block, Grid)]
    blocks += [] if declared is None or declared.rows in listed else [declared]
    if len(blocks) == 1:
        blocks.append(Note(words.say("cost.not_stated")))
    return Section("cost", words.say("title.cost"), tuple(blocks))


def _costs(
    stated: Any, words: Words, group: str, name: str = "", kind: StatementKind = StatementKind.DECLARED
) -> Grid | None:
    """Figures that were predicted and measured, side by side; None without any."""
    sides = {}
    for side in ("predicted", "measured"):
        found = stated.get(side) if isinstance(stated, Mapping) else None
        sides[side] = found if isinstance(found, Mapping) else {}
    names = list(dict.fromkeys([*sides["predicted"], *sides["measured"]]))
    if not names:
        return None
    rows = []
    for each in names:
        rows.append(
            (_counted(each, words), *(words.plain(_shown(sides[side].get(each))) for side in ("predicted", "measured")))
        )
    heads = tuple(words.say(f"counted.head.{key}") for key in ("what", "predicted", "measured"))
    caption = words.say(f"{group}.caption_of", {"name": name}) if name else words.say(f"{group}.caption")
    return Grid(caption, heads, tuple(rows), kind, frozenset({1, 2}))


def _counted(name: str, words: Words) -> Html:
    """The word for what is counted; as it was written where there is none."""
    key = f"counted.{name}"
    return words.say(key) if key in words.messages else words.plain(name)


def _shown(value: Any) -> str:
    return number(float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else "–"
