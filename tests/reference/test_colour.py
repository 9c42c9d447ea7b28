"""Colour histograms against OpenCV."""

import cv2
import numpy as np
import pytest

from privis.errors import ParameterError
from privis.features.colour import ColourHistogram, ColourSpace
from privis.readings import domain_problems, evaluate

CODES = {ColourSpace.RGB: None, ColourSpace.HSV: cv2.COLOR_RGB2HSV, ColourSpace.LAB: cv2.COLOR_RGB2Lab}


def opencv(image, space, bins, joint):
    if CODES[space] is not None:
        image = cv2.cvtColor(image, CODES[space])
    levels = space.levels
    if joint:
        limits = [bound for level in levels for bound in (0, level)]
        return cv2.calcHist([image], [0, 1, 2], None, [bins] * 3, limits).ravel()
    return np.concatenate([cv2.calcHist([image], [c], None, [bins], [0, levels[c]]).ravel() for c in range(3)])


@pytest.mark.parametrize("space", ColourSpace)
@pytest.mark.parametrize(("bins", "joint"), [(16, False), (7, False), (8, True), (5, True)])
def test_equals_opencv(photographs, space, bins, joint):
    feature = ColourHistogram(space, bins, joint)
    for image in photographs[::4]:
        image = image if image.ndim == 3 else np.repeat(image[:, :, None], 3, 2)
        x = feature.before(image)
        ours = feature.after(evaluate(feature.program(x.shape), x))
        np.testing.assert_array_equal(ours, opencv(image, space, bins, joint))


def test_is_exact_in_any_arithmetic():
    assert domain_problems(ColourHistogram(bins=7).program((3, 8, 8))) == []


def test_density_adds_up_to_one_per_channel(astronaut):
    feature = ColourHistogram(density=True)
    x = feature.before(astronaut)
    shares = feature.after(evaluate(feature.program(x.shape), x)).reshape(3, -1)
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-6)


def test_all_bad_parameters_are_named():
    with pytest.raises(ParameterError) as caught:
        ColourHistogram(space="rgb", bins=0, size=(0, 4))  # type: ignore[arg-type]
    assert {p.where for p in caught.value.problems} == {
        "ColourHistogram.space",
        "ColourHistogram.bins",
        "ColourHistogram.size",
    }
