"""From --labels-from, --subject-from and --subgroup-from to images of which it is known what they are."""

from __future__ import annotations

import csv
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from privis.cli.extraction.dicom_options import FROM_DICOM
from privis.cli.faces.subject_words import named_pictures
from privis.errors import ParameterError, PrivisError, Problem, refuse
from privis.estimators.classification.labelled_images import LabelledImages
from privis.file_formats import FileFormat, misfit
from privis.io.images.dicom.origins import subjects_of
from privis.io.images.manifest import PATH
from privis.io.images.same_files import file_identity
from privis.io.images.sources import find
from privis.privacy.pseudonyms.site_key import SiteKey
from privis.subjects import shortened, subject_ids

SUBJECT = "subject"
FORMS = "folder, filename:REGEX, or column:NAME"
_COLUMN = "column:"


@dataclass(frozen=True)
class _Columns:
    """Rows of CSV files, by image or by patient."""

    rows: Mapping[Hashable, Mapping[str, str]]
    paths: tuple[str, ...]
    names: frozenset[str]
    by_patient: bool
    where: str
    lines: Mapping[Hashable, int] = field(default_factory=dict)


@dataclass(frozen=True)
class LabelledWords:
    """Images as the command line gives them, and what it says of people that have none.

    Args:
        images: with their classes.
        notes: sentences for who reads the terminal; they name lines of a list, never a patient.
    """

    images: LabelledImages
    notes: tuple[str, ...] = ()


def labelled_images(
    inputs: Sequence[str],
    labels_from: str | None,
    subject_from: str | None = None,
    subgroup_from: str | None = None,
    metadata: Path | None = None,
    stdin: TextIO | None = None,
    site_key: Path | None = None,
) -> LabelledWords:
    """Find images with their classes, patients and subgroups.

    Args:
        inputs: images, folders, globs, ``-``, or where columns are asked for without ``metadata`` CSV files.
        labels_from: where classes stand; None: nobody asks.
        subject_from: where it stands whose an image is; None: nobody says.
        subgroup_from: where subgroups stand; None: there are none.
        metadata: CSV file that columns are of.
        stdin: where ``-`` reads.
        site_key: file of the key of pseudonyms, for patients of DICOM files.

    Returns:
        The images; those without a class or a patient are refused with a reason.

    Raises:
        ParameterError: words, columns or files that do not fit; all at once.
    """
    words = {"--labels-from": labels_from, "--subject-from": subject_from, "--subgroup-from": subgroup_from}
    said = {option: word for option, word in words.items() if word is not None}
    refuse(ParameterError, [problem for option, word in said.items() for problem in _word_problems(option, word)])
    from_dicom = subject_from == FROM_DICOM
    if from_dicom is (site_key is None):
        got = "no --site-key" if from_dicom else f"--site-key without --subject-from {FROM_DICOM}"
        remedy = "privis keygen FILE --for site makes a key; keep it inside"
        raise ParameterError(Problem("--subject-from", got, "both or neither", remedy))
    asked = {option: word.removeprefix(_COLUMN) for option, word in said.items() if word.startswith(_COLUMN)}
    columns = None
    if asked:
        columns = _read([metadata] if metadata else [Path(name) for name in inputs], asked, metadata is not None)
    elif metadata is not None:
        expected = "an option that asks for a column, as in --labels-from column:diagnosis"
        raise ParameterError(Problem("--metadata", str(metadata), expected))
    if columns is not None and metadata is None:
        paths: tuple[str, ...] = columns.paths
    else:
        paths = find(inputs, stdin)
        if "-" in inputs:  # it can be read once
            inputs = paths
    refused: dict[str, str] = {}
    found: dict[str, dict[str, str]] = {}
    for option in ("--subject-from", "--labels-from", "--subgroup-from"):
        word = said.get(option)
        if word is None:
            continue
        if word == FROM_DICOM and site_key is not None:
            found[option] = dict(zip(paths, subjects_of(paths, SiteKey.load(site_key).pseudonym), strict=True))
            continue
        if option in asked:
            assert columns is not None
            found[option] = _of_column(option, asked[option], columns, paths, found.get("--subject-from"), refused)
        else:
            found[option] = _of_names(word, paths if columns is not None and metadata is None else inputs, refused)
    needed = [values for option, values in found.items() if option != "--subgroup-from"]
    kept = tuple(path for path in paths if all(path in values for values in needed))
    for path in paths:
        if path not in kept:
            refused.setdefault(path, "nothing says what or whose it is")
    if not kept:
        raise ParameterError(*shortened([Problem(path, why, "an image with a class") for path, why in refused.items()]
                                        or [Problem("images", "none", "at least one")], "images"))  # fmt: skip
    labels = found.get("--labels-from")
    patients, parts = found.get("--subject-from"), found.get("--subgroup-from")
    images = LabelledImages(
        kept,
        () if labels is None else tuple(labels[path] for path in kept),
        None if patients is None else tuple(patients[path] for path in kept),
        None if parts is None else tuple(parts.get(path, "") for path in kept),
        (),
        {path: why for path, why in refused.items() if path not in kept},
    )
    return LabelledWords(images, _notes(columns, paths, patients))


