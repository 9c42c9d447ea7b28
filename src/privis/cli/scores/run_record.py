"""Every run of the command scores its own prediction, once it is done and without a word."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from privis.choose.cost.run_log import ScoredRun, Taken
    from privis.extraction.folder import FolderResult
    from privis.features.feature import Feature
    from privis.privacy import Release
    from privis.program.shapes import Shape
    from privis.run.protocol import Executor


@dataclass(frozen=True)
class RunNote:
    """What a command did.

    Args:
        command: as ``extract``.
        under: who computed, or what ``--under`` calls it.
        images: how many were dealt with.
        rows: of a gallery or index that they were compared with.
        workers: processes.
        feature: what was extracted; None: something else, or several.
        release: what its noise is; None: none.
        noise: what ``--release`` calls it; empty without one.
        shape: of the images of the files; None: not known.
        what: name of the feature or recipe, where ``feature`` says nothing.
    """

    command: str
    under: Executor | str
    images: int
    rows: int = 0
    workers: int = 1
    feature: Feature | None = None
    release: Release | None = None
    noise: str = ""
    shape: Shape | None = None
    what: str = ""


@dataclass
class RunRecord:
    """What a process of the command did; `note_run` finds it in the context of the command."""

    notes: list[RunNote] = field(default_factory=list)

    def finish(self) -> None:
        """Write down what the process took beside what was predicted; whatever goes wrong, nothing is said.

        A command that dealt with several things is none of which the figures could be told apart.
        """
        from privis.choose.cost.run_log import RunLog

        if len(self.notes) != 1 or not RunLog.wanted():
            return
        try:
            found = scored(self.notes[0])
            if found is not None:
                RunLog.of_this_user().append(found)
        except Exception:  # the command did what it was asked for: a score is not worth an error
            return


def note_run(context: typer.Context, note: RunNote) -> None:
    """Have the process write down, at its end, what this took.

    Args:
        context: of the command; where it is not run by the process of its own, nothing is written down.
        note: what was done.
    """
    record = context.find_root().obj
    if isinstance(record, RunRecord):
        record.notes.append(note)


def note_extraction(
    context: typer.Context,
    under: Executor,
    workers: int,
    noise: str | None,
    tables: Sequence[tuple[Feature, Release | None]],
    results: Sequence[FolderResult],
    sources: Sequence[str],
) -> None:
    """Have the process write down what an extraction took, unless an earlier run had done a part of it.

    Args:
        context: of the command.
        under: who computed.
        workers: processes.
        noise: what ``--release`` said; None without it.
        tables: feature and release of each table.
        results: of each table.
        sources: the files.
    """
    if any(result.outcome.resumed for result in results):
        return
    from privis.io.images import image_headers

    outcome = results[0].outcome
    shape = next((found for path in sources if (found := image_headers.shape(path)) is not None), None)
    feature, release = tables[0] if len(tables) == 1 else (None, None)
    images = outcome.rows + len(outcome.failures)
    note_run(context, RunNote("extract", under, images, 0, workers, feature, release, noise or "", shape))


def scored(note: RunNote) -> ScoredRun | None:
    """What this process took so far, and what was to be expected.

    Args:
        note: what it did.

    Returns:
        Both; None where the system does not say when the process began.
    """
    from privis.choose.cost.earlier_runs import extraction_digest
    from privis.choose.cost.run_log import ScoredRun

    measured = _measured(note)
    if measured is None:
        return None
    predicted, basis = _predicted(note)
    feature = note.what if note.feature is None else note.feature.name
    extraction = ""
    if note.feature is not None and note.shape is not None:
        extraction = extraction_digest(note.feature, note.release, note.shape)
    parts = note.command, mechanism_of(note.under), note.noise, feature, note.images, note.rows, note.workers
    return ScoredRun(*parts, basis, predicted, measured, extraction)


def mechanism_of(under: Executor | str) -> str:
    """What ``--under`` calls an executor."""
    if isinstance(under, str):
        return under
    from privis.run.clear import Clear

    if isinstance(under, Clear):
        return "clear"
    preset = getattr(under, "preset", None)
    return type(under).__name__.lower() if preset is None else str(preset.name)


def seconds_of_this_process() -> float | None:
    """How long ago the system started this process; None where it does not say."""
    try:
        fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def _measured(note: RunNote) -> Taken | None:
    from privis.choose.cost.peak_memory import peak_of_children, peak_of_this_process, peaks_of_running_children
    from privis.choose.cost.run_log import Taken
    from privis.run.protocol import CountingExecutor

    seconds = seconds_of_this_process()
    if seconds is None:
        return None
    sent = note.under.sent if isinstance(note.under, CountingExecutor) else None
    others = max(peaks_of_running_children(), _processes(note) * peak_of_children())  # parties run, workers ended
    return Taken(seconds, peak_of_this_process() + others, sent)


def _processes(note: RunNote) -> int:
    """How many processes ran beside this one."""
    name = mechanism_of(note.under)
    if name == "clear":
        return note.workers if note.workers > 1 else 0
    from privis.run.mpc.protocols import PRESETS

    return next((preset.parties for preset in PRESETS if preset.name == name), 0)


def _predicted(note: RunNote) -> tuple[Taken | None, str]:
    """What was to be expected, by what was known before the run: nothing is probed now."""
    from privis.choose.cost.cost_probes import CostProbes
    from privis.choose.cost.earlier_runs import LoggedCommand, earlier_cost
    from privis.choose.cost.prediction import predict_cost
    from privis.choose.cost.run_log import RunLog, Taken

    if isinstance(note.under, str) or note.feature is None or note.shape is None:
        asked = LoggedCommand(note.command, mechanism_of(note.under), note.images, note.rows, note.what)
        earlier = earlier_cost(RunLog.of_this_user().runs(), asked)
        return (None, "") if earlier is None else (Taken(earlier.seconds, earlier.memory, earlier.sent), earlier.basis)
    found = predict_cost(
        note.feature,
        note.under,
        note.shape,
        note.images,
        release=note.release,
        workers=note.workers,
        probes=CostProbes(0.0),
    )
    return Taken(found.seconds, found.memory, found.sent), found.basis
