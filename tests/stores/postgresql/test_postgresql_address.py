"""Addresses of stores in PostgreSQL: no password gets in, whatever its spelling, and none comes out of a message.

Answers for `privis.stores.postgresql.postgresql_address`.
"""

from __future__ import annotations

import pytest

pytest.importorskip("psycopg")

from privis.errors import ParameterError
from privis.stores.postgresql.postgresql_address import PostgresqlAddress

SECRET = "s3cretWord"


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://ann:{SECRET}@db.example/faces",
        f"postgres://ann:{SECRET}@127.0.0.1:5432/faces#staff",
        f"postgresql://db.example/faces?user=ann&password={SECRET}",
        f"postgresql://db.example/faces?user=ann&PassWord={SECRET}",
        f"postgresql://db.example/faces?user=ann&pass%77ord={SECRET}",
        f"postgresql://db.example/faces?sslpassword={SECRET}",
        f"postgresql://ann:{SECRET}/x@db.example/faces",
        f"postgresql://ann:{SECRET}?x@db.example/faces",
        f"postgresql://ann:a#{SECRET}@db.example/faces",
        f"postgresql://ann:{SECRET}%@db.example/faces",
        f"postgresql://[ann:{SECRET}@db.example/faces",
        f"host=db.example password={SECRET}",
        f"mysql://ann:{SECRET}@db.example/faces",
    ],
)
def test_a_password_is_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(ParameterError) as caught:
        PostgresqlAddress(text)
    error: BaseException | None = caught.value
    assert SECRET not in str(error) and "address" in str(error)
    while error is not None:  # nor by what led to it
        assert SECRET not in str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_a_password_is_told_where_else_to_be() -> None:
    with pytest.raises(ParameterError, match=r"PGPASSWORD, ~/.pgpass, a service file, or a file that \?passfile="):
        PostgresqlAddress(f"postgresql://ann:{SECRET}@db.example/faces")


def test_the_schema_stands_behind_the_database() -> None:
    given = PostgresqlAddress("postgresql://ann@[::1]:5433/faces?passfile=/run/word#staff_2")
    assert given.schema == "staff_2" and "schema" not in given.parameters
    wanted = {"user": "ann", "host": "::1", "port": "5433", "dbname": "faces", "passfile": "/run/word"}
    assert wanted.items() <= given.parameters.items() and repr(given).count("ann") == 1
    assert PostgresqlAddress("postgresql:///faces").schema == "privis" and given.element == ""
    opened = PostgresqlAddress("postgresql+halfvec://ann@127.0.0.1/faces")
    assert (opened.element, opened.parameters["user"], str(opened)[:19]) == ("halfvec", "ann", "postgresql+halfvec:")
    assert PostgresqlAddress("PostgreSQL+HalfVec://ann@127.0.0.1/faces").element == "halfvec"
    for bad in ("Staff", "1a", "a b", "pg_x", "a" * 64, 'a"b'):
        with pytest.raises(ParameterError, match="schema"):
            PostgresqlAddress(f"postgresql:///faces#{bad}")


@pytest.mark.parametrize(
    "host, mode",
    [
        ("db.example", "require"),
        ("10.0.0.4", "require"),
        ("localhost,db.example", "require"),
        ("localhost", None),
        ("127.0.0.2:1", None),
        ("[::1]", None),
        ("%2Frun%2Fpostgresql", None),
    ],
)
def test_vectors_cross_a_network_encrypted(host: str, mode: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGSSLMODE"):
        monkeypatch.delenv(name, raising=False)
    assert PostgresqlAddress(f"postgresql://ann@{host}/faces").parameters.get("sslmode") == mode
    assert PostgresqlAddress(f"postgresql://{host}/faces?sslmode=verify-full").parameters["sslmode"] == "verify-full"


def test_the_environment_names_another_machine_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGSSLMODE", raising=False)
    monkeypatch.setenv("PGHOST", "db.example")
    assert PostgresqlAddress("postgresql:///faces").parameters["sslmode"] == "require"
    monkeypatch.setenv("PGSSLMODE", "verify-ca")
    assert "sslmode" not in PostgresqlAddress("postgresql:///faces").parameters
