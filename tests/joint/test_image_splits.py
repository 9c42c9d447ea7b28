"""Images held in parts: the joint feature is the feature of the whole image, in the clear and on shares."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from skimage import data

from privis import HOG, LBP, SIFT, ColourHistogram, ColourSpace, DenseSIFT
from privis.errors import ParameterError
from privis.features.feature import Feature
from privis.features.glcm import GLCM
from privis.features.image_ops import resize
from privis.joint.extraction import Extraction, ImageAnnouncement, announce, extraction_job
from privis.joint.image_splits import (
    LUMA,
    LUMA_ONE,
    ByChannels,
    ByExposures,
    ByTiles,
    ByTime,
    OverTime,
    Split,
    rounded_quotient,
)
from privis.program import Input, trace
from privis.readings import domain_problems, evaluate
from privis.run.mpc.protocols import ABY3

IMAGE = resize(data.astronaut(), (40, 56))
OWNERS = ("red", "green", "blue", "alpha")
FEATURES = {
    "hog": HOG(),
    "lbp": LBP(),
    "glcm": GLCM(),
    "dense-sift": DenseSIFT(step=16),
    "colour": ColourHistogram(bins=4),
    "joint-colour": ColourHistogram(bins=3, joint=True),
}


def exposures(count: int) -> list[np.ndarray]:
    """The same scene, darker and brighter."""
    gains = np.linspace(0.5, 1.3, count)
    return [np.clip(IMAGE * gain, 0, 255).astype(np.uint8) for gain in gains]


def jointly(feature: Feature, split: Split, parts: Sequence[np.ndarray]) -> np.ndarray:
    """The joint vector, in the clear: announcements first, then the program that follows from them."""
    extraction = Extraction(feature, split=split)
    pairs = [announce(extraction, owner, [part]) for owner, part in zip(OWNERS, parts, strict=False)]
    program = split.program(feature, [announcement.shapes[0] for announcement, _ in pairs])
    return feature.after(evaluate(program, *(cores[0] for _, cores in pairs)))


def whole(feature: Feature, image: np.ndarray) -> np.ndarray:
    core = feature.before(image)
    return feature.after(evaluate(feature.program(core.shape), core))


def test_luma_of_planes_is_opencvs():
    planes = np.random.default_rng(5).integers(0, 256, (3, 500, 1000), np.uint8)
    weighted = sum(int(weight) * plane.astype(np.int64) for weight, plane in zip(LUMA, planes, strict=True))
    expected = cv2.cvtColor(np.ascontiguousarray(planes.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY)
    np.testing.assert_array_equal((weighted + LUMA_ONE // 2) // LUMA_ONE, expected)


@pytest.mark.parametrize("divisor", [1, 2, 3, 5, 1 << 14])
def test_rounded_quotients_are_exact(divisor):
    x = np.unique(np.linspace(0, 255 * divisor, 20_000).astype(np.int64))
    program = trace(lambda v: rounded_quotient(v, divisor), Input(x.shape, 0.0, 255.0 * divisor))
    assert domain_problems(program) == []
    np.testing.assert_array_equal(evaluate(program, x), (x + divisor // 2) // divisor)


@pytest.mark.parametrize("label", FEATURES)
def test_channels_of_three_owners(label):
    got = jointly(FEATURES[label], ByChannels(), list(IMAGE.transpose(2, 0, 1)))
    np.testing.assert_array_equal(got, whole(FEATURES[label], IMAGE))


@pytest.mark.parametrize("label", FEATURES)
@pytest.mark.parametrize("split", [ByTiles(1, 2), ByTiles(2, 1), ByTiles(2, 2), ByTiles(1, 3)])
def test_tiles_of_several_owners(label, split):
    feature = FEATURES[label]
    if label == "dense-sift" and split != ByTiles(1, 2):
        with pytest.raises(ParameterError, match="needs the whole image"):  # small tiles would be padded
            jointly(feature, split, split.cut(IMAGE))
        return
    np.testing.assert_array_equal(jointly(feature, split, split.cut(IMAGE)), whole(feature, IMAGE))


def test_gradients_across_a_border_are_computed_inside():
    """A step exactly at the border: neither owner has a gradient, the joint feature has."""
    step = np.zeros((16, 32), np.uint8)
    step[:, 16:] = 200
    split, feature = ByTiles(1, 2), HOG(cell=8, block=1)
    left, right = split.cut(step)
    assert not whole(feature, left).any() and not whole(feature, right).any()
    joint = jointly(feature, split, (left, right))
    assert joint.any()
    np.testing.assert_array_equal(joint, whole(feature, step))


@pytest.mark.parametrize("label", FEATURES)
@pytest.mark.parametrize("count", [2, 3])
def test_exposures_of_several_owners(label, count):
    feature, parts = FEATURES[label], exposures(count)
    merged = ByExposures().merged([feature.before(part) for part in parts])
    expected = feature.after(evaluate(feature.program(merged.shape), merged))
    np.testing.assert_array_equal(jointly(feature, ByExposures(), parts), expected)


def test_merged_exposures_are_rounded_means():
    parts = [np.array([[0, 1, 255, 10]], np.uint8), np.array([[1, 2, 255, 20]], np.uint8)]
    np.testing.assert_array_equal(ByExposures().merged(parts), [[1, 2, 255, 15]])


@pytest.mark.parametrize("label", FEATURES)
def test_mean_over_the_frames_of_several_owners(label):
    feature, frames = FEATURES[label], exposures(3)
    outputs = [evaluate(feature.program(core.shape), core) for core in map(feature.before, frames)]
    expected = feature.after(np.mean(outputs, 0))
    np.testing.assert_allclose(jointly(feature, ByTime(), frames), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("label", ["hog", "lbp", "colour"])
def test_difference_of_two_frames(label):
    feature, frames = FEATURES[label], exposures(2)
    earlier, later = (feature.before(frame).astype(int) for frame in frames)
    difference = np.abs(later - earlier).astype(np.uint8)
    expected = feature.after(evaluate(feature.program(difference.shape), difference))
    np.testing.assert_array_equal(jointly(feature, ByTime(OverTime.DIFFERENCE), frames), expected)


@pytest.mark.parametrize(
    ("feature", "split"),
    [
        (HOG(size=(32, 32)), ByChannels()),
        (HOG(size=(32, 32)), ByTiles()),
        (ColourHistogram(ColourSpace.HSV), ByChannels()),
        (ColourHistogram(ColourSpace.LAB), ByChannels()),
        (SIFT(keypoints=4), ByChannels()),
        (SIFT(keypoints=4), ByTiles()),
        (SIFT(keypoints=4), ByExposures()),
        (SIFT(keypoints=4), ByTime(OverTime.DIFFERENCE)),
    ],
)
def test_what_needs_the_whole_image_is_refused(feature, split):
    parts = list(IMAGE.transpose(2, 0, 1)) if isinstance(split, ByChannels) else [IMAGE[:, :28], IMAGE[:, 28:]]
    with pytest.raises(ParameterError, match=r"before\(\) needs the whole image"):
        jointly(feature, split, parts)


def test_hue_is_a_matter_of_pixels_so_tiles_may_have_it():
    feature = ColourHistogram(ColourSpace.HSV, bins=4)
    np.testing.assert_array_equal(jointly(feature, ByTiles(), ByTiles().cut(IMAGE)), whole(feature, IMAGE))


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(ParameterError, match="of 3 owners"):
        ByChannels().program(HOG(), [(40, 56)] * 2)
    with pytest.raises(ParameterError, match="one shape"):
        ByExposures().program(HOG(), [(40, 56), (40, 55)])
    with pytest.raises(ParameterError, match="equally high"):
        ByTiles(1, 2).program(HOG(), [(40, 28), (39, 28)])
    with pytest.raises(ParameterError, match="one plane"):
        announce(Extraction(HOG(), split=ByChannels()), "red", [IMAGE])
    with pytest.raises(ParameterError, match="as many parts"):
        extraction_job(
            Extraction(HOG(), split=ByTime()),
            [ImageAnnouncement("a", ((40, 56),)), ImageAnnouncement("b", ((40, 56),) * 2)],
            ABY3,
            ("a", "b", "c"),
        )
