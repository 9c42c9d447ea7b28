"""Features of motion against what their definitions say, pixel by pixel, in plain numpy.

Answers for `privis.features.motion.frame_stack`, `privis.features.motion.frame_differences`,
`privis.features.motion.foreground_counts`, `privis.features.motion.motion_hog` and
`privis.features.motion.flow_histogram`.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from privis.errors import ImageError, ParameterError
from privis.extraction.extractor import Extractor
from privis.features.feature import Feature
from privis.features.motion.flow_histogram import GRID, FlowHistogram
from privis.features.motion.foreground_counts import BackgroundStatistic, Foreground
from privis.features.motion.frame_differences import FrameDifference, MotionEnergy
from privis.features.motion.frame_stack import stacked_frames
from privis.features.motion.motion_hog import MotionHOG
from privis.io.images.record import ImageRecord
from privis.privacy import HistogramRelease, Laplace, Pixels
from privis.readings import reach
from privis.run.clear import Clear

SHAPE = (11, 14)


def extracted(feature: Feature, image: np.ndarray) -> np.ndarray:
    return Extractor(feature, Clear(), None, None, None)(ImageRecord(image, "frames"))


def stacks(count: int) -> st.SearchStrategy[np.ndarray]:
    """Levels near each other, so that thresholds are met exactly, and any."""
    near = arrays.arrays(np.uint8, (count, *SHAPE), elements=st.sampled_from([0, 9, 10, 19, 20, 21, 30, 255]))
    return st.one_of(near, arrays.arrays(np.uint8, (count, *SHAPE)))


def cells_of(pixels: np.ndarray, rows: int, columns: int) -> list[np.ndarray]:
    height, width = SHAPE[0] // rows, SHAPE[1] // columns
    return [
        pixels[row * height : (row + 1) * height, column * width : (column + 1) * width]
        for row, column in itertools.product(range(rows), range(columns))
    ]


@given(frames=stacks(3))
@settings(max_examples=25, deadline=None)
def test_differences(frames: np.ndarray) -> None:
    levels, image = frames.astype(int), stacked_frames(list(frames))
    energy, counts = [], []
    for before, after in itertools.pairwise(levels):
        for cell in cells_of(after - before, 2, 3):
            energy.append((cell**2).mean() / 255**2)
            counts += [(cell <= -10).sum(), (np.abs(cell) < 10).sum(), (cell >= 10).sum()]
    assert np.allclose(extracted(MotionEnergy(3, (2, 3)), image), energy, atol=1e-6)
    found = extracted(FrameDifference(3, 10, (2, 3)), image)
    assert found.tolist() == counts
    shares = extracted(FrameDifference(3, 10, (2, 3), density=True), image)
    assert np.allclose(shares, np.array(counts) / cells_of(levels[0], 2, 3)[0].size)


@given(frames=stacks(6))
@settings(max_examples=25, deadline=None)
def test_foreground(frames: np.ndarray) -> None:
    levels, image = frames.astype(int), stacked_frames(list(frames))
    for background, middle in ((BackgroundStatistic.MEDIAN, np.median), (BackgroundStatistic.MEAN, np.mean)):
        difference = levels[-1] - middle(levels[:-1], axis=0)
        cells = cells_of(difference, 2, 2)
        expected = [((c <= -10).sum(), (np.abs(c) < 10).sum(), (c >= 10).sum()) for c in cells]
        feature = Foreground(6, background, 10, (2, 2))
        assert extracted(feature, image).tolist() == np.ravel(expected).tolist()


@given(frames=stacks(2), data=st.data())
@settings(max_examples=25, deadline=None)
def test_one_pixel_moves_no_more_counts_than_is_said(frames: np.ndarray, data: st.DataObject) -> None:
    count = data.draw(st.sampled_from([2, 4]))
    image = stacked_frames([frames[number % 2] for number in range(count)])
    other = image.copy()
    row, column = data.draw(st.integers(0, len(image) - 1)), data.draw(st.integers(0, SHAPE[1] - 1))
    other[row, column] = data.draw(st.integers(0, 255))
    for feature in (FrameDifference(count, 10, (2, 2)), Foreground(count, BackgroundStatistic.MEDIAN, 10, (2, 2))):
        found = reach(feature.program(image.shape), pixelwise=True)
        assert found is not None and found.moves == (2 if feature.name == "frame-difference" and count > 2 else 1)
        moved = np.abs(extracted(feature, image) - extracted(feature, other)).sum()
        assert moved <= 2 * found.moves


def test_noise_on_counts_of_motion_hides_pixels() -> None:
    image = stacked_frames([np.full(SHAPE, level, np.uint8) for level in (10, 200)])
    release = HistogramRelease(Laplace(4.0), moves=1, total=2 * 11 * 14, unit=Pixels(1))
    assert release.guarantee(image.shape).epsilon == 4.0


def test_what_stands_still_gives_nothing() -> None:
    rng = np.random.default_rng(3)
    still = rng.integers(0, 256, (32, 48, 3), np.uint8)
    image = stacked_frames([still, still])
    assert not extracted(MotionEnergy(), image).any() and not extracted(MotionHOG(), image).any()
    assert not extracted(FlowHistogram(), image).any()
    assert extracted(FrameDifference(grid=(1, 1)), image).tolist() == [0, 32 * 48, 0]


def test_hog_of_motion_is_the_hog_of_half_the_difference() -> None:
    from skimage.feature import hog

    frames = np.random.default_rng(5).integers(0, 128, (2, 32, 40)).astype(np.uint8) * 2  # halves are whole
    half = (frames[1].astype(float) - frames[0]) / 2 + 127.5
    expected = hog(half, 9, (8, 8), (2, 2), "L2-Hys", feature_vector=True)
    assert np.allclose(extracted(MotionHOG(), stacked_frames(list(frames))), expected, atol=2e-3)


@pytest.mark.parametrize(
    ("shift", "direction"), [((0, 3), 0), ((3, 3), 1), ((3, 0), 2), ((0, -3), 4), ((-3, 0), 6), ((-3, 3), 7)]
)
def test_flow_has_the_direction_in_which_a_picture_is_shifted(shift: tuple[int, int], direction: int) -> None:
    import cv2

    noise = np.random.default_rng(2).integers(0, 256, (80, 96)).astype(np.uint8)
    texture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    image = stacked_frames([texture[8:-8, 8:-8], np.roll(texture, shift, (0, 1))[8:-8, 8:-8]])
    found = extracted(FlowHistogram(grid=(1, 1)), image)
    assert int(np.argmax(found)) == direction
    assert found[direction] == pytest.approx(np.hypot(*shift), rel=0.25) and found[direction] > 0.8 * found.sum()


@pytest.mark.parametrize("orientations", [4, 6, 8, 16])
def test_every_displacement_is_in_one_direction(orientations: int) -> None:
    """All on a part of the grid, those on axes and diagonals among them."""
    steps = np.arange(-24, 25)
    x, y = np.meshgrid(steps, steps)
    flow = np.stack([x, y]).astype(np.float32) * GRID
    feature = FlowHistogram(orientations, (1, 1))
    turn = 2 * np.pi / orientations
    expected = np.zeros(orientations)
    for dx, dy in zip(flow[0].ravel().tolist(), flow[1].ravel().tolist(), strict=True):
        if dx or dy:
            angle = np.arctan2(dy, dx) + turn / 2 + 1 / 1024
            at = int(angle // turn) % orientations
            expected[at] += dx * np.cos(at * turn) + dy * np.sin(at * turn)
    found = Clear().prepare(feature.program(flow.shape))(flow)
    assert np.allclose(found.ravel(), expected / flow[0].size, atol=1e-6)
    lengths = np.abs(found).sum() * flow[0].size
    assert np.cos(turn / 2 + 1 / 1024) * np.hypot(*flow).sum() <= lengths <= np.hypot(*flow).sum()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: MotionEnergy(frames=1), "MotionEnergy.frames"),
        (lambda: FrameDifference(threshold=0), "FrameDifference.threshold"),
        (lambda: FrameDifference(grid=(0, 1)), "FrameDifference.grid"),
        (lambda: Foreground(frames=5), "an even number: an odd one before the last"),
        (lambda: Foreground(background="median"), "a BackgroundStatistic"),  # type: ignore[arg-type]
        (lambda: FlowHistogram(orientations=5), "an even number"),
        (lambda: FlowHistogram(size=(8, 8)), "FlowHistogram.size"),
        (lambda: MotionHOG(cell=0), "HOG.cell"),
        (lambda: MotionEnergy(3).program((10, 9)), "3 frames of one height below each other"),
        (lambda: MotionEnergy(2).program((4, 4)), "2 frames of at least 4x4 pixels"),
        (lambda: stacked_frames([np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8)]), "2 x 2 and 2 x 3"),
        (lambda: stacked_frames([]), "no frame"),
    ],
)
def test_what_does_not_fit_is_said(make, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        make()


def test_an_image_that_is_no_two_frames_has_no_flow() -> None:
    for shape in ((33, 40), (8, 40), (64, 4)):
        with pytest.raises(ImageError, match="two frames of at least"):
            FlowHistogram().before(np.zeros(shape, np.uint8))
