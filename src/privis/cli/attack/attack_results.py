"""What ``privis attack`` shows: a table, sentences, and a page of reconstructions beside originals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.markup import escape
from rich.table import Table

from privis.attack.attack_finding import CONFIDENCE, AttackFinding
from privis.cli.attack.offered_attack import Attacked
from privis.cli.console import out
from privis.tasks.verification.error_rates import clopper_pearson


def tell(findings: Sequence[AttackFinding], page: Path | None) -> None:
    """Print a line for every figure, and below in plain words what they mean."""
    table = Table("attack", "measure", "value", "95 %", "chance", "the attacker knows")
    for each in findings:
        table.add_row(
            each.attack,
            escape(each.measure),
            figure(each),
            interval(each),
            "–" if math.isnan(each.chance) else shown(each.chance, is_share(each)),
            escape(", ".join(each.knows)),
        )
    out.print(table)
    for sentence in dict.fromkeys(each.sentence for each in findings if each.sentence):
        out.print(sentence, markup=False, soft_wrap=True)
    if page is not None:
        out.print(f"Open {page} in a browser.", markup=False, soft_wrap=True)


def is_share(finding: AttackFinding) -> bool:
    """Whether a figure counts hits among its tries, which is written in per cent; epsilon, areas and D_sys do not."""
    hits = finding.value * finding.tries
    if not finding.tries or not 0 <= finding.value <= 1 or abs(hits - round(hits)) > 1e-6:
        return False
    return np.allclose(finding.interval, clopper_pearson(round(hits), finding.tries, finding.confidence))


def shown(value: float, share: bool) -> str:
    """Write a figure.

    >>> shown(0.1234, True), shown(1234.5, False)
    ('12.3 %', '1,234')
    """
    if math.isinf(value):
        return "more than tried"
    if share:
        return f"{100 * value:.1f} %"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def figure(finding: AttackFinding) -> str:
    """The value, and how many tries are behind it."""
    text = shown(finding.value, is_share(finding))
    if is_share(finding):
        return f"{text} of {finding.tries:,}"
    return f"{text} ({finding.tries:,} tries)" if finding.tries else text


def interval(finding: AttackFinding) -> str:
    """Both ends, or a dash where they are not known."""
    ends = finding.interval
    if any(map(math.isnan, ends)):
        return "–"
    level = "" if finding.confidence == CONFIDENCE else f" ({100 * finding.confidence:.6g} %)"
    if math.isinf(ends[1]) and finding.attack == "epsilon":
        return f"at least {shown(ends[0], False)}{level}"
    return " to ".join(shown(end, is_share(finding)) for end in ends) + level


def write_page(against: str, results: Sequence[Attacked], path: Path) -> None:
    """Write the page: figures in words, reconstructions beside originals; it refers to nothing outside itself."""
    from privis.report.elements import Report
    from privis.report.page import write

    findings = [each for result in results for each in result.findings]
    notes = [
        f"{each.attack}: {each.measure} {figure(each)}, 95 % {interval(each)}, by chance "
        f"{'not known' if math.isnan(each.chance) else shown(each.chance, is_share(each))}. "
        f"The attacker knows {', '.join(each.knows)}. {each.sentence}"
        for each in findings
    ]
    parts = tuple(part for result in results for part in result.pictures)
    said = dict.fromkeys(each.sentence for each in findings if each.sentence)
    kept = "This page holds private pictures: keep it where they are kept." if parts else ""
    sentence = " ".join(filter(None, [f"Attacks against {against}.", *said, kept]))
    write(Report("What an attacker gets", sentence, (), parts, (), tuple(notes)), path)
