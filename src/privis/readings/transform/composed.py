"""Reading ``composed``: one program after another, where the first stays within what the second declares."""

from __future__ import annotations

from privis.errors import Problem, ProgramError, refuse
from privis.program import Input, Program
from privis.readings.analysis.ranges import Interval, ranges

_SLACK = 1e-9


def composed(first: Program, second: Program) -> Program:
    """Return ``first >> second`` where the outputs of the first lie within the declared inputs of the second.

    A program is written for the inputs that it declares: their range and their grid. Interval analysis says what the
    first one certainly gives; shapes are compared as by ``>>``.

    Args:
        first: its outputs become the inputs of ``second``, in order.
        second: declares a range and a grid for each of its inputs.

    Returns:
        One program of the inputs of ``first`` with the outputs of ``second``.

    Raises:
        ProgramError: naming every input whose declaration the first program may leave, with the numbers; shapes differ.

    >>> from privis.program import trace
    >>> counts = trace(lambda x: x.sum(0), Input((4,), 0.0, 1.0))
    >>> composed(counts, trace(lambda x: x * 0.25, Input((), 0.0, 4.0))).output_shapes
    ((),)
    """
    made = first >> second
    known = ranges(first)
    problems = []
    for number, (output, declared) in enumerate(zip(first.outputs, second.inputs, strict=True)):
        problems += _problems(f"composed: input {number} of the second program", known[output], declared)
    refuse(ProgramError, problems)
    return made


def _problems(where: str, found: Interval, declared: Input) -> list[Problem]:
    problems = []
    low, high = found.bounds
    slack = _SLACK * max(1.0, abs(low), abs(high))
    if not (declared.low - slack <= low and high <= declared.high + slack):
        got, expected = f"values in [{low:g}, {high:g}]", f"[{declared.low:g}, {declared.high:g}] as it declares"
        remedy = f"declare Input({declared.shape}, {low:g}, {high:g}, …), or scale between them"
        problems.append(Problem(where, got, expected, remedy))
    if declared.step is not None and (found.step is None or found.step % declared.step != 0):
        got = "values on no grid" if found.step is None else f"values on the grid {found.step:g}"
        remedy = "declare step=None for real numbers"
        problems.append(Problem(where, got, f"the declared grid {declared.step:g}", remedy))
    return problems


__all__ = ["composed"]
