"""SURF against the paper's formulas in plain loops, scikit-image's Hessian, and mahotas on the graffiti sequence."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data
from skimage.feature import hessian_matrix_det

from privis.errors import ParameterError
from privis.features.feature import Feature, unit_rows
from privis.features.image_ops import grey
from privis.features.keypoints.keypoints import KeyPoints
from privis.features.keypoints.surf import MIXED, NOTHING, SURF, hessian_program, integral_image, upright_patches
from privis.features.keypoints.surf_kernels import determinants
from privis.readings import broken_promises, domain_problems, evaluate, polynomialise

BENCHMARK = Path(__file__).resolve().parents[3] / "benchmarks/extraction/surf_matching.py"


def textbook(patch: np.ndarray) -> np.ndarray:
    """Section 4.2 of the paper: Haar responses, a Gaussian of 3.3 scales, four sums in each of 4 x 4 cells."""
    result = np.zeros((4, 4, 4))
    for row in range(20):
        for column in range(20):
            near = patch[row : row + 2, column : column + 2].astype(float)
            weight = math.exp(-((row - 9.5) ** 2 + (column - 9.5) ** 2) / (2 * 3.3**2))
            dx = weight * (near[:, 1].sum() - near[:, 0].sum())
            dy = weight * (near[1].sum() - near[0].sum())
            result[row // 5, column // 5] += dx, dy, abs(dx), abs(dy)
    return result.ravel() / np.linalg.norm(result)


def test_descriptor_equals_the_textbook():
    surf = SURF(keypoints=40)
    patches = surf.before(data.camera())
    got = surf.after(evaluate(surf.program(patches.shape), patches)).reshape(40, 64)
    np.testing.assert_allclose(got, [textbook(patch) for patch in patches], atol=1e-5)


@pytest.mark.parametrize("side", [9, 15, 27, 51])
def test_hessian_program_is_what_the_detector_sees(side):
    image = data.coins()[:120, :160]
    got = evaluate(hessian_program(image.shape, side), image)
    half, integral = side // 2, integral_image(image)
    seen = determinants(integral, side, 1, MIXED)
    np.testing.assert_allclose(got, seen[half:-half, half:-half], atol=1e-5 * np.abs(seen).max())
    assert not seen[:half].any() and not seen[:, -half:].any()
    np.testing.assert_array_equal(determinants(integral, side, 4, MIXED), seen[::4, ::4])


@pytest.mark.parametrize("side", [9, 15, 27])
def test_hessian_equals_scikit_images(side):
    image = data.coins()[:120, :160]
    got = evaluate(hessian_program(image.shape, side), image.astype(float))
    inner = slice(side // 2, -(side // 2) - 1)  # its integral image starts a pixel later: the map lies one earlier
    expected = hessian_matrix_det(image.astype(float), sigma=side / 3)[inner, inner]
    np.testing.assert_allclose(got[1:, 1:], expected, atol=1e-6 * np.abs(expected).max())


def blob(x: float, y: float, sigma: float) -> np.ndarray:
    v, u = np.mgrid[:160, :200]
    return np.rint(40 + 200 * np.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * sigma**2))).astype(np.uint8)


@pytest.mark.parametrize("sigma", [4.0, 8.0, 16.0])
def test_finds_a_blob_with_its_place_and_size(sigma):
    points = SURF().detect(blob(90.3, 71.6, sigma)).strongest(1)
    assert points.x[0] == pytest.approx(90.3, abs=0.1)
    assert points.y[0] == pytest.approx(71.6, abs=0.1)
    # The paper's scale of a box filter is 0.71 times that of the Gaussian it stands for; mahotas finds 0.67 to 0.76.
    assert points.size[0] * 1.2 / 9 == pytest.approx(0.71 * sigma, rel=0.04)


def test_equal_samples_make_one_key_point():
    points = SURF().detect(blob(90.5, 71.5, 3.0))  # the four samples around the centre are equal
    near = np.hypot(points.x - 90.5, points.y - 71.5) < 2
    assert near[0]
    assert len(np.unique(np.round(points.size[near]))) == near.sum()


def test_patches_are_sampled_one_scale_apart_along_the_orientation():
    ramp = np.tile(np.arange(200, dtype=np.uint8), (200, 1))  # grey level = x
    points = KeyPoints.of(x=[100.25] * 3, y=[90] * 3, size=[30] * 3, angle=[0, 90, 30], response=[1] * 3)
    right, down, turned = upright_patches(integral_image(ramp), points)
    steps = 4.0 * (np.arange(21) - 10)  # a filter of 30 pixels has scale 4
    np.testing.assert_allclose(right, np.tile(100.25 + steps, (21, 1)), atol=1e-3)
    np.testing.assert_allclose(down, np.tile(100.25 - steps[:, None], (1, 21)), atol=1e-3)
    expected = 100.25 + steps * math.cos(math.radians(30)) - steps[:, None] * math.sin(math.radians(30))
    np.testing.assert_allclose(turned, expected, atol=1e-3)


def test_turns_with_the_image_exactly():
    image = data.camera()[100:357, 100:357]  # 257 pixels: every octave's samples fall onto themselves
    points, described = SURF().describe(image)
    turned, again = SURF().describe(np.rot90(image, -1).copy())  # clockwise: (x, y) to (256 - y, x)
    assert len(turned) == len(points) > 300
    order = np.lexsort(np.round([points.size, points.x, 256 - points.y], 2))
    back = np.lexsort(np.round([turned.size, turned.y, turned.x], 2))
    np.testing.assert_allclose(turned.x[back], 256 - points.y[order], atol=0.01)
    np.testing.assert_allclose(turned.size[back], points.size[order], rtol=1e-3)
    difference = (turned.angle[back] - points.angle[order] - 90 + 180) % 360 - 180
    same = np.abs(difference) < 0.1
    assert same.mean() > 0.99  # two windows of the orientation may be equally long
    np.testing.assert_allclose(again[back][same], described[order][same], atol=0.01)


def test_matches_under_rotation_scale_and_light():
    image = grey(data.chelsea())
    move = cv2.getRotationMatrix2D((225, 150), 37, 0.8)
    other = np.rint(0.6 * cv2.warpAffine(image, move, image.shape[::-1]) + 30).astype(np.uint8)
    first, described = SURF().describe(image)
    second, found = SURF().describe(other)
    pairs = cv2.BFMatcher().knnMatch(described[:300], found, k=2)
    best = [a for a, b in pairs if a.distance < 0.8 * b.distance]
    expected = first.positions[[m.queryIdx for m in best]] @ move[:, :2].T + move[:, 2]
    error = np.linalg.norm(expected - second.positions[[m.trainIdx for m in best]], axis=1)
    assert (error < 3).sum() > 120
    assert (error < 3).mean() > 0.8  # mahotas: 0.4


def test_upright_descriptors_do_not_turn():
    points = SURF(upright=True).detect(data.camera())
    assert not points.angle.any()
    assert np.ptp(SURF().detect(data.camera()).angle) > 300


def test_before_takes_the_strongest_and_pads_with_nothing():
    image = data.coins()
    points, described = SURF().describe(image)
    assert (np.diff(points.response) <= 0).all()
    few = SURF(keypoints=20)
    patches = few.before(image)
    got = few.after(evaluate(few.program(patches.shape), patches)).reshape(20, 64)
    np.testing.assert_allclose(got, described[:20], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(described, axis=1), 1, atol=1e-5)
    many = SURF(keypoints=len(points) + 5)
    patches = many.before(image)
    vector = many.after(evaluate(many.program(patches.shape), patches))
    assert not patches[-5:].any() and patches[-6].any()
    assert vector.dtype == np.float32 and vector.shape == (64 * (len(points) + 5),)
    assert not vector[-5 * 64 :].any()
    np.testing.assert_allclose(vector[: -5 * 64].reshape(-1, 64), described, atol=1e-6)


@pytest.mark.parametrize(
    "image",
    [
        np.full((1, 1), 7, np.uint8), np.zeros((1, 300), np.uint8), np.full((26, 26, 3), 90, np.uint8),
        np.full((200, 150), 255, np.uint8), np.tile(np.uint8([[0, 255], [255, 0]]), (50, 40)),
        np.repeat(np.arange(100, dtype=np.uint8)[:, None], 70, 1),
    ],
    ids=["pixel", "line", "tiny", "flat", "chequered", "ramp"],
)  # fmt: skip
def test_images_without_key_points(image):
    surf = SURF(keypoints=3)
    points, described = surf.describe(image)
    assert len(points) == 0 and described.shape == (0, 64)
    patches = surf.before(image)
    assert patches.shape == (3, 21, 21)
    assert not surf.after(evaluate(surf.program(patches.shape), patches)).any()


def test_flat_patches_have_no_descriptor_and_borders_continue():
    integral = integral_image(np.full((30, 40), 200, np.uint8))
    anywhere = KeyPoints.of(
        x=[0, 39, 20, -50], y=[0, 29, 15, 90], size=[9, 30, 99, 20], angle=[0, 45, 200, 10], response=[1] * 4
    )
    patches = upright_patches(integral, anywhere)
    np.testing.assert_allclose(patches, 200, rtol=1e-4)
    surf = SURF()
    assert np.abs(surf.after(evaluate(surf.program(patches.shape), patches))).max() < 1e-3


def test_photographs_keep_the_promise_and_survive_polynomials(photographs):
    surf = SURF(keypoints=64)
    program = surf.program((64, 21, 21))
    assert len(domain_problems(program)) == 1  # the energy, as documented
    form = polynomialise(program, promised=True).program
    for image in photographs[::3]:
        patches = surf.before(image)
        assert broken_promises(program, patches) == []
        exact, polynomial = (unit_rows(evaluate(p, patches), NOTHING) for p in (program, form))
        found = exact.any(1)
        assert (exact * polynomial).sum(1)[found].min() > 0.999
    stripes = np.tile(np.float32([0, 255] * 10 + [0]), (64, 21, 1))
    assert broken_promises(program, stripes)


def test_zero_patches_stay_zero_in_polynomial_form():
    form = polynomialise(SURF().program((2, 21, 21)), promised=True).program
    assert np.abs(SURF().after(evaluate(form, np.zeros((2, 21, 21))))).max() < 1e-6


def test_at_least_as_good_as_mahotas_on_graffiti(shared):
    rows = runpy.run_path(str(BENCHMARK))["run"](shared / "local_features/graf")
    ours, theirs = ([row for row in rows if row.method == method] for method in ("privis", "mahotas"))
    assert [row.view for row in ours] == [row.view for row in theirs] == [2, 3, 4]
    for our, their in zip(ours, theirs, strict=True):
        assert our.repeatability > their.repeatability
        assert our.right > their.right
        assert our.precision > their.precision
    assert ours[0].repeatability > 0.5 and ours[0].precision > 0.7


def test_names_match_the_vector():
    surf = SURF(keypoints=2)
    names = surf.names((2, 21, 21))
    assert isinstance(surf, Feature)
    assert len(set(names)) == len(names) == np.prod(surf.program((2, 21, 21)).output_shapes[0])
    assert names[64 + 4 * 7 + 2] == "surf_1_1_3_2"


def test_refuses_parameters_all_at_once():
    with pytest.raises(ParameterError) as raised:
        SURF(keypoints=0, size=(9, 0), threshold=float("nan"), octaves=9, upright=1)  # type: ignore[arg-type]
    assert [problem.where for problem in raised.value.problems] == [
        "SURF.keypoints", "SURF.size", "SURF.threshold", "SURF.octaves", "SURF.upright",
    ]  # fmt: skip
    for side in (3, 10, 12, 33):
        with pytest.raises(ParameterError, match=r"hessian_program\.side"):
            hessian_program((32, 40), side)
