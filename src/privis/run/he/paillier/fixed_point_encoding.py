"""Signed fixed point for the additive scheme: integers times a public power of two, and what rounding they cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privis.errors import DomainError, Problem, refuse
from privis.program import Input
from privis.run.he.paillier.scheme import largest_plaintext

MOST_WEIGHT_BITS = 40
INPUT_BITS = 24  # of the largest magnitude, for inputs without a grid


@dataclass(frozen=True)
class FixedPointEncoding:
    """A value of a program as plaintexts hold it: ``plaintext * 2**exponent``.

    ``bound`` is its largest magnitude, by the ranges of the program; ``error`` bounds how far it is from what the
    program defines, through rounded weights.
    """

    exponent: int
    bound: float
    error: float

    @property
    def most(self) -> int:
        """Largest magnitude of a plaintext; exact for any exponent."""
        mantissa, power = math.frexp(self.bound + self.error)
        shift = power - 53 - self.exponent
        whole = math.ceil(math.ldexp(mantissa, 53))
        return whole << shift if shift >= 0 else -(-whole >> -shift)

    def problem(self, where: str, bits: int) -> Problem | None:
        """Why a key of ``bits`` bits does not hold it."""
        if not math.isfinite(self.bound):
            return Problem(where, "values without bounds", "bounded values", "declare the range of the inputs")
        if self.most <= largest_plaintext(bits):
            return None
        got = f"magnitudes up to {self.bound:.3g} in steps of 2**{self.exponent}: {self.most.bit_length()} bits"
        expected = f"less than a third of a {bits}-bit modulus"
        return Problem(where, got, expected, "scale the program down, round its weights more, or use a longer key")


@dataclass(frozen=True, eq=False)
class Rounded:
    """Constants as ``integers * 2**exponent`` (int64), and how far each is off."""

    integers: NDArray[np.int64]
    exponent: int
    error: NDArray[np.float64]


def rounded(values: NDArray[np.floating] | float, bits: int, finest: int | None = None) -> Rounded:
    """Round constants to ``bits`` bits below their largest, or none of them where they have no more than that.

    ``finest`` is an exponent below which nothing is kept, for constants that are added to coarse values.

    >>> rounded(np.array([0.25, -1.5]), 8).integers.tolist(), rounded(np.array([1 / 3]), 8).error.max() < 2**-9
    ([1, -6], True)
    """
    array = np.asarray(values, np.float64)
    most = float(np.abs(array).max(initial=0.0))
    if most == 0.0:
        return Rounded(np.zeros(array.shape, np.int64), 0 if finest is None else finest, np.zeros(array.shape))
    low = math.frexp(most)[1] - bits
    low = low if finest is None else max(low, finest)
    integers = np.rint(np.ldexp(array, -low)).astype(np.int64)
    error = np.abs(array - np.ldexp(integers.astype(np.float64), low))
    spare = _trailing_zeros(integers)
    return Rounded(integers >> spare, low + spare, error)


def _trailing_zeros(integers: NDArray[np.int64]) -> int:
    together = int(np.bitwise_or.reduce(np.abs(integers), axis=None))
    return (together & -together).bit_length() - 1 if together else 0


def held_input(declared: Input) -> FixedPointEncoding:
    """How an input is encrypted: exactly where its grid is a multiple of a power of two, else rounded."""
    bound = max(abs(declared.low), abs(declared.high))
    if declared.step is not None and math.isfinite(bound):
        step = rounded(declared.step, 53)
        if bound / 2.0**step.exponent < 2.0**53:
            return FixedPointEncoding(step.exponent, bound, 0.0)
    exponent = math.frexp(bound)[1] - INPUT_BITS if math.isfinite(bound) else 0
    return FixedPointEncoding(exponent, bound, 2.0 ** (exponent - 1))


def encode(declared: Input, held: FixedPointEncoding, values: NDArray[np.float64], where: str) -> list[int]:
    """Integers to encrypt, in C order; DomainError for values outside the declared shape, range or grid."""
    problems = []
    if values.shape != declared.shape:
        problems.append(Problem(where, f"shape {values.shape}", f"shape {declared.shape}"))
    elif values.size:
        low, high = values.min(), values.max()
        if not (declared.low <= low and high <= declared.high):  # also when there is a NaN
            got, expected = f"values from {low:g} to {high:g}", f"[{declared.low:g}, {declared.high:g}]"
            problems.append(Problem(where, got, expected, "declare the range the values have"))
        elif held.error == 0.0 and (np.ldexp(values, -held.exponent) % 1 != 0).any():
            problems.append(Problem(where, "values between grid points", f"multiples of {declared.step:g}"))
    refuse(DomainError, problems)
    return [int(value) for value in np.rint(np.ldexp(values, -held.exponent)).ravel()]
