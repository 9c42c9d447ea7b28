"""Tiles of windows: together they give what whole views give, whatever the sizes."""

from __future__ import annotations

import numpy as np
import pytest

from privis.run.clear import Clear
from privis.tasks.detection import BoxRegression, DetectionProbability, Pyramid, TrainedWindowModel, WindowModel
from privis.tasks.detection.window_tiles import WindowTiles

RNG = np.random.default_rng(5)
WINDOWS = WindowModel(RNG.normal(size=3 * 2 * 36), 0.5, "thing", (32, 24), Pyramid(1.6, 8))
REGRESSION = BoxRegression(RNG.normal(size=(4, 216)), RNG.normal(size=4))
TRAINED = TrainedWindowModel(WINDOWS, REGRESSION, DetectionProbability(1.0, 0.0, 20.0), (10.0, 400.0))


@pytest.mark.parametrize("model", [WINDOWS, TRAINED], ids=["weights", "trained"])
@pytest.mark.parametrize("shape", [(40, 50), (270, 300), (33, 410)])
def test_tiles_give_what_whole_views_give(model: WindowModel, shape: tuple[int, int]) -> None:
    picture = RNG.integers(0, 256, shape).astype(np.uint8)
    views = model.views(shape)
    tiles = WindowTiles(model, views)
    arrays = [model.before(picture, view) for view in views]
    blocks = [
        np.asarray(Clear().prepare(WINDOWS.feature.program(part))(array[: part[0], : part[1]]))
        for part, array in zip(tiles.shapes, arrays, strict=True)
    ]
    score, inputs = Clear().prepare(tiles.program), list(tiles.cut(blocks))
    assert len(inputs) == tiles.count
    found = tiles.joined([np.asarray(score(tile)) for tile in inputs])
    windows = 0
    for view, array, values in zip(views, arrays, found, strict=True):
        whole = np.asarray(Clear().prepare(model.program(view.shape))(array))
        assert values.shape == whole.shape
        (placed,) = WINDOWS.places(whole.shape[-2:], view)
        own = (..., placed.rows, placed.columns)
        assert np.allclose(values[own], whole[own], atol=1e-4)
        windows += (placed.rows.stop - placed.rows.start) * (placed.columns.stop - placed.columns.start)
    assert tiles.scores >= windows and max(tiles.side) <= 32


def test_small_pictures_have_small_tiles() -> None:
    people = WindowModel(np.zeros(3780), 0.0, "person", pyramid=Pyramid(16.0, 0))
    sides = [WindowTiles(people, people.views(shape)).side for shape in ((128, 96), (240, 320), (1080, 1920))]
    assert sides == [(16, 16), (32, 32), (32, 32)]
    assert WindowTiles(people, people.views((128, 96))).scores == 5
