"""``privis detect count``: how many boxes every image has, in all or in each cell of a grid, exactly or with noise."""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer

from privis.cli.console import SOME_FAILED, err, explained, out, working
from privis.cli.detection.train_options import AsJson, Images, MaxPixels
from privis.cli.parsing import grid_of
from privis.cli.releases import additive_noise_of, check_release_key, kept_release_key
from privis.cli.scores.run_record import RunNote, note_run
from privis.errors import ImageError, ParameterError, Problem, refuse
from privis.extraction.vectors.origin import Origin, origin_of
from privis.extraction.vectors.vector_release import Released, released
from privis.io.atomic import check_writable, replacing
from privis.io.box_lists import ImageBoxes, read_boxes
from privis.io.images.decode import MAX_PIXELS, Decoding
from privis.io.images.sources import find
from privis.privacy import HistogramRelease, WholeImage
from privis.privacy.ledger.file import FileLedger
from privis.privacy.ledger.records import record_of_pixels
from privis.tasks.tracking.occupied_cells import CellGrid

FEATURE = "boxes of things found in a picture, counted"
LARGEST_SIDE = 100
COUNT_EXIT_CODES = """Exit codes: 0 done · 1 done, but some images could not be used (they are listed) · 2 a wrong
option, or a list of boxes that is none · 3 no image could be used · 4 the output could not be written · 5 the ledger
refuses."""

Boxes = Annotated[Path, typer.Option(help="Boxes in the images, as `privis detect -o` writes them: CSV or COCO JSON.")]
Output = Annotated[Path, typer.Option("-o", "--output", help="CSV table to write: path, and a count for each cell.")]
Label = Annotated[str | None, typer.Option(help="Count the boxes of this label alone.")]
Grid = Annotated[str, typer.Option(metavar="COLUMNSxROWS", help="Cells over each picture; a box is at its middle.")]
Epsilon = Annotated[float | None, typer.Option(help="Privacy budget of a picture; adds noise to its counts.")]
NoiseName = Annotated[str, typer.Option("--release", help="laplace or gaussian noise, with --epsilon.")]
Delta = Annotated[float | None, typer.Option(help="Failure probability, for gaussian noise.")]
Total = Annotated[int, typer.Option(min=1, help="Boxes of a picture that count, with --epsilon; public.")]
Key = Annotated[Path | None, typer.Option(help="Release key; made there if there is none. Equal key, equal noise.")]
LedgerPath = Annotated[Path | None, typer.Option("--ledger", help="Privacy ledger to charge, a picture each.")]


def count(
    context: typer.Context,
    images: Images,
    boxes: Boxes,
    output: Output,
    label: Label = None,
    grid: Grid = "1x1",
    epsilon: Epsilon = None,
    release: NoiseName = "laplace",
    delta: Delta = None,
    total: Total = 10,
    key: Key = None,
    ledger: LedgerPath = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    as_json: AsJson = False,
) -> None:
    """Count the boxes of every picture, pictures without boxes included.

    Exact counts hide nobody. With --epsilon every picture's counts are released: noise hides the whole picture. Boxes
    themselves are not: where somebody stands is theirs, and no noise on a box hides it.

    privis detect count photos --boxes boxes.csv -o counts.csv

    privis detect count photos --boxes boxes.csv --grid 2x1 --epsilon 4 --total 6 --key release.key -o counts.csv
    """
    with explained():
        columns, rows = grid_of(grid, LARGEST_SIDE)
        check_writable(output)
        wanted = _released_as(epsilon, release, delta, total, key, ledger)
        sources, decoding = find(images, sys.stdin), Decoding(max_pixels)
        listed, _, strange = read_boxes(boxes).found(sources)
        if strange:
            names = f"{len(strange):,} images of the list, such as {strange[0]}"
            err.print(f"privis: {names}, are not among those given", markup=False, soft_wrap=True)
        paths, records, counts, failed = [], [], [], []
        with working("privis detect count"):
            for path in sources:
                try:
                    pixels = decoding(path)
                except ImageError as error:
                    failed.append({"path": path, "why": str(error)})
                    continue
                paths.append(path)
                records.append(record_of_pixels(pixels))
                counts.append(_counted(listed.get(path), label, columns, rows, pixels.shape))
        if not paths:
            raise ImageError(*(Problem(each["path"], each["why"], "an image") for each in failed))
        table, told = np.array(counts, np.int64), None
        if wanted is not None:
            asked = _question(boxes, label, columns, rows)
            told = _release(table, wanted, records, asked, key, ledger)
            table = told.features.astype(np.int64)
        names = [f"cell_{column}_{row}" for row in range(rows) for column in range(columns)]
        _write(output, paths, ["count"] if rows * columns == 1 else names, table)
        note_run(context, RunNote("detect count", "clear", len(sources)))
        _say(output, len(paths), told, failed, as_json)


