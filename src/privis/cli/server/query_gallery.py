"""``privis query`` with keys for a gallery: which templates are most similar to vectors that the server cannot see."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from privis.cli.parsing import feature_named
from privis.errors import ParameterError, Problem
from privis.extraction.images import extract
from privis.io import tables
from privis.io.atomic import check_writable, replacing
from privis.io.images.sources import find
from privis.tasks.cosine_matching import matches_of
from privis.tasks.questions import Top

if TYPE_CHECKING:
    from privis.serve.client.client import Client, RequestProgress

_TABLES, _OUTPUTS = (".parquet", ".npz", ".csv"), (".csv", ".json")
COLUMNS = ("query", "rank", "template", "cosine")

Row = tuple[str, int, str, float]


def check_output(path: Path) -> None:
    """Refuse a list of matches that could not be written, before anything is asked."""
    if path.suffix not in _OUTPUTS:
        raise ParameterError(Problem("-o", repr(str(path)), "a name that ends in .csv or .json: a list of matches"))
    check_writable(path)


def vectors_of(
    inputs: Sequence[str], feature: str | None, parameters: list[str]
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Labels and vectors: rows of tables that ``privis extract`` wrote, or a feature of images, computed here.

    Raises ParameterError for images without a feature, and ImageError naming every image that cannot be used.
    """
    listed = [name for name in inputs if Path(name).suffix.lower() in _TABLES]
    paths_given = [name for name in inputs if name not in listed]
    if paths_given and feature is None:
        remedy = "or give tables of vectors"
        raise ParameterError(Problem("INPUT", f"images, as {paths_given[0]}", "-f FEATURE that makes vectors", remedy))
    for name in listed:
        table = tables.read(Path(name))
        yield from zip(table.paths, table.features, strict=True)
    if paths_given and feature is not None:
        paths = find(paths_given)
        yield from zip(paths, extract(feature_named(feature, parameters), paths).features, strict=True)


def nearest(
    client: Client,
    keys: Path,
    vectors: Sequence[tuple[str, NDArray[Any]]],
    top: int,
    show: Callable[[int, RequestProgress], None],
) -> Iterator[list[Row]]:
    """The ``top`` most similar templates of every vector; ``show`` gets how many are done, and how far the next is."""
    from privis.serve.client.gallery_keys import GalleryKeys

    owner = GalleryKeys.load(keys)
    for done, (label, vector) in enumerate(vectors):
        scores = owner.ask(client, vector, lambda step, done=done: show(done, step))
        (order,) = matches_of(Top(top), scores.values[None]).indices.tolist()
        found = (index for index in order if index >= 0)
        yield [(label, rank, scores.names[index], float(scores.values[index])) for rank, index in enumerate(found, 1)]


def write(path: Path, rows: Sequence[tuple[Any, ...]], columns: Sequence[str] = COLUMNS) -> None:
    """Write matches as .csv or .json, whole or not at all."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        if path.suffix == ".json":
            json.dump([dict(zip(columns, row, strict=True)) for row in rows], file, indent=1)
        else:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)
