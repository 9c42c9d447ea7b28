"""``ProgramCache``: what took long to compile, kept on disk for other processes; whatever is wrong is made anew.

An entry is a file named after the SHA-256 of its key: a line that names the format and its number, the SHA-256 of all
that follows, the length of the key in eight bytes, the key as JSON, the content. The key says what was compiled, and
by which code, libraries and processor, so that an entry of anything else is never found. An entry is read only when it
is a file of this user, in a folder of this user, that nobody else may write, with this very key and checksum; every
other is deleted where possible and made anew. Nothing is unpickled. A folder that cannot be used costs time and nothing
else.

How it evolves: another layout takes the next number; entries of another number count as damaged.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import json
import os
import platform
import re
import secrets
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from privis.errors import ParameterError, refuse
from privis.validation import whole_number
from privis.version import VERSION

T = TypeVar("T")
Buffer = bytes | memoryview
FORMAT = b"privis.cache/1\n"
LIMIT_BYTES = 4 << 30
_LOADED = time.time()
_CHANGED = "changed since it was loaded, "
_LONGEST_KEY = 1 << 20  # bytes
_CODE = ("program", "readings", "run")  # folders of the package that decide what is compiled
_ENTRY = re.compile(r"[0-9a-f]{64}")
_UNFINISHED = re.compile(r"\.[0-9a-f]{64}\.[0-9a-f]{16}\.unfinished")
_NAMELESS = {errno.ENOENT, errno.ENOTDIR}


@dataclass(frozen=True)
class CacheKey:
    """What decides an entry, beside the code of Privis and the processor, which every key counts.

    Args:
        kind: what was made, in a word that only its maker uses.
        program: digest of the program it was made of.
        settings: all else that decides it, as text.
        libraries: distributions whose versions decide it.
    """

    kind: str
    program: str
    settings: str = ""
    libraries: tuple[str, ...] = ()

    @property
    def text(self) -> bytes:
        """The key as JSON: equal where an entry may be read."""
        versions = {name: _version(name) for name in self.libraries}
        own = {"kind": self.kind, "program": self.program, "settings": self.settings, "libraries": versions}
        return json.dumps({**own, "privis": code_digest(), "machine": machine()}, sort_keys=True).encode()


@dataclass(frozen=True)
class ProgramCache:
    """A folder of entries, which all processes of a user may share.

    Args:
        folder: where entries lie; None: `default_folder`.
        limit_bytes: of all entries together; those that were not used for longest go.

    Raises:
        ParameterError: ``limit_bytes`` is no whole number of at least 1.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cache, key = ProgramCache(Path(folder)), CacheKey("words", "0" * 64)
    ...     first = cache.load(key), cache.store(key, [b"compiled ", b"once"])
    ...     first, bytes(cache.load(key))
    ((None, True), b'compiled once')
    """

    folder: Path | None = None
    limit_bytes: int = LIMIT_BYTES

    def __post_init__(self) -> None:
        refuse(ParameterError, whole_number("ProgramCache.limit_bytes", self.limit_bytes))

    def kept(
        self,
        key: CacheKey,
        make: Callable[[], T],
        *,
        to_bytes: Callable[[T], Sequence[Buffer]],
        from_bytes: Callable[[memoryview], T],
    ) -> T:
        """What is kept under ``key``; else what ``make`` makes, kept for the next time.

        Args:
            key: of the entry.
            make: called without an entry, or with one that cannot be read; its errors are the caller's.
            to_bytes: its content, in parts that are written one after another.
            from_bytes: the opposite; whatever it raises, the entry is made anew.

        Returns:
            What ``from_bytes`` or ``make`` returned.
        """
        content = self.load(key)
        if content is not None:
            try:
                return from_bytes(content)
            except Exception:  # of another version or damaged before it was written: no entry is worth an error
                self._forget(key)
        made = make()
        self.store(key, to_bytes(made))
        return made

    def load(self, key: CacheKey) -> memoryview | None:
        """Read the content of an entry.

        Args:
            key: of the entry.

        Returns:
            The content; None where there is no entry that can be trusted.
        """
        with contextlib.suppress(OSError), self._opened(create=False) as folder:
            text = key.text
            name = _name(text)
            try:
                found = _read(folder, name, self.limit_bytes)
            except OSError as error:
                if error.errno not in _NAMELESS:
                    _remove(folder, name)
                return None
            content = None if found is None else _content(found, text)
            if content is None:
                _remove(folder, name)
            return content
        return None

    def store(self, key: CacheKey, parts: Sequence[Buffer]) -> bool:
        """Keep an entry, in the place of an earlier one; it appears whole or not at all.

        Args:
            key: of the entry.
            parts: its content.

        Returns:
            Whether it is kept; not where the folder cannot be used, the disk is full, it is above the limit, or code
            changed after this process loaded it.
        """
        with contextlib.suppress(OSError):
            return not code_digest().startswith(_CHANGED) and self._stored(key.text, parts)
        return False

    def _stored(self, text: bytes, parts: Sequence[Buffer]) -> bool:
        head = [len(text).to_bytes(8, "big"), text]
        checksum = hashlib.sha256()
        for part in (*head, *parts):
            checksum.update(part)
        whole = [FORMAT, checksum.digest(), *head, *parts]
        size = sum(memoryview(part).nbytes for part in whole)
        if size > self.limit_bytes:
            return False
        with self._opened(create=True) as folder, _unfinished(folder, _name(text)) as (file, temporary):
            _shrink(folder, self.limit_bytes - size, temporary)
            for part in whole:
                _write(file, part)
            os.rename(temporary, _name(text), src_dir_fd=folder, dst_dir_fd=folder)
        return True

    def usage(self) -> tuple[int, int]:
        """How many entries there are, and their bytes.

        Returns:
            Both; 0 where there is no folder yet.

        Raises:
            OSError: the folder cannot be used.
        """
        try:
            with self._opened(create=False) as folder:
                names = [name for name in os.listdir(folder) if _ENTRY.fullmatch(name)]
                return len(names), sum(os.stat(name, dir_fd=folder, follow_symlinks=False).st_size for name in names)
        except FileNotFoundError:
            return 0, 0

    def _forget(self, key: CacheKey) -> None:
        with contextlib.suppress(OSError), self._opened(create=False) as folder:
            _remove(folder, _name(key.text))

    @contextlib.contextmanager
    def _opened(self, *, create: bool) -> Iterator[int]:
        """A descriptor of the folder; OSError unless it is this user's and nobody else's to write."""
        folder = self.folder or default_folder()
        if create:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if not _is_own(os.fstat(descriptor)):
                raise PermissionError(errno.EPERM, "a folder that others may write", str(folder))
            yield descriptor
        finally:
            os.close(descriptor)


def default_folder() -> Path:
    """Where programs are kept: ``$PRIVIS_CACHE``, or ``privis/programs`` in the user's cache.

    Returns:
        The folder, which need not be there; nothing is kept where it is a file, as ``/dev/null`` is.

    Raises:
        OSError: this user has no home.
    """
    told = os.environ.get("PRIVIS_CACHE")
    if told:
        return Path(told).absolute()
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "privis" / "programs"
    except RuntimeError as error:
        raise FileNotFoundError(errno.ENOENT, str(error)) from None


def stored_key(path: Path) -> dict[str, Any]:
    """The key that an entry says it has, for people to read; empty where that cannot be read.

    Args:
        path: of the entry.

    Returns:
        What its key counts, by name.
    """
    start = len(FORMAT) + 32
    try:
        with open(path, "rb") as file:
            head = file.read(start + 8)
            text = file.read(min(int.from_bytes(head[start:], "big"), _LONGEST_KEY))
        found = json.loads(text)
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


@functools.cache
def machine() -> str:
    """The kind of this processor, with all that it can do: SHA-256 of what the system says of it."""
    said = [platform.system(), platform.machine(), sys.byteorder]
    with contextlib.suppress(OSError, UnicodeDecodeError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        for name in ("vendor_id", "cpu family", "model", "model name", "flags", "Features", "CPU part"):
            said += next(([line] for line in lines if line.partition(":")[0].strip() == name), [])
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


@functools.cache
def code_digest() -> str:
    """The version of Privis, and a digest of the code that compiles: a changed line makes another entry.

    Files that changed after this process loaded its code, as in an upgrade under a running server, say nothing of it:
    the digest is then one that no other process has, and nothing is kept.
    """
    digest, package = hashlib.sha256(), Path(__file__).resolve().parents[1]
    for folder in _CODE:
        for path in sorted((package / folder).rglob("*.py")):
            if path.stat().st_ctime > _LOADED:
                return f"{_CHANGED}{secrets.token_hex(16)}"
            digest.update(f"{path.relative_to(package)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return f"{VERSION} {sys.version_info[:2]} {digest.hexdigest()}"


@functools.cache
def _version(distribution: str) -> str:
    import importlib.metadata  # takes a tenth of the start of a process that evaluates one query

    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _name(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _is_own(found: os.stat_result) -> bool:
    """Whether it belongs to this user and nobody else may write it."""
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _read(folder: int, name: str, limit: int) -> bytearray | None:
    """The bytes of a file, which counts as used now; None unless it is a file of this user. No link is followed."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # nothing waits at a pipe
    file = os.open(name, flags, dir_fd=folder)
    try:
        found = os.fstat(file)
        if not (stat.S_ISREG(found.st_mode) and _is_own(found) and found.st_size <= limit):
            return None
        data = bytearray(found.st_size)
        view, start = memoryview(data), 0
        while start < len(data) and (count := os.preadv(file, [view[start:]], start)):
            start += count
        os.utime(file)
        return data if start == len(data) else None
    finally:
        os.close(file)


