"""Co-occurrence against scikit-image."""

import math

import numpy as np
import pytest
from skimage.feature import graycomatrix, graycoprops

from privis.errors import ParameterError
from privis.features.glcm import GLCM, offset
from privis.features.image_ops import grey
from privis.program import Input, trace
from privis.readings import domain_problems, evaluate

ANGLES = (0.0, 45.0, 90.0, 135.0)


@pytest.mark.parametrize("every", [18, pytest.param(3, marks=pytest.mark.long)])
@pytest.mark.parametrize("levels", [8, 5])
def test_counts_and_statistics_equal_scikit_image(photographs, levels, every):
    feature = GLCM(levels=levels, distances=(1, 3), angles=ANGLES)
    for image in photographs[::every]:
        luma = grey(image)
        cut = (luma.astype(int) * levels // 256).astype(np.uint8)
        both = graycomatrix(cut, [1, 3], np.radians(ANGLES), levels=levels)
        for i, distance in enumerate((1, 3)):
            for j, angle in enumerate(ANGLES):
                program = trace(lambda x, d=distance, a=angle: feature.counts(x, offset(d, a)), Input(luma.shape))
                counts = evaluate(program, luma).reshape(levels, levels)
                np.testing.assert_array_equal(counts, both[:, :, i, j])
        normed = graycomatrix(cut, [1, 3], np.radians(ANGLES), levels=levels, symmetric=True, normed=True)
        names = ["contrast", "dissimilarity", "homogeneity", "ASM", "energy", "correlation"]
        theirs = np.stack([graycoprops(normed, name).ravel() for name in names], 1).ravel()
        ours = feature.after(evaluate(feature.program(luma.shape), luma))
        np.testing.assert_allclose(ours, theirs, atol=2e-6 * levels)


def test_a_flat_image_correlates_perfectly_as_in_scikit_image():
    feature = GLCM()
    flat = np.full((9, 9), 77, np.uint8)
    statistics = feature.after(evaluate(feature.program(flat.shape), flat)).reshape(4, 6)
    np.testing.assert_allclose(statistics, [[0, 0, 1, 1, 1, 1]] * 4, atol=1e-6)


def test_is_exact_in_any_arithmetic():
    assert domain_problems(GLCM().program((16, 16))) == []


def test_too_small_an_image_says_so():
    with pytest.raises(ParameterError, match="more than 3x3 pixels"):
        GLCM(distances=(3,)).program((3, 40))


@pytest.mark.parametrize("distance", [1, 2, 3, 5, 10, 64])
def test_offsets_round_as_the_reference_at_every_angle(distance):
    """Found by two images that tell rows and columns apart; 30 degrees is a tie that rounding decides."""
    side = distance + 2
    rows = np.repeat(np.arange(side, dtype=np.uint8)[:, None], side, 1)
    ties = [30.000000000000004, math.degrees(math.asin(0.5)), math.degrees(math.acos(0.25)), -30.0, 359.999]
    angles = [*np.arange(-90, 450, 7.5), *range(0, 360, 6 if distance == 64 else 1), *ties]
    radians = [math.radians(angle) for angle in angles]
    found = []
    for image in (rows, np.ascontiguousarray(rows.T)):
        pairs = graycomatrix(image, [distance], radians, levels=side)[:, :, 0]
        places = [np.nonzero(one) for one in np.moveaxis(pairs, 2, 0)]
        found.append([set((j - i).tolist()) for i, j in places])
    for angle, down, across in zip(angles, *found, strict=True):
        assert ({offset(distance, angle)[0]}, {offset(distance, angle)[1]}) == (down, across), angle
