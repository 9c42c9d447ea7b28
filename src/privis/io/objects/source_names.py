"""Names of sources that are no files of this machine, and what a name must never hold.

==================================  ================================================================================
``s3://bucket/a/b.jpg``             an object, by the key as it is, nothing of it escaped; also ``gs://``, ``az://``
``https://host/a/b.jpg``            what an HTTP server gives; escaped as URLs are
``shard.tar#member=a/b.jpg``        a member of a tar shard, by its name; the shard is a file or an object
``images.parquet#record=b.jpg``     an image in a Parquet table, by its id there, or else by the digest of its bytes
==================================  ================================================================================

Every one of them may end with the name of a part (``#page=2``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from privis.errors import ParameterError, Problem, refuse

STORES = ("s3", "gs", "az")
SERVERS = ("http", "https")
TAR, TABLE = ".tar", ".parquet"
MEMBER, RECORD = "#member=", "#record="
_SCHEME = re.compile(rf"({'|'.join((*STORES, *SERVERS))})://", re.IGNORECASE)
_INSIDE = re.compile(r"(?P<container>.+?(?i:\.tar|\.parquet))#(?P<kind>member|record)=(?P<inside>.+)", re.DOTALL)
_USER = re.compile(r"(?<=://)[^/@]*@")
_SECRET = re.compile(
    r"[?&](?:x-amz-|x-goog-|awsaccesskeyid|googleaccessid|sig=|signature|[^=&#]*(?:token|secret|key|password|credential))",
    re.IGNORECASE,
)
_SHOWN = 12


def is_remote(name: str) -> bool:
    """Whether ``name`` is in a store or on a server.

    >>> is_remote("s3://bucket/a.jpg"), is_remote("photos/a.jpg")
    (True, False)
    """
    return _SCHEME.match(name) is not None


def is_elsewhere(name: str) -> bool:
    """Whether ``name`` is no path of a file: in a store, on a server, or within a shard or table.

    >>> is_elsewhere("shard.tar#member=a.jpg"), is_elsewhere("shard.tar")
    (True, False)
    """
    return is_remote(name) or (inside(name) is not None and not os.path.lexists(name))


def source_key(name: str) -> str:
    """What is equal for two spellings of one source: the scheme in lower case, paths of this machine absolute.

    >>> source_key("S3://bucket/A.jpg"), source_key("./x/../0.tar#member=./a") == source_key("0.tar#member=./a")
    ('s3://bucket/A.jpg', True)
    """
    if is_remote(name):
        return with_plain_scheme(name)
    found = inside(name) if is_elsewhere(name) else None
    if found is None:
        return os.path.abspath(name)
    return os.path.abspath(found.container) + name[len(found.container) :]


def with_plain_scheme(name: str) -> str:
    """Give a name in a store or on a server with its scheme in lower case, as listings have it.

    >>> with_plain_scheme("S3://bucket/A.jpg")
    's3://bucket/A.jpg'
    """
    scheme, mark, rest = name.partition("://")
    return scheme.lower() + mark + rest


@dataclass(frozen=True)
class Inside:
    """What lies within a shard or a table.

    Args:
        container: file or object that holds it.
        name: of the member, or id of the record.
    """

    container: str
    name: str

    @property
    def in_table(self) -> bool:
        """Whether it is a record of a Parquet table; otherwise a member of a tar shard."""
        return self.container.lower().endswith(TABLE)


def inside(name: str) -> Inside | None:
    """Take the name of a member or record apart; None for every other name.

    >>> inside("s3://bucket/0.tar#member=a/b.jpg").name
    'a/b.jpg'
    """
    found = _INSIDE.fullmatch(name)
    if found is None or (found["kind"] == "record") != found["container"].lower().endswith(TABLE):
        return None
    return Inside(found["container"], found["inside"])


class PlacedName(str):
    """A name that also says where its bytes were when it was listed: a hint, which whoever reads verifies.

    Attributes:
        place: of a member its first byte and number of bytes in the shard, headers included; of a record its row group
            and row there.
    """

    place: tuple[int, int]

    def __new__(cls, name: str, place: tuple[int, int]) -> Self:
        """Make the name, equal to the plain text."""
        self = super().__new__(cls, name)
        self.place = place
        return self

    def __reduce__(self) -> tuple[type[PlacedName], tuple[str, tuple[int, int]]]:
        return PlacedName, (str(self), self.place)


def redacted(name: str) -> str:
    """Give the name without users, passwords and queries, for messages.

    >>> redacted("https://ann:pw@host/a.jpg?X-Amz-Signature=12")
    'https://…@host/a.jpg?…'
    """
    if not is_remote(name):
        return name
    name = _USER.sub("…@", name)
    return name.split("?", 1)[0] + "?…" if "?" in name and (_SECRET.search(name) or _of_server(name)) else name


def holds_secret(name: str) -> bool:
    """Whether a name holds what must not get into tables and messages: a user, a password, or a signed query."""
    return is_remote(name) and bool(_USER.search(name) or _SECRET.search(name))


def refuse_secrets(names: Iterable[str]) -> None:
    """Refuse names that hold credentials: names are written into tables, lists of failures and logs.

    Args:
        names: of sources.

    Raises:
        ParameterError: some do; the message has them without what is secret.
    """
    found = [name for name in names if holds_secret(name)]
    remedy = "give credentials by the environment (AWS_ACCESS_KEY_ID, AWS_PROFILE, …) and the plain name"
    refuse(
        ParameterError,
        [Problem(redacted(name), "credentials in a name", "a name without any", remedy) for name in found[:_SHOWN]],
    )


def _of_server(name: str) -> bool:
    return name.lower().startswith(tuple(f"{scheme}://" for scheme in SERVERS))
