"""Numbers on shares: integers of a ring, or fixed point in it; which programs fit, and with how many bits.

A program whose declared ranges do not fit is refused with nodes and numbers: the ring itself wraps silently.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from privis.errors import Problem
from privis.former_names import former_names
from privis.program import Input

SLACK_BITS = 2  # a sign, and one more that truncation and comparison of shares need
FRACTION_BITS = 18  # of a 64-bit ring: SPU's square roots and reciprocals are most accurate there
LEAST_FRACTION_BITS = 14
WIDE_FRACTION_BITS = 26  # of a 128-bit ring
LIBRARIES = ("spu", "jax", "jaxlib", "numpy")
"""Whose versions decide what a program is traced and compiled to."""


class Encoding(Enum):
    """How a shared array is held: exact ring integers, or fixed point."""

    INTEGER = "integer"
    FIXED = "fixed"


@dataclass(frozen=True)
class FixedPoint:
    """A ring of ``field_bits`` bits whose fixed-point numbers have ``fraction_bits`` binary places."""

    field_bits: int = 64
    fraction_bits: int = FRACTION_BITS

    def largest(self, fractions: int) -> float:
        """The largest magnitude of a ring element that carries ``fractions`` factors of ``2**fraction_bits``."""
        return 2.0 ** (self.field_bits - SLACK_BITS - fractions * self.fraction_bits)


@dataclass(frozen=True)
class RingRequirement:
    """What a node requires of the ring: ``what`` reaches ``magnitude`` while it carries ``fractions`` scale factors."""

    where: str
    what: str
    magnitude: float
    fractions: int

    def fits(self, fixed: FixedPoint) -> bool:
        """Whether the ring holds it."""
        return self.magnitude < fixed.largest(self.fractions)

    def problem(self, fixed: FixedPoint) -> Problem:
        """Why the ring does not hold it, and what to do."""
        got = f"{self.what} up to {self.magnitude:.3g}" if math.isfinite(self.magnitude) else self.what
        ring = f"a {fixed.field_bits}-bit ring with {fixed.fraction_bits} fraction bits"
        remedy = "clip or scale the operand, or declare the domain it lies in"
        return Problem(self.where, got, f"less than {fixed.largest(self.fractions):.3g} in {ring}", remedy)


def encoding(declared: Input) -> Encoding:
    """Ring integers where the declared grid is whole numbers, else fixed point.

    >>> encoding(Input((8, 8))), encoding(Input((8, 8), 0.0, 1.0, None))
    (<Encoding.INTEGER: 'integer'>, <Encoding.FIXED: 'fixed'>)
    """
    whole = declared.step is not None and declared.step % 1 == 0
    return Encoding.INTEGER if whole else Encoding.FIXED


def problems_of(requirements: Sequence[RingRequirement], fixed: FixedPoint) -> list[Problem]:
    """The requirements that ``fixed`` does not meet, one for each node: the first, from which the others follow."""
    unmet: dict[str, RingRequirement] = {}
    for requirement in requirements:
        if not requirement.fits(fixed):
            unmet.setdefault(requirement.where, requirement)
    return [requirement.problem(fixed) for requirement in unmet.values()]


__getattr__ = former_names(__name__)
