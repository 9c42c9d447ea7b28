"""Native kernels of dense detection equal the definition: `privis.run.clear.kernels.grid_products`."""

import numpy as np
import pytest

from privis.features.dalal_triggs import DalalTriggsHOG
from privis.program import Input, ops, trace
from privis.readings import evaluate
from privis.run.clear import Clear
from privis.run.clear.kernels import grid_products
from privis.run.clear.native import kernel_for


@pytest.mark.parametrize("lying", [False, True])
@pytest.mark.parametrize("shape", [(15, 7), (4, 4), (1, 16), (20, 3)])
@pytest.mark.parametrize("outputs", [1, 3])
def test_correlations_by_products_equal_the_definition(lying, shape, outputs):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(9, 23, 31)).astype(np.float32)
    if lying:
        x = np.ascontiguousarray(x.transpose(2, 1, 0)).transpose(2, 1, 0)
    op = ops.Conv(rng.normal(size=(outputs, 9, *shape)))
    found = grid_products.convolution(op, x)
    expected = evaluate(trace(lambda v: v >> op, Input(x.shape, -9.0, 9.0, None)), x)
    assert found is not None and found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_others_are_left_to_the_definition():
    x, kernel = np.zeros((8, 9, 9), np.float32), np.zeros((1, 8, 5, 5))
    assert grid_products.convolution(ops.Conv(kernel), x) is not None
    for op in (ops.Conv(kernel, stride=(2, 2)), ops.Conv(kernel, pad=(1, 1, 1, 1)), ops.Conv(kernel[:, :1], groups=8)):
        assert grid_products.convolution(op, x) is None
    assert grid_products.convolution(ops.Conv(kernel), x.astype(np.float64)) is None


@pytest.mark.parametrize("shape", [(16, 16), (33, 90), (129, 64)])
@pytest.mark.parametrize("gamma", [True, False])
def test_interpolated_blocks_equal_the_definition(shape, gamma):
    rng = np.random.default_rng(2)
    image = rng.integers(0, 255, shape, dtype=np.uint8)
    image[:, shape[1] // 2 :] = np.linspace(0, 255, shape[0]).astype(np.uint8)[:, None]  # gradients on a direction
    hog = DalalTriggsHOG(size=None, gamma=gamma)
    x, program = hog.before(image), hog.program(shape)
    assert np.abs(Clear().prepare(program)(x) - evaluate(program, x)).max() <= 2e-5


def test_every_region_of_the_blocks_has_a_kernel():
    program = DalalTriggsHOG(size=None).program((40, 48))
    assert [kernel_for(program, region) is not None for region in program.regions] == [True, True]
