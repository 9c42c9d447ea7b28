"""Numbers on shares: integers of a ring, or fixed point in it; which programs fit, and with how many bits.

A program whose declared ranges do not fit is refused with nodes and numbers: the ring itself wraps silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from privis.errors import DomainError, Problem
from privis.program import Input, Program

SLACK_BITS = 2  # a sign, and one more that truncation and comparison of shares need
FRACTION_BITS = 18  # of a 64-bit ring: SPU's square roots and reciprocals are most accurate there
LEAST_FRACTION_BITS = 14
WIDE_FRACTION_BITS = 26  # of a 128-bit ring


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
class Demand:
    """What a node asks of the ring: ``what`` reaches ``magnitude`` while it carries ``fractions`` scale factors."""

    where: str
    what: str
    magnitude: float
    fractions: int

    def fits(self, fixed: FixedPoint) -> bool:
        """Whether the ring holds it."""
        return self.magnitude < fixed.largest(self.fractions)

    def problem(self, fixed: FixedPoint) -> Problem:
        """Why it does not, and what to do."""
        got = f"{self.what} up to {self.magnitude:.3g}"
        expected = f"less than {fixed.largest(self.fractions):.3g} ({fixed.field_bits}-bit ring, {fixed.fraction_bits} fraction bits)"
        return Problem(self.where, got, expected, "bound the operand: clip it, scale it, or declare a domain before it")


def encoding(declared: Input) -> Encoding:
    """Ring integers where the declared grid is whole numbers, else fixed point.

    >>> encoding(Input((8, 8))), encoding(Input((8, 8), 0.0, 1.0, None))
    (<Encoding.INTEGER: 'integer'>, <Encoding.FIXED: 'fixed'>)
    """
    whole = declared.step is not None and declared.step % 1 == 0
    return Encoding.INTEGER if whole else Encoding.FIXED


def fixed_point(programs: Sequence[Program]) -> FixedPoint:
    """Choose the smallest ring and the most fraction bits that hold every value of all ``programs``.

    64 bits with at most 18 fraction bits where they fit, else 128 bits, which take two to four times as long. Raises
    DomainError with every node that fits neither.
    """
    for bits, most, least in ((64, FRACTION_BITS, LEAST_FRACTION_BITS), (128, WIDE_FRACTION_BITS, FRACTION_BITS)):
        for fraction in range(most, least - 1, -1):
            fixed = FixedPoint(bits, fraction)
            problems = [problem for program in programs for problem in representation_problems(program, fixed)]
            if not problems:
                return fixed
    raise DomainError(*problems)


def representation_problems(program: Program, fixed: FixedPoint) -> list[Problem]:
    """Return every node of ``program`` whose declared range ``fixed`` cannot hold, with numbers and what to do."""
    from privis.run.mpc.lowering import demands

    return [demand.problem(fixed) for demand in demands(program, fixed) if not demand.fits(fixed)]
