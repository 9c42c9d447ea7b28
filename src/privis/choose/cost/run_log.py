"""``RunLog``: what runs of the command were predicted to take, and took: a small file of this user.

The file, ``runs.jsonl`` in the folder ``privis`` of the user's cache, has a JSON object a line: ``format``
(``privis.runs/1``), the command, the mechanism, the name of the noise and of the feature, the numbers of images,
rows and processes, a digest of what an extraction was of, what the prediction rested on, and seconds, bytes of memory
and bytes sent, predicted and measured.
Nothing else is in it: no names of files, no time of day, no result. It is replaced whole, the last `MOST` lines are
kept, and ``PRIVIS_SCORES=off`` keeps everything out of it.

How it evolves: lines of another format, and lines that cannot be read, are passed over and go with the next run.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privis.errors import OutputError, Problem

FORMAT = "privis.runs/1"
MOST = 1000  # lines that are kept
LONGEST = 4096  # bytes of a line
SWITCH, OFF = "PRIVIS_SCORES", "off"


@dataclass(frozen=True)
class Taken:
    """Seconds of a run by the clock on the wall, bytes of memory at the peak, bytes sent; None: not known."""

    seconds: float
    memory: int
    sent: int | None = None

    @classmethod
    def of_json(cls, found: Any) -> Taken:
        """Read an object of the log; KeyError, TypeError or ValueError where it is none."""
        seconds, sent = float(found["seconds"]), found["sent"]
        if not (math.isfinite(seconds) and seconds >= 0 and int(found["memory"]) >= 0):
            raise ValueError("no figures of a run")
        return cls(seconds, int(found["memory"]), None if sent is None else int(sent))


@dataclass(frozen=True)
class ScoredRun:
    """What a run of the command was predicted to take, and took.

    Args:
        command: as ``extract``.
        mechanism: who computed: ``clear``, ``ckks``, ``aby3`` and others.
        noise: name of the release's mechanism; empty without one.
        feature: its name; empty where the command is of none.
        images: how many there were.
        rows: of the gallery or index that they were compared with; 0: none.
        workers: processes.
        basis: what the prediction rested on; empty without one.
        predicted: what was expected; None: nothing was known.
        measured: what it took.
        extraction: which feature with which parameters, of images of which size: a digest; empty for other commands.
    """

    command: str
    mechanism: str
    noise: str
    feature: str
    images: int
    rows: int
    workers: int
    basis: str
    predicted: Taken | None
    measured: Taken
    extraction: str = ""

    @classmethod
    def from_line(cls, line: str) -> ScoredRun | None:
        """Read a line of the log; None where it is none."""
        try:
            found: Any = json.loads(line)
            if found["format"] != FORMAT:
                return None
            texts = [str(found[name]) for name in ("command", "mechanism", "noise", "feature")]
            predicted = None if found["predicted"] is None else Taken.of_json(found["predicted"])
            measured = Taken.of_json(found["measured"])
            counts = [int(found[name]) for name in ("images", "rows", "workers")]
            return cls(*texts, *counts, str(found["basis"]), predicted, measured, str(found.get("extraction", "")))
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return None

    def to_line(self) -> str:
        """One line of JSON."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, sort_keys=True)


@dataclass(frozen=True)
class RunLog:
    """The log of this user's runs.

    Args:
        path: of the file.

    >>> import tempfile
    >>> taken = Taken(2.0, 1 << 28, 0)
    >>> run = ScoredRun("extract", "clear", "", "lbp", 10, 0, 1, "a probe", taken, taken)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = RunLog(Path(folder) / "runs.jsonl")
    ...     log.append(run)
    ...     log.runs() == [run]
    True
    """

    path: Path

    @classmethod
    def of_this_user(cls) -> RunLog:
        """The one in the user's cache."""
        return cls(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "privis" / "runs.jsonl")

    @staticmethod
    def wanted() -> bool:
        """Whether runs may be written down: unless ``PRIVIS_SCORES`` is ``off``."""
        return os.environ.get(SWITCH, "").strip().lower() != OFF

    def runs(self) -> list[ScoredRun]:
        """Read what is in it.

        Returns:
            The runs, the earliest first; none where there is no file.

        Raises:
            OutputError: there is one that cannot be read.
        """
        try:
            text = self.path.read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unusable(error) from error
        return [run for line in text.splitlines() if (run := ScoredRun.from_line(line)) is not None]

    def append(self, run: ScoredRun) -> None:
        """Add a run, and let go of the earliest beyond `MOST`; the file is replaced whole, by one process at a time.

        Args:
            run: what to write down.

        Raises:
            OutputError: the file cannot be written.
        """
        line = run.to_line()
        if len(line) > LONGEST:
            return
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.unfinished")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._alone():
                kept = [one.to_line() for one in self.runs()[1 - MOST :]]
                temporary.touch(mode=0o600)
                temporary.write_text("\n".join([*kept, line]) + "\n", encoding="utf-8")
                temporary.replace(self.path)
        except OSError as error:
            raise self._unusable(error) from error
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder's lock, which ends with the process that holds it."""
        descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _unusable(self, error: OSError) -> OutputError:
        remedy = f"set XDG_CACHE_HOME to a folder that can be written, or {SWITCH}={OFF}"
        return OutputError(Problem(str(self.path), str(error.strerror or error), "a file of this user", remedy))
