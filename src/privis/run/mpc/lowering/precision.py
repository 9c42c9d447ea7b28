"""Which fixed point holds every value of some programs: judged by what their lowering requires of the ring."""

from __future__ import annotations

from collections.abc import Sequence

from privis.errors import DomainError, Problem
from privis.program import Program
from privis.run.mpc.fixed_point import (
    FRACTION_BITS,
    LEAST_FRACTION_BITS,
    WIDE_FRACTION_BITS,
    FixedPoint,
    problems_of,
)
from privis.run.mpc.lowering.lower import ring_requirements


def choose_fixed_point(programs: Sequence[Program]) -> FixedPoint:
    """Choose the smallest ring and the most fraction bits that hold every value of all ``programs``.

    Returns:
        64 bits with at most 18 fraction bits where they fit, else 128 bits, which take two to four times as long.

    Raises:
        DomainError: with every node that fits neither.
    """
    choices = [FixedPoint(64, bits) for bits in range(FRACTION_BITS, LEAST_FRACTION_BITS - 1, -1)]
    choices += [FixedPoint(128, bits) for bits in range(WIDE_FRACTION_BITS, FRACTION_BITS - 1, -1)]
    problems: list[Problem] = []
    for fixed in choices:
        problems = [problem for program in programs for problem in representation_problems(program, fixed)]
        if not problems:
            return fixed
    raise DomainError(*problems)


def representation_problems(program: Program, fixed: FixedPoint) -> list[Problem]:
    """Return every node of ``program`` whose declared range ``fixed`` cannot hold, with numbers and what to do."""
    return problems_of(ring_requirements(program, fixed), fixed)
