"""The work of ``privis dicom deidentify``: every file, with a log by which a run goes on."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from privis.cli.console import progress
from privis.cli.dicom.deidentify_inputs import NamedFile, named_files
from privis.cli.dicom.deidentify_report import say
from privis.cli.documents.redact_review import write_review
from privis.errors import ImageError, MissingExtraError, OutputError, ParameterError, Problem, refuse
from privis.extraction.deidentification.attribute_table import EDITION, Retained
from privis.extraction.deidentification.deidentified_file import Deidentified, Deidentifier
from privis.extraction.deidentification.export_key import ExportKey
from privis.extraction.deidentification.header_rules import HeaderRules
from privis.extraction.redaction.redactor import Redacted
from privis.io.atomic import unfinished_prefix, unwritable
from privis.io.redaction_log import DEIDENTIFICATION, RedactionLog, digest_of, log_path, redaction_log
from privis.io.resumable.run import Progress
from privis.validation import whole_number


@dataclass(frozen=True)
class WantedExport:
    """What was typed, as `privis.cli.dicom.deidentify_options` describes it."""

    retained: tuple[str, ...]
    shift: bool
    key: Path | None
    passes: int
    review: Path | None
    dry_run: bool


@dataclass(frozen=True)
class _Run:
    """What one call is to do, in objects."""

    deidentify: Deidentifier | None
    key: ExportKey | None
    output: Path
    review: Path | None
    log: RedactionLog | None
    done: dict[str, dict[str, Any]]


def deidentify_files(inputs: list[str], output: Path, wanted: WantedExport, as_json: bool) -> None:
    """De-identify all files, say what became of them, and end with the exit code of that."""
    refuse(ParameterError, whole_number("--passes", wanted.passes))
    files = named_files(inputs, output)
    retained = frozenset(Retained(each) for each in wanted.retained) | ({Retained.DATES} if wanted.shift else set())
    _check_review(wanted.review, output)
    _check_key(wanted.key, output)
    if wanted.dry_run:
        key = ExportKey.generate()
        if wanted.key is not None and wanted.key.exists():
            key = ExportKey.load(wanted.key)
        run = _Run(_deidentifier(key, retained, wanted), key, output, wanted.review, None, {})
        say(_all(run, files), output, None, wanted.review, as_json)
        return
    settings = {"edition": EDITION, "retained": sorted(retained), "passes": wanted.passes}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    _refuse_foreign(output)
    with redaction_log(output, digest, DEIDENTIFICATION) as log, _key(wanted.key, output, log) as key:
        done = {entry["source"]: entry for entry in log.entries.values()}
        made = None if key is None else _deidentifier(key, retained, wanted)
        rows = _all(_Run(made, key, output, wanted.review, log, done), files)
    say(rows, output, log_path(output, DEIDENTIFICATION), wanted.review, as_json)


def _deidentifier(key: ExportKey, retained: frozenset[Retained], wanted: WantedExport) -> Deidentifier:
    return Deidentifier(HeaderRules(key, retained), passes=wanted.passes)


@contextlib.contextmanager
def _key(path: Path | None, output: Path, log: RedactionLog) -> Iterator[ExportKey | None]:
    """The key of the run: of a file, or drawn and dropped when the run ends; a killed run finds it again.

    None: a run that ended dropped it, so that nothing can be added.
    """
    marks = {entry["key"] for entry in log.entries.values()}
    own = log_path(output, DEIDENTIFICATION).with_suffix(".key")
    if path is None and marks and not own.exists():
        yield None
        return
    place = own if path is None else path
    if not place.exists():
        ExportKey.generate().save(place)
    key = ExportKey.load(place)
    if marks - {key.mark()}:
        remedy = "choose another folder for the output, or the key of the earlier run"
        raise OutputError(Problem("--key", "another key than that of the log", "one key for one export", remedy))
    yield key
    if path is None:  # not after a kill or an interrupt: the same command goes on
        own.unlink()


def _check_review(review: Path | None, output: Path) -> None:
    """Originals with outlines must not get among what leaves."""
    if review is None:
        return
    real, base = os.path.realpath(review), os.path.realpath(output)
    if real == base or real.startswith(os.path.join(base, "")) or base.startswith(os.path.join(real, "")):
        remedy = "choose a folder that stays with you: its pictures show the originals"
        raise ParameterError(Problem("--review", f"{review} and {output}", "a folder apart from the output", remedy))
    begun = log_path(output, DEIDENTIFICATION).exists()
    if review.exists() and (not review.is_dir() or (any(review.iterdir()) and not begun)):
        raise ParameterError(Problem("--review", str(review), "a new or an empty folder", "choose another name"))
    try:
        review.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(review, error) from error


def _check_key(key: Path | None, output: Path) -> None:
    """The key must not leave with what it replaced."""
    if key is not None and os.path.realpath(key).startswith(os.path.join(os.path.realpath(output), "")):
        remedy = "choose a place that stays with you: who has it can test guessed ids"
        raise ParameterError(Problem("--key", f"{key}, which is in {output}", "a file outside of the output", remedy))


def _refuse_foreign(output: Path) -> None:
    """Nothing that this command did not make gets among what leaves."""
    if output.is_dir() and any(output.iterdir()) and not log_path(output, DEIDENTIFICATION).exists():
        remedy = "choose a new folder"
        raise OutputError(Problem("-o", f"{output}, which holds other files", "a new or an empty folder", remedy))


def _all(run: _Run, files: Sequence[NamedFile]) -> list[dict[str, Any]]:
    started, rows, failed = time.monotonic(), [], 0
    with progress("deidentify") as show:
        for number, file in enumerate(files, 1):
            row = _one(run, file)
            rows.append(row)
            failed += "error" in row
            seconds = time.monotonic() - started
            show(Progress(number, failed, len(files), seconds, seconds / number * (len(files) - number)))
    return rows


def _one(run: _Run, file: NamedFile) -> dict[str, Any]:
    row: dict[str, Any] = {"path": file.source}
    try:
        content = digest_of(file.source)
        source = os.path.abspath(file.source)
        entry = run.done.get(source)
        if entry is not None and run.log is not None and entry["input"] == content:
            if run.log.made(entry["name"], run.output / entry["name"]):
                return {**row, "output": str(run.output / entry["name"]), **_figures(entry)}
        if run.deidentify is None or run.key is None:
            remedy = "choose another folder for the output; with --key FILE exports can be added to"
            problem = Problem(file.source, "an export that is finished, whose key was dropped", "its key", remedy)
            return {**row, "error": str(problem)}
        if run.log is None:
            done = run.deidentify(file.source, None, draw=_drawing(run, file))
            entry = _entry(done)
            return {**row, "output": None, **_figures(entry), "actions": entry["actions"], **_held(done)}
        place = _Place(run.output, f"{run.key.file_name(source)}.dcm")

        def before(done: Deidentified, path: Path) -> None:
            name = os.path.join(done.patient, place.file)
            assert run.log is not None and run.key is not None
            said = {"name": name, "source": source, "input": content, "output": digest_of(path), "key": run.key.mark()}
            run.log.append({**said, **_entry(done)})

        done = run.deidentify(file.source, place, before, _drawing(run, file))
        output = str(run.output / done.patient / place.file) if done.written else None
        return {**row, "output": output, **_figures(_entry(done)), **_held(done)}
    except ImageError as error:
        return {**row, "error": str(error)}
    except PermissionError as error:
        return {**row, "error": f"{file.source}: {error.strerror}"}
    except MissingExtraError as error:
        if "pydicom" in str(error):
            raise
        return {**row, "error": str(error)}


@dataclass(frozen=True)
class _Place:
    """Where a copy goes: a folder for each patient."""

    output: Path
    file: str

    def __call__(self, patient: str) -> Path:
        path = self.output / patient / self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        for stale in path.parent.glob(f"{glob.escape(unfinished_prefix(path.name))}.*.unfinished"):
            stale.unlink(missing_ok=True)  # of a killed run; the log is locked, so no other one is at work here
        return path


def _drawing(run: _Run, file: NamedFile) -> Any:
    """What draws frames for checking by eye, or None."""
    review = run.review
    if review is None:
        return None

    def draw(number: int, view: Any, painted: Any) -> None:
        mask = painted.masks[number]
        after = np.where(mask, np.uint8(0), view)
        redacted = Redacted(after, painted.regions[number], mask, 1, painted.settled)
        write_review(review, file.name, number, view, redacted)

    return draw


def _entry(done: Deidentified) -> dict[str, Any]:
    regions = [{"frame": frame, "corners": corners, "score": score} for frame, corners, score in done.regions]
    return {
        "patient": done.patient,
        "person": done.person,
        "frames": done.frames,
        "actions": [asdict(action) for action in done.actions],
        "regions": regions,
        "look": list(done.look),
    }


def _figures(entry: dict[str, Any]) -> dict[str, Any]:
    counts = Counter(action["done"] for action in entry["actions"])
    return {
        "patient": entry["patient"],
        "person": entry["person"],
        "frames": entry["frames"],
        "painted": len(entry["regions"]),
        "done": dict(sorted(counts.items())),
        "look": entry["look"],
    }


def _held(done: Deidentified) -> dict[str, Any]:
    return {"held_back": list(done.left)} if done.left else {}
