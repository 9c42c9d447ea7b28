"""Addresses in PostgreSQL: where the server is, who asks, and which schema holds a store or ledger; no password."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from privis.errors import ParameterError, Problem
from privis.extras import optional_import

DEFAULT_SCHEMA = "privis"
WHERE = "address in PostgreSQL"
FORM = "postgresql://USER@HOST:PORT/DATABASE#SCHEMA"
_SCHEME = re.compile(r"postgres(?:ql)?(?:\+(?P<element>vector|halfvec))?://", re.IGNORECASE)

_SCHEMA = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,62}")
_SECRET = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key", "authtoken")
_REMEDY = "put the password into PGPASSWORD, ~/.pgpass, a service file, or a file that ?passfile=PATH names"
_DEFAULTS = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""Seconds, and milliseconds of the last: a server that is gone is noticed, and nothing waits for it for ever."""


@dataclass(frozen=True)
class PostgresqlAddress:
    """Where a store or a ledger is.

    Another machine is asked with ``sslmode=require`` at least, unless the address has a ``sslmode`` of its own;
    ``verify-full`` proves which server answers.

    Args:
        text: ``postgresql://USER@HOST:PORT/DATABASE?OPTION=VALUE#SCHEMA``, whose parts may lack: then those of
            PGHOST, PGUSER and so on count, and the schema "privis". Options are libpq's, say ``host=/run/postgresql``,
            ``service``, ``passfile``, ``sslmode``, ``sslrootcert``. ``postgresql+vector://`` and
            ``postgresql+halfvec://`` name an open store, with vectors in this type of pgvector.

    Raises:
        ParameterError: it has a password, is no such address, or names a schema that needs quoting.
        MissingExtraError: psycopg is not installed.

    >>> PostgresqlAddress("postgresql://ann@db.example/faces#staff").schema
    'staff'
    """

    text: str
    schema: str = field(init=False)
    element: str = field(init=False)
    parameters: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _refuse_password(self.text)
        try:
            parts = urlsplit(self.text)
        except ValueError:
            raise ParameterError(Problem(WHERE, "an address that cannot be read", FORM)) from None
        schema = unquote(parts.fragment) or DEFAULT_SCHEMA
        if not _SCHEMA.fullmatch(schema):
            expected = "small letters, digits and _, at most 63, no digit and no pg_ at the front"
            raise ParameterError(Problem(f"{WHERE}: schema", repr(schema), expected))
        with optional_import("postgresql", "a PostgreSQL store"):
            from psycopg import ProgrammingError
            from psycopg.conninfo import conninfo_to_dict
        try:
            read = conninfo_to_dict(_SCHEME.sub("postgresql://", self.text.partition("#")[0], count=1))
        except ProgrammingError:  # its words quote parts of the address
            remedy = "percent-encode characters other than letters, digits and -._~"
            raise ParameterError(Problem(WHERE, "one that libpq does not read", FORM, remedy)) from None
        given = {name: str(value) for name, value in read.items()}
        if any(given.get(name) for name in _SECRET):
            raise ParameterError(Problem(WHERE, "a password in it", f"{FORM}, without one", _REMEDY))
        if not re.fullmatch(r"[\d,]*", given.get("port", "")):
            raise ParameterError(Problem(f"{WHERE}: port", "no number", FORM))
        parameters = {**_DEFAULTS, "client_encoding": "UTF8", **given}
        if not {"sslmode", "service"} & given.keys() and "PGSSLMODE" not in os.environ and not _is_local(given):
            parameters["sslmode"] = "require"
        named = _SCHEME.match(self.text)
        object.__setattr__(self, "schema", schema)
        object.__setattr__(self, "element", ((named and named["element"]) or "").lower())
        object.__setattr__(self, "parameters", parameters)

    def __str__(self) -> str:
        return self.text


def _refuse_password(text: object) -> None:
    """Before anything reads the address, as what it says of a bad one may quote it."""
    if not isinstance(text, str) or not _SCHEME.match(text):
        raise ParameterError(Problem(WHERE, "something else", FORM))
    authority, *rest = re.split(r"(?=[/?#])", text.split("://", 1)[1], maxsplit=1)
    user = authority.rpartition("@")[0]
    options = re.findall(r"[?&]([^=&#]*)=", text)
    secret = user.partition(":")[2] or any(unquote(name).strip().lower() in _SECRET for name in options)
    if secret or "@" in "".join(rest) or "@" in user:  # an @ further on: the end of a password with / ? or # in it
        expected = f"{FORM}, without one, and every other @ written %40"
        raise ParameterError(Problem(WHERE, "a password in it", expected, _REMEDY))


def _is_local(given: dict[str, str]) -> bool:
    """Whether all hosts are this machine; no host at all is PGHOST, or a socket."""
    names = (given.get("hostaddr") or given.get("host") or os.environ.get("PGHOST", "")).split(",")
    return all(not name or name.startswith(("/", "@")) or name == "localhost" or _is_loopback(name) for name in names)


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
