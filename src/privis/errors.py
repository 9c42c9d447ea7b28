"""Every exception Privis raises.

::

    PrivisError
    ├── ParameterError      a value the caller chose (also a ValueError)
    ├── ImageError          an image that cannot be used (also a ValueError)
    ├── ProgramError        a program that is not well formed
    │   └── DomainError     a node may be asked outside its declared domain
    ├── UnsupportedError    well formed, but not for this executor or importer
    ├── BudgetError         a release the privacy budget does not allow
    │   ├── DamagedLedgerError  a ledger that is not what was written: nothing is allowed on its account
    │   └── AnswerLimitError    more answers about templates or a model than one client may get
    ├── PartyError          a party of a joint computation failed, left or disagreed
    ├── ProtocolError       bytes of a peer that are not what was agreed: damaged, foreign, of another program
    ├── ServiceError        a server refused, failed, or cannot be reached
    ├── OutputError         a result that could not be written (also an OSError)
    └── MissingExtraError   an optional dependency is absent (also an ImportError)

Each one carries ``problems``: all that was wrong, not only the first thing found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, what was got, what was expected and what to do about it.

    Args:
        where: what is wrong: a parameter, a file, a node of a program.
        got: what was found there.
        expected: what would have been right, with its unit.
        remedy: what to do about it; may be empty.

    >>> str(Problem("size", "0 pixels", "at least 1", "pass size=(64, 64)"))
    'size: got 0 pixels, expected at least 1; pass size=(64, 64)'
    """

    where: str
    got: str
    expected: str
    remedy: str = ""

    def __str__(self) -> str:
        sentence = f"{self.where}: got {self.got}, expected {self.expected}"
        return f"{sentence}; {self.remedy}" if self.remedy else sentence


class PrivisError(Exception):
    """Base of all errors; ``problems`` lists every cause.

    >>> str(PrivisError(Problem("HOG.cell", "0", "an integer of at least 1", "try cell=8")))
    'HOG.cell: got 0, expected an integer of at least 1; try cell=8'
    """

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems: tuple[Problem, ...] = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class ParameterError(PrivisError, ValueError):
    """A parameter is outside what the function or feature accepts."""


class ImageError(PrivisError, ValueError):
    """An image cannot be read, or not used by this feature."""


class ProgramError(PrivisError):
    """A program is not well formed: shapes disagree, a name is unknown, a file is damaged."""


class DomainError(ProgramError):
    """A value may leave the domain that a node declares, so its polynomial form would be wrong."""


class UnsupportedError(PrivisError):
    """An executor or importer does not know a node, and says what to use instead."""


class BudgetError(PrivisError):
    """A release would overspend the privacy budget; nothing was sampled."""


class DamagedLedgerError(BudgetError):
    """A ledger's file is not what was written, or was put back; nothing is released on its account."""


class AnswerLimitError(BudgetError):
    """A client asks for more answers about templates or a model than it may get; nothing was computed."""

    def __init__(self, *problems: Problem, seconds: float | None = None) -> None:
        super().__init__(*problems)
        self.seconds = seconds  # until the same question may be asked; None: not before somebody lifts the limit


class PartyError(PrivisError):
    """A party of a joint computation failed, left or disagreed; nothing was revealed after that."""


class ProtocolError(PrivisError):
    """Bytes from a peer or a file are not what was agreed: damaged, foreign, too old, or of another program."""


class ServiceError(PrivisError):
    """A server refused, failed, or cannot be reached; keys and images are where they were, and asking again is safe."""


class OutputError(PrivisError, OSError):
    """A result could not be written; what was there before is untouched."""


class MissingExtraError(PrivisError, ImportError):
    """An optional dependency is not installed; the message holds the command that installs it."""

    @classmethod
    def of(cls, package: str, extra: str, purpose: str, remedy: str = "") -> MissingExtraError:
        """Build the error for ``package``, which the extra ``extra`` brings.

        Args:
            package: name of the package that cannot be imported.
            extra: the optional dependency of Privis that brings it.
            purpose: what it is needed for.
            remedy: what to do where installing the extra does not help; empty: install it.

        Returns:
            The error, to be raised by the caller.
        """
        remedy = remedy or f"run: pip install 'privis[{extra}]'"
        return cls(Problem(purpose, f"no package {package!r}", "it installed", remedy))


def refuse(error: type[PrivisError], problems: Sequence[Problem]) -> None:
    """Raise ``error`` with all ``problems``, or return when there are none.

    Args:
        error: class of the error.
        problems: all that is wrong; none: nothing happens.

    Raises:
        PrivisError: ``error`` itself, where there is a problem.
    """
    if problems:
        raise error(*problems)
