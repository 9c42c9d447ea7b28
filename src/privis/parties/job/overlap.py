"""Find names of a configuration that stand for the same data: by inode, not by the spelling of a path."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from privis.parties.job.task import LocalData

_Inode = tuple[int, int]
"""Device and number of a file or folder: equal for links, mounts and all spellings of a path."""


def overlapping(inputs: Iterable[LocalData]) -> Iterator[tuple[LocalData, LocalData]]:
    """Yield pairs of local data of which one is the other, or lies in it.

    A CSV file that lists images is the file itself here; images that two lists share are found by their content.
    """
    known = [(local, _inode(local.path), {_inode(at) for at in _ancestors(local.path)}) for local in inputs]
    for (one, inode, above), (other, second, beyond) in itertools.combinations(known, 2):
        if inode is not None and second is not None and (inode in beyond or second in above):
            yield one, other


def _ancestors(path: Path) -> Iterator[Path]:
    real = Path(os.path.realpath(path))
    yield real
    yield from real.parents


def _inode(path: Path) -> _Inode | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
