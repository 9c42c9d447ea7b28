"""tasks/detection/networks/encodings.py against loops over cells and priors."""

import math

import numpy as np

from privis.tasks.detection.networks import BoxEncoding, PriorGrid
from privis.tasks.detection.networks.encodings import corners_of, prior_boxes
from privis.tasks.detection.networks.named_heads import SSD300_MOBILENET, SSD300_VGG

SIZE = (64, 96)


def _corners(x, y, w, h):
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def test_cells_of_yolox(rng):
    numbers, expected, row = rng.normal(0, 0.5, (8 * 12 + 4 * 6 + 2 * 3, 4)), [], 0
    for stride in (8, 16, 32):
        for y in range(SIZE[0] // stride):
            for x in range(SIZE[1] // stride):
                a, b, c, d = numbers[row]
                expected.append(
                    _corners((x + a) * stride, (y + b) * stride, math.exp(c) * stride, math.exp(d) * stride)
                )
                row += 1
    found = corners_of(numbers, BoxEncoding.CELL_OFFSETS, SIZE, strides=(8, 16, 32))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_cells_of_fastestdet(rng):
    numbers, expected = rng.normal(0, 1, (4 * 6, 4)), []
    for y in range(4):
        for x in range(6):
            a, b, c, d = numbers[6 * y + x]
            w, h = (1 / (1 + math.exp(-value)) for value in (c, d))
            expected.append(_corners((x + math.tanh(a)) / 6 * 96, (y + math.tanh(b)) / 4 * 64, w * 96, h * 64))
    found = corners_of(numbers, BoxEncoding.BOUNDED_OFFSETS, SIZE, strides=(16,))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_priors_of_ssd(rng):
    grids, expected = (PriorGrid(3, 100, 60, 111, (2.0, 3.0)), PriorGrid(1, 300, 264, 315, (2.0,))), []
    for grid in grids:
        for y in range(grid.cells):
            for x in range(grid.cells):
                sides = [(grid.smallest, grid.smallest), (math.sqrt(grid.smallest * grid.largest),) * 2]
                for ratio in grid.ratios:
                    wide, low = grid.smallest * math.sqrt(ratio), grid.smallest / math.sqrt(ratio)
                    sides += [(wide, low), (low, wide)]
                for w, h in sides:
                    prior = [(x + 0.5) * grid.step, (y + 0.5) * grid.step, w, h]
                    expected.append([min(1, value / 300) for value in prior])
    priors = prior_boxes(grids, 300)
    np.testing.assert_allclose(priors, expected, rtol=1e-12)
    numbers = rng.normal(0, 1, priors.shape)
    found = corners_of(numbers, BoxEncoding.PRIOR_OFFSETS, (300, 300), priors=priors)
    for (px, py, pw, ph), (a, b, c, d), corners in zip(priors, numbers, found, strict=True):
        box = _corners(px + 0.1 * a * pw, py + 0.1 * b * ph, pw * math.exp(0.2 * c), ph * math.exp(0.2 * d))
        np.testing.assert_allclose(corners, np.array(box) * 300, rtol=1e-12)


def test_published_counts_of_priors():
    assert sum(grid.count for grid in SSD300_VGG.grids) == len(prior_boxes(SSD300_VGG.grids, 300)) == 8732
    assert sum(grid.count for grid in SSD300_MOBILENET.grids) == 3000


def test_shares_and_sizes_without_bounds():
    assert corners_of([[0.5, 0.25, 1, 1]], BoxEncoding.CORNER_SHARES, SIZE).tolist() == [[48, 16, 96, 64]]
    huge = corners_of(np.full((126, 4), 1e9), BoxEncoding.CELL_OFFSETS, SIZE, strides=(8, 16, 32))
    assert np.isfinite(huge).all()
