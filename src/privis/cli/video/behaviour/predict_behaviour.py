"""``privis video behaviour predict``."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from privis.cli.classification.classify_options import AbstainBelow, AsJson, MaxPixels, ModelOption, Workers
from privis.cli.classification.classify_words import FileReading, decoding_of, kept_beside, opened_model, tell_refused
from privis.cli.classification.hidden_words import HiddenWords, Learn, LearnedOfImages, asked
from privis.cli.classification.labelled_words import labelled_images
from privis.cli.classification.predict_classes import class_rows
from privis.cli.console import SOME_FAILED, explained, out
from privis.cli.extraction.hidden_options import CLEAR, ExtractingSide, Under
from privis.cli.video.behaviour.clip_words import Clip, Clips, clip_feature, clip_names
from privis.errors import ParameterError, Problem
from privis.io.atomic import check_writable, replacing
from privis.io.images.decode import MAX_PIXELS

COLUMNS = ("path", "start", "end", "class", "probability")
Output = Annotated[Path | None, typer.Option("-o", "--output", help=f"CSV to write: {', '.join(COLUMNS)}.")]
Throughout = Annotated[
    bool,
    typer.Option("--throughout", help="All clips of each video, one after another, not the one in which most moves."),
]


def predict(
    clips: Clips,
    model: ModelOption,
    output: Output = None,
    throughout: Throughout = False,
    abstain_below: AbstainBelow = None,
    under: Under = CLEAR,
    learn: Learn = LearnedOfImages.SCORES,
    workers: Workers = 0,
    max_pixels: MaxPixels = MAX_PIXELS,
    as_json: AsJson = False,
) -> None:
    """Name what is done in every clip, or nothing where the model is not sure enough.

    privis video behaviour predict new/ --model falls.model -o behaviour.csv

    privis video behaviour predict night.mp4 --throughout --model falls.model --abstain-below 0.8

    privis video behaviour predict new/ --model falls.model --under aby3 --learn decisions

    With --under the camera's owner describes the motion, and the classifier is asked without being shown.
    """
    with explained():
        side = ExtractingSide.SERVER if under == CLEAR else ExtractingSide.OWNER
        hidden = HiddenWords(under, learn, side)
        hidden.check()
        if output is not None:
            if output.suffix.lower() != ".csv":
                raise ParameterError(Problem("-o", repr(str(output)), "a name that ends in .csv"))
            check_writable(output)
        opened = opened_model(model)
        if abstain_below is not None:
            opened = replace(opened, rule=replace(opened.rule, abstain_below=abstain_below))
        names = clip_names(clips, clip_feature(opened), max_pixels, throughout)
        known = labelled_images(names, None).images
        reading = FileReading(decoding_of(opened, max_pixels), workers, "privis video behaviour predict")
        with kept_beside(output) as table:
            answer = asked(hidden, opened, known, reading, table)
        rows = [
            {**Clip.named(row["path"]).to_dict(), "class": row["class"], "probability": row["probability"]}
            for row in class_rows(opened, answer, every_class=False)
        ]
        refused = {Clip.named(name).path: why for name, why in answer.images.refused.items()}
        if output is not None:
            with replacing(output) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
                _write(file, rows)
        tell_refused(refused)
        if as_json:
            missing = [{**dict.fromkeys(COLUMNS), "path": path, "why": why} for path, why in refused.items()]
            print(json.dumps([*rows, *missing], ensure_ascii=False))
        elif output is None:
            _write(sys.stdout, rows)
        else:
            silent = sum(row["class"] is None for row in rows)
            told = f"{len(rows):,} clips in {output}" + (f", {silent:,} of them undecided" if silent else "")
            out.print(told, markup=False, soft_wrap=True)
        if refused:
            raise SystemExit(SOME_FAILED)


def _write(file: Any, rows: list[dict[str, Any]]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        share = "" if row["probability"] is None else f"{row['probability']:.6f}"
        times = (f"{row[side]:.6f}".rstrip("0").rstrip(".") for side in ("start", "end"))
        writer.writerow([row["path"], *times, row["class"] or "", share])
