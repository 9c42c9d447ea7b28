"""A server's folder: uploads in progress, evaluation keys by client and digest, messages and results of jobs.

::

    state/
    ├── lock                      one server at a time
    ├── unfinished/…              uploads; emptied at start
    ├── keys/CLIENT/DIGEST        whole bundles only; survive a restart
    └── jobs/ID/{message,reply}   emptied at start: a job does not survive its server, its sender sends it again
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Container
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from privis.errors import OutputError, ParameterError, Problem
from privis.io.atomic import unwritable
from privis.serve.limits import Limits

_BUFFER = 1 << 20


class NoSpace(OutputError):
    """The disk, or what of it a limit allows, is full; nothing of the request is kept."""


@dataclass(frozen=True)
class Stored:
    """A whole upload: where it is, its bytes, its SHA-256."""

    path: Path
    length: int
    sha256: str


class Store:
    """Files of a server, within the limits of disk. One event loop only; only its owner can read them."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder, self._limits = folder, limits
        self._lock: IO[str] | None = None
        self._spooled = 0
        self._arriving = 0  # bytes of keys whose upload is not finished

    def open(self) -> None:
        """Take the folder and throw away what an earlier server left unfinished.

        Raises ParameterError when another server has it, OutputError when it cannot be written.
        """
        try:
            for part in (self.folder, self._unfinished, self._keys, self._jobs):
                part.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = open(self.folder / "lock", "w")
        except OSError as error:
            raise unwritable(self.folder, error) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.close()
            got, remedy = "a folder that another server uses", "stop that one, or give this one its own --state"
            raise ParameterError(Problem(str(self.folder), got, "one of its own", remedy)) from None
        for part in (self._unfinished, self._jobs):
            for left in part.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()

    def close(self) -> None:
        """Give the folder back."""
        if self._lock is not None:
            self._lock.close()

    @property
    def _unfinished(self) -> Path:
        return self.folder / "unfinished"

    @property
    def _keys(self) -> Path:
        return self.folder / "keys"

    @property
    def _jobs(self) -> Path:
        return self.folder / "jobs"

    @property
    def spooled(self) -> int:
        """Bytes of messages and results, also of those that are still to come."""
        return self._spooled

    @property
    def cached(self) -> int:
        """Bytes of evaluation keys."""
        return sum(size for _, _, size in self._bundles())

    def key_path(self, client: str, digest: str) -> Path:
        """Where these evaluation keys are, if they are."""
        return self._keys / client / digest

    def has_key(self, client: str, digest: str) -> bool:
        """Whether these keys are here; if so, they count as just used."""
        path = self.key_path(client, digest)
        if not path.is_file():
            return False
        os.utime(path)
        return True

    def drop_key(self, client: str, digest: str) -> None:
        """Forget these keys."""
        self.key_path(client, digest).unlink(missing_ok=True)

    def make_room_for_key(self, size: int, in_use: Container[tuple[str, str]]) -> None:
        """Reserve ``size`` bytes, deleting the keys that were not used for longest; NoSpace when that does not do."""
        limit = self._limits.key_cache_bytes
        bundles = sorted(self._bundles())
        total = sum(each for _, _, each in bundles) + self._arriving
        free = self._free()
        for _, path, each in bundles:
            if total + size <= limit and size <= free:
                break
            if (path.parent.name, path.name) not in in_use:
                path.unlink(missing_ok=True)
                total, free = total - each, free + each
        if total + size > limit:
            raise NoSpace(Problem("keys", f"{size:,} bytes", f"less than is left of {limit:,}", "try again later"))
        self._require_free(size)
        self._arriving += size

    def keep_key(self, stored: Stored, client: str, digest: str) -> None:
        """Put an uploaded bundle in its place."""
        path = self.key_path(client, digest)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        os.replace(stored.path, path)

    def release_key_room(self, reserved: int) -> None:
        """Give back what `make_room_for_key` reserved."""
        self._arriving -= reserved

    def reserve_spool(self, size: int) -> None:
        """Take ``size`` bytes for a message and its result; NoSpace when there is no room."""
        limit = self._limits.spool_bytes
        if self._spooled + size > limit:
            got, remedy = f"{size:,} bytes", "fetch or delete results, or try again later"
            raise NoSpace(Problem("spool", got, f"at most {limit - self._spooled:,} now", remedy))
        self._require_free(size)
        self._spooled += size

    def release_spool(self, size: int) -> None:
        """Give back what `reserve_spool` took."""
        self._spooled -= size

    def job_folder(self, job: str, message: Stored) -> Path:
        """Make the folder of a job, with its message in it."""
        folder = self._jobs / job
        folder.mkdir(mode=0o700)
        os.replace(message.path, folder / "message")
        return folder

    def drop_job(self, folder: Path) -> None:
        """Delete all files of a job."""
        shutil.rmtree(folder, ignore_errors=True)

    async def receive(
        self, chunks: AsyncIterator[bytes], length: int, look: Callable[[bytes], None], look_bytes: int = 0
    ) -> Stored:
        """Write a body of ``length`` bytes to a file as it comes, a megabyte in memory at a time.

        ``look`` sees the first ``look_bytes`` before anything is written and may refuse by raising. The file is gone
        when this raises: NoSpace on a full disk, whatever ``chunks`` and ``look`` raise, ParameterError when the body
        is longer or shorter.
        """
        path = self._unfinished / secrets.token_hex(16)
        digest, written, held, looked = hashlib.sha256(), 0, bytearray(), False
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0) as file:

                async def flush() -> None:
                    nonlocal written, looked
                    if not looked:
                        look(bytes(held[:look_bytes]))
                        looked = True
                    data = bytes(held)
                    held.clear()
                    written += len(data)
                    await asyncio.to_thread(_write, file, data)
                    digest.update(data)

                async for chunk in chunks:
                    held += chunk
                    if written + len(held) > length:
                        raise _wrong_length(f"more than {length:,} bytes", length)
                    if len(held) >= _BUFFER or (not looked and len(held) >= max(1, look_bytes)):
                        await flush()
                await flush()
                if written != length:
                    raise _wrong_length(f"{written:,} bytes", length)
                await asyncio.to_thread(os.fsync, file.fileno())
            return Stored(path, length, digest.hexdigest())
        except BaseException as error:
            path.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                remedy = "nothing was kept; try again when the server's operator made room"
                raise NoSpace(Problem("server", "a full disk", "room for the body", remedy)) from error
            raise

    def _bundles(self) -> list[tuple[float, Path, int]]:
        found = []
        for path in self._keys.glob("*/*"):
            about = path.stat()
            found.append((about.st_mtime, path, about.st_size))
        return found

    def _free(self) -> int:
        return shutil.disk_usage(self.folder).free - self._limits.disk_reserve_bytes

    def _require_free(self, size: int) -> None:
        free = self._free()
        if size > free:
            remedy = "nothing was kept; try again when the server's operator made room"
            raise NoSpace(Problem("server", f"room for {max(0, free):,} bytes", f"for {size:,}", remedy))


def _write(file: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _wrong_length(got: str, length: int) -> ParameterError:
    return ParameterError(Problem("body", got, f"{length:,}, as Content-Length says", "send it again"))
