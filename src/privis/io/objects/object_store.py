"""Objects of S3, Google Cloud Storage and Azure, through obstore.

Credentials come from where the environment has them, and stay within the library: its messages, which quote requests
and answers of stores, are never passed on.
"""

from __future__ import annotations

import functools
import io
import os
import re
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from privis.errors import ImageError, PrivisError, Problem
from privis.extras import optional_import
from privis.io.objects.source_bytes import SourceBytes
from privis.io.objects.source_names import STORES

if TYPE_CHECKING:
    from obstore.store import ObjectStore

MOST_BYTES = 1 << 30
"""Of one object that is read into memory."""
_BUFFER = 1 << 16
_UNREADABLE = (
    "a key with an empty part, . or .., of its own or below",
    "parts between slashes that are names",
    "give the object another key",
)
_PROFILE_FILES = {"AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials", "AWS_CONFIG_FILE": "~/.aws/config"}


@dataclass(frozen=True)
class Patience:
    """How long a store or server is asked again.

    Args:
        retries: after the first request.
        first_wait: seconds before the first retry at most; each further one doubles it, with jitter.
        longest_wait: seconds between two retries at most.
        stalled: seconds without a byte after which an answer is given up, and asked for again.
        whole: seconds that one answer may take.
    """

    retries: int = 6
    first_wait: float = 0.2
    longest_wait: float = 10.0
    stalled: float = 30.0
    whole: float = 600.0


PATIENCE = Patience()


def bucket_and_key(name: str) -> tuple[str, str]:
    """Take the name of an object apart.

    >>> bucket_and_key("s3://photos/2026/a.jpg")
    ('s3://photos', '2026/a.jpg')
    """
    scheme, _, rest = name.partition("://")
    if scheme.lower() not in STORES:  # servers are asked by other rules
        raise ImageError(Problem(name, "no object of a store", f"one of {', '.join(STORES)}"))
    bucket, _, key = rest.partition("/")
    if any(part in ("", ".", "..") for part in key.removesuffix("/").split("/")) and key:
        # obstore would read another object, or none: it takes keys for paths
        raise ImageError(Problem(name, *_UNREADABLE))
    return f"{scheme.lower()}://{bucket}", key


def read_object(name: str, patience: Patience | None = None) -> SourceBytes:
    """Read one object.

    Args:
        name: of the object.
        patience: with a store that fails; None: `PATIENCE`.

    Returns:
        Its bytes.

    Raises:
        ImageError: it is missing, larger than `MOST_BYTES`, may not be read, or its store failed every time.
        MissingExtraError: obstore is not installed.
    """
    bucket, key = bucket_and_key(name)
    with _explained(name):
        import obstore

        found = obstore.get(_store(bucket, patience or PATIENCE), key)
        if found.meta["size"] > MOST_BYTES:
            raise _too_large(name, found.meta["size"])
        return SourceBytes(name, found.bytes().to_bytes())


def read_range(name: str, start: int, length: int) -> bytes:
    """Read bytes ``start`` to ``start + length`` - 1 of an object; raises as `read_object`."""
    bucket, key = bucket_and_key(name)
    with _explained(name):
        import obstore

        if length > MOST_BYTES:
            raise _too_large(name, length)
        return obstore.get_range(_store(bucket, PATIENCE), key, start=start, length=length).to_bytes()


def object_stamp(name: str) -> Hashable:
    """Size, time and etag of an object: hints at whether it was written anew; raises as `read_object`."""
    bucket, key = bucket_and_key(name)
    with _explained(name):
        import obstore

        found = obstore.head(_store(bucket, PATIENCE), key)
        return found["size"], found["last_modified"], found["e_tag"], found["version"]


def object_size(name: str) -> int:
    """Bytes of an object; raises as `read_object`."""
    bucket, key = bucket_and_key(name)
    with _explained(name):
        import obstore

        return obstore.head(_store(bucket, PATIENCE), key)["size"]


def _too_large(name: str, size: int) -> ImageError:
    return ImageError(Problem(name, f"an object of {size:,} bytes", f"at most {MOST_BYTES:,}"))


def list_objects(prefix: str) -> Iterator[str]:
    """List all objects whose names begin with ``prefix`` up to its last ``/``, whatever comes after it.

    Args:
        prefix: ``s3://bucket/`` or more.

    Yields:
        Names of objects.

    Raises:
        ImageError: as `read_object`.
    """
    bucket, key = bucket_and_key(prefix)
    folder = key[: key.rfind("/") + 1]
    with _explained(prefix):
        import obstore

        for chunk in obstore.list(_store(bucket, PATIENCE), folder or None):
            yield from (f"{bucket}/{found['path']}" for found in chunk)


