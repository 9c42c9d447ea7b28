"""Speed of a privacy ledger in PostgreSQL: records per second of one charge, and single charges of one and 8 clients.

Run ``python -m benchmarks.postgresql_ledger ADDRESS [RECORDS]``: it makes a schema of its own at the address, of a role
that may, and drops it. The server's disk decides what single charges take: each waits for it.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
import uuid
from collections.abc import Callable

from privis.privacy import FeatureRelease, Laplace
from privis.privacy.ledger.budget import Budget
from privis.stores.postgresql import ChargeRequest, PostgresqlAddress, PostgresqlLedger

RECORDS = 10_000
CLIENTS = 8
SINGLE = 100
BAR = 5000.0
"""Records per second of one charge."""
_COST = FeatureRelease(Laplace(0.3), clip=1.0).guarantee((64,))


def run(address: str, records: int = RECORDS, single: int = SINGLE) -> dict[str, float]:
    """Measure at ``address`` without a schema; per second, by name of the case."""
    import psycopg
    from psycopg.conninfo import make_conninfo
    from psycopg.sql import SQL, Identifier

    place = f"{address.partition('#')[0]}#bench_{uuid.uuid4().hex}"
    ledger = PostgresqlLedger.create(place, Budget(1.0, 1e-6))
    try:
        batch = [ChargeRequest(f"record {number}", _COST, f"{number:064}") for number in range(records)]
        measured = {
            "records in one charge": _rate(records, lambda: ledger.charge_all(batch)),
            "the same again, free": _rate(records, lambda: ledger.charge_all(batch)),
            "single charges": _rate(single, lambda: _charge(ledger, "one", single)),
        }
        with multiprocessing.get_context("spawn").Pool(CLIENTS) as pool:
            pool.starmap(_charge, [(ledger, f"warm {client}", 1) for client in range(CLIENTS)])
            words = [(ledger, f"client {client}", single) for client in range(CLIENTS)]
            name = f"single charges of {CLIENTS} clients"
            measured[name] = _rate(CLIENTS * single, lambda: pool.starmap(_charge, words, chunksize=1))
        found = ledger.verify()
        assert not found.problems and found.charges == records + single + CLIENTS * (single + 1), found
        return measured
    finally:
        schema = PostgresqlAddress(place)
        with psycopg.connect(make_conninfo("", **schema.parameters), autocommit=True) as connection:
            connection.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(schema.schema)))


def _charge(ledger: PostgresqlLedger, name: str, count: int) -> None:
    for number in range(count):
        ledger.charge(f"{name} {number}", _COST, "0")


def _rate(count: int, work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


if __name__ == "__main__":
    many = int(sys.argv[2]) if len(sys.argv) > 2 else RECORDS
    for case, rate in run(sys.argv[1], many).items():
        verdict = f"  (at least {BAR:,.0f})  {'ok' if rate >= BAR else 'TOO SLOW'}"
        print(f"{case:32} {rate:10,.0f}/s{verdict if case.startswith('records') else ''}")
