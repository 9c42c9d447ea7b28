"""``privis video map``."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

from privis.cli.console import explained, out, working
from privis.cli.parsing import grid_of
from privis.cli.video.counts.released_counts import (
    CardPath,
    CountWords,
    Delta,
    Epsilon,
    Key,
    LedgerPath,
    NoiseName,
    Recording,
    Resolution,
    UnitWords,
    say_release,
)
from privis.cli.video.following import VideoPass, tracking_of, tracking_words
from privis.cli.video.tracking_options import (
    AsJson,
    End,
    Every,
    Least,
    MaxPixels,
    Model,
    PersonHeight,
    Source,
    Start,
    What,
    WhateverMoves,
)
from privis.errors import ImageError, Problem
from privis.estimators.video.presence_release import RESOLUTION
from privis.io.atomic import check_writable, replacing
from privis.io.video.frame_choice import FrameChoice
from privis.io.video.opened_video import MAX_PIXELS
from privis.tasks.tracking.occupied_cells import CellGrid, CellLog

COLUMNS = ("column", "row", "x", "y", "w", "h", "people")
LARGEST_SIDE = 1000

Output = Annotated[Path, typer.Option("-o", "--output", help="CSV table to write: column,row,x,y,w,h,people.")]
Grid = Annotated[str, typer.Option(metavar="COLUMNSxROWS", help="Cells over the picture; public.")]


def people_map(
    file: Source,
    output: Output,
    grid: Grid = "8x6",
    start: Start = None,
    end: End = None,
    every: Every = None,
    person_height: PersonHeight = None,
    whatever_moves: WhateverMoves = False,
    what: What = None,
    model: Model = None,
    score: Least = None,
    epsilon: Epsilon = None,
    release: NoiseName = "laplace",
    delta: Delta = None,
    unit: UnitWords = "person-day:8",
    resolution: Resolution = RESOLUTION,
    recording: Recording = None,
    key: Key = None,
    ledger: LedgerPath = None,
    card: CardPath = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    as_json: AsJson = False,
) -> None:
    """Map how many different people stood where before a fixed camera: a table of the cells of a grid.

    These counts are exact: they hide nobody. With --epsilon noise hides whether any one person was there; a person then
    counts in the WINDOWS cells of --unit that come first, row by row.

    privis video map hall.mp4 -o map.csv --grid 12x9

    privis video map hall.mp4 -o map.csv --epsilon 2 --unit person-day:8 --key release.key --ledger hall.ledger
    """
    with explained():
        columns, rows = grid_of(grid, LARGEST_SIDE)
        check_writable(output)
        words = CountWords(epsilon, release, delta, unit, resolution, recording, key, ledger, card)
        wanted = words.checked()
        choice = FrameChoice.named(every, start, end)
        tracking = tracking_of(person_height, whatever_moves, what, model, score, max_pixels)
        reading = VideoPass(file, choice, tracking)
        log: CellLog | None = None
        cells = CellGrid(columns, rows, 1.0, 1.0)
        with working("privis video map"):
            for followed in reading:
                if log is None:
                    height, width = (side * followed.factor for side in followed.ground.shape[:2])
                    cells = CellGrid(columns, rows, width, height)
                    log = CellLog(cells)
                log.add(followed.decided)
        if log is None:
            raise ImageError(Problem(file, "no frame", "at least one"))
        counts, told = log.counts(), None
        if wanted is not None:
            followed_by = tracking_words(person_height, whatever_moves, what, model, score)
            question = ("cells", columns, rows, choice.words, followed_by)
            told = words.released(wanted, *log.sightings(), cells.cells, file, question)
            counts = told.counts.reshape(rows, columns)
        _write(output, cells, counts)
        if as_json:
            print(json.dumps({"output": str(output), "columns": columns, "rows": rows, "people": counts.tolist()}))
        else:
            out.print(f"{cells.cells:,} cells in {output}", markup=False, soft_wrap=True)
        if told is not None:
            say_release(told, to_stdout=not as_json)
        reading.finish()


def _write(output: Path, cells: CellGrid, counts: npt.NDArray[np.int64]) -> None:
    """Write the table whole or not at all; sides of cells are in pixels of the upright picture."""
    width, height = cells.width / cells.columns, cells.height / cells.rows
    with replacing(output) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for (row, column), people in np.ndenumerate(counts):
            place = (f"{value:.2f}" for value in (column * width, row * height, width, height))
            writer.writerow([column, row, *place, people])
