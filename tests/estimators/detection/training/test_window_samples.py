"""Windows of training images: the vectors and scores of the product's own programs, and mirror images."""

from __future__ import annotations

import numpy as np

from privis.estimators.detection.training.window_choice import WindowChoice
from privis.estimators.detection.training.window_samples import BlockReader, Mirror, most_overlap
from privis.run.clear import Clear
from tests.estimators.detection.training.discs import discs

CHOICE = WindowChoice((64, 64), (32.0, 32.0), (25.0, 60.0))
RNG = np.random.default_rng(3)


def reader() -> BlockReader:
    return BlockReader(CHOICE.model("disc"), CHOICE.heights, Clear().prepare)


def test_scores_of_levels_are_those_of_their_windows_and_of_the_model() -> None:
    picture, _ = discs(1)
    weights = RNG.normal(size=(7, 7, 36))
    model = CHOICE.model("disc", weights, 0.0)
    for level, view in zip(reader().levels(picture), model.views(picture.shape), strict=False):
        scores = level.scores(weights[None])[:, 0]
        places = RNG.integers(0, len(scores), 5)
        assert np.allclose(level.vectors(places, model.blocks) @ weights.ravel(), scores[places], atol=2e-2)
        grid = np.asarray(Clear().prepare(model.program(view.shape))(model.before(picture, view)))
        (placed,) = model.places(grid.shape, view)
        assert np.allclose(grid[placed.rows, placed.columns].ravel(), scores, atol=5e-2)  # kept in 16 bits


def test_no_windows_give_no_vectors() -> None:
    level = reader().levels(discs(1)[0])[0]
    assert level.vectors([], (7, 7)).shape == (0, 7 * 7 * 36)


def test_levels_show_things_of_the_heights_alone() -> None:
    heights = [level.boxes[0, 3] for level in reader().levels(discs(2)[0])]
    assert 24 < min(heights) < 30 and heights == sorted(heights)


def test_the_mirror_image_of_a_picture_has_mirrored_windows() -> None:
    picture, _ = discs(4)
    whole = WindowChoice((64, 64), (32.0, 32.0), (32.0, 60.0))  # begins with the picture itself, on whose grid both lie
    own = BlockReader(whole.model("disc"), whole.heights, Clear().prepare)
    level, other = (own.levels(each)[0] for each in (picture, np.ascontiguousarray(picture[:, ::-1])))
    mirror, row = Mirror((7, 7)), 2 * level.across
    here = level.vectors([row + 3], (7, 7))
    there = other.vectors([row + level.across - 1 - 3], (7, 7))
    likeness = np.corrcoef(here[0, mirror.partner], there[0])[0, 1]
    assert likeness > 0.98  # the Gaussian window of a block is half a pixel off its middle, as in OpenCV
    assert np.array_equal(mirror.partner[mirror.partner], np.arange(7 * 7 * 36))


def test_weights_of_a_part_score_as_the_part_does() -> None:
    mirror, vectors = Mirror((3, 4)), RNG.normal(size=(6, 3 * 4 * 36)).astype(np.float32)
    for sign in (1, -1):
        part = mirror.part(vectors, sign)
        reduced = RNG.normal(size=part.shape[1])
        whole = mirror.weights(reduced, sign)
        assert np.allclose(vectors @ whole, part @ reduced, atol=1e-4)
        assert np.allclose(whole[mirror.partner], sign * whole)


def test_overlap_with_nothing_is_zero() -> None:
    assert most_overlap(np.ones((3, 4)), np.zeros((0, 4))).tolist() == [0, 0, 0]
