"""Whose image is whose, and how many of one person's images may contribute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from privis.errors import ImageError, ParameterError, Problem
from privis.privacy import Ledger, Person, Release
from privis.privacy.budget import BudgetUnit
from privis.privacy.file_ledger import FileLedger


@dataclass(frozen=True)
class Contributions:
    """The subject of every record, and the records beyond what one person may contribute."""

    subjects: Mapping[str, str]
    beyond: frozenset[str]
    most: int | None

    def admit(self, record: str) -> str | None:
        """Return the subject of ``record`` if one was named; ImageError when that person has given all they may."""
        if record in self.beyond:
            got = f"one more image of a person who already gave {self.most}"
            remedy = "a unit of person:COUNT with a larger count hides less of each image"
            raise ImageError(Problem(record, got, f"at most {self.most} per person", remedy))
        return self.subjects.get(record)


NOBODY = Contributions({}, frozenset(), None)
"""Every image is a subject of its own."""


def contributions(
    records: Sequence[str], subjects: Sequence[str] | None, release: Release | None, ledger: Ledger | None = None
) -> Contributions:
    """Bound contributions as ``release`` needs it: the first images of a person count, in the order given.

    Without ``subjects`` every record is a subject of its own. Raises ParameterError when the release hides a person,
    or the ledger keeps a budget per person, and nobody says who is who, or when there are not as many subjects as
    records.

    >>> from privis.privacy import FeatureRelease, Laplace
    >>> release = FeatureRelease(Laplace(1.0), clip=1.0, unit=Person(2))
    >>> sorted(contributions(["a", "b", "c"], ["ann", "ann", "ann"], release).beyond)
    ['c']
    """
    unit = None if release is None else release.unit
    most = unit.images if isinstance(unit, Person) else None
    if subjects is None:
        if most is not None or _budgets_people(ledger):
            remedy = "pass subjects=[...], on the command line --subject-column"
            raise ParameterError(
                Problem("subjects", "none", "a subject for every image when a person is hidden", remedy)
            )
        return NOBODY
    if len(subjects) != len(records):
        raise ParameterError(Problem("subjects", f"{len(subjects)} subjects", f"{len(records)}, one per image"))
    given: Counter[str] = Counter()
    beyond = []
    for record, subject in zip(records, subjects, strict=True):
        given[subject] += 1
        if most is not None and given[subject] > most:
            beyond.append(record)
    return Contributions(dict(zip(records, subjects, strict=True)), frozenset(beyond), most)


def _budgets_people(ledger: Ledger | None) -> bool:
    return isinstance(ledger, FileLedger) and ledger.budget.unit is BudgetUnit.PERSON
