"""privis.features.feature.core_shape: what a feature says of its core's input is what ``before`` gives."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

import privis
from privis.features.feature import Feature, core_shape, is_own
from privis.features.image_ops import grey
from privis.features.keypoints.oblivious import SIFTKeyPoints, SURFKeyPoints
from privis.features.preprocessing.denoise import Denoised, Wiener
from privis.features.preprocessing.deskew import Deskewed
from privis.program import Input, trace
from tests.conformance.samples import NOISE, SAMPLES

SHAPES = [(1, 1), (3, 2, 3), (2, 70), (64, 64), (65, 33, 3)]


@dataclass(frozen=True)
class Plain:
    """An author's feature, which says nothing of its shapes."""

    name: ClassVar[str] = "plain"
    luma_only: ClassVar[bool] = True
    size: tuple[int, int] | None = None

    def before(self, image):
        return grey(image)[:-1]

    def program(self, shape):
        return trace(lambda x: x.sum(0), Input(shape))

    def after(self, values):
        return np.asarray(values, np.float32)

    def names(self, shape):
        return tuple(map(str, range(shape[1])))


class Cropped(privis.LBP):
    """Another ``before`` than the one whose shape is known."""

    def before(self, image):
        return super().before(image[:-1])


class Padded(Cropped):
    """Says what its own gives."""

    def core_shape(self, image_shape):
        return image_shape[0] + 1, image_shape[1]

    def before(self, image):
        return np.pad(grey(image), ((0, 1), (0, 0)))


OWN = [
    *(sample.feature for sample in SAMPLES),
    replace(SAMPLES[0].feature, size=(8, np.int64(9))),
    privis.LBP(size=(20, 30)),
    privis.Gabor(size=(40, 40)),
    privis.DenseSIFT(size=(9, 50)),
    privis.SIFT(keypoints=np.int64(3)),
    SIFTKeyPoints(size=(64, 48)),
    SURFKeyPoints(size=(64, 48)),
    Denoised(privis.ColourHistogram(bins=4), Wiener(NOISE)),
    Deskewed(privis.ColourHistogram(bins=4)),
    Deskewed(privis.LBP(size=(8, 8))),
]
AUTHORS = [
    Plain(),
    Cropped(),
    Padded(),
    privis.Posted(Plain(), (privis.L2(),)),
    Deskewed(Cropped()),
    Denoised(Cropped(), Wiener(NOISE)),
]


@pytest.mark.parametrize("feature", [*OWN, *AUTHORS], ids=lambda feature: type(feature).__name__)
def test_the_shape_is_that_of_what_before_gives(feature: Feature) -> None:
    for shape in SHAPES if is_own(feature) else SHAPES[1:]:  # the authors cut off a row
        found = core_shape(feature, shape)
        assert found == feature.before(np.random.default_rng(0).integers(0, 256, shape, np.uint8)).shape
        assert all(type(length) is int for length in found)


def test_no_feature_of_ours_is_run_for_its_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "zeros", lambda *_, **__: pytest.fail("an image was made up"))
    for feature in OWN:
        core_shape(feature, (65, 33, 3))
    assert isinstance(Plain(), Feature), "an author's feature needs none"
