"""The list of sources that gave no row, beside the output."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from privis.io.atomic import replacing, unwritable
from privis.io.tables import printable


@dataclass(frozen=True)
class Failure:
    """A source that gave no row, and why."""

    path: str
    reason: str


def failures_beside(output: Path) -> Path:
    """Where the list of failures of an output lies, if there are any.

    >>> str(failures_beside(Path("out/hog.npz")))
    'out/hog.npz.failures.csv'
    """
    return output.with_name(output.name + ".failures.csv")


def write_failures(output: Path, failures: Sequence[Failure]) -> None:
    """List what failed beside the output, under the names that the table would have; without any, the list goes."""
    path = failures_beside(output)
    if not failures:
        try:
            path.unlink(missing_ok=True)  # of an earlier run
        except OSError as error:
            raise unwritable(path, error) from error
        return
    with (
        replacing(path) as temporary,
        open(temporary, "w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "reason"])
        writer.writerows((printable(failure.path), failure.reason) for failure in failures)
