"""What a classifier said of every row, as a CSV file: path, label and, where there is one, its probability."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from privis.errors import ParameterError, Problem
from privis.io.atomic import replacing
from privis.tasks.decisions import Predictions


def write_predictions(output: Path, paths: Sequence[str], classes: Sequence[str], found: Predictions) -> None:
    """Write one line for each row.

    Args:
        output: the CSV file.
        paths: of the rows.
        classes: names, in the order of the probabilities.
        found: what was decided.

    Raises:
        ParameterError: nothing was decided: the scores are values of a regression.
        OutputError: the file cannot be written.
    """
    if len(found.labels) != len(paths):
        raise ParameterError(Problem(str(output), "values of a regression", "a classifier", "it names no classes"))
    with replacing(output) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "label", "probability"])
        for number, (path, label) in enumerate(zip(paths, found.labels, strict=True)):
            known = None if found.probabilities is None else found.probabilities[number]
            writer.writerow([path, label, "" if known is None else f"{known[classes.index(label)]:.4f}"])
