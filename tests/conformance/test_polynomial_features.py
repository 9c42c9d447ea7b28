"""Definition to polynomial form on photographs, at depths that CKKS has: what users of encrypted features get."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage import data
from skimage.feature import hog

from privis.features.hog import HOG, BlockNorm
from privis.features.image_ops import grey, resize
from privis.features.keypoints.sift import SIFT, DenseSIFT
from privis.features.keypoints.surf import SURF
from privis.features.lbp import LBP, Patterns
from privis.io.images.decode import load
from privis.readings import alternative, broken_promises, cost, evaluate, polynomialise, split_at_owner, stretch

PHOTOGRAPHS = (
    "astronaut", "brick", "camera", "chelsea", "clock", "coffee", "coins", "grass", "gravel", "hubble_deep_field",
    "immunohistochemistry", "moon", "page", "retina", "rocket", "text",
)  # fmt: skip


def available() -> dict[str, np.ndarray]:
    """The photographs that this scikit-image has on disk."""
    found = {}
    for name in PHOTOGRAPHS:
        try:
            found[name] = getattr(data, name)()
        except Exception:  # not in the wheel, and no network to fetch it from
            continue
    return found


@pytest.fixture(scope="module")
def images() -> dict[str, np.ndarray]:
    """Every photograph of scikit-image, and of Kodak where the checkout has them."""
    found = available()
    assert len(found) >= 10
    kodak = Path(__file__).resolve().parents[2] / "shared" / "data" / "photos" / "kodak"
    return found | {path.stem: load(path) for path in sorted(kodak.glob("*.png"))}


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a.ravel() @ b.ravel() / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize("block", [2, 3])
def test_hog_with_blocks_normalised_by_the_owner(images, block):
    feature = HOG(block=block, norm=BlockNorm.L2)
    head, tail = split_at_owner(feature.program((64, 64)))
    form = polynomialise(head, stages=5, precision=0.02)
    assert cost(form.program).depth == 17
    cosines = {}
    for name, image in images.items():
        x = grey(resize(image, (64, 64)))
        factor = stretch(form, x)
        ours = evaluate(tail, evaluate(form.program, factor * x.astype(float)) / factor)
        cosines[name] = cosine(ours, hog(x, 9, (8, 8), (block, block), block_norm="L2"))
    assert min(cosines.values()) >= 0.99, cosines
    assert np.mean(list(cosines.values())) >= 0.997


def test_hog_in_three_levels_less_is_right_where_there_is_contrast(images):
    form = polynomialise(HOG().cells_program((64, 64)), stages=4, precision=0.03)
    assert cost(form.program).depth == 14
    x = grey(resize(images["astronaut"], (64, 64)))
    tail = HOG(block=2, norm=BlockNorm.L2).blocks_program((64, 64))
    ours = evaluate(tail, evaluate(form.program, stretch(form, x) * x.astype(float)))
    assert cosine(ours, hog(x, 9, (8, 8), (2, 2), block_norm="L2")) >= 0.995


def test_hog_normalised_inside(images):
    """For what follows without the owner: 1 level for the energy of a block, 4 for its inverse root, 1 to apply it."""
    program = HOG(norm=BlockNorm.L2).program((64, 64))
    form = polynomialise(
        program,
        promised=True,
        stages=(15, 15, 7, 7),
        precision=0.02,
        normalise_domain=(50.0, 2e4),
        normalise_degree=15,
        normalise_error=0.05,
    )
    assert cost(form.program).depth == 22
    cosines = {}
    for name, image in images.items():
        x = grey(resize(image, (64, 64)))
        y = stretch(form, x) * x.astype(float)
        assert broken_promises(form.program, y) == []
        ours = evaluate(form.program, y)
        cosines[name] = cosine(ours, hog(x, 9, (8, 8), (3, 3), block_norm="L2"))
    assert broken_promises(form.program, 1.01 * y)  # the largest factor there is
    assert min(cosines.values()) >= 0.99, cosines
    assert np.mean(list(cosines.values())) >= 0.997


@pytest.mark.parametrize(("grid", "share"), [((1, 1), 0.01), ((2, 2), 0.015)])
def test_uniform_patterns(images, grid, share):
    program = LBP(Patterns.UNIFORM, grid=grid).program((64, 64))
    form = polynomialise(program, stages=5, precision=0.01)
    assert cost(form.program).depth == 21
    for name, image in images.items():
        x = grey(resize(image, (64, 64))).astype(float)
        off = np.abs(evaluate(form.program, x) - evaluate(program, x)).max()
        assert off <= share * 64 * 64 / (grid[0] * grid[1]), name


@pytest.mark.parametrize("points", [4, 5, 7, 8, 10])
def test_the_alternative_for_uniform_patterns_is_the_definition(points):
    program = LBP(Patterns.UNIFORM, points=points, radius=1.5, grid=(2, 1)).program((30, 40))
    x = np.random.default_rng(points).integers(0, 256, (30, 40)).astype(float)
    np.testing.assert_array_equal(evaluate(alternative(program), x), evaluate(program, x))
    form = polynomialise(program)
    assert np.abs(evaluate(form.program, x) - evaluate(program, x)).max() <= 0.01 * 15 * 40


@pytest.mark.parametrize(
    ("feature", "depth"),
    [(SIFT(keypoints=16), 13), (DenseSIFT(step=8, size=(64, 64)), 13), (SURF(keypoints=16, threshold=1.0), 11)],
    ids=lambda value: getattr(value, "name", value),
)
def test_descriptors_normalised_by_the_owner(images, feature, depth):
    cores = [feature.before(image).astype(float) for image in images.values()]
    program = feature.program(cores[0].shape)
    head, tail = split_at_owner(program)
    form = polynomialise(head, stages=3, precision=0.02)
    assert cost(form.program).depth == depth
    for name, x in zip(images, cores, strict=True):
        factor = stretch(form, x)
        ours = feature.after(evaluate(tail, evaluate(form.program, factor * x) / factor))
        exact = feature.after(evaluate(program, x))
        length = program.output_shapes[0][-1]
        ours, exact = ours.reshape(-1, length), exact.reshape(-1, length)
        real = np.linalg.norm(exact, axis=1) > 0.5  # missing key points are empty
        assert (ours * exact).sum(1)[real].min(initial=1.0) >= 0.99, name
