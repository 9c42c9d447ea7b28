"""HOG against scikit-image and OpenCV.

Answers for `privis.features.cells` and `privis.run.clear.kernels.gradient`.
"""

import cv2
import numpy as np
import pytest
from skimage.feature import hog

from privis.errors import ParameterError
from privis.features.dalal_triggs import DalalTriggsHOG
from privis.features.hog import HOG, BlockNorm
from privis.features.image_ops import grey
from privis.readings import broken_promises, evaluate


def ours(feature, image):
    x = feature.before(image)
    return feature.after(evaluate(feature.program(x.shape), x))


@pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.long)])
def test_equals_scikit_image_on_every_photograph(photographs, every):
    worst = max(np.abs(ours(HOG(), image) - hog(grey(image))).max() for image in photographs[::every])
    assert worst <= 1e-5


@pytest.mark.parametrize("norm", BlockNorm)
@pytest.mark.parametrize(("orientations", "cell", "block"), [(9, 8, 2), (6, 16, 1), (12, 4, 4)])
def test_equals_scikit_image_with_other_parameters(camera, norm, orientations, cell, block):
    image = camera[:77, :90]
    theirs = hog(image, orientations, (cell, cell), (block, block), block_norm=norm.value)
    assert np.abs(ours(HOG(orientations, cell, block, norm), image) - theirs).max() <= 1e-5


def test_ties_at_a_horizontal_gradient_fall_as_in_scikit_image():
    steps = np.repeat(np.array([0, 40, 0, 90, 200, 10, 10, 250], np.uint8), 4)
    image = np.tile(steps, (32, 1))
    assert np.abs(ours(HOG(), image) - hog(image)).max() <= 1e-5
    assert np.abs(ours(HOG(), image.T.copy()) - hog(image.T)).max() <= 1e-5


@pytest.mark.parametrize("every", [8, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("gamma", [True, False])
def test_opencv_layout_is_close_to_opencv_on_every_photograph(photographs, gamma, every):
    for image in photographs[::every]:
        height, width = image.shape[0] // 8 * 8, image.shape[1] // 8 * 8
        luma = np.ascontiguousarray(grey(image)[:height, :width])
        descriptor = cv2.HOGDescriptor((width, height), (16, 16), (8, 8), (8, 8), 9, 1, -1, 0, 0.2, gamma)
        theirs = descriptor.compute(luma).ravel()
        mine = ours(DalalTriggsHOG(size=None, gamma=gamma), luma)
        cosine = mine @ theirs / np.linalg.norm(mine) / np.linalg.norm(theirs)
        assert cosine >= 0.9999
        assert np.abs(mine - theirs).max() <= 5e-3


def test_default_opencv_layout_is_the_people_detectors(camera):
    theirs = cv2.HOGDescriptor().compute(np.ascontiguousarray(camera[:128, :64])).ravel()
    mine = ours(DalalTriggsHOG(), camera[:128, :64])
    assert mine.shape == theirs.shape == (3780,)
    assert np.abs(mine - theirs).max() <= 5e-3


def test_promises_hold_on_textured_and_break_on_flat_blocks():
    program = HOG().program((256, 256))
    texture = np.random.default_rng(1).integers(60, 200, (256, 256), dtype=np.uint8)
    assert broken_promises(program, texture) == []
    half = texture.copy()
    half[:, :128] = 9
    assert "Normalise" in broken_promises(program, half)[0].where


def test_parameters_and_sizes_are_checked_at_once():
    with pytest.raises(ParameterError) as caught:
        HOG(orientations=1, cell=0, norm="L3")  # type: ignore[arg-type]
    assert len(caught.value.problems) == 3
    with pytest.raises(ParameterError, match="24x24"):
        HOG().program((20, 100))
    assert HOG(norm=BlockNorm.L1).norm is BlockNorm.L1
