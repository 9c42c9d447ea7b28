"""The command: a page on loopback whose address reaches nobody else. Answers for `privis.cli.studio.studio_command`."""

from __future__ import annotations

import re
import socket
import stat
import subprocess
import sys
import urllib.request

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
