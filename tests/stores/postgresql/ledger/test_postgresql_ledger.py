"""A ledger in PostgreSQL: clients that race, are killed and cut off, servers that restart, roles that may little.

Answers for `privis.stores.postgresql.ledger.postgresql_ledger`, `privis.stores.postgresql.ledger.ledger_sessions`,
`privis.stores.postgresql.ledger.ledger_tables`.
"""

import os
import pickle
import socket
import time
import uuid
from dataclasses import replace

import pytest

pytest.importorskip("psycopg")

import psycopg

from privis.errors import BudgetError, OutputError, ParameterError, ServiceError
from privis.privacy.ledger.budget import Budget, Per
from privis.privacy.ledger.file import FileLedger
from privis.stores.postgresql import postgresql_connection
from privis.stores.postgresql.ledger import ledger_sessions, postgresql_ledger
from privis.stores.postgresql.ledger.ledger_tables import role_statements
from privis.stores.postgresql.ledger.postgresql_ledger import ChargeRequest, PostgresqlLedger
from tests.privacy.ledgers import CHEAP, COSTLY, as_owner, in_postgresql, race
from tests.stores.postgresql.line_cutter import cut_off

BUDGET = Budget(1.0, 1e-6)


@pytest.fixture
def ledger(ledger_server):
    return in_postgresql(ledger_server).create(BUDGET)


def sql(ledger, text, *values):
    with psycopg.connect(str(ledger.address).partition("#")[0], autocommit=True) as connection:
        found = connection.execute(text.replace("{s}", ledger.address.schema), values)
        return found.fetchall() if found.description else []


def far_end(ledger, port):
    """The same ledger behind another port."""
    host, _, rest = ledger.place.partition("127.0.0.1:")
    return PostgresqlLedger(f"{host}127.0.0.1:{port}/{rest.partition('/')[2]}")


def asked(numbers, prefix="r", guarantee=COSTLY):
    return [ChargeRequest(f"{prefix}{number}", guarantee, f"{prefix} {number}") for number in numbers]


def test_a_batch_is_charged_whole_or_not_at_all(ledger):
    ledger.charge_all(asked(range(20)))
    ledger.charge_all(asked(range(30)))
    assert ledger.verify().charges == 30
    spent = [ChargeRequest("r0", COSTLY, str(index)) for index in range(3)]
    with pytest.raises(BudgetError) as caught:
        ledger.charge_all([*asked(range(40, 50)), *spent, replace(spent[0], record="r1", guarantee=CHEAP)])
    assert [problem.where for problem in caught.value.problems] == ["r0", "ledger"], "all at once"
    assert ledger.verify().charges == 30 and not ledger.verify().problems
    ledger.charge_all([*spent[:2], *spent[:2]])
    assert ledger.spent("r0").charges == 3 and ledger.verify().charges == 32
    ledger.charge_all([])


def test_the_lines_are_those_of_a_ledger_file(ledger, tmp_path):
    ledger.charge_all(asked(range(5)))
    path = tmp_path / "copy"
    path.write_bytes(b"".join(ledger.lines()))
    head = ledger.head
    before = FileLedger.create(tmp_path / "other", BUDGET)
    (tmp_path / "copy.head").write_bytes(
        b"".join(sorted((head.packed(), replace(head, lines=head.lines - 1).packed()), key=lambda p: int(p[:20]) % 2))
    )
    assert FileLedger(path).identity == ledger.identity != before.identity
    assert FileLedger(path).spent("r3") == ledger.spent("r3") and head.size == path.stat().st_size


