"""Figures of attacks, read from the documents that attacks print; their format is said by who calls."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privis.errors import ParameterError, Problem, refuse
from privis.file_formats import FileFormat, misfit

_LARGEST = 1 << 24
_MOST_WORDS = 2000


@dataclass(frozen=True)
class AttackFigure:
    """What one attack reached.

    Args:
        attack: its name.
        against: output that was attacked.
        knows: what the attacker was given.
        measure: what ``value`` is.
        value: the figure; NaN: larger than what was tried.
        low: lower end of its interval; NaN where none is known.
        high: upper end.
        chance: what guessing gives; NaN where it has no figure.
        tries: behind the figure.
        confidence: of the interval.
        sentence: in plain words.
        signed: whether it stood in a signed card, whose signer then states it.
    """

    attack: str
    against: str
    knows: tuple[str, ...]
    measure: str
    value: float
    low: float
    high: float
    chance: float
    tries: int
    confidence: float
    sentence: str
    signed: bool = False

    @property
    def verdict(self) -> str:
        """``above``, ``within`` or ``unknown``: where the whole interval lies, seen from chance; or ``bound``.

        A lower bound of epsilon is above zero where there is any release; what counts is the epsilon that is claimed.
        """
        if self.is_bound:
            return "bound"
        if not (math.isfinite(self.chance) and math.isfinite(self.low)):
            return "unknown"
        return "above" if self.low > self.chance else "within"

    @property
    def is_share(self) -> bool:
        """Whether it can be drawn between 0 and 1."""
        return 0 <= self.value <= 1 and not self.is_bound and (not math.isfinite(self.high) or self.high <= 1)

    @property
    def is_bound(self) -> bool:
        """Whether it is the lower end of an interval that has no upper one, and no share."""
        return math.isfinite(self.low) and not math.isfinite(self.high) and self.value == self.low


def figures_of_file(path: Path, name: str) -> tuple[AttackFigure, ...]:
    """Read a document of attacks.

    Args:
        path: of the JSON file.
        name: of the format, and its number.

    Returns:
        Its figures.

    Raises:
        ParameterError: naming all that does not fit.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("a file that is too large")
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        reason = (error.strerror or "an error") if isinstance(error, OSError) else str(error)[:200]
        raise ParameterError(misfit(path, FileFormat.JSON, reason, _expected(name))) from None
    return figures_of(document, str(path), name)


def figures_of(document: Any, where: str, name: str, signed: bool = False) -> tuple[AttackFigure, ...]:
    """Read the document that attacks print.

    Args:
        document: parsed JSON.
        where: what messages call it.
        name: of the format, and its number.
        signed: whether it stood in a signed card.

    Returns:
        Its figures.

    Raises:
        ParameterError: naming all that does not fit.
    """
    if not isinstance(document, Mapping) or document.get("format") != name:
        raise ParameterError(Problem(where, "another document", _expected(name), "privis attack --json prints one"))
    attacks = document.get("attacks")
    if not isinstance(attacks, Sequence) or isinstance(attacks, str):
        raise ParameterError(Problem(f"{where}: attacks", type(attacks).__name__, "a list of figures"))
    refuse(ParameterError, [each for number, found in enumerate(attacks) for each in _wrong(found, where, number)])
    return tuple(_figure(found, signed) for found in attacks)


def _expected(name: str) -> str:
    return f"figures of attacks, a JSON document of the format {name}"


def _wrong(found: Any, where: str, number: int) -> Iterator[Problem]:
    place = f"{where}: attacks[{number}]"
    if not isinstance(found, Mapping):
        yield Problem(place, type(found).__name__, "an object")
        return
    for name in ("attack", "against", "measure"):
        if not isinstance(found.get(name), str) or not 0 < len(found[name]) <= _MOST_WORDS:
            yield Problem(f"{place}.{name}", _shown(found.get(name)), "a text")
    if "value" not in found or not (found["value"] is None or _is_number(found["value"])):
        yield Problem(f"{place}.value", _shown(found.get("value")), "a number, or null")
    ends = found.get("interval", [None, None])
    if not isinstance(ends, list) or len(ends) != 2 or not all(end is None or _is_number(end) for end in ends):
        yield Problem(f"{place}.interval", _shown(ends), "two numbers, or null")
    elif None not in ends and ends[0] > ends[1]:
        yield Problem(f"{place}.interval", _shown(ends), "its lower end first")
    if not (found.get("chance") is None or _is_number(found["chance"])):
        yield Problem(f"{place}.chance", _shown(found["chance"]), "a number, or null")
    tries = found.get("tries", 0)
    if not isinstance(tries, int) or isinstance(tries, bool) or tries < 0:
        yield Problem(f"{place}.tries", _shown(tries), "a whole number")
    knows = found.get("knows", [])
    if not isinstance(knows, list) or not all(isinstance(each, str) for each in knows):
        yield Problem(f"{place}.knows", _shown(knows), "a list of texts")
    if not isinstance(found.get("sentence", ""), str):
        yield Problem(f"{place}.sentence", _shown(found["sentence"]), "a text")
    level = found.get("confidence", 0.95)
    if not _is_number(level) or not 0 < level < 1:
        yield Problem(f"{place}.confidence", _shown(level), "a number between 0 and 1")


def _figure(found: Mapping[str, Any], signed: bool) -> AttackFigure:
    low, high = (math.nan if end is None else float(end) for end in found.get("interval", (None, None)))
    chance, value = found.get("chance"), math.nan if found["value"] is None else float(found["value"])
    return AttackFigure(
        found["attack"], found["against"], tuple(found.get("knows", ())), found["measure"], value, low,
        high, math.nan if chance is None else float(chance), found.get("tries", 0),
        float(found.get("confidence", 0.95)), found.get("sentence", "")[:_MOST_WORDS], signed,
    )  # fmt: skip


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _shown(value: Any) -> str:
    return repr(value)[:80]
