"""What the command line says while work goes on."""

from __future__ import annotations

import time

import pytest

from privis.cli import console
from privis.cli.console import explained, working


def test_quick_work_is_silent_and_long_work_says_what_it_is(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with working("keys for hog"):
        pass
    assert capfd.readouterr().err == ""
    monkeypatch.setattr(console, "SILENT_SECONDS", 0.0)
    monkeypatch.setattr(console, "QUIET_SECONDS", 0.01)
    with working("keys for hog") as progress:
        progress(0.5)
        time.sleep(0.2)
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) >= 2 and all(line.startswith("keys for hog: 0 s") for line in lines)
    assert lines[-1].endswith("s left")


def test_an_error_ends_the_lines(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(console, "SILENT_SECONDS", 0.0)
    monkeypatch.setattr(console, "QUIET_SECONDS", 0.01)
    with pytest.raises(KeyError), working("compiling"):
        raise KeyError
    capfd.readouterr()
    time.sleep(0.05)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("words", [(), ("the same command goes on",)])
def test_an_interrupt_is_said(words: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, explained():
        raise KeyboardInterrupt(*words)
    said = capfd.readouterr().err
    assert ended.value.code == 130 and said == f"privis: {words[0] if words else 'interrupted'}\n"
