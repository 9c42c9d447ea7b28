"""SIFT against the textbook, OpenCV and scipy.

Answers for `privis.features.keypoints.sift_kernels` and `privis.readings.direction_histograms`.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy import ndimage
from skimage import data

from benchmarks.extraction.sift_matching import graf_matching, opencv_sift, privis_sift
from privis.errors import ParameterError
from privis.features.feature import Feature
from privis.features.image_ops import grey
from privis.features.keypoints.keypoints import KeyPoints
from privis.features.keypoints.scale_space import dog_program, scale_space
from privis.features.keypoints.sift import FLAT, SIFT, DenseSIFT
from privis.program import Program, ops
from privis.readings import broken_promises, domain_problems, evaluate, polynomialise

PHOTOGRAPHS = [data.camera, data.astronaut, data.coins, data.chelsea, data.coffee, data.rocket]
BLANK = [np.full(shape, 201, np.uint8) for shape in ((1, 1), (1, 40), (5, 3), (30, 22), (64, 64))]


def luma(photograph) -> np.ndarray:
    return grey(photograph())


def textbook(window: np.ndarray, width: float) -> tuple[np.ndarray, float]:
    """Lowe's section 6 for one upright window: votes linear in x, y and angle, clipped at 0.2; and its energy."""
    middle, histogram = (len(window) - 1) / 2, np.zeros((6, 6, 8))  # a margin of cells catches what falls outside
    for v in range(1, len(window) - 1):
        for u in range(1, len(window) - 1):
            dx, dy = window[v, u + 1] - window[v, u - 1], window[v - 1, u] - window[v + 1, u]
            x, y = (u - middle) / width, (v - middle) / width
            angle = np.arctan2(dy, dx) % (2 * np.pi) / (2 * np.pi) * 8
            weight = np.hypot(dx, dy) * np.exp(-(x * x + y * y) / 8)
            column, row, direction = int(np.floor(x + 2.5)), int(np.floor(y + 2.5)), int(angle)
            for i, wi in ((row, row + 1 - (y + 2.5)), (row + 1, y + 2.5 - row)):
                for j, wj in ((column, column + 1 - (x + 2.5)), (column + 1, x + 2.5 - column)):
                    if 0 <= i < 6 and 0 <= j < 6:
                        histogram[i, j, direction % 8] += weight * wi * wj * (direction + 1 - angle)
                        histogram[i, j, (direction + 1) % 8] += weight * wi * wj * (angle - direction)
    inner = histogram[1:5, 1:5].ravel() / width**2
    clipped = np.minimum(inner / np.linalg.norm(inner), 0.2)
    return clipped / np.linalg.norm(clipped), float((inner**2).sum())


def vector(feature: Feature, image: np.ndarray) -> np.ndarray:
    core_input = feature.before(image)
    return feature.after(evaluate(feature.program(core_input.shape), core_input))


@pytest.mark.parametrize("photograph", PHOTOGRAPHS)
def test_descriptors_equal_the_textbook(photograph):
    feature = SIFT(keypoints=12)
    patches = feature.before(photograph())
    got = vector(feature, photograph()).reshape(12, 128)
    expected = np.stack([textbook(patch.astype(float), 4)[0] for patch in patches])
    assert (got * expected).sum(1).min() >= 0.999
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("width", [4, 5])
def test_dense_descriptors_equal_the_textbook(width):
    image = luma(data.camera)[180:270, 180:260]
    feature = DenseSIFT(step=16, width=width)
    blurred = ndimage.gaussian_filter(image.astype(float), np.sqrt((width / 3) ** 2 - 0.25), mode="mirror")
    side = 21 if width == 4 else 27
    rows, columns = range(0, 90 - side + 1, 16), range(0, 80 - side + 1, 16)
    windows = [textbook(blurred[r : r + side, c : c + side], width) for r in rows for c in columns]
    expected, energies = np.stack([window[0] for window in windows]), np.array([window[1] for window in windows])
    got = vector(feature, image).reshape(-1, 128)
    assert got.shape == expected.shape
    cosines, strong = (got * expected).sum(1), energies > 30 * FLAT  # the others are clipped less
    assert strong.sum() >= 5 and cosines[strong].min() >= 0.999 and cosines.min() >= 0.9


