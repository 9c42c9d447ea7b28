"""A list of images with what is known of each: which person it shows, or its class."""

from __future__ import annotations

import csv
import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

from privis.errors import ParameterError, Problem, refuse
from privis.file_formats import FileFormat, misfit
from privis.io.images.same_files import file_identity
from privis.io.objects.source_names import inside, is_remote
from privis.subjects import shortened, subject_ids

PATH = "path"
_SHOWN_COLUMNS = 12


@dataclass(frozen=True)
class Manifest:
    """``paths`` of images, and the ``subjects`` they belong to (or another column), in the same order."""

    paths: tuple[str, ...]
    subjects: tuple[str, ...]


@dataclass(frozen=True)
class _Row:
    where: str
    path: str
    value: str


def read_manifest(path: Path, column: str) -> Manifest:
    """Read a CSV file with a column ``path`` (relative to the file's folder) and the column ``column``.

    A file that is listed twice, under whatever path, is taken once. Raises ParameterError naming every missing column,
    every row without a path or a value, and every file with two values.
    """
    return _read(path, column, subjects=False)


def read_subjects(path: Path, column: str) -> Manifest:
    """Like `read_manifest`, for a column of people's ids, which are taken by the rules of `privis.subjects`."""
    return _read(path, column, subjects=True)


def _read(path: Path, column: str, subjects: bool) -> Manifest:
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows, problems = _rows(path, csv.DictReader(file), column)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        expected = f"a CSV file with the columns {PATH} and {column}"
        raise ParameterError(misfit(path, FileFormat.LIST, f"{type(error).__name__}: {error}", expected)) from None
    values: Sequence[str] = [row.value for row in rows]
    if subjects:
        try:
            values = subject_ids(values, f"{path}, {column}", [row.where for row in rows])
        except ParameterError as error:
            problems += error.problems
    once, contradictions = _once(path, column, rows, values)
    if not rows and not problems:
        problems.append(Problem(str(path), "no row", "at least one image"))
    refuse(ParameterError, problems + contradictions)
    return Manifest(tuple(once), tuple(once.values()))


def _rows(path: Path, reader: csv.DictReader[str], column: str) -> tuple[list[_Row], list[Problem]]:
    found = tuple(reader.fieldnames or ())
    missing = [name for name in (PATH, column) if name not in found]
    if missing:
        shown = ", ".join(found[:_SHOWN_COLUMNS]) + (" …" if len(found) > _SHOWN_COLUMNS else "")
        got = f"the columns {shown}"
        other = misfit(path, FileFormat.LIST, got, f"a CSV file with the columns {PATH} and {column}")
        raise ParameterError(other if other.got != got else Problem(str(path), got, f"also {' and '.join(missing)}"))
    twice = [name for name in dict.fromkeys((PATH, column)) if found.count(name) > 1]
    if twice:
        raise ParameterError(
            Problem(str(path), f"{' and '.join(twice)} more than once", "columns with names of their own")
        )
    rows: list[_Row] = []
    problems: list[Problem] = []
    for row in reader:
        where = f"{path}, line {reader.line_num}"
        name, value = (row[PATH] or "").strip(), (row[column] or "").strip()
        if name and value:
            rows.append(_Row(where, _placed(path.parent, name), value))
        else:
            problems.append(Problem(where, "no path" if not name else f"no {column}", "both"))
    return rows, problems


def _placed(folder: Path, name: str) -> str:
    """A name that is relative to a folder, as one that is not; members of shards and ids in tables keep theirs."""
    if is_remote(name):
        return name
    if (found := inside(name)) is None or os.path.lexists(folder / name):
        return str(folder / name)
    return str(folder / found.container) + name[len(found.container) :]


def _once(path: Path, column: str, rows: Sequence[_Row], values: Sequence[str]) -> tuple[dict[str, str], list[Problem]]:
    """Every file once, and those that have two values: whose budget would it be?"""
    first: dict[Hashable, tuple[_Row, str]] = {}
    once: dict[str, str] = {}
    problems = []
    for row, value in zip(rows, values, strict=True):
        other, known = first.setdefault(file_identity(row.path), (row, value))
        if other is row:
            once[row.path] = value
        elif known != value and column != PATH:
            link = "" if other.path == row.path else f"{row.path}, the same file, under "
            got = f"{other.path} under {known!r} and {link}{value!r}"
            remedy = f"leave one away, or give it a {column} of its own, such as {f'{known}+{value}'!r}"
            problems.append(Problem(row.where, got, f"one {column} per image", remedy))
    return once, shortened(problems, str(path))
