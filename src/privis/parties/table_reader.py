"""Reading TOML and JSON tables from people and peers: every mistake is listed, none raised one by one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from privis.errors import Problem

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
DIGEST = re.compile(r"[0-9a-f]{64}")
TOKEN = re.compile(r"[0-9a-f]{32}")
ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):(?P<port>\d{1,5})")
LARGEST = 1e300  # a larger integer is no float, and nothing that is asked for is as large
WHOLE = 2**53 - 1  # the largest that JSON and floats hold and no other integer is rounded to
LONGEST = 1 << 16  # numbers in a list
MISSING: Any = object()


def shown(names: Iterable[Any]) -> str:
    """Join ``names`` by commas for a message, or ``none``."""
    return ", ".join(map(str, names)) or "none"


@dataclass(eq=False)
class Reader:
    """Takes values out of one table; what is wrong or left over goes to ``problems``, shared with nested tables."""

    table_: Mapping[str, Any]
    where: str
    problems: list[Problem] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    @property
    def keys(self) -> list[str]:
        """Keys of the table, in order."""
        return list(self.table_)

    def has(self, key: str) -> bool:
        """Whether the table has ``key``."""
        return key in self.table_

    def wrong(self, key: str, got: str, expected: str, remedy: str = "") -> None:
        """Add a problem with the value of ``key``."""
        self.problems.append(Problem(f"{self.where}: {key}", got, expected, remedy))

    def constant(self, key: str, expected: str) -> None:
        """A key that may be left out and otherwise has one value."""
        if self._take(key, expected) != expected:
            self.wrong(key, repr(self.table_[key]), repr(expected))

    def text(self, key: str, default: str = MISSING) -> str:
        """Read any text that is not empty."""
        value = self._take(key, default)
        if value is default or (isinstance(value, str) and value):
            return "" if value is MISSING else value
        self.wrong(key, repr(value), "text")
        return ""

    def name(self, key: str, default: str = MISSING) -> str:
        """A name of letters, digits, - and _."""
        value = self.text(key, default)
        if value and value is not default and not NAME.fullmatch(value):
            self.wrong(key, repr(value), "letters, digits, - and _, at most 63")
        return value

    def names(self, key: str, default: tuple[str, ...] = MISSING) -> tuple[str, ...]:
        """A list of names; one name alone counts as a list of one."""
        value = self._take(key, default)
        if value is default:
            return () if value is MISSING else value
        values = [value] if isinstance(value, str) else value
        if isinstance(values, list) and all(isinstance(v, str) and NAME.fullmatch(v) for v in values):
            return tuple(values)
        self.wrong(key, repr(value), "a list of names (letters, digits, - and _)")
        return ()

    def words(self, key: str) -> tuple[str, ...]:
        """A list of texts, empty when it is not there."""
        value = self._take(key, [])
        if isinstance(value, list) and all(isinstance(v, str) for v in value):
            return tuple(value)
        self.wrong(key, repr(value), "a list of texts")
        return ()

    def token(self, key: str) -> str:
        """A random identifier of 32 hexadecimal digits."""
        value = self.text(key)
        if value and not TOKEN.fullmatch(value):
            self.wrong(key, repr(value[:64]), "32 hexadecimal digits")
        return value

    def digests(self, key: str) -> tuple[str, ...]:
        """A list of SHA-256 digests, empty when it is not there."""
        value = self._take(key, [])
        if isinstance(value, list) and all(isinstance(v, str) and DIGEST.fullmatch(v) for v in value):
            return tuple(value)
        self.wrong(key, repr(value), "a list of digests of 64 hexadecimal digits")
        return ()

    def address(self, key: str, default: str = MISSING) -> str:
        """Address HOST:PORT of ``key``, or ``default`` without one; a problem is noted for anything else."""
        value = self.text(key, default)
        if value and value is not default and not is_address(value):
            self.wrong(key, repr(value), "HOST:PORT, as in party.example.org:9440")
        return value

    def path(self, key: str, base: Path) -> Path:
        """A path, relative to ``base``."""
        return base / self.text(key)

    def number(self, key: str, default: float | None, most: float = LARGEST) -> float | None:
        """A positive number of at most ``most``."""
        value = self._take(key, default)
        if value is default or (_is_number(value, most) and value > 0):
            return value
        self.wrong(key, repr(value)[:64], "a finite number above 0" + (f", at most {most:g}" if most < LARGEST else ""))
        return default

    def whole(self, key: str, default: int | None, most: int = WHOLE) -> int | None:
        """An integer of at least 1 and at most ``most``."""
        value = self._take(key, default)
        if value is default or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most):
            return value
        self.wrong(key, repr(value)[:64], f"an integer of at least 1 and at most {most:,}")
        return default

    def numbers(self, key: str, default: tuple[float, ...] = (), most: float = LARGEST) -> tuple[float, ...]:
        """A list of at most `LONGEST` numbers of at most ``most`` in size."""
        value = self._take(key, list(default))
        if isinstance(value, list) and len(value) <= LONGEST and all(_is_number(v, most) for v in value):
            return tuple(value)
        self.wrong(key, repr(value)[:64], f"a list of numbers, at most {LONGEST:,} of at most {most:g} in size")
        return default

    def flag(self, key: str, default: bool) -> bool:
        """Boolean of ``key``, or ``default`` without one."""
        value = self._take(key, default)
        if isinstance(value, bool):
            return value
        self.wrong(key, repr(value), "true or false")
        return default

    def json(self, key: str) -> dict[str, Any] | None:
        """A table of anything that JSON can say, or None when it is not there."""
        value = self._take(key, None)
        if value is None or (isinstance(value, dict) and _is_json(value)):
            return value
        self.wrong(key, repr(value), "a table of texts, numbers, flags and lists")
        return None

    def table(self, key: str) -> Reader:
        """A nested table; an empty one when it is not there."""
        value = self._take(key, {})
        if not isinstance(value, dict):
            self.wrong(key, repr(value), f"a table, as in [{key}]")
            value = {}
        return Reader(value, f"{self.where}: {key}", self.problems)

    def tables(self, key: str) -> dict[str, Reader]:
        """Readers of the tables in ``key``, by name."""
        outer = self.table(key)
        found = {}
        for name in outer.keys:
            if not NAME.fullmatch(name):
                outer.wrong(name, repr(name), "a name of letters, digits, - and _, at most 63")
            found[name] = outer.table(name)
        return found

    def listed(self, key: str) -> list[Reader]:
        """A list of tables; an empty one when it is not there."""
        value = self._take(key, [])
        if not (isinstance(value, list) and all(isinstance(item, dict) for item in value)):
            self.wrong(key, repr(value), f"a list of tables, as in [[{key}]]")
            value = []
        return [Reader(item, f"{self.where}: {key}[{i}]", self.problems) for i, item in enumerate(value)]

    def done(self) -> None:
        """Add a problem for every key that was not read."""
        for key in self.table_:
            if key not in self.taken:
                self.wrong(key, "a key of no meaning here", f"one of {shown(sorted(self.taken))}", "check the spelling")

    def _take(self, key: str, default: Any) -> Any:
        self.taken.add(key)
        if key not in self.table_ and default is MISSING:
            self.wrong(key, "nothing", "a value")
        return self.table_.get(key, default)


def is_address(text: str) -> bool:
    """Whether ``text`` is HOST:PORT with a port that exists.

    >>> is_address("party.example.org:9440"), is_address("party:99999"), is_address("9440")
    (True, False, False)
    """
    found = ADDRESS.fullmatch(text)
    return found is not None and int(found["port"]) < 65536


def host_and_port(address: str) -> tuple[str, int]:
    """The two halves of an address.

    >>> host_and_port("[::1]:9440")
    ('::1', 9440)
    """
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _is_number(value: Any, most: float = LARGEST) -> bool:
    """Whether a float holds it, of at most ``most`` in size: neither NaN nor infinite, nor an integer beyond floats."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= most


def _is_json(value: Any) -> bool:
    match value:
        case dict():
            return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
        case list():
            return all(map(_is_json, value))
        case float():
            return value == value and abs(value) != float("inf")
        case _:
            return value is None or isinstance(value, str | int | bool)