@pytest.mark.parametrize("per", [Per.SUBJECT, Per.CORPUS])
def test_eight_clients_and_a_server_that_is_killed_in_the_middle(ledger_server, per):
    """Each record is fought for by all: three of eight get it, and what is asked again costs nothing."""
    kind = in_postgresql(ledger_server)
    records, before = (24, 15) if per is Per.SUBJECT else (12, 5)
    budget = BUDGET if per is Per.SUBJECT else Budget(3.0, 1e-6, per)
    ledger = kind.create(budget)
    watcher = os.fork()
    if not watcher:
        while ledger.head.lines < before:
            time.sleep(0.02)
        ledger_server.kill()
        ledger_server.start()
        os._exit(0 if ledger.head.lines < 3 * records else 9)  # it was in the middle

    def client(index):
        own = kind.other(ledger)
        for record in range(records):
            for _ in range(2):
                try:
                    own.charge(str(record), COSTLY, f"{record} {index}")
                except BudgetError as error:
                    assert "one more of epsilon" in str(error)
            time.sleep(0.02)

    assert race(client, 8) == [0] * 8
    assert os.waitstatus_to_exitcode(os.waitpid(watcher, 0)[1]) == 0
    found = kind.other(ledger).verify(ledger.head.digest)
    assert not found.problems
    if per is Per.SUBJECT:
        assert found.charges == 3 * records
        assert all(ledger.spent(str(record)).charges == 3 for record in range(records))
    else:
        assert found.charges >= 10 and ledger.spent().epsilon <= 3


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("word", [b"COMMIT\0", b"COPY", b"locked_ledger_head"])
def test_a_line_that_is_cut_at_any_moment_costs_nothing(ledger, ledger_server, word, before):
    """Between charge and commit, and between commit and answer: the client asks again by itself, and pays once."""
    ledger.charge("a", COSTLY, "0")
    with cut_off(ledger_server.port, word, before) as port:
        far_end(ledger, port).charge("a", COSTLY, "1")
    assert ledger.spent("a").charges == 2 and not ledger.verify().problems


def test_a_network_that_stays_away_is_said_and_nothing_is_charged(ledger, ledger_server, monkeypatch):
    monkeypatch.setattr(ledger_sessions, "PATIENCE", 0.5)
    with cut_off(ledger_server.port, b"\0never\0", True) as port:
        far = far_end(ledger, port)
        far.charge("a", COSTLY, "0")
    with pytest.raises(ServiceError, match="do it again once the server is there"):
        far.charge("a", COSTLY, "1")
    assert ledger.spent("a").charges == 1


def test_no_server_is_said_at_once():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ServiceError, match="refused"):
        PostgresqlLedger(f"postgresql://ann@127.0.0.1:{port}/x")


def test_a_client_that_stops_in_the_middle_holds_nobody_up_for_ever(ledger, monkeypatch):
    monkeypatch.setattr(ledger_sessions, "_VANISHED", "1s")
    stopped = PostgresqlLedger(ledger.address)
    monkeypatch.setattr(
        postgresql_ledger, "add_lines", lambda *words, add=postgresql_ledger.add_lines: (time.sleep(2.5), add(*words))
    )
    monkeypatch.setattr(ledger_sessions, "PATIENCE", 0.0)
    with pytest.raises(ServiceError):
        stopped.charge("a", COSTLY, "0")
    monkeypatch.undo()
    ledger.charge("a", COSTLY, "1")
    assert ledger.spent("a").charges == 1


def test_who_waits_too_long_is_told_whom_for(ledger, monkeypatch):
    monkeypatch.setattr(postgresql_connection, "WAIT", 1)
    waiting = PostgresqlLedger(ledger.address)
    with psycopg.connect(str(ledger.address).partition("#")[0]) as other:
        other.execute(f"SELECT {ledger.address.schema}.locked_ledger_head()")
        with pytest.raises(ServiceError, match="no lock within 1 seconds"):
            waiting.charge("a", COSTLY, "0")
    waiting.charge("a", COSTLY, "0")


# What the server refuses


@pytest.fixture
def clerk(ledger, ledger_server):
    """A ledger of a role that may charge, and nothing more."""
    role = f"clerk_{uuid.uuid4().hex[:8]}"
    sql(ledger, f"CREATE ROLE {role} LOGIN")
    sql(ledger, role_statements(ledger.address.schema, role))
    return PostgresqlLedger(ledger_server.address(ledger.address.schema, role))