class ObjectFile(io.RawIOBase):
    """An object as a file that can be read at any place, by small requests.

    Args:
        name: of the object.
    """

    def __init__(self, name: str) -> None:
        bucket, key = bucket_and_key(name)
        self._name = name
        with _explained(name):
            import obstore

            self._file = obstore.open_reader(_store(bucket, PATIENCE), key, buffer_size=_BUFFER)

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def seekable(self) -> bool:
        """Whether places can be chosen: yes."""
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place, as any file."""
        with _explained(self._name):
            return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The place, in bytes."""
        return self._file.tell()

    def readinto(self, buffer: Any, /) -> int:
        """Read into ``buffer``, as any raw file."""
        with _explained(self._name):
            data = self._file.read(len(buffer))
        buffer[: len(data)] = memoryview(data)
        return len(data)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    with optional_import("objects", name.partition("://")[0] + "://"):
        from obstore.exceptions import (
            BaseError,
            NotFoundError,
            PermissionDeniedError,
            UnauthenticatedError,
        )
    try:
        yield
    except PrivisError:
        raise
    except (NotFoundError, FileNotFoundError):
        raise ImageError(Problem(name, "no such object or bucket", "one that exists", "check the name")) from None
    except (PermissionDeniedError, UnauthenticatedError):
        remedy = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or what your store's users set"
        raise ImageError(Problem(name, "no permission to read it", "credentials that may", remedy)) from None
    except (BaseError, OSError, ValueError) as error:
        if "path segment" in str(error):  # of an object below a prefix
            raise ImageError(Problem(name, *_UNREADABLE)) from None
        # their words hold requests and answers: none of them goes on
        raise ImageError(Problem(name, _failing(str(error)), "an object that can be read", "try again")) from None


def _failing(words: str) -> str:
    status = re.search(r"\b(?:status(?: code)?:?|HTTP) ?\"?(\d{3})\b|\b([45]\d\d) [A-Z][a-z]+", words)
    if status:
        number = status[1] or status[2]
        return "no such object or bucket" if number == "404" else f"status {number} from its store, every time"
    if "timed out" in words or "timeout" in words.lower():
        return "no answer of its store in time"
    if "end of file" in words or "body" in words:
        return "an answer of its store that breaks off, every time"
    return "a store that cannot be reached or understood"


@functools.lru_cache(maxsize=32)
def _store(bucket: str, patience: Patience) -> ObjectStore:
    """A client of one bucket, with its connections; made once in a process."""
    from obstore.store import from_url

    wait, longest = timedelta(seconds=patience.first_wait), timedelta(seconds=patience.longest_wait)
    retry: Any = {
        "max_retries": patience.retries,
        "backoff": {"init_backoff": wait, "max_backoff": longest, "base": 2},
        "retry_timeout": timedelta(seconds=180),
    }
    client: Any = {
        "timeout": timedelta(seconds=patience.whole),
        "read_timeout": timedelta(seconds=patience.stalled),
        "connect_timeout": timedelta(seconds=min(patience.stalled, 10)),
    }
    given: dict[str, Any] = {}
    if bucket.startswith("s3://"):
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
        if endpoint:
            given["config"] = {"endpoint": endpoint}
        if endpoint.startswith("http://"):  # the user's own word, as for every tool of S3
            client["allow_http"] = True
        if (provider := _profile()) is not None:
            given["credential_provider"] = provider
    return from_url(bucket, client_options=client, retry_config=retry, **given)


def _profile() -> Any:
    """Credentials of a profile (also of SSO, roles and programs), where no key is in the environment."""
    if os.environ.get("AWS_ACCESS_KEY_ID") or os.environ.get("AWS_SKIP_SIGNATURE"):
        return None
    files = [Path(os.environ.get(name, default)).expanduser() for name, default in _PROFILE_FILES.items()]
    if not (os.environ.get("AWS_PROFILE") or any(path.exists() for path in files)):
        return None
    with optional_import("objects", "a profile of AWS"):
        import boto3
        from botocore.exceptions import BotoCoreError
        from obstore.auth.boto3 import Boto3CredentialProvider
    try:
        session = boto3.Session()
        return Boto3CredentialProvider(session) if session.get_credentials() is not None else None
    except BotoCoreError as error:
        got = f"a profile that gives no credentials ({type(error).__name__})"
        raise ImageError(Problem("AWS_PROFILE", got, "one that does")) from None
