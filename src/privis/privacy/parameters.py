"""Checks of what a caller chooses or hands in; the first two return a problem in a list, or an empty list."""

from __future__ import annotations

import math
from numbers import Integral, Real

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem


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


def real_values(where: str, values: object) -> npt.NDArray[np.float64]:
    """Give ``values`` in double precision; raises ``ParameterError`` when they are not an array of real numbers."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise ParameterError(Problem(where, f"{array.dtype} values", "an array of real numbers"))
    if array.dtype.itemsize <= 8:
        return array.astype(np.float64)
    with np.errstate(over="ignore"):  # a long double beyond double becomes infinite, which releases expect
        return array.astype(np.float64)