def test_a_role_that_may_insert_alone_charges_and_reads_and_changes_nothing(ledger, clerk):
    for index in range(3):
        clerk.charge("a", COSTLY, str(index))
    with pytest.raises(BudgetError, match=r"0\.9 of 1"):
        clerk.charge("a", COSTLY, "3")
    assert clerk.verify().charges == 3 and not clerk.verify().problems and clerk.worst() == ledger.worst()
    for text in (
        "UPDATE {s}.ledger_line SET line = line",
        "DELETE FROM {s}.ledger_line",
        "TRUNCATE {s}.ledger_line",
        "UPDATE {s}.ledger_head SET lines = 1",
        "INSERT INTO {s}.ledger_head VALUES (false, 0, 0, '')",
        "DROP TABLE {s}.ledger_line",
        "ALTER TABLE {s}.ledger_line DISABLE TRIGGER ALL",
        "SELECT {s}.ledger_lines_added()",
        "CREATE TABLE {s}.other ()",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            sql(clerk, text)
    assert not ledger.verify().problems


@pytest.mark.parametrize("text", ["UPDATE {s}.ledger_line SET line = line", "DELETE FROM {s}.ledger_line",
                                  "TRUNCATE {s}.ledger_line", "DELETE FROM {s}.ledger_head"])  # fmt: skip
def test_even_the_owner_changes_nothing_by_accident(ledger, text):
    ledger.charge("a", COSTLY, "0")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="never changed"):
        sql(ledger, text)
    assert ledger.verify().charges == 1


@pytest.mark.parametrize("change", ["same number", "gap", "another previous", "twice"])
def test_a_line_that_does_not_follow_is_refused_by_the_server(ledger, clerk, change):
    ledger.charge("a", COSTLY, "0")
    last, head = ledger.lines()[-1].decode(), ledger.head
    again = last.replace(last[14:78], head.digest)  # a charge that follows, of a release that was charged
    other = again.replace('"release": "0"', '"release": "1"')
    number = {"same number": head.lines, "gap": head.lines + 2}.get(change, head.lines + 1)
    line = {"another previous": other.replace(head.digest, "0" * 64), "twice": again}.get(change, other)
    with pytest.raises((psycopg.errors.CheckViolation, psycopg.errors.UniqueViolation)):
        sql(clerk, "INSERT INTO {s}.ledger_line (number, line) VALUES (%s, %s)", number, line)
    assert ledger.head == head and not ledger.verify().problems
    sql(clerk, "INSERT INTO {s}.ledger_line (number, line) VALUES (%s, %s)", head.lines + 1, other)
    assert ledger.spent("a").charges == 2 and not ledger.verify().problems


def test_what_the_lookup_rests_on_is_computed_from_the_line(ledger, clerk):
    with pytest.raises(psycopg.errors.Error):
        sql(clerk, "INSERT INTO {s}.ledger_line (number, line, record) VALUES (2, E'{\\n', 'x')")
    names = ['plain "quoted" \\ back', "\ud800 half", "ü\n\0", '"release": "x"', "record"]
    for name in names:
        ledger.charge("a", CHEAP, name)
        ledger.charge("a", CHEAP, name)
    assert ledger.spent("a").charges == len(names)


# Damage that only an owner can do


@pytest.mark.parametrize(
    "damage", ["edited", "last gone", "first gone", "middle gone", "swapped", "no head", "no lines"]
)
def test_an_owner_who_changes_lines_is_found_by_whoever_opens_the_ledger(ledger, damage):
    for index in range(4):
        ledger.charge(str(index), COSTLY, str(index))
    (*rows, (number, line)), head = in_postgresql(None).kept(ledger)
    rows = [*rows, (number, line)]
    changed = {
        "edited": [*rows[:2], (3, rows[2][1].replace('"epsilon": 0.3', '"epsilon": 0.1')), *rows[3:]],
        "last gone": rows[:-1],
        "first gone": rows[1:],
        "middle gone": [*rows[:2], *rows[3:]],
        "swapped": [*rows[:2], (3, rows[3][1]), (4, rows[2][1]), *rows[4:]],
        "no lines": [],
    }.get(damage, rows)
    as_owner(ledger, changed, None if damage == "no head" else head)
    with pytest.raises(BudgetError, match="privis ledger verify"):
        PostgresqlLedger(ledger.address).charge("new", CHEAP, "new")
    assert ledger.verify().problems


