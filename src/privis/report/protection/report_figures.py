"""Drawings of a report: shares with their intervals beside chance, and what an epsilon lets an attacker guess."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from privis.report.chart import drawn
from privis.report.elements import Chart, Level, Line, number
from privis.report.protection.given.reported_attacks import AttackFigure
from privis.report.protection.report_words import Html, Words

_WIDTH, _HEIGHT = 1000, 24
_LEAST, _MOST = 0.01, 100.0
_POINTS = 61


def percent(share: float) -> str:
    """Write a share in per cent, with two digits below ten; a space that does not break stands before the sign.

    Args:
        share: of 1.

    Returns:
        Its text.

    >>> [percent(share).replace("\N{NO-BREAK SPACE}", " ") for share in (0.00043, 0.0213, 0.04, 0.5)]
    ['0.043 %', '2.1 %', '4 %', '50 %']
    """
    value = 100 * share
    return f"{value:.2g}\N{NO-BREAK SPACE}%" if 0 < value < 10 else f"{value:.0f}\N{NO-BREAK SPACE}%"


def most_guessed(epsilon: float, delta: float) -> float:
    """Give the largest share of right guesses between two neighbours that are equally likely at first.

    The total variation of an (epsilon, delta)-private release is at most (e**epsilon - 1 + 2 delta) / (e**epsilon + 1)
    (Kairouz, Oh and Viswanath, arXiv:1311.0776), and the best guess is right with half of 1 plus that.

    Args:
        epsilon: of the guarantee.
        delta: of the guarantee.

    Returns:
        A share from 0.5 to 1.

    >>> most_guessed(0.0, 0.0), round(most_guessed(1.0, 0.0), 3), most_guessed(math.inf, 0.0)
    (0.5, 0.731, 1.0)
    """
    if epsilon > 700:
        return 1.0
    return min(1.0, (math.exp(epsilon) + delta) / (math.exp(epsilon) + 1))


def of_hundred(share: float) -> str:
    """Write how many of a hundred guesses are right at most, rounded up.

    Args:
        share: of 1.

    Returns:
        A number with one digit behind the point.

    >>> of_hundred(0.7311), of_hundred(1.0)
    ('73.2', '100.0')
    """
    return f"{math.ceil(round(1000 * share, 6)) / 10:.1f}"


def share_bar(share: float, described: str, verdict: str = "", interval: tuple[float, float] | None = None,
              chance: float = math.nan) -> Html:  # fmt: skip
    """Draw a share as a bar from 0 to 1.

    Args:
        share: of 1.
        described: what it shows, for who cannot see it.
        verdict: class of its colour.
        interval: ends of its interval.
        chance: what guessing gives; NaN: not drawn.

    Returns:
        An ``<svg>`` element that fills its line.
    """
    parts = [f'<rect class="track" width="{_WIDTH}" height="{_HEIGHT}"/>']
    parts.append(f'<rect class="value" y="5" width="{_WIDTH * share:.1f}" height="{_HEIGHT - 10}"/>')
    if interval is not None:
        low, high = (_WIDTH * min(1.0, max(0.0, end)) for end in interval)
        middle = _HEIGHT / 2
        parts.append(f'<line class="interval" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>')
        parts += [
            f'<line class="interval" x1="{end:.1f}" x2="{end:.1f}" y1="7" y2="{_HEIGHT - 7}"/>' for end in (low, high)
        ]
    if math.isfinite(chance):
        at = _WIDTH * min(1.0, max(0.0, chance))
        parts.append(f'<line class="chance" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{_HEIGHT}"/>')
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none"'
    return Html(f'<svg class="bar {verdict}" {box} role="img" aria-label="{escape(described)}">{"".join(parts)}</svg>')


def attack_bars(figures: Sequence[AttackFigure], words: Words) -> Html:
    """Draw the shares that attacks reached, each with its interval and chance.

    Args:
        figures: shares.
        words: of the language.

    Returns:
        A list, one line a figure.
    """
    lines = []
    for each in figures:
        interval = None if not math.isfinite(each.low) else (each.low, each.high)
        value = figure_text(each, words)
        plain = f"{each.attack}: {value}"
        bar = share_bar(each.value, plain, each.verdict, interval, each.chance)
        name = f"<span><strong>{words.plain(each.attack)}</strong> · {words.translated(each.measure)}</span>"
        target = f'<span class="target">{words.plain(each.against)}</span>'
        lines.append(
            f'<li><div class="named">{name}{target}</div>{bar}<div class="told">{words.plain(value)}</div></li>'
        )
    legend = words.say("attacks.legend")
    return Html(f'<p class="legend">{legend}</p><ul class="bars">{"".join(lines)}</ul>')


def figure_text(figure: AttackFigure, words: Words) -> str:
    """Write a figure with its interval and chance.

    Args:
        figure: of an attack.
        words: of the language.

    Returns:
        Plain text.
    """

    def shown(value: float) -> str:
        return percent(value) if figure.is_share else number(value)

    texts = words.messages
    parts = [shown(figure.value)] if math.isfinite(figure.value) else [texts["attacks.beyond"]]
    if not math.isfinite(figure.value) and math.isfinite(figure.low):
        parts[0] += texts["attacks.least"].replace("{low}", shown(figure.low))
    if math.isfinite(figure.low) and math.isfinite(figure.high):
        ends = texts["attacks.interval"].replace("{low}", shown(figure.low)).replace("{high}", shown(figure.high))
        parts[0] += ends
    if math.isfinite(figure.chance):
        parts.append(texts["attacks.chance"].replace("{chance}", shown(figure.chance)))
    return texts["between.parts"].join(parts)


def guess_chart(points: Sequence[tuple[str, float, float]], words: Words) -> Html:
    """Draw how often an attacker guesses right at most, over epsilon, and where the files stand.

    Args:
        points: name, epsilon and delta of each; those beyond the chart are left out.
        words: of the language.

    Returns:
        An ``<svg>`` element.
    """
    steps = [_LEAST * (_MOST / _LEAST) ** (step / (_POINTS - 1)) for step in range(_POINTS)]
    curve = Line(words.messages["guess.bound"], tuple((each, most_guessed(each, 0.0)) for each in steps))
    lines = [
        Line(name, ((epsilon, most_guessed(epsilon, delta)),))
        for name, epsilon, delta in points
        if _LEAST <= epsilon <= _MOST
    ]
    chart = Chart(
        words.messages["guess.caption"], "", words.messages["guess.x"], words.messages["guess.y"], (curve, *lines),
        (Level(words.messages["guess.coin"], 0.5),), words.messages["guess.described"],
    )  # fmt: skip
    return Html(drawn(chart))
