"""No pair of neighbours is further apart on the integer grid than the sensitivity that is claimed."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from privis.privacy import FeatureRelease, Gaussian, Laplace, Patch, Pixels, WholeImage
from privis.privacy.releases.image import block_sums
from privis.privacy.sensitivity import Norm, pixel_sensitivity
from privis.privacy.units import Unit

shapes = st.one_of(
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(3)),
)
NORMS: tuple[Norm, Norm] = ("L1", "L2")


def changed_positions(unit: Unit, shape: tuple[int, ...], order: npt.NDArray[np.int64], corner: int) -> npt.NDArray:
    """Mask of the pixels that a neighbour may change, as far as the unit allows."""
    mask = np.zeros(shape[0] * shape[1], bool)
    if isinstance(unit, WholeImage):
        mask[:] = True
    elif isinstance(unit, Pixels):
        mask[order[: unit.count]] = True
    grid = mask.reshape(shape[:2])
    if isinstance(unit, Patch):
        tops, lefts = range(0, shape[0], unit.side), range(0, shape[1], unit.side)
        top, left = list(itertools.product(tops, lefts))[corner % (len(tops) * len(lefts))]
        grid[top : top + unit.side, left : left + unit.side] = True
    return grid


@settings(max_examples=300, deadline=None)
@given(data=st.data(), shape=shapes, block=st.integers(1, 5), count=st.integers(1, 90))
def test_no_neighbour_breaches_the_claim(data: st.DataObject, shape, block: int, count: int) -> None:
    unit = data.draw(st.sampled_from([WholeImage(), Pixels(count), Patch(block)]))
    image = data.draw(hnp.arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 1, 128, 255])))
    # Changed pixels come block by block, or in any order.
    rows, columns = np.divmod(np.arange(shape[0] * shape[1]), shape[1])
    by_block = np.lexsort((columns, rows, columns // block, rows // block))
    order = data.draw(st.one_of(st.just(by_block), st.permutations(range(shape[0] * shape[1])).map(np.array)))
    mask = changed_positions(unit, shape, order, data.draw(st.integers(0, 100)))
    target = data.draw(hnp.arrays(np.uint8, shape, elements=st.sampled_from([0, 255, 255, 77])))
    neighbour = image.copy()
    neighbour[mask] = target[mask]
    move = (block_sums(neighbour, block) - block_sums(image, block)).ravel()
    for norm in NORMS:
        claim = pixel_sensitivity(norm, unit, block, shape)
        distance = np.abs(move).sum() ** 2 if norm == "L1" else (move**2).sum()
        assert distance <= claim.squared
        assert np.count_nonzero(move) <= claim.coordinates
        assert np.abs(move).max() <= claim.largest
        assert claim.value**2 >= claim.squared * (1 - 1e-15)


@settings(max_examples=150, deadline=None)
@given(shape=st.tuples(st.integers(1, 6), st.integers(1, 6)), block=st.integers(1, 4), count=st.integers(1, 40))
def test_the_claim_is_attained(shape: tuple[int, int], block: int, count: int) -> None:
    """Black to white, filling the largest blocks first, moves the sums exactly as far as is claimed."""
    rows, columns = np.divmod(np.arange(shape[0] * shape[1]), shape[1])
    area = np.minimum(block, shape[0] - rows // block * block) * np.minimum(block, shape[1] - columns // block * block)
    order = np.lexsort((columns // block, rows // block, -area))
    for unit in (WholeImage(), Pixels(count), Patch(block)):
        image = np.zeros(shape, np.uint8)
        image[changed_positions(unit, shape, order, 0)] = 255
        move = block_sums(image, block)
        assert pixel_sensitivity("L1", unit, block, shape).squared == move.sum() ** 2
        assert pixel_sensitivity("L2", unit, block, shape).squared == (move**2).sum()


def test_sensitivities_in_numbers() -> None:
    assert pixel_sensitivity("L1", WholeImage(), 1, (28, 28)).value == 255 * 784
    assert pixel_sensitivity("L2", WholeImage(), 1, (28, 28)).value == 255 * 28
    assert pixel_sensitivity("L1", Pixels(5), 1, (28, 28, 3)).value == 255 * 5 * 3
    assert pixel_sensitivity("L2", Pixels(12), 1, (28, 28, 3)).value == 255 * 6
    assert pixel_sensitivity("L2", Pixels(20), 4, (28, 28)).squared == 255**2 * (16**2 + 4**2)
    assert pixel_sensitivity("L2", Pixels(20), 4, (2, 28)).squared == 255**2 * (8**2 + 8**2 + 4**2)
    assert pixel_sensitivity("L2", Patch(4), 4, (30, 30, 3)).squared == 255**2 * 16**2 * 3


awkward = st.one_of(
    st.floats(width=64),
    st.sampled_from([np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 1.0, -1.0, 0.1, 1e-6]),
)


@settings(max_examples=300, deadline=None)
@given(
    vector=hnp.arrays(np.float64, st.integers(1, 60), elements=awkward),
    clip=st.floats(2.0**-100, 2.0**100),
    noise=st.sampled_from([Laplace(1.0), Gaussian(1.0, 1e-5)]),
)
def test_whatever_the_feature_its_grid_vector_is_in_the_ball(vector, clip: float, noise) -> None:
    release = FeatureRelease(noise, clip)
    steps = [int(step) for step in release.on_grid(vector)]
    assert 2**19 <= release.radius <= 2**20
    if noise.norm == "L1":
        assert sum(map(abs, steps)) <= release.radius
    else:
        assert sum(step * step for step in steps) <= release.radius**2
    assert release.guarantee(vector.shape).sensitivity == 2 * release.radius


@pytest.mark.parametrize("noise", [Laplace(1.0), Gaussian(1.0, 1e-5)])
def test_clipping_keeps_direction_and_short_vectors(noise) -> None:
    release = FeatureRelease(noise, clip=2.0)
    short = np.array([0.5, -0.25, 0.125])
    assert np.array_equal(release.on_grid(short) * release.grid, short)
    long = release.on_grid(short * 1e6) * release.grid
    length = np.abs(long).sum() if noise.norm == "L1" else np.linalg.norm(long)
    assert 2.0 - 10 * release.grid <= length <= 2.0
    assert np.allclose(long / long[0], short / short[0], atol=1e-4)
    for bad in (np.nan, np.inf, -np.inf):
        assert not release.on_grid(np.array([1.0, bad, 1.0])).any()


def test_grid_points_between_the_clip_and_the_radius_are_pulled_in() -> None:
    """The clip 0.7 is 734003.2 / 2 steps: vectors near an axis would keep a norm above the integer radius."""
    release = FeatureRelease(Gaussian(1.0, 1e-5), clip=0.7)
    for angle in np.linspace(0, 2e-3, 500):
        steps = release.on_grid(np.array([np.cos(angle), np.sin(angle)]))
        assert (steps**2).sum() <= release.radius**2
