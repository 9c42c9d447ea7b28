"""Ids of people (subjects): what is an id, which ids are one, and which look as if they should be.

======================================  ============================================================================
what is given                           what becomes of it
======================================  ============================================================================
text                                    Unicode NFC, without white space and invisible characters at both ends
a whole number, Python's or NumPy's     its decimal digits: 0 and "0" are one id
a float without a fraction              the same: 3.0 is "3", as a column of integers becomes where one is missing
None, NaN, NaT, NA, a masked value      refused: no id
text of nothing but white space         refused: no id
text that stands for a missing value    refused: see `MISSING`
True, bytes, dates, any other type      refused
a float with a fraction, or too large   refused: it could not tell two ids apart
control and invisible characters        refused; the two joiners that some scripts are written with are kept
======================================  ============================================================================

Every way in (Python, CSV, tables, arrays of jobs) takes ids through `subject_ids`, so an id is the same in all of them.
Upper and lower case are told apart. Ids must be true: a person with two ids counts as two people.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
import warnings
from collections.abc import Iterable, Mapping, Sequence, Set
from numbers import Integral
from typing import Any

import numpy as np

from privis.errors import ParameterError, Problem, refuse

MISSING = frozenset(
    ("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA")
) | frozenset(("NULL", "NaN", "NaT", "None", "n/a", "nan", "null", "\\N"))
"""Texts that no person can be called: what pandas reads as missing, with NaT and the ``\\N`` of databases."""

MOST_SHOWN = 20  # of problems and of warnings; the rest is counted

_JOINERS = "\u200c\u200d"
_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
_EXPECTED = "text or a whole number"


class SubjectWarning(UserWarning):
    """Ids that may be one person's, and are counted as two people's."""


def subject_ids(values: object, where: str = "subjects", places: Sequence[str] | None = None) -> tuple[str, ...]:
    """Turn ids as they come, one per image or row, into text by the rules of this module.

    Args:
        values: a list, tuple, array or column of ids.
        where: what they are called in messages, with the position: ``where[3]``.
        places: what to call each of them instead.

    Returns:
        One id per value, in the same order. Ids that were taken through this function before stay as they are.

    Raises:
        ParameterError: values that are no ids, all at once, each with its place and what was got.

    >>> import numpy as np
    >>> subject_ids([0, "0", 0.0, np.int64(0), " 0 "])
    ('0', '0', '0', '0', '0')
    >>> subject_ids(["ann", None])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    privis.errors.ParameterError: subjects[1]: got None, expected an id; ...
    """
    listed = _listed(values, where)
    found: list[str] = []
    problems: list[Problem] = []
    for position, value in enumerate(listed):
        name, problem = _id_of(value)
        found.append(name)
        if problem is not None:
            got, expected, remedy = problem
            problems.append(Problem(places[position] if places else f"{where}[{position}]", got, expected, remedy))
    refuse(ParameterError, shortened(problems, where))
    return tuple(found)


def warn_of_alike(ids: Iterable[str], where: str = "subjects") -> None:
    """Warn with `SubjectWarning` of different ids that differ only in case or form: they stay different people.

    Form is what Unicode's compatibility forms (NFKC) make equal, white space, joiners, zeros before a number and the
    ".0" after it. Letters of other scripts that look the same are not found, nor are accents.

    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_of_alike(["Ann", "bob", "ann", "007", "7"])
    >>> [str(one.message) for one in caught]  # doctest: +ELLIPSIS
    ["subjects: '007' and '7' are two people, 'Ann' and 'ann' are two people; give one id to one person, ..."]
    """
    groups: dict[str, set[str]] = {}
    for name in set(ids):
        groups.setdefault(_form(name), set()).add(name)
    alike = sorted(sorted(names) for names in groups.values() if len(names) > 1)
    if not alike:
        return
    told = ", ".join(f"{' and '.join(map(repr, names))} are {_people(names)}" for names in alike[:MOST_SHOWN])
    if len(alike) > MOST_SHOWN:
        told += f", and {len(alike) - MOST_SHOWN:,} more such groups"
    remedy = "give one id to one person, as what is promised is promised to an id"
    warnings.warn(f"{where}: {told}; {remedy}", SubjectWarning, stacklevel=3)


def shortened(problems: Sequence[Problem], where: str) -> list[Problem]:
    """The first problems, and how many more there are."""
    if len(problems) <= MOST_SHOWN:
        return list(problems)
    left = f"{len(problems) - MOST_SHOWN:,} more of these"
    return [*problems[:MOST_SHOWN], Problem(where, left, "none", problems[0].remedy)]


def _people(names: Sequence[str]) -> str:
    return "two people" if len(names) == 2 else f"{len(names)} people"


def _listed(values: object, where: str) -> list[Any]:
    remedy = "pass a list with one id per image"
    if isinstance(values, str | bytes | Mapping | Set) or not isinstance(values, Iterable):
        raise ParameterError(Problem(where, f"a {type(values).__name__}", "a list of ids", remedy))
    try:
        return list(values)
    except TypeError:  # an array without dimensions
        raise ParameterError(Problem(where, f"one {type(values).__name__}", "a list of ids", remedy)) from None


def _id_of(value: object) -> tuple[str, tuple[str, str, str] | None]:
    """The id, or what was got, what is expected and what to do."""
    if isinstance(value, str):
        return _id_of_text(str.__str__(value))
    if _missing(value):
        remedy = "an image of an unknown person needs an id too, that of nobody else"
        return "", (_shown(value), "an id", remedy)
    if isinstance(value, bool | np.bool_):
        return "", (f"{value}, a {type(value).__name__}", _EXPECTED, "")
    if isinstance(value, Integral):
        return str(int(value)), None
    if isinstance(value, float | np.floating):
        return _id_of_float(value)
    remedy = "decode it to text" if isinstance(value, bytes) else "turn ids into text before, in one way"
    return "", (f"a {type(value).__name__}", _EXPECTED, remedy)


def _id_of_text(text: str) -> tuple[str, tuple[str, str, str] | None]:
    if text.isascii() and text.isprintable():
        name = text.strip()
    else:
        name = _stripped(unicodedata.normalize("NFC", text))
    if not name:
        return "", (f"{_shown(text)}, an empty text", "an id", "an image of an unknown person needs an id too")
    if name in MISSING:
        remedy = "an image of an unknown person needs an id too; put a letter before every id if this is one"
        return "", (f"the text {name!r}, which stands for a missing value", "an id", remedy)
    if not name.isprintable():
        strange = sorted({c for c in name if unicodedata.category(c) in _INVISIBLE and c not in _JOINERS})
        if strange:
            got = f"{_shown(name)} with {', '.join(f'U+{ord(c):04X}' for c in strange)}"
            return "", (got, "an id whose every character can be seen", "take these characters out")
    return name, None


def _id_of_float(value: Any) -> tuple[str, tuple[str, str, str] | None]:
    if not np.isfinite(value) or value != np.floor(value):
        return "", (f"{value}, a number with a fraction", _EXPECTED, "pass whole numbers or text")
    kind = np.finfo(type(value))
    if abs(value) >= 2.0 ** (kind.nmant + 1):
        got = f"{value}, a {kind.dtype} too large to tell it from the next whole number"
        return "", (got, _EXPECTED, "read the column as integers or text")
    return str(int(value)), None


def _missing(value: object) -> bool:
    """None, NaN, NaT and the NA of pandas, which need not be installed; a masked value of NumPy."""
    if value is None or value is np.ma.masked or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    if isinstance(value, float | np.floating):
        return bool(value != value)
    try:  # other numbers that are none: Decimal("NaN")
        return bool(value != value)  # type: ignore[comparison-overlap]
    except Exception:  # whatever a foreign type does when it is compared: it is no id either
        return False


def _stripped(text: str) -> str:
    """``text`` without white space and invisible characters at both ends."""

    def outer(character: str) -> bool:
        return character.isspace() or unicodedata.category(character) == "Cf"

    left = "".join(itertools.dropwhile(outer, text))
    return "".join(itertools.dropwhile(outer, reversed(left)))[::-1]


def _form(name: str) -> str:
    """What ids that differ only in case or form have in common."""
    if not name.isascii():
        for _ in range(2):  # as Unicode's NFKC_Casefold: folding may undo a form
            name = unicodedata.normalize("NFKC", name.casefold())
        name = "".join(c for c in name if unicodedata.category(c) != "Cf")
    name = "".join(name.casefold().split())
    name = re.sub(r"^([+-]?\d+)\.0+$", r"\1", name).removeprefix("+")
    return re.sub(r"(?<![\d.])0+(?=\d)", "", name)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
