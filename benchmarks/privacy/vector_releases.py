"""``privis release`` of a table of vectors: processor seconds, wall seconds and peak memory of the whole command.

``python -m benchmarks.vector_releases [--rows 1000000] [--components 128] [--baseline WORKTREE]``. The table is Parquet
with a column of ids and one of float32 lists, made with a fixed seed; the release is PrivUnit with epsilon 8. With a
baseline, a checkout of an older commit, the same table is released by both with one key, and the rows must be equal.
The bar, 60 s and 1 GB, is for a million vectors of 128 components on an idle machine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
BAR_SECONDS, BAR_BYTES = 60.0, 10**9
_BATCH = 1 << 14
CHILD = """
import json, sys, time
started = time.monotonic()
from privis.cli import main
sys.argv = ["privis", *json.loads(sys.argv[1])]
try:
    main()
except SystemExit as end:
    if end.code:
        raise
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([time.process_time(), time.monotonic() - started, 1024 * int(peak.split()[1])]))
"""


@dataclass(frozen=True)
class Taken:
    """What one command took.

    Args:
        name: of the contestant.
        processor: seconds.
        wall: seconds.
        peak: resident memory, in bytes.
        digest: of the table that it wrote.
    """

    name: str
    processor: float
    wall: float
    peak: int
    digest: str

    def __str__(self) -> str:
        return f"{self.name:10} {self.processor:8.1f} processor s {self.wall:8.1f} s {self.peak / 1e6:8.0f} MB"


def write_vectors(path: Path, rows: int, components: int) -> None:
    """Write a Parquet table of standard normal vectors, with the columns ``id`` and ``vector``."""
    import pyarrow
    import pyarrow.parquet

    random = np.random.default_rng(22)
    kind = pyarrow.list_(pyarrow.float32(), components)
    schema = pyarrow.schema([("id", pyarrow.string()), ("vector", kind)])
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, _BATCH):
            values = random.standard_normal((min(_BATCH, rows - start), components), np.float32)
            ids = pyarrow.array([f"record {number}" for number in range(start, start + len(values))])
            vectors = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(values.ravel()), components)
            writer.write_table(pyarrow.table([ids, vectors], schema=schema), row_group_size=_BATCH)


def measure(name: str, tree: Path, table: Path, key: Path) -> Taken:
    """Release ``table`` with the code of ``tree``, in a process of its own."""
    output = table.with_name(f"{name}.parquet")
    words = ["release", str(table), "--release", "privunit", "--epsilon", "8", "--record-column", "id", "--yes"]
    words += ["--key", str(key), "-o", str(output)]
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-c", CHILD, json.dumps(words)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True, cwd=table.parent)
    processor, wall, peak = json.loads(done.stdout.splitlines()[-1])
    with open(output, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Taken(name, processor, wall, peak, digest)


def run(rows: int, components: int, baseline: Path | None = None) -> list[Taken]:
    """Measure this tree and, if one is given, the baseline."""
    with tempfile.TemporaryDirectory() as folder:
        table, key = Path(folder, "exact.parquet"), Path(folder, "release.key")
        write_vectors(table, rows, components)
        trees = {"now": ROOT} if baseline is None else {"now": ROOT, "baseline": baseline.resolve()}
        return [measure(name, tree, table, key) for name, tree in trees.items()]


def report(taken: list[Taken], rows: int) -> None:
    print(*taken, sep="\n")
    now, *others = taken
    for other in others:
        same = "equal tables" if other.digest == now.digest else "THE TABLES DIFFER"
        print(f"{now.processor / other.processor:.2f} of its time, {now.peak / other.peak:.2f} of its memory, {same}")
    if rows >= 1_000_000:
        good = now.wall <= BAR_SECONDS and now.peak <= BAR_BYTES
        print(f"at most {BAR_SECONDS:g} s and {BAR_BYTES / 1e6:g} MB: {'ok' if good else 'MISSED'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--components", type=int, default=128)
    parser.add_argument("--baseline", type=Path)
    chosen = parser.parse_args()
    report(run(chosen.rows, chosen.components, chosen.baseline), chosen.rows)
