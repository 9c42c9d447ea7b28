"""Scattering against kymatio, and what its polynomial form and its native kernel may differ by.

Answers for `privis.features.wavelets.morlet`.
"""

from __future__ import annotations

import numpy as np
import pytest
from kymatio.numpy import Scattering2D
from skimage import data

from privis.errors import ParameterError
from privis.features.feature import Feature
from privis.features.image_ops import grey, resize
from privis.features.wavelets.scattering import Scattering
from privis.program import Program, ops
from privis.readings import domain_problems, evaluate, polynomialise
from privis.readings.evaluate import evaluate_op
from privis.run.clear.kernels.wavelet_modulus import kernel

SMALL = Scattering(scales=2, angles=4, size=(16, 16))


@pytest.mark.parametrize(
    "photograph", [data.astronaut, *(pytest.param(one, marks=pytest.mark.long) for one in (data.chelsea, data.coins))]
)
@pytest.mark.parametrize("scales, angles", [(1, 3), (2, 8), (3, 6)])
@pytest.mark.parametrize("size", [(32, 32), (64, 64), (128, 96), (33, 47), (8, 8)])
def test_equals_kymatio(photograph, scales, angles, size):
    feature = Scattering(scales, angles, size)
    image = feature.before(photograph())
    expected = Scattering2D(J=scales, shape=size, L=angles)(image.astype(float))
    got = evaluate(feature.program(image.shape), image)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * image.max())


def test_equals_kymatio_on_kodak_photographs(shared):
    files = sorted((shared / "photos/kodak").glob("*.png"))[:6]
    assert files
    import cv2

    feature = Scattering(size=(64, 96))
    oracle = Scattering2D(J=2, shape=(64, 96), L=8)
    for file in files:
        image = feature.before(np.ascontiguousarray(cv2.imread(str(file))[..., ::-1]))
        got = evaluate(feature.program(image.shape), image)
        np.testing.assert_allclose(got, oracle(image.astype(float)), rtol=0, atol=1e-5 * image.max())


def test_names_follow_the_paths_of_kymatio():
    feature = Scattering(scales=3, angles=4)
    listed = Scattering2D(J=3, shape=(16, 16), L=4, out_type="list")(data.coins()[:16, :16].astype(float))
    expected = [
        "_".join(f"s{scale}a{angle}" for scale, angle in zip(path["j"], path["theta"], strict=True)) or "mean"
        for path in listed
    ]
    names = feature.names((16, 16))
    assert [name.removeprefix("scattering_").removesuffix("_0_0") for name in names[::4]] == expected
    assert len(set(names)) == len(names) == np.prod(feature.program((16, 16)).output_shapes[0])


def test_first_order_errs_no_more_under_polynomials_than_predicted():
    program = SMALL.program((16, 16))
    assert domain_problems(program) == []
    form = polynomialise(program)
    image = SMALL.before(data.astronaut())
    difference = np.abs(evaluate(form.program, image) - evaluate(program, image))
    predicted = max(error.error for error in form.errors)
    weight = evaluate(program, np.ones((16, 16)))[0].max()  # what averaging does to a constant error
    assert difference[0].max() < 1e-4
    assert 0.01 * predicted < difference[1:9].max() <= predicted * weight


def run_with_kernels(program: Program, image: np.ndarray) -> np.ndarray:
    """Evaluate ``program`` with every wavelet modulus computed by its native kernel."""
    values = {0: image.astype(np.float32)}
    inside = {index for r in program.regions for index in range(r.first, r.last + 1)}
    last = {r.last: r for r in program.regions}
    for index, node in enumerate(program.nodes):
        if index in last:
            native = kernel(program, last[index])
            assert native is not None
            values[index + 1] = native(*(values[i] for i in last[index].inputs))
        elif index not in inside:
            values[index + 1] = evaluate_op(node.op, [values[i] for i in node.operands], np)
    return values[program.outputs[0]]


@pytest.mark.parametrize("feature", [Scattering(2, 8, (64, 64)), Scattering(3, 6, (48, 40)), Scattering(2, 4, (5, 4))])
def test_native_kernel_equals_the_definition(feature):
    image = feature.before(data.coffee())
    program = feature.program(image.shape)
    assert len(program.regions) == feature.scales * (feature.scales + 1) // 2
    got = run_with_kernels(program, image)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, evaluate(program, image.astype(float)), rtol=0, atol=2e-6 * 255)


def test_native_kernel_declines_other_regions():
    program = SMALL.program((16, 16))
    first = program.regions[0]
    cut = type(first)(first.name, first.first, first.last - 1, first.inputs)
    assert isinstance(program.nodes[cut.last].op, ops.Sum)
    assert kernel(program, cut) is None


def test_flat_image_has_only_an_average():
    values = evaluate(SMALL.program((16, 16)), np.full((16, 16), 200.0))
    np.testing.assert_allclose(values[0], 200.0, rtol=1e-4)
    assert np.abs(values[1:]).max() < 1e-3


def test_smallest_image_and_one_pixel_less():
    feature = Scattering(scales=2, angles=4)
    assert evaluate(feature.program((4, 4)), np.arange(16.0).reshape(4, 4)).shape == (25, 1, 1)
    with pytest.raises(ParameterError, match=r"an image of 3x9 pixels.*at least 4x4 pixels.*size="):
        feature.program((3, 9))


def test_refuses_parameters_all_at_once():
    with pytest.raises(ParameterError) as raised:
        Scattering(scales=0, angles=2.5, size=(32, 0))  # type: ignore[arg-type]
    assert [problem.where for problem in raised.value.problems] == [
        "Scattering.scales", "Scattering.angles", "Scattering.size",
    ]  # fmt: skip
    with pytest.raises(ParameterError, match=r"Scattering.size: got 4, expected an integer from 8 to 32767"):
        Scattering(scales=3, size=(4, 32))


def test_is_a_feature_of_any_image():
    colour = data.astronaut()
    assert isinstance(SMALL, Feature)
    assert SMALL.before(colour).dtype == np.uint8
    np.testing.assert_array_equal(SMALL.before(colour), grey(resize(colour, (16, 16))))
    assert SMALL.after(evaluate(SMALL.program((16, 16)), SMALL.before(np.zeros((1, 1), np.uint8)))).shape == (25 * 16,)
