"""Kills a writer before each of its steps: ``python -m tests.stores.lance.lance_kills FOLDER SEALED INDEX STRIDE``.

This process has no thread yet, so that its copies can load LanceDB, which starts some. Each copy prints what a test has
to know: before which step it was killed, and what the next opening found.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

# ruff: noqa: E402, T201
for heavy in ("pandas", "pydantic", "pyarrow.dataset", "lance_namespace"):  # what LanceDB loads and starts no thread
    importlib.import_module(heavy)

from privis.stores.lance import LanceStore  # its class loads LanceDB only when a store is made
from tests.stores.lance.lance_rows import content, made, rows, vectors_of, windows

GONE = ("person-00003", "person-00007")
STEPS = {"fsync", "replace", "unlink", "rmdir", "execute", "executemany", "mkdir", "fork_exec", "waitpid"}
"""Names of calls that change files, or have SQLite or another process do so."""


def copied(work: Callable[[], object]) -> int:
    """Do ``work`` in a copy of this process; gives how that ended."""
    sys.stdout.flush()
    process = os.fork()
    if not process:
        try:
            work()
            sys.stdout.flush()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(process, 0)[1]


def erased_until(step: int, folder: Path) -> None:
    """Erase, killed before the ``step``-th step."""
    store, left = LanceStore.open(folder / "index"), step

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal left
        if event == "c_call" and getattr(argument, "__name__", "") in STEPS:
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    store.erase(GONE)
    sys.setprofile(None)


def told(folder: Path, step: int) -> None:
    """Open what is left, and say how it is."""
    given = rows(0, 80)
    begun = (folder / "index" / "change.json").exists() and b'"erase"' in (
        folder / "index" / "change.json"
    ).read_bytes()
    store = LanceStore.open(folder / "index")
    left = content(store)
    others = {name: held for name, held in left.items() if held[0] not in GONE}
    wanted = {
        name: (given.subjects[row], given.sources[row], given.vectors[row].tobytes(), given.metadata["year"][row])
        for row, name in enumerate(given.ids)
        if given.subjects[row] not in GONE
    }
    erased = len(left) == len(others)
    found = windows(folder, vectors_of(given, GONE), GONE) if erased else -1
    files = sorted(path.name for path in folder.iterdir()) + sorted(path.name for path in (folder / "index").iterdir())
    again = len(store.search(given.vectors[:1], 100).ids[0])
    print(json.dumps([step, begun, erased, found, others == wanted, again == len(left), files]))


def main(folder: Path, sealed: bool, index: str | None, stride: int) -> None:
    """Erase two people, killed before every ``stride``-th step."""
    first = folder / "first"
    first.mkdir()
    made_first = copied(lambda: made(first / "index", sealed, rows(0, 50), rows(40, 80), index=index))
    assert made_first == 0
    step = max(1, stride // 2)
    while killed(first, folder / "index-of-a-step", step, sealed):
        step += stride


def killed(first: Path, folder: Path, step: int, sealed: bool) -> bool:
    """Kill an erasure in a copy of ``first`` before its ``step``-th step; False where it ended before."""
    shutil.copytree(first, folder)
    if sealed:
        os.chmod(folder / "index.keys", 0o600)
    status = copied(lambda: erased_until(step, folder))
    assert not status or os.WIFSIGNALED(status), "it failed"
    assert copied(lambda: told(folder, step if status else 0)) == 0
    shutil.rmtree(folder)
    return bool(status)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] == "sealed", sys.argv[3] if sys.argv[3] != "none" else None, int(sys.argv[4]))
