"""Where a program does not fit the options it was asked for: the options nearest to those that it fits, and its cost.

Promises cost nothing but a check of every image, so they come first; then comparisons get fewer polynomials, one at a
time, and each number of them the precision that it can have.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from privis.errors import PrivisError
from privis.program import Program
from privis.readings import domain_problems, polynomialise
from privis.run.he.circuit.depth_bound import least_levels
from privis.run.he.compiler.circuit_cost import CKKSTimings, Prediction, predict
from privis.run.he.compiler.compiler import Options, encrypted_part, lower_program
from privis.run.he.compiler.parameters import most_levels, possible_choices

LEAST_PRECISION = 0.1
MOST_COMPILED = 1 << 22  # elements of all values of a program, times attempts: what is compiled to find an alternative


@dataclass(frozen=True)
class FittingOptions:
    """Options that a program fits.

    Args:
        options: all of them.
        levels: of a fresh ciphertext.
        expected: what an image takes; None where only the levels were counted, which may still be too few.
    """

    options: Options
    levels: int
    expected: Prediction | None

    def words(self, asked: Options) -> str:
        """What to ask for instead of ``asked``, and what it takes."""
        own, others = self.options, []
        if own.promised != asked.promised:
            others.append(f"promised={own.promised}")
        if own.signs != asked.signs:
            others.append(f"signs={own.signs}")
        if own.precision != asked.precision:
            others.append(f"precision={own.precision:g}")
        settings = ", ".join(others)
        if self.expected is None:
            return f"with {settings} it takes at least {self.levels} levels, which may fit (not compiled: it is large)"
        seconds, memory, keys = self.expected.seconds, self.expected.memory / 2**30, self.expected.keys / 1e6
        return (
            f"with {settings} it fits: {self.levels} levels, {seconds:.2g} s an image, {memory:.2g} GiB of memory, "
            f"keys of {keys:.0f} MB"
        )


def fitting_options(
    program: Program,
    options: Options,
    samples: Sequence[Sequence[NDArray[Any]]],
    cache: int,
    machine: CKKSTimings,
) -> Iterator[FittingOptions]:
    """Find options that a refused program fits, the nearest first.

    Args:
        program: what was refused.
        options: what it was refused for; its precision, signs and promises may change.
        samples: public inputs that tell how large values are; none: typical images.
        cache: bytes of encoded weights kept between runs.
        machine: of this machine.

    Yields:
        Options in which it fits, compiled as far as the size of the program lets that be done in seconds.
    """
    head = encrypted_part(program, options)
    if domain_problems(head):
        options = replace(options, promised=True)
    attempts = MOST_COMPILED // max(sum(map(math.prod, head.shapes)), 1)
    for signs in _fewer(options.signs):
        own = replace(options, signs=signs)
        try:
            if attempts > 0:
                attempts -= 1
                yield from _compiled(program, own, samples, cache, machine)
                continue
            least = least_levels(polynomialise(head, promised=own.promised, stages=signs).program)
            if least <= most_levels(own.standard):
                yield FittingOptions(own, least, None)
                return
        except PrivisError:
            return  # other reasons, which no option changes


def _compiled(
    program: Program, options: Options, samples: Sequence[Sequence[NDArray[Any]]], cache: int, machine: CKKSTimings
) -> Iterator[FittingOptions]:
    """The smallest ring that keeps the precision asked for, or the best there is."""
    lowered = lower_program(program, options, samples)
    choices = []
    for choice in possible_choices(lowered.expected, options.standard):
        choices.append(choice)
        if choice.error <= options.precision:
            break
    best = min((choice.error for choice in choices), default=math.inf)
    precision = max(options.precision, _rounded_up(best))
    if precision <= LEAST_PRECISION:
        choice = next(choice for choice in choices if choice.error <= precision)
        expected = predict(lowered.spec(choice), choice.arrangement, cache, machine)
        yield FittingOptions(replace(options, precision=precision), choice.arrangement.depth, expected)


def _fewer(signs: int | tuple[int, ...]) -> list[int | tuple[int, ...]]:
    """All polynomials, then one less each time: the first goes, the last one decides."""
    if isinstance(signs, int):
        return list(range(signs, 0, -1))
    return [signs[start:] for start in range(len(signs))]


def _rounded_up(error: float) -> float:
    """To one digit.

    >>> _rounded_up(0.0041)
    0.005
    """
    if not 0 < error < math.inf:
        return error
    digits = -math.floor(math.log10(error))
    return round(math.ceil(error * 10**digits) / 10**digits, digits)


__all__ = ["FittingOptions", "fitting_options"]