def opencv(image: np.ndarray) -> tuple[KeyPoints, np.ndarray]:
    """OpenCV's key points in true pixels (its default doubling shifts them by a quarter) and descriptors."""
    found, descriptors = cv2.SIFT_create().detectAndCompute(image, None)
    columns = np.array([(*p.pt, p.size, p.angle, p.response) for p in found]).T
    points = KeyPoints.of(
        x=columns[0] - 0.25, y=columns[1] - 0.25, size=columns[2], angle=columns[3], response=columns[4]
    )
    return points, descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True)


@pytest.mark.parametrize("photograph", PHOTOGRAPHS)
def test_descriptors_at_opencvs_key_points(photograph):
    image = luma(photograph)
    points, expected = opencv(image)
    cosines = (SIFT().describe_at(image, points) * expected).sum(1)
    assert np.median(cosines) >= 0.995 and np.percentile(cosines, 10) >= 0.97


@pytest.mark.parametrize("photograph", PHOTOGRAPHS)
def test_finds_opencvs_key_points(photograph):
    image = luma(photograph)
    (theirs, _), ours = opencv(image), SIFT().detect(image)
    assert len(ours) == pytest.approx(len(theirs), rel=0.1)
    far = np.hypot(theirs.x[:, None] - ours.x, theirs.y[:, None] - ours.y) > 0.25 * theirs.size[:, None]
    turned = np.abs((theirs.angle[:, None] - ours.angle + 180) % 360 - 180) > 10
    scaled = np.abs(np.log2(theirs.size[:, None] / ours.size)) > 0.2
    assert (~(far | turned | scaled)).any(1).mean() >= 0.9


@pytest.mark.long
def test_matches_graf_as_opencv_does(shared):
    folder = shared / "local_features/graf"
    ours, theirs = graf_matching({"ours": privis_sift, "theirs": opencv_sift}, folder).values()
    for share, reference in zip(ours.right, theirs.right, strict=True):
        assert share >= reference - 2
    for count, reference in zip(ours.matches, theirs.matches, strict=True):
        assert count >= 0.9 * reference  # no better share by fewer matches


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (37, 24), (128, 151)])
def test_differences_of_gaussians_as_a_program(shape):
    image = luma(data.camera)[100 : 100 + shape[0], 200 : 200 + shape[1]]
    program = dog_program(shape)
    got = evaluate(program, image)
    native = [np.diff(levels, axis=0) for levels in scale_space(image)]
    assert domain_problems(program) == []
    for a, b in zip(got if isinstance(got, tuple) else (got,), native, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)


def test_scale_space_equals_scipys_filters():
    image = luma(data.camera)[:90, :70]
    doubled = ndimage.zoom(image.astype(float), 2, order=1, mode="nearest", grid_mode=True)
    for octave, levels in enumerate(scale_space(image)[:2]):
        for layer, level in enumerate(levels):
            sigma = np.sqrt((1.6 * 2 ** (octave + layer / 3)) ** 2 - 1)  # in pixels of the doubled image
            expected = ndimage.gaussian_filter(doubled, sigma, mode="mirror", truncate=6)[:: 2**octave, :: 2**octave]
            np.testing.assert_allclose(level, expected, atol=0.3)  # cut off at 4 deviations, blurred in steps


def test_turned_photograph_has_the_same_descriptors():
    image = luma(data.astronaut)[:200, :200]
    (points, here), (turned, there) = SIFT().describe(image), SIFT().describe(np.rot90(image))
    distances = np.hypot(points.x[:, None] - (199 - turned.y), points.y[:, None] - turned.x)
    angles = np.abs((points.angle[:, None] - turned.angle - 90 + 180) % 360 - 180)
    found = (distances < 0.1) & (angles < 1)
    first = points.size < 3.6  # the next octaves keep every second pixel, and turned these are the others
    assert first.sum() > 30 and found[first].any(1).mean() >= 0.95
    i, j = np.nonzero(found & first[:, None])
    assert (here[i] * there[j]).sum(1).min() >= 0.999


@pytest.mark.parametrize("image", BLANK, ids=lambda image: str(image.shape))
@pytest.mark.parametrize("feature", [SIFT(keypoints=5), DenseSIFT(), DenseSIFT(step=3, width=5)])
def test_flat_and_tiny_images_have_zero_descriptors(feature, image):
    got = vector(feature, image)
    assert len(got) == len(feature.names(feature.before(image).shape)) > 0
    assert np.abs(got).max() < 1e-3


