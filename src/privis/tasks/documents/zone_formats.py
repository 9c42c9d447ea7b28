"""What stands where in a machine-readable zone: formats of identity cards, passports and visas.

Reference: ICAO Doc 9303, parts 4 (TD3), 5 (TD1), 6 (TD2) and 7 (visas MRV-A and MRV-B).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from privis.tasks.documents.check_digits import ALPHABET, DIGITS, FILLER, LETTERS, check_digit

NAMES = LETTERS + FILLER
DATES = DIGITS + FILLER
SEXES = "MF" + FILLER

Place = tuple[int, int]
"""Line and column, both from 0."""


@dataclass(frozen=True)
class Field:
    """A run of characters of one line.

    Args:
        name: as results call it.
        line: number of the line, from 0.
        start: first column, from 0.
        stop: column after the last.
        allowed: characters that may stand there.
    """

    name: str
    line: int
    start: int
    stop: int
    allowed: str = ALPHABET

    @property
    def places(self) -> tuple[Place, ...]:
        """Line and column of every character."""
        return tuple((self.line, column) for column in range(self.start, self.stop))


@dataclass(frozen=True)
class Check:
    """A check digit and what it is computed of.

    Args:
        name: of the field that it checks, or ``composite``.
        digit: where it stands.
        places: the characters that it is computed of, in order.
        may_be_empty: ``<`` stands for 0 where all of them are ``<``.
    """

    name: str
    digit: Place
    places: tuple[Place, ...]
    may_be_empty: bool = False


@dataclass(frozen=True)
class ZoneFormat:
    """Lines, fields and check digits of one kind of document.

    Args:
        name: as ICAO calls it.
        shape: lines, and characters of a line.
        first_letters: what the first character may be.
        fields: everything that is no check digit.
        checks: the check digits of a document whose number fits its field.
    """

    name: str
    shape: tuple[int, int]
    first_letters: str
    fields: tuple[Field, ...]
    checks: tuple[Check, ...]

    def checks_of(self, lines: Sequence[str]) -> tuple[Check, ...]:
        """Return the check digits of this zone: where a number is longer than nine, its digit stands behind it.

        Args:
            lines: the zone.

        Returns:
            The check digits.
        """
        number, optional = (next(f for f in self.fields if f.name == name) for name in ("number", "optional"))
        digit = self.checks[0].digit
        if not self.name.startswith("TD") or self.name == "TD3" or lines[digit[0]][digit[1]] != FILLER:
            return self.checks
        more = lines[optional.line][optional.start : optional.stop].split(FILLER)[0]
        if len(more) < 2:
            return self.checks
        places = number.places + optional.places[: len(more) - 1]
        return (Check("number", optional.places[len(more) - 1], places), *self.checks[1:])

    def allowed_at(self, lines: Sequence[str] | None = None) -> dict[Place, str]:
        """Say which characters may stand at every place.

        Args:
            lines: the zone as it was read, for a number that is longer than its field.

        Returns:
            Characters by place.
        """
        found = {place: field.allowed for field in self.fields for place in field.places}
        for check in self.checks if lines is None else self.checks_of(lines):
            longer = check.name == "number" and self.name in ("TD1", "TD2")
            found[check.digit] = DATES if check.may_be_empty or longer else DIGITS
        if lines is not None and self.checks_of(lines) != self.checks:
            found[self.checks[0].digit] = FILLER
        found[0, 0] = self.first_letters
        return found


def characters(lines: Sequence[str], places: Iterable[Place]) -> str:
    """Pick characters of a zone.

    Args:
        lines: the zone.
        places: line and column of each.

    Returns:
        Them, in order.
    """
    return "".join(lines[line][column] for line, column in places)


def holds(check: Check, lines: Sequence[str]) -> bool:
    """Say whether a check digit is right.

    Args:
        check: which.
        lines: the zone.

    Returns:
        Whether it is.
    """
    text, digit = characters(lines, check.places), lines[check.digit[0]][check.digit[1]]
    if digit == FILLER:
        return check.may_be_empty and not text.strip(FILLER)
    return check_digit(text) == digit


def _places(*runs: tuple[int, int, int]) -> tuple[Place, ...]:
    return tuple((line, column) for line, start, stop in runs for column in range(start, stop))


def _two_lines(name: str, width: int, first: str, optional: int, composite: bool, optional_check: bool) -> ZoneFormat:
    fields = (
        Field("document", 0, 0, 2, NAMES),
        Field("issuer", 0, 2, 5, NAMES),
        Field("name", 0, 5, width, NAMES),
        Field("number", 1, 0, 9),
        Field("nationality", 1, 10, 13, NAMES),
        Field("birth", 1, 13, 19, DATES),
        Field("sex", 1, 20, 21, SEXES),
        Field("expiry", 1, 21, 27, DATES),
        Field("optional", 1, 28, optional),
    )
    checks = [
        Check("number", (1, 9), _places((1, 0, 9))),
        Check("birth", (1, 19), _places((1, 13, 19))),
        Check("expiry", (1, 27), _places((1, 21, 27))),
    ]
    if optional_check:
        checks.append(Check("optional", (1, optional), _places((1, 28, optional)), may_be_empty=True))
    if composite:
        covered = _places((1, 0, 10), (1, 13, 20), (1, 21, width - 1))
        checks.append(Check("composite", (1, width - 1), covered))
    return ZoneFormat(name, (2, width), first, fields, tuple(checks))


TD1 = ZoneFormat(
    "TD1",
    (3, 30),
    "ACI",
    (
        Field("document", 0, 0, 2, NAMES),
        Field("issuer", 0, 2, 5, NAMES),
        Field("number", 0, 5, 14),
        Field("optional", 0, 15, 30),
        Field("birth", 1, 0, 6, DATES),
        Field("sex", 1, 7, 8, SEXES),
        Field("expiry", 1, 8, 14, DATES),
        Field("nationality", 1, 15, 18, NAMES),
        Field("optional_2", 1, 18, 29),
        Field("name", 2, 0, 30, NAMES),
    ),
    (
        Check("number", (0, 14), _places((0, 5, 14))),
        Check("birth", (1, 6), _places((1, 0, 6))),
        Check("expiry", (1, 14), _places((1, 8, 14))),
        Check("composite", (1, 29), _places((0, 5, 30), (1, 0, 7), (1, 8, 15), (1, 18, 29))),
    ),
)
TD2 = _two_lines("TD2", 36, "ACIP", 35, composite=True, optional_check=False)
TD3 = _two_lines("TD3", 44, "P", 42, composite=True, optional_check=True)
MRV_A = _two_lines("MRV-A", 44, "V", 44, composite=False, optional_check=False)
MRV_B = _two_lines("MRV-B", 36, "V", 36, composite=False, optional_check=False)
FORMATS = (TD1, TD2, TD3, MRV_A, MRV_B)


def format_of(lines: Sequence[str]) -> ZoneFormat | None:
    """Tell the format of a zone by its lines and its first character.

    Args:
        lines: the zone.

    Returns:
        The format; None where no format has such lines.

    >>> format_of(["P" + "<" * 43, "<" * 44]).name
    'TD3'
    """
    shape = (len(lines), len(lines[0])) if lines and len({len(line) for line in lines}) == 1 else None
    return next((each for each in FORMATS if each.shape == shape and lines[0][0] in each.first_letters), None)
