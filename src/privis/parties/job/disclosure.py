"""What a member tells the others, and the submitter, of its own failure: a closed list; all else stays in its log.

Told in full are `PartyError` and its kinds, which this package makes of words of the job file, names, addresses,
versions, digests and announcements: all of them public among members. Of everything else, of whatever a task, a
feature, a file, a ledger or a library has to say, others hear where it happened and that it does not fit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from privis.errors import PartyError, PrivisError, Problem

DOES_NOT_FIT = "something that does not fit"


class Withheld(PartyError):
    """A failure whose details are this member's own affair: ``problems`` for its log, ``told`` for everybody else."""

    def __init__(self, own: tuple[Problem, ...], told: tuple[Problem, ...]) -> None:
        super().__init__(*own)
        self.told = told


@contextlib.contextmanager
def withholding(member: str, where: str, expected: str, got: str = DOES_NOT_FIT) -> Iterator[None]:
    """Whatever Privis refuses inside is told as ``got`` at ``where``; its details go to the log of ``member``."""
    try:
        yield
    except Withheld:
        raise
    except PrivisError as error:
        told = Problem(where, got, expected, f"the log of {member} says what it is")
        raise Withheld(error.problems, (told,)) from None


@contextlib.contextmanager
def public() -> Iterator[None]:
    """Whatever Privis refuses inside follows from the job file and announcements alone: all members may read it."""
    try:
        yield
    except PartyError:
        raise
    except PrivisError as error:
        raise PartyError(*error.problems) from None


def told_of(member: str, error: BaseException) -> tuple[Problem, ...]:
    """Problems of ``error`` of ``member`` that other members may read."""
    expected, remedy = "the job to go on", f"see the log of {member}"
    match error:
        case Withheld():
            return error.told
        case PartyError():
            return error.problems
        case PrivisError():
            return (Problem(member, DOES_NOT_FIT, expected, remedy),)
        case _:  # even the name of an exception can say whether a file exists
            return (Problem(member, "an unexpected error", expected, remedy),)


def own_of(member: str, error: BaseException) -> tuple[Problem, ...]:
    """Problems of ``error`` in full, for the log of ``member`` alone."""
    if isinstance(error, PrivisError):
        return error.problems
    return (Problem(member, f"{type(error).__name__}: {error}", "the job to go on", "report this"),)
