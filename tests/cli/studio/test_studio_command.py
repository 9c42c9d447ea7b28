"""The command: a page on loopback whose address reaches nobody else. Answers for `privis.cli.studio.studio_command`."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from privis.cli.studio import studio_command
from privis.cli.studio.access import Access

COMMAND = [sys.executable, "-u", "-m", "privis", "studio", "--no-browser"]


def test_it_serves_on_loopback_until_it_is_interrupted() -> None:
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{43}/", address)
        assert "Privis" in urllib.request.urlopen(address).read().decode()
        process.terminate()
        _, errors = process.communicate(timeout=30)
    assert address.split("/")[3] not in errors


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="no files in memory here")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_whatever_ends_it_ends_its_commands_and_what_they_wrote(number: int, picture: Callable[..., bytes]) -> None:
    before = set(Path("/dev/shm").glob("privis-studio-*"))
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()

        def post(path: str, content: bytes) -> str:
            request = urllib.request.Request(address + path, content, {"origin": address.rpartition("/")[0][:-44]})
            return str(json.load(urllib.request.urlopen(request))["key"])

        values = {"feature": "hog", "under": "aby3"}
        asked = {"task": "extract", "images": [post("images", picture())], "values": values}
        post("views/start", json.dumps(asked).encode())
        (child,) = (int(each) for each in _children(process.pid))
        process.send_signal(number)
        assert process.wait(30) == 128 + number
    assert not Path(f"/proc/{child}").exists()
    assert set(Path("/dev/shm").glob("privis-studio-*")) <= before


def _children(process: int) -> list[str]:
    return [
        each
        for path in Path(f"/proc/{process}/task").iterdir()
        for each in (path / "children").read_text("ascii").split()
    ]


def test_a_taken_port_and_an_unknown_language_are_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True)
    assert done.returncode == 7
    assert "--port" in done.stderr and "Traceback" not in done.stderr
    assert subprocess.run([*COMMAND, "--language", "fr"], capture_output=True).returncode == 2


def test_the_file_that_leads_a_browser_there_is_the_users_alone() -> None:
    access = Access(8000)
    with studio_command._redirection(access) as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert access.url in path.read_text("utf-8")
    assert not path.exists()