def _word_problems(option: str, word: str) -> list[Problem]:
    kind, _, rest = word.partition(":")
    if word == "folder" or (kind in ("column", "filename") and rest):
        return []
    if word in ("filename", FROM_DICOM) and option == "--subject-from":
        return []
    return [Problem(option, repr(word), FORMS)]


def _of_names(word: str, inputs: Sequence[str], refused: dict[str, str]) -> dict[str, str]:
    named = named_pictures(inputs, word)
    for path, why in named.unnamed.items():
        refused.setdefault(path, str(why).removeprefix(f"{path}: "))
    return dict(zip(named.paths, named.subjects, strict=True))


def _of_column(
    option: str,
    column: str,
    columns: _Columns,
    paths: Sequence[str],
    patients: Mapping[str, str] | None,
    refused: dict[str, str],
) -> dict[str, str]:
    if columns.by_patient and (option == "--subject-from" or patients is None):
        got = f"{columns.where}, which has a row for each {SUBJECT}"
        remedy = "say whose images are by --subject-from folder or filename:REGEX"
        raise ParameterError(Problem(option, got, "to know whose each image is", remedy))
    found = {}
    for path in paths:
        if columns.by_patient and path not in (patients or {}):
            continue
        key: Hashable = (patients or {})[path] if columns.by_patient else file_identity(path)
        row = columns.rows.get(key)
        value = "" if row is None else row[column].strip()
        if row is None:
            of = "of its patient" if columns.by_patient else "of it"
            refused.setdefault(path, f"no row {of} in {columns.where}")
        elif not value and option != "--subgroup-from":
            refused.setdefault(path, f"no {column} in {columns.where}")
        elif option == "--subgroup-from":
            found[path] = value
        else:
            try:
                found[path] = subject_ids([value], column)[0]
            except PrivisError as error:
                refused.setdefault(path, str(error))
    return found


def _read(files: Sequence[Path], asked: Mapping[str, str], by_patient_too: bool) -> _Columns:
    rows: dict[Hashable, Mapping[str, str]] = {}
    lines: dict[Hashable, int] = {}
    paths: dict[str, None] = {}
    names: set[str] = set()
    problems: list[Problem] = []
    by_patient = False
    for path in files:
        expected = f"a CSV file with the columns {PATH} and {', '.join(dict.fromkeys(asked.values()))}"
        try:
            with open(path, newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file)
                known = [name or "" for name in reader.fieldnames or ()]
                listed = [(reader.line_num, row) for row in reader]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            problems.append(misfit(path, FileFormat.LIST, f"{type(error).__name__}: {error}", expected))
            continue
        by_patient = by_patient_too and PATH not in known and SUBJECT in known
        key_column = SUBJECT if by_patient else PATH
        missing = [name for name in dict.fromkeys((key_column, *asked.values())) if name not in known]
        twice = sorted({name for name in (key_column, *asked.values()) if known.count(name) > 1})
        if missing or twice:
            got = f"the columns {', '.join(known)}"
            found = misfit(path, FileFormat.LIST, got, expected)
            wanted = f"also {' and '.join(missing)}" if missing else f"{' and '.join(twice)} once"
            problems.append(found if found.got != got else Problem(str(path), got, wanted))
            continue
        names |= set(known)
        for line, row in listed:
            name = (row[key_column] or "").strip()
            if not name:
                problems.append(Problem(f"{path}, line {line}", f"no {key_column}", "one"))
                continue
            place = str(path.parent / name)
            try:
                key: Hashable = subject_ids([name], f"{path}, line {line}")[0] if by_patient else file_identity(place)
            except ParameterError as error:
                problems += error.problems
                continue
            texts = {column: (row[column] or "") for column in asked.values()}
            if rows.setdefault(key, texts) != texts:
                got = f"another {' and '.join(texts)} than line {lines[key]}"
                problems.append(Problem(f"{path}, line {line}", got, f"one row for each {key_column}"))
            lines.setdefault(key, line)
            if not by_patient:
                paths.setdefault(place)
    refuse(ParameterError, shortened(problems, "lists"))
    where = ", ".join(map(str, files))
    return _Columns(rows, _once(paths), frozenset(names), by_patient, where, lines)


def _once(paths: Mapping[str, None]) -> tuple[str, ...]:
    """Each file once, whatever spellings of its path are listed."""
    found: dict[Hashable, str] = {}
    for path in paths:
        found.setdefault(file_identity(path), path)
    return tuple(found.values())


def _notes(columns: _Columns | None, paths: Sequence[str], patients: Mapping[str, str] | None) -> tuple[str, ...]:
    if columns is None:
        return ()
    used: set[Hashable] = set((patients or {}).values())
    if not columns.by_patient:
        used = {file_identity(path) for path in paths}
    idle = [columns.lines[key] for key in columns.rows if key not in used]
    if not idle:
        return ()
    shown = ", ".join(map(str, idle[:10])) + (" …" if len(idle) > 10 else "")
    who = "patients of whom there is no image" if columns.by_patient else "images that are not among these"
    return (f"{columns.where}: {len(idle)} {who} (line {shown})",)
