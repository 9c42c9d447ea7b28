"""Gabor energies against scikit-image's kernels and scipy's convolution."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.signal import fftconvolve
from skimage import data, filters

from privis.errors import ParameterError
from privis.features.feature import Feature
from privis.features.wavelets.gabor import Gabor
from privis.program import ops
from privis.readings import cost, domain_problems, evaluate, polynomialise


def textbook(image: np.ndarray, frequency: float, angle: float, bandwidth: float, margin: int) -> np.ndarray:
    """Squared moduli where a filter of radius ``margin`` fits, from scikit-image's kernel without its mean."""
    kernel = filters.gabor_kernel(frequency, angle, bandwidth)
    envelope = np.abs(kernel)
    kernel = kernel - envelope * (kernel.real.sum() / envelope.sum())
    rows, columns = (margin - length // 2 for length in kernel.shape)
    seen = image[rows : len(image) - rows, columns : image.shape[1] - columns]
    return np.abs(fftconvolve(seen.astype(float), kernel, mode="valid")) ** 2


@pytest.mark.parametrize("photograph", [data.camera, data.coins, data.chelsea])
@pytest.mark.parametrize("feature", [Gabor(), Gabor((0.15, 0.3, 0.5), angles=5, bandwidth=1.4, grid=(3, 2), stride=3)])
def test_equals_scikit_images_kernels(photograph, feature):
    image = feature.before(photograph())[:200, :233]
    got = evaluate(feature.program(image.shape), image)
    margin, (rows, columns) = feature.least // 2, feature.grid
    for f, frequency in enumerate(feature.frequencies):
        for a in range(feature.angles):
            moduli = textbook(image, frequency, math.pi * a / feature.angles, feature.bandwidth, margin)
            assert moduli.shape == (200 - 2 * margin, 233 - 2 * margin)
            moduli = moduli[:: feature.stride, :: feature.stride]
            height, width = moduli.shape[0] // rows, moduli.shape[1] // columns
            for r, c in np.ndindex(rows, columns):
                cell = moduli[r * height : (r + 1) * height, c * width : (c + 1) * width]
                assert got[f, a, r, c] == pytest.approx(cell.mean(), rel=1e-5)
    np.testing.assert_allclose(feature.after(got) ** 2, got.ravel(), rtol=1e-6)


@pytest.mark.parametrize("degrees", [0, 45, 90, 135])
def test_finds_frequency_and_direction_of_a_wave(degrees):
    y, x = np.mgrid[:96, :96]
    turn = math.radians(degrees)
    wave = 128 + 100 * np.cos(2 * math.pi * 0.2 * (x * math.cos(turn) + y * math.sin(turn)))
    feature = Gabor()
    vector = feature.after(evaluate(feature.program((96, 96)), wave))
    assert feature.names((96, 96))[int(vector.argmax())] == f"gabor_0.2_{degrees}_0_0"
    assert vector.max() == pytest.approx(50, rel=0.05)  # half the amplitude; filters are cut at 2 to 3 deviations


def test_is_its_own_polynomial_form():
    program = Gabor(grid=(2, 2)).program((64, 64))
    assert {type(node.op) for node in program.nodes} == {
        ops.Slice, ops.Reshape, ops.Conv, ops.Mul, ops.Sum, ops.Concat, ops.Affine,
    }  # fmt: skip
    assert domain_problems(program) == []
    assert polynomialise(program).errors == ()
    assert cost(program).depth == 2


def test_flat_images_have_no_energy():
    feature = Gabor()
    vector = feature.after(evaluate(feature.program((40, 50)), np.full((40, 50), 255, np.uint8)))
    assert vector.shape == (24,)
    assert vector.max() < 1e-3


def test_smallest_image_and_one_pixel_less():
    feature = Gabor(grid=(2, 1))
    assert evaluate(feature.program((36, 35)), np.zeros((36, 35))).shape == (3, 8, 2, 1)
    with pytest.raises(ParameterError, match=r"an image of 35x35 pixels.*at least 36x35 pixels.*size="):
        feature.program((35, 35))
    with pytest.raises(ParameterError, match=r"an image of 1x1 pixels"):
        feature.program((1, 1))
    tiny = Gabor(size=(40, 40))
    assert tiny.after(evaluate(tiny.program((40, 40)), tiny.before(np.zeros((1, 1, 3), np.uint8)))).shape == (24,)


def test_names_match_the_vector():
    feature = Gabor((0.2, 0.4), angles=3, grid=(2, 2))
    names = feature.names((64, 64))
    assert isinstance(feature, Feature)
    assert len(set(names)) == len(names) == np.prod(feature.program((64, 64)).output_shapes[0])
    assert names[5] == "gabor_0.2_60_0_1"
    assert names[14] == "gabor_0.4_0_1_0"


def test_noise_below_zero_counts_as_zero():
    np.testing.assert_array_equal(Gabor().after(np.array([[-4.0, 9.0]])), np.array([0.0, 3.0], np.float32))


def test_refuses_parameters_all_at_once():
    with pytest.raises(ParameterError) as raised:
        Gabor(frequencies=(0.1, 0.7), angles=0, bandwidth=-1, grid=(0, 2), stride=0, size=(0, 3))
    assert [problem.where for problem in raised.value.problems] == [
        "Gabor.frequencies", "Gabor.angles", "Gabor.bandwidth", "Gabor.grid", "Gabor.stride", "Gabor.size",
    ]  # fmt: skip
    with pytest.raises(ParameterError, match=r"Gabor.size: got 34, expected an integer from 35 to 32767"):
        Gabor(size=(34, 64))
    for frequencies in ((), [0.1], (0.0,), (float("nan"),), "0.1"):
        with pytest.raises(ParameterError, match=r"Gabor.frequencies"):
            Gabor(frequencies=frequencies)  # type: ignore[arg-type]
