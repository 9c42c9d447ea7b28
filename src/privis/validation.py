"""Checks of what a caller chooses or hands in; the first two return a problem in a list, or an empty list."""

from __future__ import annotations

import contextlib
import math
from numbers import Integral, Real

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem

MOST = 2**40
"""The largest whole number that a caller may choose: products of a few stay finite as real numbers."""


def whole_number(where: str, value: object) -> list[Problem]:
    """Return the problem that ``value`` is not an integer from 1 to `MOST`, if so.

    numpy's integers are welcome; whoever keeps them keeps them by `keep_whole`.
    """
    # True is an integer to Python, but no count.
    if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < 1:
        return [Problem(where, repr(value), "an integer of at least 1")]
    if int(value) > MOST:
        got = repr(value) if int(value) < 2**64 else f"an integer of {int(value).bit_length()} bits"
        return [Problem(where, got, "an integer from 1 to 2**40")]
    return []


def keep_whole(owner: object, *names: str) -> None:
    """Turn these fields of a frozen dataclass into Python's integers: numpy's overflow, and sensitivities with them.

    >>> import numpy as np
    >>> with np.errstate(over="ignore"):
    ...     int(np.int8(100) * np.int8(100))
    16
    """
    for name in names:
        object.__setattr__(owner, name, int(getattr(owner, name)))


def positive_number(where: str, value: object) -> list[Problem]:
    """Return the problem that ``value`` is not a positive finite number, if so."""
    with contextlib.suppress(OverflowError):  # of an integer that no float holds
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


LARGEST = 2**31 - 1


LONGEST_SIDE = 2**15 - 1  # pixels, which OpenCV resizes to


def integer_problem(where: str, value: object, low: int, high: int | None = None) -> list[Problem]:
    """A problem unless ``value`` is an integer within ``[low, high]``; without ``high`` below 2**31.

    Of numpy's integers int64 alone: products of narrower ones overflow at once, and unsigned ones below 0.
    """
    bounds = f"an integer of at least {low}" if high is None else f"an integer from {low} to {high}"
    if isinstance(value, np.integer) and value.dtype != np.int64:
        return [Problem(where, f"numpy's {type(value).__name__} {value}", bounds, f"pass int({value})")]
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < low:
        return [Problem(where, repr(value), bounds)]
    number = int(value)
    if number > (LARGEST if high is None else high):
        got = repr(value) if number < 2**64 else f"an integer of {number.bit_length()} bits"
        return [Problem(where, got, bounds if high else f"an integer from {low} to {LARGEST}")]
    return []


def size_problem(where: str, size: object, least: int = 1) -> list[Problem]:
    """A problem unless ``size`` is None or a (height, width) of integers of at least ``least`` pixels."""
    if size is None:
        return []
    if isinstance(size, tuple) and len(size) == 2:
        return [p for length in size for p in integer_problem(where, length, least, LONGEST_SIDE)]
    return [Problem(where, repr(size), "(height, width) in pixels or None")]


def refuse_parameters(problems: list[Problem]) -> None:
    """Raise ParameterError with all ``problems``."""
    if problems:
        raise ParameterError(*problems)
