"""Which names of a configuration lend the same data: by what lies on the disk, not by how it is spelled."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from privis.parties.job.task import LocalData

Place = tuple[int, int]
"""Device and number of a file or folder: equal for links, mounts and all spellings of a path."""


def overlapping(lends: Iterable[LocalData]) -> Iterator[tuple[LocalData, LocalData]]:
    """Pairs of lends of which one is the other, or lies in it.

    A CSV file that lists pictures is the file itself here; pictures that two lists share are found by their content.
    """
    known = [(local, _place(local.path), {_place(at) for at in _ancestors(local.path)}) for local in lends]
    for (one, place, above), (other, second, beyond) in itertools.combinations(known, 2):
        if place is not None and second is not None and (place in beyond or second in above):
            yield one, other


def _ancestors(path: Path) -> Iterator[Path]:
    real = Path(os.path.realpath(path))
    yield real
    yield from real.parents


def _place(path: Path) -> Place | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
