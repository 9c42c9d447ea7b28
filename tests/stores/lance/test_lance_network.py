"""LanceDB tells nobody anything: the kernel ends a process that connects or sends to a network, and none is ended."""

from __future__ import annotations

import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("lancedb")

ROOT = Path(__file__).resolve().parents[3]

ENDED = """
import ctypes, struct, sys
code = [
    (0x20, 0, 0, 0),  # load the number of the call, of x86-64
    (0x15, 5, 0, 42),  # connect: end
    (0x15, 0, 3, 44),  # sendto, which event loops use between their threads, too: by its address
    (0x20, 0, 0, 48),
    (0x15, 0, 2, 0),
    (0x06, 0, 0, 0x7FFF0000),  # sendto without one: allow
    (0x06, 0, 0, 0x7FFF0000),  # any other: allow
    (0x06, 0, 0, 0x80000000),  # end the process
]
program = b"".join(struct.pack("HBBI", *each) for each in code)
buffer = ctypes.create_string_buffer(program)
filters = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, filters) == 0
"""
"""The filter holds for every thread and process that begins after it."""

WORK = """
from pathlib import Path
from privis.stores.lance import index_work, lance_changes
from tests.stores.lance.lance_rows import made, rows
lance_changes.work_apart = lambda place, table, work, scratch: index_work.do_work(place, table, work)
for sealed in (True, False):
    store = made(Path(sys.argv[1]) / str(sealed), sealed, rows(0, 60), index=None if sealed else "ivf-flat")
    store.search(rows(0, 1).vectors, 3)
    store.erase(["person-00001"])
print(store.describe().rows)
"""

CONTROL = """
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("127.0.0.1", 9))
"""


@pytest.mark.long
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the filter knows system calls by their numbers on x86-64")
def test_nothing_is_sent(tmp_path: Path) -> None:
    control = subprocess.run([sys.executable, "-c", ENDED + CONTROL], cwd=ROOT)
    assert control.returncode == -signal.SIGSYS, "the control: it would have been ended"
    command = [sys.executable, "-c", ENDED + WORK, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "57\n"), done.stderr
