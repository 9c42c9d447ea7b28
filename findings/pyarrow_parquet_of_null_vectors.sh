#!/bin/sh
# pyarrow writes a null in a column of fixed-size lists to Parquet without a word, and then cannot read the file.
#
# One would expect that a table that pyarrow writes is one that it reads: the column's type is nullable by default, Arrow's
# format says that a null slot of a fixed-size list takes its room like any other
# (arrow.apache.org/docs/format/Columnar.html#fixed-size-list-layout), and nulls in lists, strings and numbers come back.
# But a null vector is written as no list at all, and reading it raises "Expected all lists to be of size=3 but index 2 had
# size=0": the whole file, all of its good rows too. An engine that sets a failed row's vector to null makes such a table
# after hours of work. Not for a table that has no null in it, so that no test on good rows shows it.
#
# pyarrow 21.0.0, numpy 1.26.4, CPython 3.11, Linux.
# Privis gives rows that cannot be used a vector of NaN and a reason: src/privis/extraction/pipelines/row_extractor.py,
# tests/extraction/pipelines/test_row_tables.py.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet pyarrow==21.0.0 numpy==1.26.4
"$folder/environment/bin/python" - "$folder" <<'PY'
import sys

import pyarrow as pa
import pyarrow.parquet as pq


def read_back(vectors: list, kind: pa.DataType) -> str:
    table, path = pa.table({"vector": pa.array(vectors, kind)}), f"{sys.argv[1]}/t.parquet"
    pq.write_table(table, path)
    try:
        return "equal" if pq.read_table(path).equals(table) else "other values"
    except pa.ArrowInvalid as error:
        return f"not readable: {error}"


fixed, free = pa.list_(pa.float32(), 3), pa.list_(pa.float32())
good, failed = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[1.0, 2.0, 3.0], None]
found = [read_back(good, fixed), read_back(failed, free), read_back(failed, fixed)]
for name, told in zip(("no null, fixed", "a null, lists of any size", "a null, fixed"), found):
    print(f"{name}: {told}")
sys.exit(0 if found[:2] == ["equal", "equal"] and found[2].startswith("not readable: Expected all lists") else 1)
PY
