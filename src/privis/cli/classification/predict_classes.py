"""``privis classify predict``: the class of every image, with its probability."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from privis.choose.cost.earlier_runs import at_owner
from privis.cli.classification.classify_options import (
    AbstainBelow,
    AsJson,
    Images,
    MaxPixels,
    ModelOption,
    Workers,
)
from privis.cli.classification.classify_words import FileReading, decoding_of, kept_beside, opened_model, tell_refused
from privis.cli.classification.hidden_words import (
    HiddenWords,
    Learn,
    LearnedOfImages,
    asked,
)
from privis.cli.classification.labelled_words import labelled_images
from privis.cli.console import SOME_FAILED, explained, out
from privis.cli.extraction.hidden_options import ExtractedBy, ExtractingSide, Under
from privis.cli.scores.run_record import RunNote, note_run
from privis.errors import ParameterError, Problem
from privis.io import tables
from privis.io.atomic import check_writable, replacing
from privis.io.images.decode import MAX_PIXELS

if TYPE_CHECKING:
    from privis.cli.classification.hidden_words import HiddenAnswer
    from privis.estimators.classification.trained_classifier import TrainedClassifier

Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", help="Table to write, .csv or .parquet: path, class, probability."),
]
EveryClass = Annotated[bool, typer.Option("--every-class", help="Also the probability of every class.")]
SUFFIXES = (".csv", ".parquet")


def predict(
    context: typer.Context,
    images: Images,
    model: ModelOption,
    output: Output = None,
    abstain_below: AbstainBelow = None,
    every_class: EveryClass = False,
    under: Under = "clear",
    learn: Learn = LearnedOfImages.SCORES,
    extracted_by: ExtractedBy = ExtractingSide.SERVER,
    workers: Workers = 0,
    max_pixels: MaxPixels = MAX_PIXELS,
    as_json: AsJson = False,
) -> None:
    """Name the class of every image, or nothing where the model is not sure enough.

    privis classify predict new/ --model scans.model -o classes.csv

    privis classify predict one.png --model scans.model --abstain-below 0.8 --json

    privis classify predict new/ --model scans.model --under aby3 --learn decisions -o classes.csv
    """
    with explained():
        hidden = HiddenWords(under, learn, extracted_by)
        hidden.check()
        if every_class and learn is LearnedOfImages.DECISIONS:
            raise ParameterError(Problem("--every-class", "with --learn decisions", "--learn scores"))
        if output is not None:
            if output.suffix.lower() not in SUFFIXES:
                raise ParameterError(Problem("-o", repr(str(output)), f"a name that ends in {' or '.join(SUFFIXES)}"))
            check_writable(output)
        opened = opened_model(model)
        if abstain_below is not None:
            opened = replace(opened, rule=replace(opened.rule, abstain_below=abstain_below))
        known = labelled_images(images, None, stdin=sys.stdin).images
        reading = FileReading(decoding_of(opened, max_pixels), workers, "privis classify predict")
        with kept_beside(output) as table:
            answer = asked(hidden, opened, known, reading, table)
        known = answer.images
        what = at_owner(opened.feature.name, extracted_by is ExtractingSide.OWNER)
        note_run(context, RunNote("classify predict", under, len(known.paths) + len(known.refused), what=what))
        rows = class_rows(opened, answer, every_class)
        if output is not None:
            _write(output, rows, known.refused)
        tell_refused(known.refused)
        if as_json:
            refused = [{"path": p, "class": None, "probability": None, "why": why} for p, why in known.refused.items()]
            print(json.dumps([*rows, *refused], ensure_ascii=False))
        elif output is None:
            _print(rows)
        else:
            silent = sum(row["class"] is None for row in rows)
            told = f"{len(rows):,} images in {output}" + (f", {silent:,} of them undecided" if silent else "")
            out.print(told, markup=False, soft_wrap=True)
        if known.refused:
            raise SystemExit(SOME_FAILED)


def class_rows(model: TrainedClassifier, answer: HiddenAnswer, every_class: bool) -> list[dict[str, Any]]:
    """Make a row for each image; without scores nothing is known of probabilities.

    Args:
        model: that was asked.
        answer: of it.
        every_class: whether rows have the probability of every class.

    Returns:
        Path, class (None: undecided) and probability of each.
    """
    paths = answer.images.paths
    if answer.labels is not None or answer.scores is None:
        return [
            {"path": path, "class": label, "probability": None}
            for path, label in zip(paths, answer.labels or (), strict=True)
        ]
    probabilities = model.probabilities(answer.scores)
    decided = model.decide(probabilities)
    rows: list[dict[str, Any]] = [
        {"path": path, "class": label, "probability": float(share)}
        for path, label, share in zip(paths, decided.labels, decided.probabilities, strict=True)
    ]
    if every_class:
        for row, shares in zip(rows, probabilities, strict=True):
            row |= {f"probability of {name}": float(share) for name, share in zip(model.classes, shares, strict=True)}
    return rows


def _print(rows: list[dict[str, Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(list(rows[0]))
    writer.writerows([_cell(value) for value in row.values()] for row in rows)


def _cell(value: object) -> object:
    if value is None:
        return ""
    return f"{value:.6f}" if isinstance(value, float) else value


def _write(output: Path, rows: list[dict[str, Any]], refused: dict[str, str]) -> None:
    """The table, and beside it those that are not in it."""
    with replacing(output) as temporary:
        if output.suffix.lower() == ".parquet":
            arrow = tables.pyarrow_module()
            columns = {name: [row[name] for row in rows] for name in rows[0]}
            text = {name: arrow.array(columns[name], arrow.string()) for name in ("path", "class")}
            text |= {"probability": arrow.array(columns["probability"], arrow.float64())}
            arrow.parquet.write_table(arrow.table({**columns, **text}), temporary)
        else:
            with open(temporary, "w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(list(rows[0]))
                writer.writerows([_cell(value) for value in row.values()] for row in rows)
    beside = output.with_name(output.name + ".failures.csv")
    if not refused:
        beside.unlink(missing_ok=True)
        return
    with replacing(beside) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "reason"])
        writer.writerows(refused.items())
