"""Encoded weights on disk: read back in an eighth to a third of the time that encoding takes.

A folder for each compiled program, named after a key that counts its specification, the code, the library and the
processor; in it a file for each plaintext: what the library writes, uncompressed, and behind it the format with its
number and the CRC-32 of the file's name and content. Whoever may write such a folder may as well change Privis, so
that the check is against accidents: a damaged, foreign or missing file is encoded anew, and a folder that is not this
user's alone is not read at all. Programs whose weights were not used for longest make room for others. A change of the
layout takes the next number; files of another number count as damaged.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import re
import secrets
import shutil
import stat
import time
import zlib
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from privis.errors import PrivisError
from privis.run.he.backends.seal import SealEngine, SealRing, plaintext_file, read_plaintext, ring
from privis.run.he.engine import Plaintext
from privis.run.he.evaluation.interpreter import CircuitInterpreter, Plaintexts
from privis.run.program_cache import CacheKey, default_folder

if TYPE_CHECKING:
    from privis.run.he.compiler.compiler import CompiledProgram

LIMIT_BYTES = 16 << 30
_MAGIC = b"privis.weights/1\n"
_TRAILER = len(_MAGIC) + 4
_FOLDER = re.compile(r"[0-9a-f]{64}")
_GIVEN_UP = 3600.0  # seconds after which an unfinished file is nobody's
_SLACK = 256  # bytes of a file beside its residues

Key = tuple[int, int, int, int]


@dataclass(eq=False)
class KeptWeights(Plaintexts):
    """Encoded weights, from memory, else from the folder, else encoded; ``ring`` is that of the engine they are for."""

    folder: Path | None = None
    levels: tuple[int, ...] = ()
    ring: SealRing | None = None
    checked: set[Key] = field(default_factory=set)

    def get(self, key: Key, size: int, make: Callable[[], Plaintext]) -> Plaintext:
        """What ``make`` returns, from memory or from a file where it was kept."""
        return super().get(key, size, lambda: self._read(key) or make())

    def _read(self, key: Key) -> Plaintext | None:
        if self.folder is None or self.ring is None or min(key) < 0:
            return None
        path = self.folder / _name(key)
        try:
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError:  # a link
            return _removed(path)
        try:
            if key in self.checked or _is_whole(file, path.name):
                plain = read_plaintext(self.ring, f"/proc/self/fd/{file}", self.levels[key[0]] + 1)
                self.checked.add(key)
                return plain
        except (PrivisError, OSError, ValueError):
            pass
        finally:
            os.close(file)
        return _removed(path)


def _removed(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


@dataclass(eq=False)
class _Writer(Plaintexts):
    """Writes what it is asked for, and keeps nothing; ``full`` once something could not be written."""

    folder: Path = Path()
    full: bool = False

    def has_room(self, size: int) -> bool:
        """Whether the disk took all so far."""
        return not self.full

    def get(self, key: Key, size: int, make: Callable[[], Plaintext]) -> Plaintext:
        """What ``make`` returns, written to a file."""
        plain, name = make(), _name(key)
        content = plaintext_file(plain)
        check = zlib.crc32(content, zlib.crc32(name.encode())).to_bytes(4, "big")
        try:
            _write(self.folder / name, content + _MAGIC + check)
            self.held += len(content)
        except OSError:
            self.full = True
        return plain


def weights_of(made: CompiledProgram, limit: int, root: Path | None = None) -> Plaintexts:
    """Encoded weights of a program: those on disk where `keep_weights` kept them.

    Args:
        made: the compiled program.
        limit: bytes of encoded weights to hold in memory.
        root: where folders of weights are; None: in the folder of `privis.run.program_cache`.

    Returns:
        A cache of encoded weights, which evaluators of one compiled program may share; `for_engine` lets it read.
    """
    folder = _folder(made, root)
    if folder is None or not _is_own(folder):
        return Plaintexts(limit)
    with suppress(OSError):
        os.utime(folder)
    return KeptWeights(limit, folder=folder, levels=made.choice.arrangement.levels)


def for_engine(weights: Plaintexts, engine: SealEngine) -> Plaintexts:
    """``weights``, read from the disk for ``engine`` from now on; its ring takes time and memory to make again."""
    if isinstance(weights, KeptWeights):
        weights.ring = engine.ring
    return weights


def keep_weights(made: CompiledProgram, root: Path | None = None, limit_bytes: int = LIMIT_BYTES) -> int:
    """Encode all weights of a program and keep them on disk.

    This takes about five times as long as encoding them once, because the library compresses what it writes; and as
    many bytes as `weights_bytes` says.

    Args:
        made: the compiled program.
        root: where folders of weights are; None: in the folder of `privis.run.program_cache`.
        limit_bytes: of all folders together; those that were not used for longest go.

    Returns:
        Bytes that were written; 0 where nothing may be, or does not fit.
    """
    needed, folder = weights_bytes(made), _folder(made, root)
    if folder is None or not needed or needed > limit_bytes or not _made(folder):
        return 0
    with suppress(OSError):
        _make_room(folder, limit_bytes - needed)
        if shutil.disk_usage(folder).free < needed:
            return 0
        writer = _Writer(0, folder=folder)
        CircuitInterpreter(made.choice, SealEngine(ring(made.spec.parameters)), writer).encode()
        return writer.held
    return 0


def weights_bytes(made: CompiledProgram) -> int:
    """Bytes that the encoded weights of a program take on disk; 0 where each image has a slot: those are numbers."""
    arrangement = made.choice.arrangement
    if arrangement.slot_per_image:
        return 0
    sizes = (
        p.products * ((arrangement.levels[i] + 2) * 16 * arrangement.slots + _SLACK)
        for i, p in arrangement.packed.items()
    )
    return sum(sizes)


def _folder(made: CompiledProgram, root: Path | None) -> Path | None:
    key = CacheKey(
        "ckks weights", made.spec.digest, f"{made.choice.arrangement.processes}", ("numpy", "scipy", "tenseal")
    )
    try:
        place = default_folder() / "weights" if root is None else root
    except OSError:
        return None
    return place / hashlib.sha256(key.text).hexdigest()


def _name(key: Key) -> str:
    return "-".join(map(str, key)) + ".plain"


def _is_own(folder: Path) -> bool:
    """Whether a folder, and the one it is in, belong to this user and nobody else may write there."""
    try:
        found = [os.lstat(path) for path in (folder, folder.parent)]
    except OSError:
        return False
    return all(stat.S_ISDIR(f.st_mode) and f.st_uid == os.geteuid() and not f.st_mode & 0o022 for f in found)


def _made(folder: Path) -> bool:
    with suppress(OSError):
        folder.parent.parent.mkdir(parents=True, exist_ok=True)
        for each in (folder.parent, folder):
            with suppress(FileExistsError):
                each.mkdir(mode=0o700)
        return _is_own(folder)
    return False


def _is_whole(file: int, name: str) -> bool:
    """Whether a file is this user's, of this name, and as it was written."""
    found = os.fstat(file)
    if not (stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_size > _TRAILER):
        return False
    with closing(mmap.mmap(file, 0, prot=mmap.PROT_READ)) as data, memoryview(data) as view:
        with view[:-_TRAILER] as content, view[-_TRAILER:] as trailer:
            check = zlib.crc32(content, zlib.crc32(name.encode()))
            return bytes(trailer) == _MAGIC + check.to_bytes(4, "big")


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(data)
        os.rename(unfinished, path)
    finally:
        with suppress(OSError):
            os.unlink(unfinished)


def _make_room(folder: Path, most: int) -> None:
    """Remove the folders of other programs that were used longest ago until they have ``most`` bytes; and leftovers."""
    for path in folder.iterdir():
        if path.name.startswith(".") and path.lstat().st_mtime < time.time() - _GIVEN_UP:
            path.unlink(missing_ok=True)
    others = [p for p in folder.parent.iterdir() if _FOLDER.fullmatch(p.name) and p != folder and not p.is_symlink()]
    sizes = {path: sum(file.lstat().st_size for file in path.iterdir()) for path in others if path.is_dir()}
    for path in sorted(sizes, key=lambda path: path.lstat().st_mtime):
        if sum(sizes.values()) <= most:
            return
        shutil.rmtree(path, ignore_errors=True)
        del sizes[path]


__all__ = ["KeptWeights", "for_engine", "keep_weights", "weights_bytes", "weights_of"]
