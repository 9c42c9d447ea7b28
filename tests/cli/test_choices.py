"""Words to objects."""

import pytest

from privis.cli.parsing import FEATURES, feature_named, parameter_types
from privis.cli.releases import ReleaseWords, release_of, unit_of
from privis.errors import ParameterError
from privis.features.colour import ColourHistogram, ColourSpace
from privis.features.hog import HOG, BlockNorm
from privis.privacy import (
    CodeRelease,
    DirectionRelease,
    FeatureRelease,
    Gaussian,
    HistogramRelease,
    Laplace,
    Patch,
    Person,
    PixelRelease,
    Pixels,
    PrivUnit,
    RandomisedResponse,
    VonMisesFisher,
    WholeImage,
)


def test_words_make_features():
    assert feature_named("hog", ["cell=16", "norm=l1", "size=none"]) == HOG(cell=16, norm=BlockNorm.L1)
    assert feature_named("hog", []) == HOG(size=(256, 256))
    expected = ColourHistogram(ColourSpace.LAB, bins=4, joint=True)
    assert feature_named("colour", ["space=lab", "bins=4", "joint=yes"]) == expected


@pytest.mark.parametrize("name", FEATURES)
def test_every_parameter_of_every_feature_has_a_type(name):
    assert parameter_types(FEATURES[name].load())


def words(noise="laplace", at=None, unit="image", epsilon=1.0, delta=None, clip=None, block=None, moves=None):
    return ReleaseWords(noise, at, unit, epsilon, delta, clip, block, moves)


def test_words_make_releases():
    assert release_of(words(None, epsilon=None)) is None
    assert release_of(words(unit="pixels:16", block=4)) == PixelRelease(Laplace(1.0), Pixels(16), 4)
    assert release_of(words(unit="patch:4")) == PixelRelease(Laplace(1.0), Patch(4))
    assert release_of(words("gaussian", "feature", delta=1e-6, clip=2.0)) == FeatureRelease(Gaussian(1.0, 1e-6), 2.0)
    assert release_of(words("privunit", epsilon=8.0)) == DirectionRelease(PrivUnit(8.0))
    assert release_of(words("vmf", epsilon=8.0, unit="person:2")) == DirectionRelease(VonMisesFisher(4.0), Person(2))
    assert release_of(words("rr", epsilon=8.0)) == CodeRelease(RandomisedResponse(8.0))
    expected = HistogramRelease(Laplace(1.0), 3, Pixels(16))
    assert release_of(words(at="counts", moves=3, unit="pixels:16")) == expected
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
        words("privunit", at="pixels"),
        words("rr", clip=2.0),
        words("gaussian", "feature", delta=1e-6, clip=2.0, block=4),
        words(at="counts"),
        words(moves=3),
        words(None, epsilon=None, unit="person:2"),
        words(epsilon=float("nan")),
    ):
        with pytest.raises(ParameterError):
            release_of(wrong)
