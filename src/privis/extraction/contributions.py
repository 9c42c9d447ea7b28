"""Whose image is whose, and how many of one person's images may contribute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import normalize

from privis.errors import ImageError, ParameterError, Problem, refuse
from privis.io.images import decode, image_headers
from privis.io.images.same_files import equal_bytes, file_identity
from privis.privacy import Ledger, Person, Release
from privis.privacy.ledger.budget import BudgetUnit, Per
from privis.privacy.ledger.ledger_protocol import WrittenLedger, budget_of, counts_people
from privis.privacy.ledger.records import record_of_pixels
from privis.subjects import shortened, subject_ids, warn_of_alike


@dataclass(frozen=True)
class Contributions:
    """The subject of every record, and the records beyond what one person may contribute.

    ``copied`` are people with more records than that, all admitted because some seem to be one release.
    """

    subjects: Mapping[str, str]
    beyond: frozenset[str]
    most: int | None
    copied: frozenset[str] = frozenset()

    def admit(self, record: str) -> str | None:
        """Return the subject of ``record``, never an empty text, or None where nobody is named for any record.

        Raises ImageError when that person has given all they may.
        """
        if record in self.beyond:
            raise ImageError(self.one_too_many(record))
        return self.subjects[record] if self.subjects else None

    def one_too_many(self, record: str) -> Problem:
        """What is wrong with an image of a person who has given all they may."""
        got = f"one more image of a person who already gave {self.most}"
        remedy = "a unit of person:COUNT with a larger count hides less of each image"
        return Problem(record, got, f"at most {self.most} per person", remedy)


NOBODY = Contributions({}, frozenset(), None)
"""Every image is a subject of its own."""


def contributions(
    records: Sequence[str],
    subjects: Iterable[str | int] | None,
    release: Release | None,
    ledger: Ledger | None = None,
    sources: Sequence[Any] | None = None,
    repeatable: bool = False,
    known: Sequence[Hashable] | None = None,
) -> Contributions:
    """Bound contributions as ``release`` needs it: the first images of a person count, in the order given.

    One image that is listed several times for one person, whatever it is called, counts once if it is one release.
    Without ``subjects`` every record is a subject of its own.

    Args:
        records: what each image is called; a path where ``sources`` are left out.
        subjects: an id for every image, by the rules of `privis.subjects`.
        release: what is released; without one only the ids are checked.
        ledger: what is charged.
        sources: the images, where they are no paths.
        repeatable: an image that is released twice is one release with one noise, as nothing that comes before the
            noise errs a little differently each time.
        known: what tells the images apart, where they are not there to be looked at.

    Raises:
        ParameterError: the release hides a person, or the ledger keeps a budget per person, and nobody says who is
            who; values that are no ids; not as many as images; one image of two people.

    Warns:
        SubjectWarning: ids that differ only in case or form.

    >>> from privis.privacy import FeatureRelease, Laplace, Person
    >>> release = FeatureRelease(Laplace(1.0), clip=1.0, unit=Person(2))
    >>> sorted(contributions(["a", "b", "c"], ["ann", "ann", "ann"], release).beyond)
    ['c']
    >>> sorted(contributions(["a", "./a", "b"], ["ann", "ann", "ann"], release, repeatable=True).beyond)
    []
    """
    hidden = release is not None and release.unit.needs_subjects
    most = release.unit.images if release is not None and isinstance(release.unit, Person) else None
    if subjects is None:
        if hidden or counts_people(ledger):
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
        identities = identities_of_one_person(records, names, sources) if known is None else known
        beyond = _beyond(records, names, identities if repeatable else range(len(names)), most)
        refuse(ParameterError, _other_spellings(list(given), names, ledger))
    admitted = Counter(name for record, name in zip(records, names, strict=True) if record not in beyond)
    copied = frozenset(name for name, count in admitted.items() if most is not None and count > most)
    return Contributions(dict(zip(records, names, strict=True)), beyond, most, copied)


def identities_of_one_person(
    records: Sequence[str], subjects: Sequence[str], sources: Sequence[Any] | None = None
) -> list[Hashable]:
    """Tell images apart by `image_identities`: one key per image. ParameterError if one is of two people."""
    identities = image_identities(records if sources is None else sources)
    refuse(ParameterError, _two_people(records, identities, subjects))
    return identities


def image_identities(sources: Sequence[Any]) -> list[Hashable]:
    """Give a key for every source, as `privis.io.images.decode.load` takes them: equal keys are one image.

    Those are: one file, whatever its path is; files of equal bytes; images in memory with equal pixels; a file and an
    image in memory with equal pixels. Two files with equal pixels and other bytes have different keys. Files are opened
    only where another one is of the same size, or an image in memory has the same dimensions. What cannot be read is
    known by its place alone.
    """
    keys: list[Hashable] = []
    files: dict[Hashable, str | Path] = {}
    dimensions: set[tuple[int, ...]] = set()
    for place, source in enumerate(sources):
        if isinstance(source, str | Path):
            keys.append(file_identity(source))
            files[keys[-1]] = source
        elif (found := _pixels(source)) is not None:
            keys.append(found[0])
            dimensions.add(found[1])
        else:
            keys.append(("place", place))
    same = equal_bytes(files)
    for key, path in files.items() if dimensions else ():
        shape = image_headers.shape(str(path))
        if shape is not None and _unturned(shape) in dimensions and (found := _pixels(path)) is not None:
            same[key] = found[0]
    return [same.get(key, key) for key in keys]


def _pixels(source: Any) -> tuple[str, tuple[int, ...]] | None:
    """The record of an image and its dimensions, if it can be read."""
    try:
        image = decode.load(source)
    except ImageError:
        return None
    return record_of_pixels(image), _unturned(image.shape)


def _unturned(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Height and width in the order of their size: headers do not tell whether an image lies on its side."""
    return tuple(sorted(shape[:2]))


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
            remedy = f"leave one away, or give an image of several people an id of their own, such as {together!r}"
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
    budget = budget_of(ledger)
    if budget is None or budget.unit is not BudgetUnit.PERSON or budget.per is not Per.SUBJECT:
        return []
    if not isinstance(ledger, WrittenLedger):
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
