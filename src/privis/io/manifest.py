"""A list of images with what is known of each: which person it shows."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from privis.errors import ParameterError, Problem

PATH = "path"


@dataclass(frozen=True)
class Manifest:
    """``paths`` of images, and the ``subjects`` they belong to, in the same order."""

    paths: tuple[str, ...]
    subjects: tuple[str, ...]


def read_manifest(path: Path, subject_column: str) -> Manifest:
    """Read a CSV file with a column ``path`` (relative to the file's folder) and the column ``subject_column``.

    Raises ParameterError naming every missing column and every row without a path or a subject.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            return _manifest(path, csv.DictReader(file), subject_column)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        expected = f"a CSV file with the columns {PATH} and {subject_column}"
        raise ParameterError(Problem(str(path), f"{type(error).__name__}: {error}", expected)) from None


def _manifest(path: Path, reader: csv.DictReader[str], subject_column: str) -> Manifest:
    found = tuple(reader.fieldnames or ())
    missing = [column for column in (PATH, subject_column) if column not in found]
    if missing:
        got = f"the columns {', '.join(found) or 'none'}"
        raise ParameterError(Problem(str(path), got, f"also {' and '.join(missing)}"))
    rows: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for row in reader:
        name, subject = (row[PATH] or "").strip(), (row[subject_column] or "").strip()
        if not name or not subject:
            got = "no path" if not name else f"no {subject_column}"
            problems.append(Problem(f"{path}, line {reader.line_num}", got, "both"))
        rows.append((str(path.parent / name), subject))
    problems += _contradictions(path, rows)
    if not rows:
        problems.append(Problem(str(path), "no row", "at least one image"))
    if problems:
        raise ParameterError(*problems)
    once = dict(rows)
    return Manifest(tuple(once), tuple(once.values()))


def _contradictions(path: Path, rows: Iterable[tuple[str, str]]) -> list[Problem]:
    """One image that is said to show two people: whose budget would it be?"""
    subjects: dict[str, str] = {}
    problems = []
    for name, subject in rows:
        if subjects.setdefault(name, subject) != subject:
            got = f"{name} under {subjects[name]!r} and {subject!r}"
            problems.append(Problem(str(path), got, "one subject per image"))
    return problems
