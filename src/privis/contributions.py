"""Whose image is whose, and how many of one person's images may contribute."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import normalize

from privis.errors import ImageError, ParameterError, Problem, refuse
from privis.io.identity import image_identities
from privis.privacy import Ledger, Person, Release
from privis.privacy.budget import BudgetUnit, Per
from privis.privacy.file_ledger import FileLedger
from privis.subjects import shortened, subject_ids, warn_of_alike


@dataclass(frozen=True)
class Contributions:
    """The subject of every record, and the records beyond what one person may contribute."""

    subjects: Mapping[str, str]
    beyond: frozenset[str]
    most: int | None

    def admit(self, record: str) -> str | None:
        """Return the subject of ``record``, never an empty text, or None where nobody is named for any record.

        Raises ImageError when that person has given all they may.
        """
        if record in self.beyond:
            got = f"one more image of a person who already gave {self.most}"
            remedy = "a unit of person:COUNT with a larger count hides less of each image"
            raise ImageError(Problem(record, got, f"at most {self.most} per person", remedy))
        return self.subjects[record] if self.subjects else None


NOBODY = Contributions({}, frozenset(), None)
"""Every image is a subject of its own."""


def contributions(
    records: Sequence[str],
    subjects: Iterable[str | int] | None,
    release: Release | None,
    ledger: Ledger | None = None,
    sources: Sequence[Any] | None = None,
) -> Contributions:
    """Bound contributions as ``release`` needs it: the first images of a person count, in the order given.

    One image that is listed several times for one person, whatever it is called, counts once: it is one release.
    Without ``subjects`` every record is a subject of its own.

    Args:
        records: what each image is called; a path where ``sources`` are left out.
        subjects: an id for every image, by the rules of `privis.subjects`.
        release: what is released; without one only the ids are checked.
        ledger: what is charged.
        sources: the images, where they are no paths.

    Raises:
        ParameterError: the release hides a person, or the ledger keeps a budget per person, and nobody says who is
            who; values that are no ids; not as many as images; one image of two people.

    Warns:
        SubjectWarning: ids that differ only in case or form.

    >>> from privis.privacy import FeatureRelease, Laplace
    >>> release = FeatureRelease(Laplace(1.0), clip=1.0, unit=Person(2))
    >>> sorted(contributions(["a", "b", "c", "./a"], ["ann", "ann", "ann", "ann"], release).beyond)
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
    given = list(subjects) if isinstance(subjects, Iterator) else subjects
    names = subject_ids(given)
    if len(names) != len(records):
        raise ParameterError(Problem("subjects", f"{len(names)} subjects", f"{len(records)}, one per image"))
    warn_of_alike(names)
    refuse(ParameterError, _two_people(records, records, names))
    beyond: frozenset[str] = frozenset()
    if release is not None:
        identities = identities_of_one_person(records, names, sources)
        beyond = _beyond(records, names, identities, most)
        refuse(ParameterError, _other_spellings(list(given), names, ledger))
    return Contributions(dict(zip(records, names, strict=True)), beyond, most)


def identities_of_one_person(
    records: Sequence[str], subjects: Sequence[str], sources: Sequence[Any] | None = None
) -> list[Hashable]:
    """Tell images apart as `image_identities` does: one key per image. ParameterError if one is of two people."""
    identities = image_identities(records if sources is None else sources)
    refuse(ParameterError, _two_people(records, identities, subjects))
    return identities


def _two_people(records: Sequence[str], identities: Sequence[Hashable], subjects: Sequence[str]) -> list[Problem]:
    """One image that is said to show two people: whose budget would it be?"""
    first: dict[Hashable, tuple[str, str]] = {}
    problems: dict[Hashable, Problem] = {}
    for record, identity, subject in zip(records, identities, subjects, strict=True):
        other, owner = first.setdefault(identity, (record, subject))
        if owner != subject and identity not in problems:
            two = "" if other == record else f"{record}, the same image, under "
            got = f"{other} under {owner!r} and {two}{subject!r}"
            together = f"{owner}+{subject}"
            remedy = f"leave one away, or give a picture of several people an id of their own, such as {together!r}"
            problems[identity] = Problem("subjects", got, "one subject per image", remedy)
    return shortened(list(problems.values()), "subjects")


def _beyond(
    records: Sequence[str], subjects: Sequence[str], identities: Sequence[Hashable], most: int | None
) -> frozenset[str]:
    """Records of a person's images after the first ``most``; equal images count once, and stay together."""
    if most is None:
        return frozenset()
    used: dict[str, set[Hashable]] = {}
    beyond = set()
    for record, subject, identity in zip(records, subjects, identities, strict=True):
        images = used.setdefault(subject, set())
        if len(images) < most:
            images.add(identity)
        if identity not in images:
            beyond.add(record)
    return frozenset(beyond)


def _other_spellings(given: Sequence[Any], names: Sequence[str], ledger: Ledger | None) -> list[Problem]:
    """Ids under which a ledger has charges in the form in which they were given before ids had one form."""
    if not isinstance(ledger, FileLedger) or not _budgets_people(ledger) or ledger.budget.per is not Per.SUBJECT:
        return []
    forms = {
        (form, name)
        for raw, name in zip(given, names, strict=True)
        for form in (raw, normalize("NFD", name))
        if isinstance(form, str) and form != name
    }
    expected = f"charges of a person under one id; {ledger!r} adds them up by id"
    remedy = "give what is left of this person's budget to a new ledger, and go on with that"
    problems = [
        Problem(f"subjects, {name!r}", f"earlier charges under {form!r}, the same id in another form", expected, remedy)
        for form, name in sorted(forms)
        if ledger.spent(form).charges
    ]
    return shortened(problems, "subjects")


def _budgets_people(ledger: Ledger | None) -> bool:
    return isinstance(ledger, FileLedger) and ledger.budget.unit is BudgetUnit.PERSON
