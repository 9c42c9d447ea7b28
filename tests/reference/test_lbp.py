"""Local binary patterns against scikit-image."""

import numpy as np
import pytest
from skimage.feature import local_binary_pattern

from privis.errors import ParameterError
from privis.features.image_ops import grey
from privis.features.lbp import LBP, Patterns, rotation_classes
from privis.program import Input, trace
from privis.readings import domain_problems, evaluate

TILE = 256  # scikit-image decides ties by rounding absolute coordinates; up to 512 that rounding is harmless


def codes(image, feature=LBP()):
    program = trace(feature.bits, Input(image.shape))
    weights = 2 ** np.arange(feature.points)
    return (evaluate(program, image) * weights[:, None, None]).sum(0)


def tiles(photographs):
    for image in photographs:
        luma = grey(image)
        for row in range(0, luma.shape[0] - 7, TILE):
            for column in range(0, luma.shape[1] - 7, TILE):
                yield np.ascontiguousarray(luma[row : row + TILE, column : column + TILE])


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.long)])
def test_default_codes_equal_scikit_image_on_99_999_percent_of_pixels(photographs, every):
    wrong = total = 0
    for tile in tiles(photographs[::every]):
        wrong += int((codes(tile) != local_binary_pattern(tile, 8, 1)).sum())
        total += tile.size
    assert total > 4_000_000 / every
    assert wrong <= 1e-5 * total, f"{wrong} of {total} pixels differ"


def test_on_whole_photographs_only_ties_differ(photographs):
    """From row or column 512 on scikit-image rounds coordinates coarser; where we differ it decides a tie."""
    feature = LBP()
    for image in photographs[:6]:
        luma = grey(image)
        theirs = local_binary_pattern(luma, 8, 1).astype(int)
        rows, columns = np.nonzero(codes(luma).astype(int) != theirs)
        differences = evaluate(trace(lambda x: difference(feature, x), Input(luma.shape)), luma)
        for row, column in zip(rows[:200], columns[:200], strict=True):
            changed = int(codes(luma[row - 1 : row + 2, column - 1 : column + 2])[1, 1]) ^ theirs[row, column]
            for point in range(8):
                if changed >> point & 1:
                    assert abs(differences[point, row, column]) <= 4 * 255 * 2.0**-13


def difference(feature, x):
    """Interpolated neighbour minus pixel, before the comparison."""
    convolution = trace(feature.bits, Input(x.shape)).nodes[1].op
    return x.reshape(1, *x.shape) >> convolution


@pytest.mark.parametrize("radius", [1.0, 2.0, 1.5])
def test_other_radii_and_points(camera, radius):
    for points in (4, 8):
        feature = LBP(points=points, radius=radius)
        theirs = local_binary_pattern(camera, points, radius).astype(int)
        changed = codes(camera, feature).astype(int) ^ theirs
        program = trace(lambda x, f=feature: difference(f, x), Input(camera.shape))
        differences = evaluate(program, camera)
        for point in range(points):
            undecided = np.abs(differences[point]) <= 4 * 255 * 2.0**-13  # what rounding four weights can change
            assert undecided[changed >> point & 1 == 1].all()


def histogram(feature, image):
    x = feature.before(image)
    return feature.after(evaluate(feature.program(x.shape), x))


def test_uniform_and_rotation_invariant_histograms(camera):
    uniform = local_binary_pattern(camera, 8, 1, "uniform").astype(int)
    np.testing.assert_array_equal(histogram(LBP(Patterns.UNIFORM), camera), np.bincount(uniform.ravel(), minlength=10))
    invariant = local_binary_pattern(camera, 8, 1, "ror").astype(int)
    least = [c for c in range(256) if rotation_classes(8)[:, c].any() and c == min(rotations(c))]
    expected = [int((invariant == code).sum()) for code in least]
    np.testing.assert_array_equal(histogram(LBP(Patterns.ROTATION_INVARIANT), camera), expected)


def rotations(code):
    return [(code >> k | code << (8 - k)) & 255 for k in range(8)]


def test_grid_is_a_histogram_per_cell(camera):
    every = local_binary_pattern(camera, 8, 1).astype(int)
    ours = histogram(LBP(grid=(3, 5)), camera).reshape(3, 5, 256)
    for row in range(3):
        for column in range(5):
            cell = every[row * 85 : (row + 1) * 85, column * 51 : (column + 1) * 51]
            np.testing.assert_array_equal(ours[row, column], np.bincount(cell.ravel(), minlength=256))


def test_is_exact_in_any_arithmetic():
    for patterns in Patterns:
        assert domain_problems(LBP(patterns).program((16, 16))) == []


def test_too_small_an_image_says_so():
    with pytest.raises(ParameterError, match="at least 4x4 pixels"):
        LBP(grid=(4, 4)).program((2, 9))
