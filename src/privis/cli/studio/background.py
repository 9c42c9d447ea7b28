"""Commands that the page runs beside itself: with progress, an end, and a button that stops them."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from typing import Any

from privis.cli.studio.uploads import Upload
from privis.cli.studio.views.task_forms import OUTPUT
from privis.errors import ParameterError, Problem

_MOST_JOBS, _MOST_LINES, _MOST_OUTPUT = 20, 40, 8 << 20
_GRACE_SECONDS = 3.0
_MEMORY = "/dev/shm"
RUNNING, DONE, FAILED, STOPPED = "running", "done", "failed", "stopped"


class BackgroundCommand:
    """One command of Privis in a process of its own.

    The image that it reads lies in memory: a file without a name that only processes of this user can open, and only
    while the command runs. What it writes lies in a folder in memory that goes with it.

    Args:
        words: of the command, behind ``privis``; ``{0}`` is the first image, and so on.
        images: that it reads.
        predicted: seconds that it should take; None: not known.
    """

    def __init__(self, words: Sequence[str], images: Sequence[Upload], predicted: float | None = None) -> None:
        self._files = [_in_memory(image) for image in images]
        self._names = {_path_of(file): image.name for file, image in zip(self._files, images, strict=True)}
        paths = [_path_of(file) for file in self._files]
        place = _MEMORY if os.path.isdir(_MEMORY) else None  # without such a place no image has come so far
        self._folder = tempfile.TemporaryDirectory(prefix="privis-studio-", dir=place)
        self._names[self._folder.name] = ""
        self.words = [_filled(word, paths, self._folder) for word in words]
        self.predicted, self._stopped = predicted, False
        self._start, self._seconds = time.monotonic(), 0.0
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._output = b""
        # what a command keeps while it runs follows from the image: it belongs into memory, too
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "TMPDIR": self._folder.name}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "privis", *self.words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read_output, self._read_lines)]
        for reader in self._readers:
            reader.start()
        self._clearing = threading.Thread(target=self._wait, daemon=True)
        self._clearing.start()

    @property
    def state(self) -> str:
        """One of running, done, failed and stopped; done also for the answer "no" (exit code 8)."""
        code = self._process.poll()
        if code is None or any(reader.is_alive() for reader in self._readers):
            return RUNNING
        if self._stopped:
            return STOPPED
        return DONE if code in (0, 8) else FAILED

    def stop(self) -> None:
        """Interrupt it as Ctrl+C does, and end it with all its processes if that takes too long."""
        if self.state != RUNNING:
            return
        self._stopped = True
        self._signal(signal.SIGINT)

        threading.Thread(target=self._end, daemon=True).start()

    def close(self) -> None:
        """Stop it, and return when neither its processes nor what they wrote are there any more."""
        if self._clearing.is_alive():
            self.stop()
            self._end()
            self._clearing.join()

    def to_dict(self) -> dict[str, Any]:
        """Give state, seconds, what is left of the predicted ones, its last words, and its result once it is done."""
        state = self.state
        seconds = self._seconds or time.monotonic() - self._start
        left = None if self.predicted is None or state != RUNNING else max(0.0, self.predicted - seconds)
        result, text = None, self._named(self._output.decode("utf-8", "replace"))
        if state == DONE:
            with contextlib.suppress(ValueError):
                result = json.loads(text)
        return {
            "state": state,
            "seconds": seconds,
            "predicted": self.predicted,
            "left": left,
            "lines": [self._named(line) for line in self._lines],
            "result": result,
            "text": "" if result is not None or state == RUNNING else text[-20000:],
            "exit": self._process.poll(),
        }

    def _named(self, text: str) -> str:
        for path, name in self._names.items():
            text = text.replace(path, name.replace("\\", "").replace('"', ""))
        return text

    def _read_output(self) -> None:
        assert self._process.stdout is not None
        for chunk in iter(lambda: self._process.stdout.read1(1 << 16), b""):  # type: ignore[union-attr]
            if len(self._output) < _MOST_OUTPUT:
                self._output += chunk

    def _read_lines(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._lines.append(line.decode("utf-8", "replace").rstrip())

    def _wait(self) -> None:
        self._process.wait()
        for reader in self._readers:
            reader.join()
        self._seconds = time.monotonic() - self._start
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        for file in self._files:
            os.close(file)
        self._folder.cleanup()

    def _end(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_SECONDS)
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


class BackgroundCommands:
    """Those that run and the last that ended; two at once are too many for a page."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, BackgroundCommand] = OrderedDict()
        self._told: dict[str, Mapping[str, Any]] = {}
        self._lock = threading.Lock()

    def start(self, words: Sequence[str], images: Sequence[Upload], told: Mapping[str, Any] | None = None) -> str:
        """Start a command; ParameterError while another one runs. Returns its key; ``told`` is what `running` says."""
        with self._lock:
            if any(each.state == RUNNING for each in self._kept.values()):
                raise ParameterError(Problem("command", "one that still runs", "none", "wait for it or stop it"))
            key = secrets.token_urlsafe(12)
            self._kept[key], self._told[key] = BackgroundCommand(words, images), told or {}
            while len(self._kept) > _MOST_JOBS:
                del self._told[self._kept.popitem(last=False)[0]]
        return key

    def running(self) -> list[dict[str, Any]]:
        """Key of the one that runs, with what was told of it: a page that was loaded again goes on showing it."""
        with self._lock:
            return [{**self._told[key], "key": key} for key, each in self._kept.items() if each.state == RUNNING]

    def get(self, key: str) -> BackgroundCommand:
        """Give one; ParameterError: there is none of that key."""
        with self._lock:
            if key not in self._kept:
                raise ParameterError(Problem("command", "an unknown one", "one that was started here"))
            return self._kept[key]

    def close(self) -> None:
        """Stop all that run, and wait until they are gone."""
        with self._lock:
            for each in self._kept.values():
                each.close()


def _in_memory(image: Upload) -> int:
    if not hasattr(os, "memfd_create") or not os.path.isdir(_MEMORY):
        expected, remedy = "a system that has files in memory (Linux)", "run the command yourself: it is on the page"
        raise ParameterError(Problem("command", sys.platform, expected, remedy))
    file = os.memfd_create("image")
    with os.fdopen(os.dup(file), "wb") as writing:
        writing.write(image.content)
    return file


def _path_of(file: int) -> str:
    return f"/proc/{os.getpid()}/fd/{file}"


def _filled(word: str, paths: Sequence[str], folder: tempfile.TemporaryDirectory[str]) -> str:
    if word == OUTPUT:
        return os.path.join(folder.name, "features.parquet")
    for number, path in enumerate(paths):
        word = path if word == f"{{{number}}}" else word
    return word
