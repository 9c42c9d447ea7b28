"""Checks of the numbers a caller chooses; each returns its problem in a list, or an empty list."""

from __future__ import annotations

import math
from numbers import Integral, Real

from privis.errors import Problem


def whole_number(where: str, value: object) -> list[Problem]:
    """Return the problem that ``value`` is not an integer of at least 1, if so (numpy's integers are welcome)."""
    # True is an integer to Python, but no count.
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1:
        return []
    return [Problem(where, repr(value), "an integer of at least 1")]


def positive_number(where: str, value: object) -> list[Problem]:
    """Return the problem that ``value`` is not a positive finite number, if so."""
    if isinstance(value, Real) and not isinstance(value, bool) and 0 < float(value) < math.inf:
        return []
    return [Problem(where, repr(value), "a finite number above 0")]
