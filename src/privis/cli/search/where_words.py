"""From ``--where`` to conditions, and from a CSV file to columns of metadata."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from privis.errors import ParameterError, Problem, refuse
from privis.file_formats import FileFormat, misfit
from privis.io.images.manifest import PATH
from privis.stores import Condition, Relation
from privis.stores.vector_rows import Value
from privis.subjects import shortened

_WHERE = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)\s*(<=|>=|!=|==|=|<|>)\s*(.*?)\s*", re.DOTALL)
_ALWAYS = {"id": "str", "subject": "str", "source": "str"}
_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}


def conditions(words: Sequence[str], columns: Mapping[str, str]) -> tuple[Condition, ...]:
    """Read conditions on columns.

    Args:
        words: as in year>=2024, one condition each.
        columns: types of the columns of the index: str, int, float or bool.

    Returns:
        The conditions, all of which must hold.

    Raises:
        ParameterError: naming every word that is none, every column that is not there and every value of another type.

    >>> conditions(["year>=2024"], {"year": "int"})[0].value
    2024
    """
    known = {**columns, **_ALWAYS}
    found, problems = [], []
    for word in words:
        match = _WHERE.fullmatch(word)
        if match is None:
            problems.append(Problem(f"--where {word!r}", "no comparison", "COLUMN=VALUE, or with !=, <, <=, > or >="))
            continue
        column, relation, text = match.groups()
        if column not in known:
            problems.append(Problem(f"--where {word!r}", f"the column {column!r}", f"one of {', '.join(known)}"))
            continue
        try:
            value = _value(_unquoted(text), known[column])
        except ValueError:
            problems.append(Problem(f"--where {word!r}", repr(text), f"a value of type {known[column]}"))
            continue
        found.append(Condition(column, Relation("=" if relation == "==" else relation), value))
    refuse(ParameterError, problems)
    return tuple(found)


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _value(text: str, kind: str) -> Value:
    match kind:
        case "int":
            return int(text)
        case "float":
            return float(text)
        case "bool":
            if text.lower() not in _BOOLEANS:
                raise ValueError(text)
            return _BOOLEANS[text.lower()]
    return text


@dataclass(frozen=True)
class MetadataFile:
    """Columns of a CSV file by image.

    Args:
        rows: by absolute path, texts by column; an empty cell is missing.
        columns: names, in the file's order.
        where: the file's path.
    """

    rows: Mapping[str, Mapping[str, str]]
    columns: tuple[str, ...]
    where: str

    @classmethod
    def read(cls, path: Path, but: Sequence[str] = ()) -> MetadataFile:
        """Read a CSV file with the column path, relative to the file's folder, and others.

        Args:
            path: of the file.
            but: columns that are left out.

        Returns:
            What it holds.

        Raises:
            ParameterError: it cannot be read, has no column path or no other, a column has no name or comes twice, or
                an image is listed twice.
        """
        expected = f"a CSV file with the column {PATH} and others"
        try:
            with open(path, newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file)
                names = [name or "" for name in reader.fieldnames or ()]
                listed = [(reader.line_num, row) for row in reader] if PATH in names else []
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ParameterError(misfit(path, FileFormat.LIST, f"{type(error).__name__}: {error}", expected)) from None
        problems = []
        columns = tuple(name for name in names if name != PATH and name not in but)
        if PATH not in names or (len(names) < 2):
            problems.append(misfit(path, FileFormat.LIST, f"the columns {', '.join(names)}", expected))
        if len(set(names)) < len(names) or "" in names:
            problems.append(Problem(str(path), "a column without a name, or twice", "columns with names of their own"))
        refuse(ParameterError, problems)
        rows: dict[str, Mapping[str, str]] = {}
        for line, row in listed:
            name = (row[PATH] or "").strip()
            if not name:
                problems.append(Problem(f"{path}, line {line}", "no path", "one"))
                continue
            key = os.path.abspath(path.parent / name)
            texts = {column: (row[column] or "").strip() for column in columns}
            if rows.setdefault(key, texts) != texts:
                problems.append(Problem(f"{path}, line {line}", f"{name} again, with other values", "each image once"))
        refuse(ParameterError, shortened(problems, str(path)))
        return cls(rows, columns, str(path))

    def of(self, paths: Sequence[str], types: Mapping[str, str]) -> dict[str, tuple[Value, ...]]:
        """Give the columns for images, in the types that an index has for them already, or that all values fit.

        Args:
            paths: of the images; one that the file does not list has no values.
            types: of columns that are known: str, int, float or bool.

        Returns:
            A value per image by column.

        Raises:
            ParameterError: no image is listed, or a value is not of its column's type; all at once.
        """
        found = [self.rows.get(os.path.abspath(path), {}) for path in paths]
        if paths and not any(found):
            remedy = f"paths in the column {PATH} are relative to the folder of {self.where}"
            raise ParameterError(Problem(self.where, "none of the images", "rows of them", remedy))
        columns, problems = {}, []
        for column in self.columns:
            texts = [row.get(column, "") for row in found]
            kind = types.get(column) or _kind([text for text in texts if text])
            values: list[Value] = []
            for path, text in zip(paths, texts, strict=True):
                try:
                    values.append(_value(text, kind) if text else None)
                except ValueError:
                    problems.append(Problem(f"{self.where} {column} of {path}", repr(text), f"a value of type {kind}"))
            columns[column] = tuple(values)
        refuse(ParameterError, shortened(problems, self.where))
        return columns


def _kind(texts: Sequence[str]) -> str:
    """The narrowest type of all values: whole numbers with leading zeros are texts, as in postcodes."""
    if not texts:
        return "str"
    if all(re.fullmatch(r"-?(0|[1-9]\d{0,17})", text) for text in texts):
        return "int"
    if all(re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", text) for text in texts):
        return "float"
    if all(text.lower() in ("true", "false") for text in texts):
        return "bool"
    return "str"