def _content(data: bytearray, text: bytes) -> memoryview | None:
    """The content of an entry with the key ``text``; None where it has another key, or is damaged."""
    whole = memoryview(data).toreadonly()
    start = len(FORMAT) + 32
    head = len(text).to_bytes(8, "big") + text
    if whole[: len(FORMAT)] != FORMAT or whole[start : start + len(head)] != head:
        return None
    if hashlib.sha256(whole[start:]).digest() != whole[len(FORMAT) : start]:
        return None
    return whole[start + len(head) :]


@contextlib.contextmanager
def _unfinished(folder: int, name: str) -> Iterator[tuple[int, str]]:
    """A new file, locked while it is written, and its name; what is left under that name is removed."""
    temporary = f".{name}.{secrets.token_hex(8)}.unfinished"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    file = os.open(temporary, flags, 0o600, dir_fd=folder)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield file, temporary
    finally:
        os.close(file)
        _remove(folder, temporary)


def _write(file: int, part: Buffer) -> None:
    view = memoryview(part).cast("B")
    while view:
        view = view[os.write(file, view) :]


def _shrink(folder: int, most: int, own: str) -> None:
    """Delete the entries that were not used for longest until the others have ``most`` bytes; and what was given up."""
    entries: list[tuple[int, str, int]] = []
    taken = 0
    for name in os.listdir(folder):
        if name == own or not (_ENTRY.fullmatch(name) or _UNFINISHED.fullmatch(name)):
            continue
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if _UNFINISHED.fullmatch(name) and _is_given_up(folder, name):
            _remove(folder, name)
            continue
        taken += found.st_size
        if _ENTRY.fullmatch(name):
            entries.append((found.st_mtime_ns, name, found.st_size))
    for _, name, size in sorted(entries):
        if taken <= most:
            return
        _remove(folder, name)
        taken -= size
    if taken > most:
        raise OSError(errno.ENOSPC, "other entries are being written")


def _is_given_up(folder: int, name: str) -> bool:
    """Whether the process that wrote it has ended: its lock is gone."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True


def _remove(folder: int, name: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=folder)
