"""The work of ``privis redact``: every picture painted and written, with a log by which a run goes on."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privis.cli.console import progress, working
from privis.cli.documents.redact_boxes import PaintedPicture, check_boxes, write_boxes_of
from privis.cli.documents.redact_names import NamedPicture, named_pictures
from privis.cli.documents.redact_review import write_review
from privis.cli.documents.redact_told import figures, tell
from privis.cli.documents.redact_video import painted_video
from privis.cli.documents.redact_words import BoxesOfFiles, Wanted, given_boxes
from privis.errors import ImageError, OutputError, ParameterError, Problem, refuse
from privis.extraction.redaction.redacted_file import FileRedaction, redact_file
from privis.extraction.redaction.redacted_video import VideoRules
from privis.extraction.redaction.redactor import Redactor
from privis.extras import require
from privis.io.atomic import unfinished_prefix, unwritable
from privis.io.images.same_files import file_identity
from privis.io.redaction_log import RedactionLog, digest_of, log_path, redaction_log
from privis.io.resumable.run import Progress
from privis.tasks.redaction.regions import RegionKind

Share = Callable[[float], None]


@dataclass(frozen=True)
class _Run:
    """What one call is to do, in objects."""

    redactor: Redactor
    rules: VideoRules
    boxes: BoxesOfFiles
    output: Path
    review: Path | None


def redact_pictures(inputs: list[str], output: Path, wanted: Wanted, as_json: bool) -> None:
    """Paint and write all pictures, say what became of them, and end with the exit code of that."""
    required = frozenset(RegionKind(each.value) for each in wanted.require)
    _check_words(wanted, required)
    wanted.selected.check(wanted.kinds.faces)
    _check_output(output)
    check_boxes(wanted.boxes, output)
    pictures = named_pictures(inputs, output, sys.stdin)
    if any(picture.is_video for picture in pictures):
        require("video", "privis redact of a video")
    sources = [picture.source for picture in pictures]
    boxes = {} if wanted.regions is None else given_boxes(wanted.regions, sources)
    _check_review(wanted.review, output)
    run = _Run(wanted.redactor(), wanted.rules(required), boxes, output, wanted.review)
    digest = hashlib.sha256(json.dumps(wanted.settings(), sort_keys=True).encode()).hexdigest()
    with redaction_log(output, digest) as log:
        _refuse_foreign(pictures, output, log)
        rows = _all(run, pictures, log)
        done = [each for each, row in zip(pictures, rows, strict=True) if row.get("output")]
        if wanted.boxes is not None:
            write_boxes_of(wanted.boxes, [_painted(each, log, output) for each in done])
    tell(rows, output, wanted.review, wanted.boxes, as_json)


def _check_words(wanted: Wanted, required: frozenset[RegionKind]) -> None:
    problems = []
    names = wanted.kinds.names()
    if not names and wanted.regions is None:
        expected = "one or more of --faces, --people, --plates, --mrz, --text, --regions FILE"
        problems.append(Problem("privis redact", "nothing to paint", expected))
    for kind in sorted(required - {RegionKind(name) for name in names}):
        problems.append(Problem(f"--require {kind}", "a kind that is not looked for", "its option beside it"))
    refuse(ParameterError, problems)


def _check_output(output: Path) -> None:
    """What cannot be a folder is said before any network is read."""
    place = Path(os.path.abspath(output))
    above = next(each for each in (place, *place.parents) if os.path.lexists(each))
    if above != place and not above.is_dir():
        remedy = "choose a folder that can be made"
        raise OutputError(Problem("-o", f"{output}, a place inside a file", "a folder", remedy))


def _check_review(review: Path | None, output: Path) -> None:
    """Originals with outlines must not get among what leaves, and must not replace anything."""
    if review is None:
        return
    real, base = os.path.realpath(review), os.path.realpath(output)
    if real == base or real.startswith(os.path.join(base, "")) or base.startswith(os.path.join(real, "")):
        remedy = "choose a folder that stays with you: its pictures show the originals"
        raise ParameterError(Problem("--review", f"{review} and {output}", "a folder apart from the output", remedy))
    begun = log_path(output).exists()  # drawings of an earlier run are gone over
    if review.exists() and (not review.is_dir() or (any(review.iterdir()) and not begun)):
        raise ParameterError(Problem("--review", str(review), "a new or an empty folder", "choose another name"))
    try:
        review.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(review, error) from error


def _refuse_foreign(pictures: Sequence[NamedPicture], output: Path, log: RedactionLog) -> None:
    """Files that this run did not make are not replaced."""
    there = [each for each in pictures if os.path.lexists(output / each.name)]
    foreign = [str(output / each.name) for each in there if not log.own(each.name, output / each.name)]
    if foreign:
        got = ", ".join(foreign[:3]) + (" …" if len(foreign) > 3 else "") + f" ({len(foreign)} files)"
        remedy = "choose another folder, or move them away"
        raise OutputError(Problem("-o", got, "no files of these names, or those of an earlier run", remedy))


def _all(run: _Run, pictures: Sequence[NamedPicture], log: RedactionLog) -> list[dict[str, Any]]:
    rows, failed = [], 0
    with _shown(pictures) as show:
        for number, picture in enumerate(pictures):
            show(number, 0.0, failed, True)
            row, again = _one(run, picture, log, lambda share, n=number, f=failed: show(n, share, f, True))
            rows.append(row)
            failed += "error" in row
            show(number, 1.0, failed, again)
    return rows


@contextlib.contextmanager
def _shown(pictures: Sequence[NamedPicture]) -> Iterator[Callable[[int, float, int, bool], None]]:
    """Progress in files; where there are videos in bytes, as one of them may take an hour."""
    if any(picture.is_video for picture in pictures):
        sizes = [os.path.getsize(each.source) if os.path.isfile(each.source) else 0 for each in pictures]
        before = [sum(sizes[:number]) for number in range(len(sizes))]
        with working("redact") as show_share:
            yield lambda number, share, failed, again: show_share(
                (before[number] + share * sizes[number]) / max(1, sum(sizes))
            )
        return
    started, worked = time.monotonic(), 0
    with progress("redact") as show:

        def count(number: int, share: float, failed: int, again: bool) -> None:
            nonlocal worked
            if share < 1:
                return
            worked += not again
            seconds = time.monotonic() - started
            left = seconds / worked * (len(pictures) - number - 1) if worked else None
            show(Progress(number + 1, failed, len(pictures), seconds, left))

        yield count


def _one(run: _Run, picture: NamedPicture, log: RedactionLog, tell: Share) -> tuple[dict[str, Any], bool]:
    """What became of one picture, and whether an earlier run did it."""
    output, row = run.output / picture.name, {"path": picture.source}
    try:
        content = digest_of(picture.source) if os.path.isfile(picture.source) else None
        entry = log.entries.get(picture.name)
        if entry is not None and entry["input"] == content and log.made(picture.name, output):
            return {**row, "output": str(output), **figures(entry)}, True
        output.parent.mkdir(parents=True, exist_ok=True)
        for stale in output.parent.glob(f"{glob.escape(unfinished_prefix(output.name))}.*.unfinished"):
            stale.unlink(missing_ok=True)  # of a killed run; the log is locked, so no other one is at work here

        def before(made: dict[str, Any], path: Path) -> None:
            log.append({"name": picture.name, "input": content, "output": digest_of(path), **made})

        entry, held = (_video if picture.is_video else _still)(run, picture, output, before, tell)
        row |= {"output": None if held else str(output), **figures(entry)}
        return row | ({"held_back": held} if held else {}), False
    except ImageError as error:
        return {**row, "error": str(error)}, False
    except PermissionError as error:
        return {**row, "error": f"{picture.source}: {error.strerror}"}, False


Before = Callable[[dict[str, Any], Path], None]


def _video(
    run: _Run, picture: NamedPicture, output: Path, before: Before, tell: Share
) -> tuple[dict[str, Any], list[str]]:
    given = run.boxes.get(file_identity(picture.source), {})
    return painted_video(run.redactor, run.rules, picture.source, picture.name, output, given, run.review, before, tell)


def _still(
    run: _Run, picture: NamedPicture, output: Path, before: Before, tell: Share
) -> tuple[dict[str, Any], list[str]]:
    def look(page: int, pixels: Any, redacted: Any) -> None:
        if run.review is not None:
            write_review(run.review, picture.name, page, pixels, redacted)

    def finished(done: FileRedaction, path: Path) -> None:
        before(_entry(done), path)

    given = {page or 0: list(boxes) for page, boxes in run.boxes.get(file_identity(picture.source), {}).items()}
    done = redact_file(
        run.redactor, picture.source, output, given, required=run.rules.required, look=look, before=finished
    )
    held = [f"no {kind}" for kind in done.missing]
    if not done.settled:
        held.append("detectors found something new in every look")
    return _entry(done), held


def _entry(done: FileRedaction) -> dict[str, Any]:
    regions = [
        {
            "kind": str(region.kind),
            "page": number,
            "corners": [[round(value, 1) for value in corner] for corner in region.corners.tolist()],
            "score": round(region.score, 3),
        }
        for number, page in enumerate(done.pages, 1)
        for region in page.regions
    ]
    shares = [page.share for page in done.pages]
    passes = max(page.passes for page in done.pages)
    share = sum(shares) / len(shares)
    sizes = [list(page.size) for page in done.pages]
    return {"regions": regions, "pages": len(done.pages), "sizes": sizes, "passes": passes, "share": round(share, 4)}


def _painted(picture: NamedPicture, log: RedactionLog, output: Path) -> PaintedPicture:
    """What the log says; lines of earlier versions do not say how large pages are."""
    entry = log.entries[picture.name]
    if "frames" not in entry and "sizes" not in entry:
        from privis.io.images.pages import pages

        entry = {**entry, "sizes": [list(page.shape[:2]) for page in pages(output / picture.name)]}
    return PaintedPicture(picture.source, entry)
