"""Work on LanceDB's index, in a process of its own: ``python -m privis.stores.lance.index_work FOLDER TABLE WORK``.

While LanceDB builds an index it writes vectors to the system's folder of temporary files, and leaves them there. This
process has another such folder, inside the store, which its writer removes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

from privis.errors import OutputError, Problem
from privis.stores.lance.lance_tables import connected, not_written

KINDS = ("ivf-flat", "hnsw")
"""Approximate indexes: lists of vectors near a centre, without and with a graph in each (Malkov and Yashunin 2018).
Both hold whole vectors and no codes of them, so that what was erased can be searched for."""
OPTIMIZE = "optimize"
"""The work of joining small files, and of taking new rows into the index."""


def work_apart(place: Path, table: str, work: str, scratch: Path) -> None:
    """Do some work on a table's index in a process whose temporary files stay in the store.

    Args:
        place: folder of the store; the caller is its only writer.
        table: its name.
        work: a kind of index to build, or `OPTIMIZE`.
        scratch: folder of temporary files; it is removed at the end.

    Raises:
        OutputError: it failed; the table holds the rows that it held.
    """
    try:
        scratch.mkdir(mode=0o700, exist_ok=True)
        command = [sys.executable, "-m", __name__, str(place), table, work]
        environment = {**os.environ, "TMPDIR": str(scratch)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise not_written(place, error) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"a process that ended with {done.returncode}"])[-1]
        raise not_written(place / f"{table}.lance", OutputError(Problem(work, said, "an index")))


def do_work(place: Path, table: str, work: str) -> None:
    """Build an index, or bring the one that is there up to date.

    Args:
        place: folder of the store.
        table: its name.
        work: a kind of index, or `OPTIMIZE`.
    """
    from datetime import timedelta

    from lancedb.index import HnswFlat, IvfFlat

    opened = connected(place).open_table(table)
    if work == OPTIMIZE:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of readers of earlier versions, who read again here
            opened.optimize(cleanup_older_than=timedelta(0))
    else:
        kind = {"ivf-flat": IvfFlat, "hnsw": HnswFlat}[work]
        opened.create_index("vector", config=kind(distance_type="dot"), replace=True)


if __name__ == "__main__":
    do_work(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
