#!/bin/sh
# Ray Data waits for ever where a pool of actors has as many processors as there are, and says nothing.
#
# One would expect that a pool of two actors of one processor each (ActorPoolStrategy(size=2), num_cpus=1) is the right one
# for a machine of two processors: it is what the machine has, and Ray starts it. But actors keep their processors for the
# whole execution, and each task that reads a file needs one of its own: none is left, no row ever comes, and no error, no
# warning of the scheduler and no time limit ends it. The same pool with num_cpus=0.5 is done in seconds.
#
# ray 2.60.0, pyarrow 21.0.0, pandas 3.0.6, CPython 3.11, Linux.
# Privis leaves a processor by default and refuses a pool that leaves none: src/privis/extraction/pipelines/ray_rows.py,
# tests/extraction/pipelines/test_ray_rows.py.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet 'ray[data]==2.60.0' pyarrow==21.0.0 numpy==1.26.4 pandas==3.0.6
cat >"$folder/run.py" <<'PY'
import sys

import ray

place, each = sys.argv[1], float(sys.argv[2])
ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100_000_000, log_to_driver=False, _temp_dir=f"{place}/ray")


class Same:
    def __call__(self, table):
        return table


files = ray.data.read_binary_files(f"{place}/files")
pool = ray.data.ActorPoolStrategy(size=2)
made = files.map_batches(Same, batch_format="pyarrow", batch_size=4, compute=pool, num_cpus=each)
print("rows", len(made.take_all()), flush=True)
PY
RAY_USAGE_STATS_ENABLED=0 "$folder/environment/bin/python" - "$folder" <<'PY'
import os
import signal
import subprocess
import sys
from pathlib import Path

folder, limit = Path(sys.argv[1]), 90
(folder / "files").mkdir()
for number in range(20):
    (folder / "files" / f"{number}.bin").write_bytes(bytes([number]) * 100)


def rows(each: str) -> str:
    """What a run of a pool of two actors prints, or that it prints nothing."""
    command = [sys.executable, str(folder / "run.py"), str(folder), each]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "start_new_session": True, "text": True}
    with subprocess.Popen(command, **options) as process:
        try:
            told = process.communicate(timeout=limit)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)
            told = ""
    return next((line for line in told.splitlines() if line.startswith("rows")), f"no row in {limit} s")


half, whole = rows("0.5"), rows("1")
print(f"two actors of half a processor: {half}; of one: {whole}")
sys.exit(0 if half == "rows 20" and whole.startswith("no row") else 1)
PY
