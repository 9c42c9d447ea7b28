"""A machine-readable zone from what a reader of characters believes: fields, and whether the check digits are right.

Reference: ICAO Doc 9303, part 3.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.tasks.documents.check_digits import ALPHABET, FILLER
from privis.tasks.documents.zone_formats import Place, ZoneFormat, characters, format_of, holds

SURE = 0.98
"""Probability from which a character is taken as read: that of the best of those that may stand there."""
MOST_DOUBTS = 6
"""Doubtful characters of a zone at most: more cannot be told apart by four check digits."""
ALTERNATIVES = 3
"""Characters that are tried in a doubtful place, the likeliest."""
LEAST = 1e-4
"""Probability of such a character at least: what nobody saw is not put where a check digit would like it."""
COVERED = 0.9
"""Probability of all characters together at least: what seems to be none of them is not repaired."""
RUNNER_UP = 0.01
"""Probability of the second reading that fits, relative to the first, from which the zone stays unsure."""

Probabilities = npt.NDArray[np.floating]
_NAME = re.compile(r"[A-Z]+(<[A-Z]+)*(<<[A-Z]+(<[A-Z]+)*)?<*")
_CODE = re.compile(r"[A-Z]{1,3}<*")
_TEXT = re.compile(r"([A-Z0-9]+(<[A-Z0-9]+)*)?<*")
"""Numbers and optional data: a character after two fillers is a blot rather than text."""
_PATTERNS = {
    "name": _NAME,
    "issuer": _CODE,
    "nationality": _CODE,
    "document": re.compile(r"[A-Z][A-Z<]"),
    "number": _TEXT,
    "optional": _TEXT,
    "optional_2": _TEXT,
}


class CheckDigits(StrEnum):
    """What check digits say of a zone."""

    VALID = "valid"
    """Every character was read without doubt, and every check digit is right."""
    REPAIRED = "repaired"
    """So it is after doubtful characters, all under a check digit, took the one reading that fits."""
    UNSURE = "unsure"
    """A check digit is wrong, or a character in doubt that no check digit settles."""


@dataclass(frozen=True)
class Zone:
    """A machine-readable zone.

    Args:
        lines: of characters, as they were read or repaired.
        format: TD1, TD2, TD3, MRV-A or MRV-B; None where the lines fit none.
        fields: by name, without fillers; dates as they are printed, YYMMDD, whose century is not told.
        check_digits: what they say.
        doubtful: line and column, from 0, of characters that were in doubt.
    """

    lines: tuple[str, ...]
    format: str | None
    fields: dict[str, str]
    check_digits: CheckDigits
    doubtful: tuple[Place, ...] = ()

    @property
    def unchecked(self) -> tuple[str, ...]:
        """Names of fields that no check digit looks at: names and codes, of which ``valid`` tells less."""
        found = format_of(self.lines)
        if found is None:
            return ()
        covered = {place for check in found.checks_of(self.lines) for place in check.places}
        bare = [field.name for field in found.fields if not covered.intersection(field.places)]
        names = [name for each in bare for name in (("surname", "given_names") if each == "name" else (each,))]
        return tuple(name for name in names if self.fields.get(name))


def zone_of_text(lines: Sequence[str]) -> Zone:
    """Check and parse a zone that somebody else has read.

    Check digits notice nothing in names and codes of countries, and one wrong character in ten elsewhere at worst:
    with probabilities of characters `zone_of_probabilities` knows more.

    Args:
        lines: two or three, of digits, capital letters and ``<``.

    Returns:
        The zone.

    Raises:
        ParameterError: another character stands in a line.

    >>> lines = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"
    >>> zone = zone_of_text(lines)
    >>> zone.check_digits.value, zone.fields["number"], zone.fields["given_names"]
    ('valid', 'L898902C3', 'ANNA MARIA')
    """
    problems = [
        Problem(f"line {number}", " ".join(map(repr, odd)), "digits, capital letters and <")
        for number, line in enumerate(lines, 1)
        if (odd := sorted(set(line) - set(ALPHABET)))
    ]
    refuse(ParameterError, problems)
    return zone_of_probabilities(
        [np.eye(len(ALPHABET))[[ALPHABET.index(character) for character in line]] for line in lines]
    )


def zone_of_probabilities(lines: Sequence[Probabilities]) -> Zone:
    """Read a zone: the likeliest characters that may stand there and that the check digits allow.

    Nothing is called valid or repaired that holds a doubtful character without a check digit over it, or that two
    readings fit. No guarantee: a reader may be sure of a wrong character where no check digit looks, in a name.

    Args:
        lines: for each a probability (characters, 37) of every character in the order of ``ALPHABET``.

    Returns:
        The zone; ``unsure`` with the likeliest characters where lines fit no format.

    Raises:
        ParameterError: an array is of another shape, or not of numbers from 0 to 1.
    """
    refuse(ParameterError, [problem for n, line in enumerate(lines, 1) for problem in _problems(n, line)])
    beliefs = [np.asarray(line, np.float64) for line in lines]
    read = ["".join(ALPHABET[best] for best in line.argmax(1)) if len(line) else "" for line in beliefs]
    found = format_of(read)
    if found is None:
        return Zone(tuple(read), None, {}, CheckDigits.UNSURE)
    likely = _ranked(found, read, beliefs)
    best = _replaced(read, {place: options[0][0] for place, options in likely.items()})
    doubts = tuple(sorted(place for place, options in likely.items() if options[0][1] < SURE))
    if not doubts and _fits(found, best):  # then the likeliest of all characters stands everywhere
        return Zone(tuple(best), found.name, fields_of(found, best), CheckDigits.VALID)
    seen = all(beliefs[line][column].sum() >= COVERED for line, column in doubts)
    repaired = _repaired(found, best, likely, doubts) if seen else None
    if repaired is not None and _settled(found, repaired, doubts):
        return Zone(tuple(repaired), found.name, fields_of(found, repaired), CheckDigits.REPAIRED, doubts)
    return Zone(tuple(best), found.name, fields_of(found, best), CheckDigits.UNSURE, doubts)


def fields_of(found: ZoneFormat, lines: Sequence[str]) -> dict[str, str]:
    """Pick the fields of a zone.

    Args:
        found: its format.
        lines: its characters.

    Returns:
        Text by name: ``surname`` and ``given_names`` instead of a name, and a number that is longer than its field
        whole.
    """
    texts = {field.name: characters(lines, field.places) for field in found.fields}
    number = next(check for check in found.checks_of(lines) if check.name == "number")
    if number not in found.checks:
        tail = texts["optional"].split(FILLER)[0]
        texts["number"] = characters(lines, number.places)
        texts["optional"] = texts["optional"][len(tail) :]
    surname, _, given = texts.pop("name").strip(FILLER).partition(FILLER * 2)
    texts |= {"surname": surname, "given_names": given}
    return {name: text.strip(FILLER).replace(FILLER, " ") for name, text in texts.items()}


def _problems(number: int, line: Probabilities) -> list[Problem]:
    values = np.asarray(line)
    where, expected = f"line {number}", f"probabilities (characters, {len(ALPHABET)})"
    if values.ndim != 2 or values.shape[1] != len(ALPHABET) or values.dtype.kind not in "fiub":
        return [Problem(where, f"{values.dtype} values of shape {values.shape}", expected)]
    if not (np.isfinite(values).all() and (values >= 0).all() and (values <= 1 + 1e-6).all()):
        return [Problem(where, "numbers outside 0 to 1", expected)]
    return []


Ranked = dict[Place, tuple[tuple[str, float], ...]]


def _ranked(found: ZoneFormat, read: Sequence[str], beliefs: Sequence[npt.NDArray[np.float64]]) -> Ranked:
    ranked: Ranked = {}
    for (line, column), allowed in found.allowed_at(read).items():
        belief = beliefs[line][column]
        options = [(character, float(belief[ALPHABET.index(character)])) for character in allowed]
        # a letter that was read where a date stands is a doubt; where a digit was read, what no digit is is ruled out
        odd = max(0.0, float(belief.sum()) - sum(option[1] for option in options))
        share = 1 / (1 - odd) if read[line][column] in allowed and odd < 1 else 1.0
        options = sorted(((character, min(1.0, share * value)) for character, value in options), key=_likeliest)
        ranked[line, column] = tuple(options[:ALTERNATIVES])
    return ranked


def _likeliest(option: tuple[str, float]) -> float:
    return -option[1]


def _replaced(lines: Sequence[str], others: dict[Place, str]) -> list[str]:
    rows = [list(line) for line in lines]
    for (line, column), character in others.items():
        rows[line][column] = character
    return ["".join(row) for row in rows]


def _fits(found: ZoneFormat, lines: Sequence[str]) -> bool:
    texts = {field.name: characters(lines, field.places) for field in found.fields}
    patterns = all(_PATTERNS[name].fullmatch(text) for name, text in texts.items() if name in _PATTERNS)
    allowed = all(lines[line][column] in some for (line, column), some in found.allowed_at(lines).items())
    dates = _is_date(texts["birth"]) and _is_date(texts["expiry"])
    return patterns and allowed and dates and all(holds(check, lines) for check in found.checks_of(lines))


def _is_date(text: str) -> bool:
    """Year, month, day; unknown parts are fillers."""
    parts = [text[:2], text[2:4], text[4:]]
    if any(part != FILLER * 2 and FILLER in part for part in parts):
        return False
    month, day = parts[1:]
    return (month == FILLER * 2 or 1 <= int(month) <= 12) and (day == FILLER * 2 or 1 <= int(day) <= 31)


def _settled(found: ZoneFormat, lines: Sequence[str], doubts: Sequence[Place]) -> bool:
    """Whether a check digit is computed of, or stands in, every place of ``doubts``."""
    checks = found.checks_of(lines)
    return set(doubts) <= {place for check in checks for place in (*check.places, check.digit)}


def _repaired(found: ZoneFormat, best: Sequence[str], likely: Ranked, doubts: tuple[Place, ...]) -> list[str] | None:
    """Return the one reading of the doubtful characters, all of which were seen to be some character, that fits."""
    if not 1 <= len(doubts) <= MOST_DOUBTS:
        return None
    fitting: list[tuple[float, list[str]]] = []
    options = [[option for option in likely[place] if option[1] >= LEAST] for place in doubts]
    for choice in itertools.product(*options):
        lines = _replaced(best, {place: option[0] for place, option in zip(doubts, choice, strict=True)})
        if _fits(found, lines):
            fitting.append((float(np.prod([option[1] for option in choice])), lines))
    fitting.sort(key=lambda each: -each[0])
    if not fitting or (len(fitting) > 1 and fitting[1][0] >= RUNNER_UP * fitting[0][0]):
        return None
    return fitting[0][1]