def test_missing_key_points_are_zero_and_the_strongest_come_first():
    image = data.astronaut()
    few, many = vector(SIFT(keypoints=5), image), vector(SIFT(keypoints=1200), image).reshape(-1, 128)
    points, described = SIFT().describe(image)
    assert np.all(np.diff(points.response) <= 0) and len(points) < 1200
    np.testing.assert_allclose(many[: len(points)], described, atol=1e-5)
    np.testing.assert_allclose(many[:5].ravel(), few, atol=1e-5)
    assert not many[len(points) :].any()


@pytest.mark.parametrize("feature", [SIFT(), DenseSIFT()])
def test_does_not_magnify_the_errors_of_zero_descriptors(feature):
    errors = 1e-4 * np.random.default_rng(0).normal(size=(9, 128))  # as fixed-point shares and ciphertexts make
    assert np.linalg.norm(feature.after(errors).reshape(9, 128), axis=1).max() < 0.02


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (12, 12), (25, 24, 3)])
def test_noise_of_any_size_is_described(shape):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    points, described = SIFT().describe(image)
    assert described.shape == (len(points), 128) and np.isfinite(described).all()
    for feature in (SIFT(keypoints=3), DenseSIFT(), DenseSIFT(size=(40, 60))):
        assert np.isfinite(vector(feature, image)).all()


def promises(program: Program) -> list[type]:
    return [type(program.nodes[int(p.where.split()[1])].op) for p in domain_problems(program)]


@pytest.mark.parametrize("photograph", PHOTOGRAPHS)
@pytest.mark.parametrize("feature", [SIFT(), DenseSIFT()])
def test_photographs_keep_the_promised_domains(feature, photograph):
    core_input = feature.before(photograph())
    program = feature.program(core_input.shape)
    assert promises(program) == [ops.Normalise, ops.Normalise]
    assert broken_promises(program, core_input) == []


def test_kodak_keeps_the_promised_domains(shared):
    for path in sorted((shared / "photos/kodak").glob("*.png"))[:3]:
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        for feature in (SIFT(), DenseSIFT()):
            core_input = feature.before(image)
            assert broken_promises(feature.program(core_input.shape), core_input) == []


@pytest.mark.parametrize("feature", [SIFT(keypoints=40), DenseSIFT(size=(80, 80))])
def test_polynomial_form_is_close_on_photographs(feature):
    core_input = feature.before(data.astronaut()).astype(float)
    program = feature.program(core_input.shape)
    form = polynomialise(program, promised=True)
    expected = feature.after(evaluate(program, core_input)).reshape(-1, 128)
    got = feature.after(evaluate(form.program, core_input)).reshape(-1, 128)
    assert (got * expected).sum(1).min() >= 0.995


def test_polynomial_form_of_missing_key_points_is_zero():
    feature = SIFT(keypoints=2)
    form = polynomialise(feature.program((2, 21, 21)), promised=True)
    empty = feature.after(evaluate(form.program, np.zeros((2, 21, 21)))).reshape(2, 128)
    assert np.linalg.norm(empty, axis=1).max() < 0.002  # of 1: the ripple of the clip's minimax sign


def test_refuses_bad_parameters_all_at_once():
    with pytest.raises(ParameterError) as caught:
        SIFT(keypoints=0, size=(0, 5), contrast=-1.0, edge=float("nan"))
    assert len(caught.value.problems) == 4
    with pytest.raises(ParameterError, match="step"):
        DenseSIFT(step=0)


@pytest.mark.parametrize("size", [[2.0], [2.0, 0.0], [2.0, np.nan]])
def test_refuses_impossible_key_points(size):
    with pytest.raises(ParameterError, match="KeyPoints"):
        KeyPoints.of(x=[1, 2], y=[1, 2], size=size, angle=[0, 0], response=[1, 1])


def test_follows_the_protocol():
    assert isinstance(SIFT(), Feature) and isinstance(DenseSIFT(), Feature)
    image = data.camera()
    for feature in (SIFT(keypoints=7), DenseSIFT(step=32, size=(100, 130))):
        names = feature.names(feature.before(image).shape)
        got = vector(feature, image)
        assert got.dtype == np.float32 and got.shape == (len(names),) and len(set(names)) == len(names)
