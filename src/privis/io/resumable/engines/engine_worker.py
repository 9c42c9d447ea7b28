"""What a worker of an engine is, whichever engine: it compares versions, makes its function once, and answers spans."""

from __future__ import annotations

import importlib.metadata
import os
import pickle
import platform
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from privis.errors import ParameterError, PrivisError, Problem
from privis.io.images.depth import DepthWarning
from privis.io.resumable.parts import Span
from privis.io.resumable.processes import ONE_THREAD, require_picklable
from privis.io.resumable.span_scheduler import Compute
from privis.version import VERSION

Versions = tuple[tuple[str, str], ...]

_DECIDING = ("numpy", "opencv-python-headless", "pillow", "numba")
"""Distributions besides Privis of which another version may give other pixels, or other last bits of a feature."""


def versions() -> Versions:
    """Name what has to be the same on every machine of a run, and its version here."""
    found = [("privis", VERSION), ("Python", ".".join(platform.python_version_tuple()[:2]))]
    for name in _DECIDING:
        try:
            found.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            found.append((name, "none"))
    return tuple(found)


def check_versions(wanted: Versions) -> None:
    """Raise ParameterError where something has another version here than `versions` named where the run was started."""
    here, there = dict(versions()), dict(wanted)
    unlike = [name for name in there if here.get(name) != there[name]]
    if unlike:
        got = ", ".join(f"{name} {here.get(name, 'none')}" for name in unlike)
        expected = ", ".join(f"{name} {there[name]}" for name in unlike)
        remedy = f"install the same versions on every machine of the engine (worker on {platform.node()})"
        raise ParameterError(Problem("workers", got, f"{expected}, as where the run was started", remedy))


def packed(make: Callable[[], Compute[Any]]) -> bytes:
    """Pickle ``make`` for workers; raises ParameterError where it cannot be pickled."""
    require_picklable(make)
    return pickle.dumps(make)


def unpacked(answer: bytes) -> Any:
    """What a worker answered; raises the PrivisError that it met."""
    found = pickle.loads(answer)
    if isinstance(found, PrivisError):
        raise found
    return found


class EngineWorker:
    """Answers spans in a process that an engine started, and never raises: an engine would try again what must not be.

    Args:
        wanted: the versions of the process that asks.
        make: pickled, as `packed` gives it; opened only when the versions are found equal.
    """

    def __init__(self, wanted: Versions, make: bytes) -> None:
        self._wanted = wanted
        self._make = make
        self._compute: Compute[Any] | None = None

    def ready(self) -> bytes:
        """Make the function that computes spans, unless it is there; the answer is None, or what is wrong, pickled."""
        try:
            self._computing()
        except PrivisError as error:
            return pickle.dumps(error)
        return pickle.dumps(None)

    def answer(self, start: int, stop: int, paths: Sequence[str]) -> bytes:
        """Compute the sources ``start`` to ``stop`` - 1; the answer is what became of them, or an error, pickled."""
        try:
            return pickle.dumps(self._computing()(Span(start, stop), tuple(paths)))
        except PrivisError as error:
            return pickle.dumps(error)

    def _computing(self) -> Compute[Any]:
        if self._compute is None:
            self._compute = self._made()
        return self._compute

    def _made(self) -> Compute[Any]:
        check_versions(self._wanted)
        os.environ.update(dict.fromkeys(ONE_THREAD, "1"))  # for libraries that are not loaded yet
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started the run has them
        warnings.simplefilter("ignore", DepthWarning)  # the process that started the run says it
        try:
            compute = pickle.loads(self._make)()
        except PrivisError:
            raise
        except Exception as error:  # a package that only this machine lacks, most often
            got = f"{type(error).__name__}: {error}"
            remedy = "install the same packages on every machine of the engine"
            raise ParameterError(Problem("workers", got, "a worker that starts", remedy)) from error
        if "cv2" in sys.modules:
            sys.modules["cv2"].setNumThreads(1)
        return compute
