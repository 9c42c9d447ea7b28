"""The work of ``privis redact``: every picture painted and written, with a log by which a run goes on."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privis.cli.console import NO, SOME_FAILED, UNUSABLE, err, out, progress
from privis.cli.documents.redact_names import NamedPicture, named_pictures
from privis.cli.documents.redact_options import Required
from privis.cli.documents.redact_review import write_review
from privis.cli.documents.redact_words import (
    BoxesOfFiles,
    Kinds,
    detector_digest,
    finders_of,
    given_boxes,
)
from privis.cli.faces.face_options import HeadName
from privis.errors import ImageError, OutputError, ParameterError, Problem, refuse
from privis.extraction.redaction.redacted_file import FileRedaction, redact_file
from privis.extraction.redaction.redactor import Redactor
from privis.io.atomic import unfinished_prefix, unwritable
from privis.io.images.same_files import file_identity
from privis.io.redaction_log import RedactionLog, digest_of, log_path, redaction_log
from privis.io.resumable.run import Progress
from privis.tasks.redaction.regions import Margins, RegionKind


@dataclass(frozen=True)
class Wanted:
    """What was typed, as `privis.cli.documents.redact_options` describes it."""

    faces: bool
    plates: bool
    mrz: bool
    text: bool
    regions: Path | None
    detector: str | None
    head: HeadName
    face_score: float
    face_margin: float
    colour: str
    passes: int
    require: tuple[Required, ...]
    review: Path | None


@dataclass(frozen=True)
class _Run:
    """What one call is to do, in objects."""

    redactor: Redactor
    required: frozenset[RegionKind]
    boxes: BoxesOfFiles
    output: Path
    review: Path | None


def redact_pictures(inputs: list[str], output: Path, wanted: Wanted, as_json: bool) -> None:
    """Paint and write all pictures, say what became of them, and end with the exit code of that."""
    kinds = Kinds(wanted.faces, wanted.plates, wanted.mrz, wanted.text)
    required = frozenset(RegionKind(each.value) for each in wanted.require)
    _check_words(kinds, wanted.regions, required)
    pictures = named_pictures(inputs, output, sys.stdin)
    sources = [picture.source for picture in pictures]
    boxes = {} if wanted.regions is None else given_boxes(wanted.regions, sources)
    _check_review(wanted.review, output)
    redactor = Redactor(
        finders_of(kinds, wanted.detector, wanted.head, wanted.face_score),
        Margins(face=wanted.face_margin),
        _colour(wanted.colour),
        wanted.passes,
    )
    settings = {
        "kinds": kinds.names(),
        "required": sorted(required),
        "regions": None if wanted.regions is None else digest_of(wanted.regions),
        "detector": _detector(wanted) if wanted.faces else None,
        "colour": redactor.colour,
        "passes": wanted.passes,
    }
    run = _Run(redactor, required, boxes, output, wanted.review)
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    with redaction_log(output, digest) as log:
        _refuse_foreign(pictures, output, log)
        with progress("redact") as show:
            rows = _all(run, pictures, log, show)
    _say(rows, output, wanted.review, as_json)


def _detector(wanted: Wanted) -> list[Any]:
    return [detector_digest(wanted.detector), str(wanted.head), wanted.face_score, wanted.face_margin]


def _check_words(kinds: Kinds, regions: Path | None, required: frozenset[RegionKind]) -> None:
    problems = []
    if not kinds.names() and regions is None:
        expected = "one or more of --faces, --plates, --mrz, --text, --regions FILE"
        problems.append(Problem("privis redact", "nothing to paint", expected))
    for kind in sorted(required - {RegionKind(name) for name in kinds.names()}):
        problems.append(Problem(f"--require {kind}", "a kind that is not looked for", "its option beside it"))
    refuse(ParameterError, problems)


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


def _colour(text: str) -> tuple[int, int, int]:
    try:
        red, green, blue = (int(word) for word in text.split(","))
    except ValueError:
        raise ParameterError(Problem("--colour", repr(text), "three integers, as in 0,0,0")) from None
    return red, green, blue


def _refuse_foreign(pictures: Sequence[NamedPicture], output: Path, log: RedactionLog) -> None:
    """Files that this run did not make are not replaced."""
    there = [each for each in pictures if os.path.lexists(output / each.name)]
    foreign = [str(output / each.name) for each in there if not log.own(each.name, output / each.name)]
    if foreign:
        got = ", ".join(foreign[:3]) + (" …" if len(foreign) > 3 else "") + f" ({len(foreign)} files)"
        remedy = "choose another folder, or move them away"
        raise OutputError(Problem("-o", got, "no files of these names, or those of an earlier run", remedy))


def _all(run: _Run, pictures: Sequence[NamedPicture], log: RedactionLog, show: Any) -> list[dict[str, Any]]:
    started, rows, failed, worked = time.monotonic(), [], 0, 0
    for number, picture in enumerate(pictures, 1):
        row, again = _one(run, picture, log)
        rows.append(row)
        failed += "error" in row
        worked += not again
        seconds = time.monotonic() - started
        left = seconds / worked * (len(pictures) - number) if worked else None
        show(Progress(number, failed, len(pictures), seconds, left))
    return rows


def _one(run: _Run, picture: NamedPicture, log: RedactionLog) -> tuple[dict[str, Any], bool]:
    """What became of one picture, and whether an earlier run did it."""
    output, row = run.output / picture.name, {"path": picture.source}
    try:
        content = digest_of(picture.source) if os.path.isfile(picture.source) else None
        entry = log.entries.get(picture.name)
        if entry is not None and entry["input"] == content and log.made(picture.name, output):
            return {**row, "output": str(output), **_figures(entry)}, True
        output.parent.mkdir(parents=True, exist_ok=True)
        for stale in output.parent.glob(f"{glob.escape(unfinished_prefix(output.name))}.*.unfinished"):
            stale.unlink(missing_ok=True)  # of a killed run; the log is locked, so no other one is at work here

        def look(page: int, pixels: Any, redacted: Any) -> None:
            if run.review is not None:
                write_review(run.review, picture.name, page, pixels, redacted)

        def before(done: FileRedaction, path: Path) -> None:
            log.append({"name": picture.name, "input": content, "output": digest_of(path), **_entry(done)})

        given = run.boxes.get(file_identity(picture.source), {})
        done = redact_file(run.redactor, picture.source, output, given, required=run.required, look=look, before=before)
        entry = _entry(done)
        row |= {"output": str(output) if done.written else None, **_figures(entry)}
        if not done.written:
            row |= {"held_back": [*(f"no {kind}" for kind in done.missing), *_UNSETTLED[done.settled]]}
        return row, False
    except ImageError as error:
        return {**row, "error": str(error)}, False
    except PermissionError as error:
        return {**row, "error": f"{picture.source}: {error.strerror}"}, False


_UNSETTLED: dict[bool, tuple[str, ...]] = {True: (), False: ("detectors found something new in every look",)}


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
    return {"regions": regions, "pages": len(done.pages), "passes": passes, "share": round(share, 4)}


def _figures(entry: dict[str, Any]) -> dict[str, Any]:
    kinds = Counter(region["kind"] for region in entry["regions"])
    shown = {key: entry[key] for key in ("pages", "passes", "share")}
    return {"painted": kinds.total(), "kinds": dict(sorted(kinds.items())), **shown}


def _say(rows: list[dict[str, Any]], output: Path, review: Path | None, as_json: bool) -> None:
    failed = [row for row in rows if "error" in row]
    held = [row for row in rows if "held_back" in row]
    done = [row for row in rows if row.get("output")]
    bare = [row for row in done if not row["painted"]]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False).encode(errors="surrogateescape").decode(errors="replace"))
    else:
        kinds: Counter[str] = Counter()
        for row in done:
            kinds.update(row["kinds"])
        counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items())) or "nothing"
        out.print(f"{len(done):,} of {len(rows):,} pictures in {output}; painted: {counts}", markup=False)
        out.print(f"Log, to be kept inside: {log_path(output)}", markup=False, soft_wrap=True)
        if review is not None:
            out.print(f"Originals beside copies, to be kept inside: {review}", markup=False, soft_wrap=True)
        out.print("What no detector finds stays visible; docs/redaction.md says which share that was.", markup=False)
    for row in bare[:_LISTED]:
        err.print(f"privis: nothing found in {row['path']}: look at it", markup=False, soft_wrap=True)
    if len(bare) > _LISTED:
        err.print(f"privis: … and in {len(bare) - _LISTED:,} others (--json, and the log)", markup=False)
    for row in held:
        why = ", ".join(row["held_back"])
        err.print(f"privis: held back, not written: {row['path']} ({why})", markup=False, soft_wrap=True)
    for row in failed:
        err.print(f"privis: {row['error']}", markup=False, soft_wrap=True)
    if not done and failed and not held:
        raise SystemExit(UNUSABLE)
    if held:
        raise SystemExit(NO)
    if failed:
        raise SystemExit(SOME_FAILED)


_LISTED = 10
