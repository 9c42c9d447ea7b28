"""Whether the figures of attacks in a card can be, and whether one of them contradicts what the card guarantees.

A document of the format ``privis.attack/1`` (`privis.attack.attack_finding`) is checked field by field; figures of
other programs are kept as they are. A lower bound of epsilon above the epsilon of the card refutes the guarantee at
the confidence of its interval. Numbers of formats that are not known here are a problem: nobody checked them.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from privis.cards.findings import Findings

_FAMILY = "privis.attack/"
_KNOWN = f"{_FAMILY}1"
_BOUND = ("epsilon", "epsilon, lower bound")
"""Name of the attack, and how its measure begins, where the figure is a lower bound of epsilon."""
_CLAIM = ("unit", "epsilon", "delta")
_MOST = 10_000
"""Figures of one document."""


def attack_problems(figures: Any) -> list[str]:
    """Check a document of figures by itself.

    Args:
        figures: as it was read from JSON.

    Returns:
        What cannot be, in sentences; nothing is said of formats of other programs.

    >>> figure = {"attack": "ridge", "measure": "hits", "value": "x"}
    >>> attack_problems({"format": "privis.attack/1", "attacks": [figure]})
    ["attacks[0].value is 'x', and no number"]
    """
    form = figures.get("format") if isinstance(figures, Mapping) else None
    if not str(form).startswith(_FAMILY):
        return []
    if form != _KNOWN:
        return [f"figures of the format {form}, and {_KNOWN} is known here: a newer version of Privis may read them"]
    attacks = figures.get("attacks")
    if not isinstance(attacks, list) or len(attacks) > _MOST:
        return [f"attacks is no list of at most {_MOST:,} figures"]
    return [problem for number, each in enumerate(attacks) for problem in _problems(f"attacks[{number}]", each)]


def attack_findings(card: Mapping[str, Any]) -> Findings:
    """Check the figures in a card, and compare them with its guarantee.

    Args:
        card: of format 2 or later, or 1, which has none.

    Returns:
        What cannot be, what contradicts the guarantee, and what was found against something else than the card is of.
    """
    attacks, guarantee = card.get("attacks", []), card.get("guarantee")
    if not isinstance(attacks, list) or not isinstance(guarantee, Mapping):
        return Findings(("its attacks cannot be read",) if not isinstance(attacks, list) else ())
    of = card.get("table", card.get("content"))
    digest = of.get("sha256") if isinstance(of, Mapping) else None
    problems, unknown = [], []
    for each in attacks:
        if not isinstance(each, Mapping):
            problems.append("an entry of its attacks is no figure")
            continue
        figures, name = each.get("figures"), each.get("file", "an attack")
        wrong = attack_problems(figures)
        found = wrong or list(_contradictions(figures_in(figures), guarantee))
        attacked = figures.get("sha256") if isinstance(figures, Mapping) else None
        if not wrong and attacked is not None and digest is not None and attacked != digest:
            found = ["its figures are of another file, as its SHA-256 says", *found]
        elif not wrong and attacked is None and figures_in(figures):
            unknown.append(f"whether {name} attacked what this card is of: it names no SHA-256")
        problems += [f"{name}: {problem}" for problem in found]
    return Findings(tuple(problems), ("figures of attacks, beside the guarantee",) if attacks else (), tuple(unknown))


def figures_in(document: Any) -> list[Mapping[str, Any]]:
    """Give the figures of a document of the known format.

    Args:
        document: that `attack_problems` finds nothing in.

    Returns:
        Each figure; none of other formats.
    """
    if not isinstance(document, Mapping) or document.get("format") != _KNOWN:
        return []
    return [each for each in document.get("attacks", ()) if isinstance(each, Mapping)]


def _problems(place: str, figure: Any) -> Iterator[str]:
    if not isinstance(figure, Mapping):
        yield f"{place} is no figure"
        return
    for name in ("attack", "measure"):
        if not isinstance(figure.get(name), str) or not figure[name]:
            yield f"{place}.{name} is {figure.get(name)!r:.80}, and no name"
    value = figure.get("value")
    if value is not None and not _is_number(value):
        yield f"{place}.value is {value!r:.80}, and no number"
        return
    interval = figure.get("interval", [None, None])
    if not isinstance(interval, list) or len(interval) != 2 or not all(x is None or _is_number(x) for x in interval):
        yield f"{place}.interval is {interval!r:.80}, and not two numbers"
        return
    low, high = (-math.inf if interval[0] is None else interval[0]), (math.inf if interval[1] is None else interval[1])
    if low > high or (value is not None and not low <= value <= high):
        yield f"{place}: {value} is not inside its interval {interval}"
    if figure.get("chance") is not None and not _is_number(figure["chance"]):
        yield f"{place}.chance is {figure['chance']!r:.80}, and no number"
    tries = figure.get("tries", 0)
    if isinstance(tries, bool) or not isinstance(tries, int) or tries < 0:
        yield f"{place}.tries is {tries!r:.80}, and no count"
    confidence = figure.get("confidence", 0.95)
    if not _is_number(confidence) or not 0 < confidence <= 1:
        yield f"{place}.confidence is {confidence!r:.80}, and no probability"
    if not isinstance(figure.get("guarantee", {}), Mapping):
        yield f"{place}.guarantee is no guarantee"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _contradictions(figures: list[Mapping[str, Any]], guarantee: Mapping[str, Any]) -> Iterator[str]:
    for figure in figures:
        attacked = figure.get("guarantee") or {}
        other = [name for name in _CLAIM if name in attacked and attacked[name] != guarantee.get(name)]
        if other:
            said = ", ".join(f"{name} {attacked[name]}" for name in other)
            yield f"{figure['attack']} attacked an output of another guarantee: {said}"
            continue
        claimed = guarantee.get("epsilon")
        if figure["attack"] != _BOUND[0] or not figure["measure"].startswith(_BOUND[1]) or claimed is None:
            continue
        least = figure.get("interval", [None])[0]
        least = figure.get("value") if least is None else least
        if least is not None and least > claimed:
            yield f"epsilon is at least {least:.4g} by an attack, and {claimed:g} is claimed"
