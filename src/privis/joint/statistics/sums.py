"""Exact integer sums over owners inside the ring: what most joint statistics need, and all that they reveal.

Every owner adds up its own rows in the clear, at home, and shares the few integers that come out; inside, they are
only added. The number of rows an owner has stays secret with that, and a sum over a million images costs what a sum
over three does.

What a total tells. Nothing but itself: shares of the summands are uniformly random to any ``corruptions`` parties. But
a receiver who is one of two owners subtracts its own part and holds the other's, so exact totals over two owners
protect neither from the other, and of three owners two can pool theirs. `privis.joint.release.distributed_noise`
releases totals that say no more than their epsilon about anybody's image.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import DomainError, ParameterError, Problem, refuse
from privis.program import Input, Program, trace
from privis.run.mpc.job import Drop, Job, Reveal, Run, Share, Source
from privis.run.mpc.protocols import ABY3, Preset

Integers = NDArray[np.int64]
TOTAL = "total"
MOST = 1 << 61


@dataclass(frozen=True)
class Committee:
    """The compute parties by name, in rank order, and the protocol they run.

    Owners and receivers may be members or outsiders.

    Args:
        members: different names, in the order of their ranks; as many as the protocol has parties.
        preset: the protocol.

    Raises:
        ParameterError: a wrong number of members, or a name twice.

    >>> Committee().members
    ('party 0', 'party 1', 'party 2')
    """

    identifier: ClassVar[str] = "privis.committee/1"

    members: tuple[str, ...] = ("party 0", "party 1", "party 2")
    preset: Preset = ABY3

    def __post_init__(self) -> None:
        members = tuple(self.members)
        if len(members) != self.preset.parties or len(set(members)) != len(members):
            expected = f"{self.preset.parties} different names, as {self.preset.name} needs"
            raise ParameterError(Problem("Committee.members", repr(members), expected))
        object.__setattr__(self, "members", members)


def sum_program(length: int, bounds: Sequence[int]) -> Program:
    """Add as many integer vectors of ``length`` as there are ``bounds``, each with its own bound of a component's size.

    >>> from privis.readings import evaluate
    >>> evaluate(sum_program(3, [9, 9]), np.array([1, 2, 3]), np.array([4, 5, 6]))
    array([5., 7., 9.], dtype=float32)
    """
    inputs = [integers(length, bound) for bound in bounds]
    return trace(lambda *summands: functools.reduce(operator.add, summands), *inputs)


def integers(length: int, bound: int) -> Input:
    """Declare an integer vector whose components are at most ``bound`` in size."""
    return Input((length,), -float(bound), float(bound), 1.0)


def sum_job(
    committee: Committee, length: int, summands: Mapping[str, tuple[str, int]], receivers: Sequence[str]
) -> Job:
    """Build the job that adds sources and reveals the total, and nothing else.

    Args:
        committee: the compute parties and their protocol.
        length: of every summand, integers (length,).
        summands: owner and largest size, by source name.
        receivers: names of those who learn the result.

    Returns:
        The job.

    Raises:
        DomainError: a total could leave the ring.
    """
    names, bounds = tuple(summands), [bound for _, bound in summands.values()]
    if sum(bounds) >= MOST:
        expected = f"less than 2**{MOST.bit_length() - 1}, which the ring adds exactly"
        remedy = "use fewer owners, a smaller bound or less noise"
        raise DomainError(Problem("sum", f"totals of up to {sum(bounds):.3g}", expected, remedy))
    program = sum_program(length, bounds)
    return Job(
        preset=committee.preset,
        parties=committee.members,
        sources={name: Source(owner, integers(length, bound)) for name, (owner, bound) in summands.items()},
        programs={"sum": program},
        instructions=(
            *(Share(name) for name in names),
            Run("sum", names, (TOTAL,)),
            Drop(names),
            Reveal(TOTAL, tuple(receivers)),
            Drop((TOTAL,)),
        ),
    )


def source(owner: str) -> str:
    """Name the source of an owner's own summand."""
    return f"summand of {owner}"


def owners_job(committee: Committee, length: int, bound: int, owners: Sequence[str], receivers: Sequence[str]) -> Job:
    """Add one vector of each of ``owners``; see `sum_job`. Raises ParameterError unless they are different."""
    refuse(ParameterError, owner_problems(owners))
    return sum_job(committee, length, {source(owner): (owner, bound) for owner in owners}, receivers)


def owner_problems(owners: Sequence[str]) -> list[Problem]:
    """Return the problem that ``owners`` are none or named twice, if so."""
    if owners and len(set(owners)) == len(owners):
        return []
    return [Problem("owners", repr(tuple(owners)), "at least one, each named once")]


def total_of(revealed: Mapping[str, NDArray[Any]]) -> Integers:
    """Give the total that a job of `sum_job` revealed."""
    total = np.asarray(revealed[TOTAL])
    return total if total.dtype == np.int64 else np.rint(total).astype(np.int64)  # rint loses integers beyond 2**53


def who_learns(what: str, owners: Sequence[str], receivers: Sequence[str]) -> str:
    """Say in a sentence what is revealed to whom.

    >>> who_learns("the mean", ["a", "b", "c"], ["a"])
    'a learns the mean of all of a, b, c together, and nobody learns anything else.'
    """
    verb = "learns" if len(receivers) == 1 else "learn"
    every = ", ".join(owners)
    return f"{', '.join(receivers)} {verb} {what} of all of {every} together, and nobody learns anything else."


def who_subtracts(owners: Sequence[str], receivers: Sequence[str]) -> str:
    """Say what an exact total lets receivers compute who are owners themselves; empty if they are too few.

    >>> who_subtracts(["a", "b"], ["a"])
    ' By subtracting its own part, a can know the part of the other owner exactly.'
    """
    inside = [owner for owner in owners if owner in receivers]
    if len(owners) == 1:
        return " With a single owner that is the owner's own."
    if len(owners) > 2 or not inside:
        return ""
    return f" By subtracting its own part, {' and '.join(inside)} can know the part of the other owner exactly."
