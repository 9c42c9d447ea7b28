"""Which label belongs to which row of a table: paths of a list and paths of a table, wherever each began."""

from __future__ import annotations

import itertools
import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from privis.cli.console import err
from privis.errors import ParameterError, Problem
from privis.extraction.contributions import identities_of_one_person
from privis.io.images.manifest import Manifest, read_manifest, read_subjects
from privis.io.images.same_files import file_identity

_SHOWN = 3


class LabelSource(StrEnum):
    """Where the class of an image stands, if no list says it."""

    FOLDER = "folder"


@dataclass(frozen=True)
class Matched:
    """The value of every row, and where its image is, as far as that is known."""

    values: list[str]
    paths: list[str]


def labels_of(
    labels: Path | None, source: LabelSource | None, column: str, table: Path, paths: Sequence[str]
) -> list[str]:
    """The class of every row.

    Args:
        labels: CSV file with the columns path and ``column``.
        source: where classes stand instead; folder: each image's folder is called like its class.
        column: of ``labels``.
        table: the file that ``paths`` stand in.
        paths: of the rows, as they were given when they were extracted.

    Returns:
        A class per row.

    Raises:
        ParameterError: both or neither is given, or a row has none.
    """
    if (labels is None) == (source is None):
        got = "neither" if labels is None else "both"
        raise ParameterError(Problem("--labels, --labels-from", got, "one: a CSV file, or --labels-from folder"))
    if labels is not None:
        return matched(labels, read_manifest(labels, column), column, table, paths).values
    names = [Path(path).parent.name for path in paths]
    bare = [path for path, name in zip(paths, names, strict=True) if not name]
    if bare:
        got = f"{len(bare)} without a folder: {_some(bare)}"
        raise ParameterError(Problem("--labels-from folder", got, "images in folders that are called like classes"))
    return names


def subjects_of(labels: Path | None, column: str, table: Path, paths: Sequence[str]) -> list[str]:
    """Whose every image is; ParameterError for one image of two people, and without a list."""
    if labels is None:
        raise ParameterError(Problem("--subject-column", column, "--labels with that column"))
    found = matched(labels, read_subjects(labels, column), column, table, paths)
    identities_of_one_person(found.paths, found.values)
    return found.values


def matched(labels: Path, manifest: Manifest, column: str, table: Path, paths: Sequence[str]) -> Matched:
    """Find the value of every path of a table in a list.

    Paths of a list begin in its folder. Those of a table began wherever it was extracted: tried are this folder, that
    of the table and that of the list, and for the list's own paths the same. The first pair that finds all is taken,
    and said where it is not the usual one.

    Raises:
        ParameterError: rows are missing in every one; it names the folders, and rows that the best one lacks.
    """
    own = labels.parent
    names = [os.path.relpath(path, own) for path in manifest.paths]
    here = Path()
    listed_in = list(dict.fromkeys((own, here, table.parent)))
    begun_in = list(dict.fromkeys((here, table.parent, own)))
    best: list[str] | None = None
    for base, start in itertools.product(listed_in, begun_in):
        values = {file_identity(base / name): value for name, value in zip(names, manifest.subjects, strict=True)}
        places = [str(start / path) for path in paths]
        keys: list[Hashable] = [file_identity(place) for place in places]
        missing = [path for path, key in zip(paths, keys, strict=True) if key not in values]
        if not missing:
            if (base, start) != (own, here):
                told = f"paths of {table} are taken from {_folder(start)}, those of {labels} from {_folder(base)}"
                err.print(f"privis: {told}", markup=False, soft_wrap=True)
            return Matched([values[key] for key in keys], places)
        best = missing if best is None or len(missing) < len(best) else best
    assert best is not None
    tried = ", ".join(dict.fromkeys(_folder(folder) for folder in (*begun_in, *listed_in)))
    got = f"no {column} of {len(best)}: {_some(best)}"
    remedy = f"paths were looked for in {tried}; run this where the table was extracted, or list paths as it has them"
    raise ParameterError(Problem(str(labels), got, "one for every image", remedy))


def _folder(folder: Path) -> str:
    return "this folder" if folder == Path() else str(folder)


def _some(paths: Sequence[str]) -> str:
    return ", ".join(paths[:_SHOWN]) + (" …" if len(paths) > _SHOWN else "")