@pytest.mark.parametrize("way", ["DISABLE TRIGGER unchanged", "ENABLE REPLICA TRIGGER added", "DISABLE TRIGGER ALL"])
def test_guards_that_are_switched_off_are_said(ledger, way):
    sql(ledger, "ALTER TABLE {s}.ledger_line " + way)
    assert "switched off" in ledger.verify().problems[0]


# Places


def test_two_ledgers_of_one_database_do_not_know_of_each_other(ledger, ledger_server):
    other = in_postgresql(ledger_server).create(Budget(0.5, 1e-6))
    ledger.charge("a", COSTLY, "0")
    assert other.spent("a").charges == 0 and other.identity != ledger.identity
    with pytest.raises(OutputError, match="never overwritten"):
        PostgresqlLedger.create(ledger.place, BUDGET)
    with pytest.raises(ParameterError, match=r"privis ledger init postgresql://.*#nobody"):
        PostgresqlLedger(ledger_server.address("nobody"))
    quoted = PostgresqlLedger.create(ledger_server.address("user"), BUDGET)  # a word of SQL
    quoted.charge("a", COSTLY, "0")
    assert quoted.verify().charges == 1


def test_a_password_is_nowhere(ledger, ledger_server, monkeypatch):
    with pytest.raises(ParameterError, match="PGPASSWORD") as caught:
        PostgresqlLedger("postgresql://ann:s3cret@127.0.0.1/x")
    assert "s3cret" not in str(caught.value)
    monkeypatch.setenv("PGPASSWORD", "s3cret")
    again = PostgresqlLedger(ledger.address)
    assert b"s3cret" not in pickle.dumps(again) and "s3cret" not in repr(again)
    with pytest.raises(ParameterError, match="vectors"):
        PostgresqlLedger("postgresql+vector://ann@127.0.0.1/x")


def test_a_server_that_only_reads_is_said_in_words(ledger):
    reading = f"{ledger.place.partition('#')[0]}?options=-cdefault_transaction_read_only%3Don#{ledger.address.schema}"
    standby = PostgresqlLedger(reading)
    assert standby.verify().charges == 0
    with pytest.raises(ServiceError, match=r"a standby.*target_session_attrs=read-write"):
        standby.charge("a", COSTLY, "0")
    assert ledger.verify().charges == 0


@pytest.mark.parametrize("level", ["serializable", "repeatable%20read"])
def test_a_server_with_another_isolation_is_no_other_ledger(ledger, level):
    place = (
        f"{ledger.place.partition('#')[0]}?options=-cdefault_transaction_isolation%3D{level.replace('%20', '%5C%20')}"
    )
    codes = race(lambda i: PostgresqlLedger(f"{place}#{ledger.address.schema}").charge("a", COSTLY, str(i)), 8)
    assert sorted(codes) == [0] * 3 + [1] * 5


def test_clocks_and_time_zones_decide_nothing(ledger, monkeypatch):
    for index, said in enumerate(("2030-01-01T00:00:00.000+00:00", "1970-01-01T00:00:00.000+00:00", "")):
        monkeypatch.setattr(postgresql_ledger, "now", lambda said=said: said)
        monkeypatch.setenv("TZ", f"XYZ{index * 7}")
        ledger.charge("a", COSTLY, str(index))
        ledger.charge("a", COSTLY, str(index))
    with pytest.raises(BudgetError):
        ledger.charge("a", COSTLY, "3")
    assert ledger.spent("a").charges == 3 and not ledger.verify().problems


def test_what_a_charge_reads_does_not_grow_with_the_ledger(ledger, monkeypatch):
    read = []

    def counted(*words, found=postgresql_ledger.found_lines):
        read.append(found(*words))
        return read[-1]

    monkeypatch.setattr(postgresql_ledger, "found_lines", counted)
    ledger.charge_all(asked(range(300)))
    ledger.charge("r7", CHEAP, "again")
    assert [len(lines) for lines in read] == [0, 1]
