"""Words to objects."""

import pytest

from privis.cli.choices import FEATURES, ReleaseWords, feature_named, parameter_types, release_of, unit_of
from privis.errors import ParameterError
from privis.features.colour import ColourHistogram, ColourSpace
from privis.features.hog import HOG, BlockNorm
from privis.privacy import FeatureRelease, Gaussian, Laplace, Patch, PixelRelease, Pixels, WholeImage


def test_words_make_features():
    assert feature_named("hog", ["cell=16", "norm=l1", "size=none"]) == HOG(cell=16, norm=BlockNorm.L1)
    assert feature_named("hog", []) == HOG(size=(256, 256))
    expected = ColourHistogram(ColourSpace.LAB, bins=4, joint=True)
    assert feature_named("colour", ["space=lab", "bins=4", "joint=yes"]) == expected


@pytest.mark.parametrize("name", FEATURES)
def test_every_parameter_of_every_feature_has_a_type(name):
    assert parameter_types(FEATURES[name].load())


def words(noise="laplace", at="pixels", unit="image", epsilon=1.0, delta=None, clip=None, block=1):
    return ReleaseWords(noise, at, unit, epsilon, delta, clip, block)


def test_words_make_releases():
    assert release_of(words(None, epsilon=None)) is None
    assert release_of(words(unit="pixels:16", block=4)) == PixelRelease(Laplace(1.0), Pixels(16), 4)
    assert release_of(words(unit="patch:4")) == PixelRelease(Laplace(1.0), Patch(4))
    assert release_of(words("gaussian", "feature", delta=1e-6, clip=2.0)) == FeatureRelease(Gaussian(1.0, 1e-6), 2.0)
    assert unit_of("image") == WholeImage()


def test_idle_or_wrong_words_are_refused():
    for wrong in (
        words(None, epsilon=1.0),
        words("uniform"),
        words(at="moon"),
        words(delta=1e-6),
        words(clip=3.0),
        words(unit="pixels"),
        words(unit="pixels:0"),
        words(epsilon=float("nan")),
    ):
        with pytest.raises(ParameterError):
            release_of(wrong)
