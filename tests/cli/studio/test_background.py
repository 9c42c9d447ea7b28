"""Commands beside the page: they read images from memory, tell their state, and can be stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from privis.cli.studio.background import BackgroundCommand, BackgroundCommands
from privis.cli.studio.uploads import Upload, Uploads
from privis.cli.studio.views.task_forms import OUTPUT
from privis.errors import ParameterError

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="no files in memory here")


@pytest.fixture
def upload(picture: Callable[..., bytes]) -> Upload:
    return Uploads().add('a "b".png', picture())[1]


def ended(command: BackgroundCommand, seconds: float = 120.0) -> dict[str, object]:
    deadline = time.monotonic() + seconds
    while command.state == "running" and time.monotonic() < deadline:
        time.sleep(0.05)
    return command.to_dict()


def test_a_command_reads_an_image_in_memory_and_leaves_nothing(upload: Upload) -> None:
    before = set(Path("/dev/shm").glob("privis-studio-*"))
    command = BackgroundCommand(["extract", "{0}", "-f", "lbp", "-o", OUTPUT, "--json"], [upload], predicted=60.0)
    assert command.to_dict()["state"] == "running"
    told = ended(command)
    assert told["state"] == "done", told
    assert isinstance(told["result"], dict) and told["result"]["rows"] == 1
    assert "/proc/" not in str(told) and "/dev/shm" not in str(told)
    deadline = time.monotonic() + 5
    while set(Path("/dev/shm").glob("privis-studio-*")) - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert set(Path("/dev/shm").glob("privis-studio-*")) <= before


def test_a_command_that_is_closed_is_gone(upload: Upload) -> None:
    before = set(Path("/dev/shm").glob("privis-studio-*"))
    command = BackgroundCommand(["extract", "{0}", "-f", "hog", "--under", "aby3", "-o", OUTPUT], [upload])
    command.close()
    assert command.to_dict()["state"] == "stopped"
    assert set(Path("/dev/shm").glob("privis-studio-*")) <= before
    command.close()


def test_a_command_that_fails_says_why(upload: Upload) -> None:
    told = ended(BackgroundCommand(["search", "query", "{0}", "--index", "/no/such/index"], [upload]))
    assert told["state"] == "failed"
    assert any("/no/such/index" in line for line in told["lines"])  # type: ignore[attr-defined]


def test_a_command_is_stopped_with_all_that_it_started(upload: Upload) -> None:
    commands = BackgroundCommands()
    key = commands.start(["extract", "{0}", "-f", "hog", "--under", "aby3", "-o", OUTPUT], [upload])
    with pytest.raises(ParameterError, match="still runs"):
        commands.start(["features"], [])
    commands.get(key).stop()
    assert ended(commands.get(key), 20)["state"] == "stopped"
    with pytest.raises(ParameterError):
        commands.get("unknown")
    commands.close()


def test_what_a_command_keeps_while_it_runs_is_in_memory(upload: Upload) -> None:
    command = BackgroundCommand(["detect", "{0}", "--what", "people", "--json"], [upload])
    environment = Path(f"/proc/{command._process.pid}/environ").read_bytes().decode().split("\0")
    (folder,) = (each.partition("=")[2] for each in environment if each.startswith("TMPDIR="))
    assert folder.startswith("/dev/shm/privis-studio-")
    ended(command)
    deadline = time.monotonic() + 5
    while Path(folder).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(folder).exists()
