"""``privis detect``: boxes of what is in pictures."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import typer

from privis.choose.cost.earlier_runs import at_owner
from privis.cli.console import SOME_FAILED, err, explained, out, progress
from privis.cli.detection.detect_options import (
    PEOPLE,
    AsJson,
    Border,
    Head,
    Inputs,
    Largest,
    Least,
    MaxPixels,
    Model,
    Most,
    Names,
    Output,
    Overlap,
    Scale,
    Size,
    What,
    Workers,
)
from privis.cli.detection.detect_words import DetectWords
from privis.cli.detection.hidden_detection import HiddenDetection, ShowModel
from privis.cli.extraction.hidden_options import CLEAR, ExtractedBy, ExtractingSide, Under
from privis.cli.scores.run_record import RunNote, note_run
from privis.io.atomic import check_writable
from privis.io.images.decode import MAX_PIXELS, Decoding
from privis.io.images.sources import find

SHOWN = 10
FILES_FOR_A_PROCESS = 16
"""Pictures that are worth starting another process."""


def detect_pictures(
    context: typer.Context,
    images: Inputs,
    what: What = PEOPLE,
    model: Model = None,
    output: Output = None,
    least: Least = None,
    overlap: Overlap = None,
    step: Scale = None,
    border: Border = None,
    largest: Largest = None,
    most: Most = None,
    head: Head = None,
    names: Names = None,
    size: Size = None,
    under: Under = CLEAR,
    extracted_by: ExtractedBy = ExtractingSide.SERVER,
    show_model: ShowModel = False,
    workers: Workers = 0,
    max_pixels: MaxPixels = MAX_PIXELS,
    as_json: AsJson = False,
) -> None:
    """Find people, faces, number plates or other things in pictures, as boxes.

    Boxes are in pixels of the upright picture, from its top left corner. Pictures that cannot be used are listed, and
    the rest is done; the same command goes on after an interruption. A score has the scale of its detector.

    privis detect photos --what people -o boxes.csv

    privis detect door.jpg --what faces --json

    privis detect street --what people --model people.npy --score 0.5 -o boxes.csv

    privis detect street --what car --model yolo11n.onnx -o cars.csv

    privis detect street --what people --under aby3 --extracted-by owner -o boxes.csv

    privis detect street --what people --model people.model --under ckks --extracted-by owner -o boxes.csv
    """
    with explained():
        from privis.estimators.detection.folder_detection import PictureBoxes, detect_folder

        hidden = HiddenDetection(under, extracted_by, show_model)
        hidden.check()
        if output is not None:
            check_writable(output)
        sources = find(images, sys.stdin)
        finder = DetectWords(
            what, model, least, overlap, step, border, largest, most, head, names, size, hidden.hides
        ).finder()
        pictures: list[PictureBoxes] = []
        keep = pictures.append if as_json else lambda picture: None
        processes = workers or max(1, min(os.cpu_count() or 1, len(sources) // FILES_FOR_A_PROCESS))
        decoding = Decoding(max_pixels)
        with (
            tempfile.TemporaryDirectory(prefix="privis-detect-") as scratch,
            hidden.opened(finder, sources, decoding) as asked,
            progress("detect") as show,
        ):
            table = output or Path(scratch, "boxes.csv")
            outcome = detect_folder(
                asked, sources, table, workers=processes if asked is finder else 1, decoding=decoding,
                on_progress=show, on_picture=keep,
            )  # fmt: skip
            text = "" if output is not None or as_json else table.read_text(encoding="utf-8")
        by_owner = under != CLEAR and extracted_by is ExtractingSide.OWNER
        note_run(context, RunNote("detect", under, len(sources), what=at_owner("", by_owner, show_model)))
        failed = [{"path": failure.path, "why": failure.reason} for failure in outcome.failures]
        if as_json:
            rows = [*map(_row, pictures), *failed]
            print(json.dumps(rows, ensure_ascii=False).encode(errors="surrogateescape").decode(errors="replace"))
        elif output is None:
            sys.stdout.write(text)
        else:
            out.print(f"{outcome.rows:,} pictures looked at; boxes in {output}", markup=False, soft_wrap=True)
        for row in failed[:SHOWN]:
            err.print(f"privis: {row['path']}: {row['why']}", markup=False, soft_wrap=True)
        if len(failed) > SHOWN:
            beside = f"all are in {output}.failures.csv" if output is not None else "name an output with -o for a list"
            err.print(f"privis: … and {len(failed) - SHOWN:,} others; {beside}", markup=False, soft_wrap=True)
        if failed:
            raise SystemExit(SOME_FAILED)


def _row(picture: Any) -> dict[str, Any]:
    boxes = [
        {"x": round(x, 2), "y": round(y, 2), "w": round(w, 2), "h": round(h, 2), "score": float(f"{score:.6g}"),
         "label": label}
        for _, x, y, w, h, score, label in picture.lines()
    ]  # fmt: skip
    return {"path": picture.path, "boxes": boxes}
