"""A server's folder: uploads in progress, evaluation keys by client and digest, messages and results of jobs.

::

    state/
    ├── lock                      one server at a time
    ├── unfinished/…              uploads; emptied at start
    ├── keys/CLIENT/DIGEST        whole bundles only; survive a restart
    ├── answers, answers.head     the answer ledger (`privis.serve.answering`); survives everything
    └── jobs/ID/{message,reply}   emptied at start: a job does not survive its server, its sender sends it again

Format: only ``keys`` and ``answers`` outlive a server; each bundle of keys is a file of
`privis.run.he.wire.key_file`, which states its own version: jobs with one of another version fail with the reason, and
clients send keys again. Folders may be added; a server leaves those alone that it does not know.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import itertools
import os
import secrets
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from privis.errors import OutputError, ParameterError, Problem
from privis.io.atomic import unwritable
from privis.serve.evictions import StoredKeys, victims
from privis.serve.fair_shares import OverShare, Shares
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
    """Files of a server for ``clients``, within the limits of disk. One event loop only; only its owner can read them.

    Keys of anybody else, whose token was taken back, are deleted when it opens; without ``clients`` all are kept.
    """

    def __init__(self, folder: Path, limits: Limits, clients: Sequence[str] = ()) -> None:
        self.folder, self._limits, self._clients = folder, limits, clients
        self._lock: IO[str] | None = None
        self._spooled: Counter[str] = Counter()
        self._spool_shares = Shares(limits.spool_bytes, len(clients))
        self._arriving: Counter[str] = Counter()  # bytes of keys whose upload is not finished
        self._arriving_shares = Shares(limits.arriving_bytes, len(clients), limits.keys_bytes)
        self._uses = itertools.count(1)
        self._used: dict[tuple[str, str], int] = {}  # order of uses: a clock may be put back

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
        revoked = [path for path in self._keys.iterdir() if self._clients and path.name not in self._clients]
        for left in (*self._unfinished.iterdir(), *self._jobs.iterdir(), *revoked):
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        for _, client, digest in sorted((path.stat().st_mtime, *path.parts[-2:]) for path in self._bundle_paths()):
            self._touch(client, digest)

    def close(self) -> None:
        """Release the lock on the folder."""
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
        return self._spooled.total()

    @property
    def cached(self) -> int:
        """Bytes of evaluation keys."""
        return sum(bundle.size for bundle in self._bundles())

    @property
    def arriving(self) -> int:
        """Bytes of evaluation keys that are still to come whole."""
        return self._arriving.total()

    def key_path(self, client: str, digest: str) -> Path:
        """Where these evaluation keys are, if they are."""
        return self._keys / client / digest

    def has_key(self, client: str, digest: str) -> bool:
        """Whether these keys are here; if so, they count as just used."""
        path = self.key_path(client, digest)
        if not path.is_file():
            return False
        os.utime(path)
        self._touch(client, digest)
        return True

    def drop_key(self, client: str, digest: str) -> None:
        """Delete the bundle of ``client`` named ``digest``."""
        self.key_path(client, digest).unlink(missing_ok=True)
        self._used.pop((client, digest), None)

    def make_room_for_key(
        self, size: int, in_use: Container[tuple[str, str]], client: str = "", digest: str = ""
    ) -> None:
        """Reserve ``size`` bytes for keys of ``client`` that are to come; `release_key_room` gives them back.

        No keys are deleted for an upload that may never be whole: `keep_key` does that. Raises NoSpace when there would
        be no room even then, OverShare when ``client`` reserves as much as one client may.
        """
        new = StoredKeys(client, digest, size)
        kept = self._bundles_without(new)
        amount = max(self._excess(kept, size), size - self._free())
        self._victims(kept, new, amount, in_use)
        shares = self._arriving_shares
        if not shares.fits(self._arriving, client, size):
            if shares.is_own_doing(self._arriving, client, size):
                got = f"{size:,} bytes more than {self._arriving[client]:,} that are still coming"
                raise OverShare(Problem("keys", got, f"at most {shares.each:,}", "one after the other"), _SOON)
            got, remedy = f"{size:,} bytes, while others upload", "try again later"
            raise NoSpace(Problem("keys", got, f"at most {shares.limit:,} at once", remedy))
        self._arriving[client] += size

    def make_room_on_disk(self, count: int, new: StoredKeys, in_use: Container[tuple[str, str]]) -> None:
        """Let ``count`` bytes of ``new`` be written without touching the reserve of the disk; NoSpace.

        Only a disk that is too small for ``key_cache_bytes`` makes keys go before those that come are whole.
        """
        amount = count - self._free()
        if amount > 0:
            self._delete(self._victims(self._bundles_without(new), new, amount, in_use))

    def keep_key(
        self, stored: Stored, client: str, digest: str, in_use: Container[tuple[str, str]] = frozenset()
    ) -> None:
        """Put an uploaded bundle in its place, deleting keys that have to go for it; NoSpace deletes none."""
        new = StoredKeys(client, digest, stored.length)
        kept = self._bundles_without(new)
        gone = self._victims(kept, new, self._excess(kept, stored.length), in_use)
        mine = [each for each in sorted(kept, key=lambda each: each.used) if each.client == client and each not in gone]
        idle = [each for each in mine if (each.client, each.digest) not in in_use]
        too_many = len(mine) + 1 - self._limits.keys_per_client
        if too_many > len(idle):
            got, expected = f"{len(mine)} bundles that jobs wait for", f"less than {self._limits.keys_per_client}"
            raise OverShare(Problem("keys", got, expected, "wait for the jobs"), _SOON)
        self._delete([*gone, *idle[: max(0, too_many)]])
        path = self.key_path(client, digest)
        with _full_disk():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            os.replace(stored.path, path)
        self._touch(client, digest)

    def release_key_room(self, reserved: int, client: str = "") -> None:
        """Give back what `make_room_for_key` reserved."""
        _give(self._arriving, client, reserved)

    def reserve_spool(self, size: int, client: str) -> None:
        """Take ``size`` bytes for a message of ``client`` and its result; NoSpace when there is no room, OverShare."""
        shares = self._spool_shares
        if not shares.fits(self._spooled, client, size):
            if shares.is_own_doing(self._spooled, client, size):
                got = f"{size:,} bytes more than {self._spooled[client]:,} of your messages and results"
                raise OverShare(Problem("spool", got, f"at most {shares.each:,}", "fetch or delete results"), _SOON)
            got, remedy = f"{size:,} bytes", "fetch or delete results, or try again later"
            raise NoSpace(Problem("spool", got, f"less than is left of {shares.limit:,}", remedy))
        self.require_free(size)
        self._spooled[client] += size

    def release_spool(self, size: int, client: str) -> None:
        """Return ``size`` bytes that `reserve_spool` reserved."""
        _give(self._spooled, client, size)

    def job_folder(self, job: str, message: Stored) -> Path:
        """Make the folder of a job, with its message in it."""
        folder = self._jobs / job
        with _full_disk():
            folder.mkdir(mode=0o700)
            os.replace(message.path, folder / "message")
        return folder

    def drop_job(self, folder: Path) -> None:
        """Delete all files of a job."""
        shutil.rmtree(folder, ignore_errors=True)

    async def receive(
        self,
        chunks: AsyncIterator[bytes],
        length: int,
        look: Callable[[bytes], None],
        look_bytes: int = 0,
        room: Callable[[int], None] = lambda count: None,
    ) -> Stored:
        """Write a body of ``length`` bytes to a file as it comes, a megabyte in memory at a time.

        ``look`` sees the first ``look_bytes`` before anything is written and may refuse by raising; ``room`` is told
        how many bytes are to be written next and may refuse likewise. The file is gone when this raises: NoSpace on a
        full disk, whatever ``chunks``, ``look`` and ``room`` raise, ParameterError when the body is longer or shorter.
        """
        path = self._unfinished / secrets.token_hex(16)
        digest, written, held, looked = hashlib.sha256(), 0, bytearray(), False
        try:
            with _full_disk(), open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", 0) as file:

                async def flush() -> None:
                    nonlocal written, looked
                    if not looked:
                        look(bytes(held[:look_bytes]))
                        looked = True
                    data = bytes(held)
                    held.clear()
                    room(len(data))
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
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def require_free(self, size: int) -> None:
        """NoSpace unless the disk has room for ``size`` bytes besides its reserve."""
        free = self._free()
        if size > free:
            got = f"room for {max(0, free):,} bytes"
            raise NoSpace(Problem("server", got, f"for {size:,}", _OPERATOR))

    def _victims(
        self, kept: list[StoredKeys], new: StoredKeys, amount: int, in_use: Container[tuple[str, str]]
    ) -> list[StoredKeys]:
        limit = self._limits.key_cache_bytes
        gone = victims(kept, new, amount, limit, in_use)
        if gone is None:
            got, remedy = f"{new.size:,} bytes", "nobody's keys were deleted for them; delete keys, or try again later"
            raise NoSpace(Problem("keys", got, f"less than your share of what is left of {limit:,}", remedy))
        return gone

    def _excess(self, kept: list[StoredKeys], size: int) -> int:
        return sum(each.size for each in kept) + size - self._limits.key_cache_bytes

    def _delete(self, bundles: Sequence[StoredKeys]) -> None:
        for each in bundles:
            self.drop_key(each.client, each.digest)

    def _touch(self, client: str, digest: str) -> None:
        self._used[client, digest] = next(self._uses)

    def _bundle_paths(self) -> list[Path]:
        return [path for path in self._keys.glob("*/*") if path.is_file()]

    def _bundles(self) -> list[StoredKeys]:
        found = []
        for path in self._bundle_paths():
            client, digest = path.parts[-2:]
            found.append(StoredKeys(client, digest, path.stat().st_size, self._used.get((client, digest), 0)))
        return found

    def _bundles_without(self, new: StoredKeys) -> list[StoredKeys]:
        return [each for each in self._bundles() if (each.client, each.digest) != (new.client, new.digest)]

    def _free(self) -> int:
        return shutil.disk_usage(self.folder).free - self._limits.disk_reserve_bytes


_SOON = 2  # seconds after which another try is worth it
_OPERATOR = "nothing was kept; try again when the server's operator made room"


@contextlib.contextmanager
def _full_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace(Problem("server", "a full disk", "room for the body", _OPERATOR)) from error
        raise


def _give(held: Counter[str], client: str, amount: int) -> None:
    held[client] -= amount
    if held[client] <= 0:
        del held[client]


def _write(file: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _wrong_length(got: str, length: int) -> ParameterError:
    return ParameterError(Problem("body", got, f"{length:,}, as Content-Length says", "send it again"))