def _released_as(
    epsilon: float | None, name: str, delta: float | None, total: int, key: Path | None, ledger: Path | None
) -> HistogramRelease | None:
    """The release of each picture's counts; ParameterError names all words that do not fit, and files are looked at."""
    if epsilon is None:
        given = {"--key": key, "--ledger": ledger, "--delta": delta}
        refuse(ParameterError, [Problem(n, str(v), "--epsilon as well") for n, v in given.items() if v is not None])
        return None
    noise = additive_noise_of(name, epsilon, delta)
    check_release_key(key)
    if ledger is not None:
        FileLedger(ledger)
    return HistogramRelease(noise, moves=1, unit=WholeImage(), total=total)


def _counted(
    listed: ImageBoxes | None, label: str | None, columns: int, rows: int, shape: tuple[int, ...]
) -> npt.NDArray[np.int64]:
    """Boxes in each cell of one picture; a box is where its middle is."""
    grid = CellGrid(columns, rows, shape[1], shape[0])
    if listed is None:
        return np.zeros(grid.cells, np.int64)
    own = listed.of_label(label).boxes
    return np.bincount(grid.numbers(own[:, :2] + own[:, 2:] / 2), minlength=grid.cells)


def _question(boxes: Path, label: str | None, columns: int, rows: int) -> Origin:
    """What is counted: equal counts of two questions would otherwise have equal noise, and show that.

    The digest of the list is no name: cards carry names, and whoever has a card could test guesses of boxes with it.
    """
    with boxes.open("rb") as file:
        listed = hashlib.file_digest(file, "sha256").hexdigest()
    named = origin_of(f"{FEATURE}: label {label!r}, {columns} x {rows} cells")
    return replace(named, question=(*named.question, listed))


def _release(
    table: npt.NDArray[np.int64],
    wanted: HistogramRelease,
    records: list[str],
    question: Origin,
    key: Path | None,
    ledger: Path | None,
) -> Released:
    charged = None if ledger is None else FileLedger(ledger)
    return released(question, table, None, wanted, records, None, kept_release_key(key), charged)


def _write(output: Path, paths: list[str], names: list[str], table: npt.NDArray[np.int64]) -> None:
    with replacing(output) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", *names])
        writer.writerows([path.encode(errors="surrogateescape").decode(errors="replace"), *counts] for path, counts in
                         zip(paths, table.tolist(), strict=True))  # fmt: skip


def _say(output: Path, images: int, told: Released | None, failed: list[dict[str, str]], as_json: bool) -> None:
    for each in failed:
        err.print(f"privis: {each['why']}", markup=False, soft_wrap=True)
    if as_json:
        document: dict[str, Any] = {"output": str(output), "images": images, "failed": failed}
        document["card"] = None if told is None else told.card.to_dict()
        print(json.dumps(document, ensure_ascii=False))
    else:
        out.print(f"{images:,} pictures in {output}", markup=False, soft_wrap=True)
        if told is not None:
            out.print(told.guarantee.sentence, markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(SOME_FAILED)
