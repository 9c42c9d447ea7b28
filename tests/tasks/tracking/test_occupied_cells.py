"""People per cell: each once, whatever they do there; feet on borders and beyond the picture have one cell.

Answers for `privis.tasks.tracking.occupied_cells`.
"""

from __future__ import annotations

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.tasks.tracking import CellGrid, CellLog, Tracks


def test_every_point_has_one_cell() -> None:
    grid = CellGrid(3, 2, 300, 200)
    points = [[0, 0], [99.9, 0], [100, 0], [300, 200], [-5, 500], [299, 99], [150, 100]]
    assert grid.numbers(points).tolist() == [0, 0, 1, 5, 3, 2, 4]
    assert grid.numbers(np.zeros((0, 2))).tolist() == [] and grid.cells == 6


def test_who_comes_back_counts_once() -> None:
    log = CellLog(CellGrid(2, 2, 100, 100))
    rows = 40
    feet = np.random.default_rng(0).uniform(0, 100, (rows, 2))
    boxes = np.concatenate([feet - [5, 20], np.full((rows, 2), [10.0, 20.0])], axis=1)
    ids = np.arange(rows) % 3 + 1
    for part in (slice(0, 20), slice(20, 40)):
        frames = np.arange(rows)[part] + 1
        log.add(Tracks(frames, ids[part], boxes[part], np.ones(20), frames / 10))
    expected = np.zeros((2, 2), int)
    for row, column, person in {(int(y >= 50), int(x >= 50), p) for (x, y), p in zip(feet, ids, strict=True)}:
        expected[row, column] += person > 0
    assert np.array_equal(log.counts(), expected)
    cells, people = log.sightings()
    assert len(set(zip(cells.tolist(), people.tolist(), strict=True))) == len(cells) == expected.sum()
    assert CellLog(CellGrid(2, 2, 9, 9)).counts().tolist() == [[0, 0], [0, 0]]


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(ParameterError) as refused:
        CellGrid(0, 1.5, -1, np.nan)  # type: ignore[arg-type]
    assert len(refused.value.problems) == 4
