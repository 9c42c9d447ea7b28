"""Images are resized and turned to luma once, by the extractor: what reads them afterwards finds them ready."""

from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest

import privis
from privis import draw
from privis.extraction.extractor import Extractor
from privis.features.image_ops import grey, luma, owner_image, owner_image_shape, resize
from privis.features.preprocessing.denoise import Denoised, Wiener
from privis.features.preprocessing.deskew import Deskewed
from privis.io.images.record import ImageRecord
from privis.privacy import Laplace, PixelRelease, Pixels, ReleaseKey
from privis.run.clear import Clear
from privis.serve.client.remote_model import PrivateModel
from tests.conformance.samples import NOISE as SAMPLE_NOISE

SIZE = (40, 48)
NOISE = PixelRelease(Laplace(4.0), Pixels(16))
OWN = [
    privis.HOG(size=SIZE),
    privis.LBP(size=SIZE),
    privis.GLCM(size=SIZE),
    privis.Gabor(size=SIZE),
    privis.SIFT(keypoints=4, size=SIZE),
    privis.DenseSIFT(size=SIZE),
    privis.SURF(keypoints=4, size=SIZE),
    privis.DalalTriggsHOG(size=(128, 64)),
    privis.ColourHistogram(size=SIZE),
    Deskewed(privis.HOG(size=SIZE)),
    Denoised(privis.ColourHistogram(size=SIZE), Wiener(SAMPLE_NOISE)),
    privis.Posted(Denoised(privis.HOG(size=SIZE), Wiener(SAMPLE_NOISE)), (privis.L2(),)),
]


@pytest.fixture
def conversions(monkeypatch):
    """Counts of resizing to a size, and of conversion to luma."""
    counted: Counter[str] = Counter()
    resized, converted = cv2.resize, cv2.cvtColor

    def counting_resize(image, size=None, *rest, **named):
        counted["resize"] += size is not None
        return resized(image, size, *rest, **named)

    def counting_conversion(image, code, *rest, **named):
        counted["luma"] += code == cv2.COLOR_RGB2GRAY
        return converted(image, code, *rest, **named)

    monkeypatch.setattr(cv2, "resize", counting_resize)
    monkeypatch.setattr(cv2, "cvtColor", counting_conversion)
    return counted


@pytest.fixture
def photograph(rng):
    return rng.integers(0, 256, (61, 90, 3), np.uint8)


@pytest.mark.parametrize("release", [None, NOISE], ids=["clear", "noise"])
@pytest.mark.parametrize("feature", OWN, ids=lambda feature: type(feature).__name__)
def test_an_extraction_resizes_and_converts_once(feature, release, photograph, conversions):
    extractor = Extractor(feature, Clear(), release, ReleaseKey.generate() if release else None, None)
    extractor(ImageRecord(photograph, "photograph", is_file=False))
    assert conversions == Counter(resize=1, luma=int(feature.luma_only))


@pytest.mark.parametrize("feature", OWN, ids=lambda feature: type(feature).__name__)
def test_before_gives_the_same_of_an_image_as_of_what_it_reads_of_it(feature, photograph):
    ready = owner_image(feature, photograph)
    assert owner_image(feature, ready) is ready
    assert ready.shape == owner_image_shape(feature, photograph.shape)
    np.testing.assert_array_equal(feature.before(photograph), feature.before(ready))


@pytest.mark.parametrize("feature", OWN[:9], ids=lambda feature: type(feature).__name__)
def test_a_drawing_resizes_once(feature, photograph, conversions):
    draw.picture(feature, photograph)
    assert conversions["resize"] == 1


def test_the_pixels_are_those_of_resizing_and_then_luma(photograph):
    hog, colours = OWN[0], privis.ColourHistogram(size=SIZE)
    np.testing.assert_array_equal(owner_image(hog, photograph), grey(resize(photograph, SIZE)))
    np.testing.assert_array_equal(luma(photograph, None), grey(photograph))
    np.testing.assert_array_equal(owner_image(colours, photograph), resize(photograph, SIZE))
    assert owner_image(replace(colours, size=None), photograph) is photograph
    assert owner_image_shape(colours, (61, 90)) == SIZE and owner_image_shape(colours, (61, 90, 3)) == (*SIZE, 3)
    assert owner_image_shape(replace(hog, size=None), (61, 90, 3)) == (61, 90)


@pytest.mark.parametrize("shape", [(8, 9), (1, 8, 9), (3, 8, 9)])
def test_a_private_model_says_what_its_core_reads(shape, photograph):
    model = PrivateModel(shape, 2)
    for image in (photograph, photograph[:, :, 0]):
        assert model.core_shape(image.shape) == model.before(image).shape == shape
