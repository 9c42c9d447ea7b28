#!/bin/sh
# LanceDB writes whole vectors outside its database folder while it builds an index, where a killed build leaves them.
#
# One would expect that an embedded database writes below the folder that it was given (docs.lancedb.com: "LanceDB OSS is
# an embedded library", its data in the directory of the URI) and that who removes that folder removes the data. But
# create_index copies the vectors, sorted by partition, into the system's folder of temporary files (TMPDIR, /tmp): two
# folders .tmpXXXXXX that anyone may list, with shuffle_data.lance and shuffle_data.spill. A build that ends removes them.
# A build that is killed (memory, a time limit, a power cut) leaves them, and nothing of LanceDB ever removes them: neither
# optimize(cleanup_older_than=0, delete_unverified=True) nor dropping the table. Who has to erase somebody has to look there.
#
# lancedb 0.40.0, pyarrow 21.0.0, numpy 1.26.4, CPython 3.11, Linux.
# Privis builds indexes in a process whose TMPDIR is in the store's folder, and removes that folder:
# src/privis/stores/lance/index_work.py, tests/stores/lance/test_lance_erasure.py.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet lancedb==0.40.0 pyarrow==21.0.0 numpy==1.26.4
cat >"$folder/build.py" <<'PY'
import sys

import lancedb
from lancedb.index import HnswFlat

table = lancedb.connect(sys.argv[1]).open_table("faces")
print("building", flush=True)
table.create_index("vector", config=HnswFlat(distance_type="dot"))
PY
"$folder/environment/bin/python" - "$folder" <<'PY'
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa

folder, rows, components = Path(sys.argv[1]), 20_000, 64
vectors = np.random.default_rng(7).standard_normal((rows, components)).astype(np.float32)
marker = vectors[7].tobytes()
windows = [marker[at : at + 16] for at in range(0, len(marker) - 15, 4)]
database = lancedb.connect(str(folder / "database"))
stored = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), components)
table = database.create_table("faces", pa.table({"id": pa.array(range(rows)), "vector": stored}))


def remains(place: Path) -> int:
    """Most windows of the marker that are in one file."""
    files = [path.read_bytes() for path in place.rglob("*") if path.is_file()]
    return max((sum(window in content for window in windows) for content in files), default=0)


def built(name: str, killed: bool) -> Path:
    place = folder / name
    place.mkdir()
    command = [sys.executable, str(folder / "build.py"), str(folder / "database")]
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(place)}, stdout=subprocess.DEVNULL) as process:
        while killed and process.poll() is None:
            if any(path.stat().st_size >= vectors.nbytes for path in place.rglob("shuffle_data.lance")):
                process.kill()
            time.sleep(0.002)
    print(f"{name}: ended with {process.returncode}")
    return place


killed = built("temporary files of a killed build", killed=True)
left = sorted(str(path.relative_to(killed)) for path in killed.rglob("*"))
print(f"left there: {left}; {remains(killed)} of {len(windows)} windows of the marker")
table.optimize(cleanup_older_than=timedelta(0), delete_unverified=True)
database.drop_table("faces")
seen = remains(killed)
print(f"after optimize and drop_table: {seen} of {len(windows)} there, {remains(folder / 'database')} in the database")
database.create_table("faces", pa.table({"id": pa.array(range(rows)), "vector": stored}))
whole = built("temporary files of a whole build", killed=False)
print(f"left there: {remains(whole)} of {len(windows)}")
same = seen == len(windows) and remains(whole) == 0
print("as described" if same else "changed")
sys.exit(not same)
PY
