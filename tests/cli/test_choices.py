"""Words to objects."""

import pytest

from privis.cli.parsing import FEATURES, feature_named, parameter_types
from privis.cli.releases import (
    ReleaseWords,
    placed_release,
    refuse_what_leaves_nothing,
    release_of,
    retyped,
    shapes_of,
    unit_of,
)
from privis.errors import ParameterError
from privis.features.colour import ColourHistogram, ColourSpace
from privis.features.hog import HOG, BlockNorm
from privis.features.lbp import LBP
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
        words(clip=3.0, at="pixels"),
        words(unit="pixels"),
        words(unit="pixels:0"),
        words("privunit", at="pixels"),
        words("rr", clip=2.0),
        words("gaussian", "feature", delta=1e-6, clip=2.0, block=4),
        words(at="counts"),
        words(moves=3, at="pixels"),
        words(moves=3, clip=3.0),
        words(None, epsilon=None, unit="person:2"),
        words(epsilon=float("nan")),
    ):
        with pytest.raises(ParameterError):
            release_of(wrong)


SQUARE = [(64, 64, 3), (32, 48)]


def test_noise_that_nobody_places_goes_where_it_leaves_most():
    laplace = Laplace(1.0)
    assert placed_release(words(), HOG(cell=16, block=2), SQUARE[:1]) == FeatureRelease(laplace, 9 * 6.0)
    assert placed_release(words(unit="person:2"), LBP(), SQUARE) == HistogramRelease(laplace, 9, Person(2), 4096)
    assert placed_release(words(unit="pixels:16"), LBP(), SQUARE) == HistogramRelease(laplace, 9, Pixels(16), 4096)
    assert placed_release(words(unit="pixels:16"), HOG(), SQUARE) == PixelRelease(laplace, Pixels(16))
    assert placed_release(words(unit="patch:4"), LBP(), SQUARE) == PixelRelease(laplace, Patch(4))
    assert placed_release(words(block=4), LBP(), SQUARE) == PixelRelease(laplace, block=4)
    assert placed_release(words(), LBP(), []) == PixelRelease(laplace), "no image can be read: the run says so"


def test_options_that_are_left_out_are_the_features_own():
    laplace = Laplace(1.0)
    assert placed_release(words(at="feature"), LBP(), SQUARE) == FeatureRelease(laplace, 4096.0)
    assert placed_release(words(clip=7.0), LBP(), SQUARE) == FeatureRelease(laplace, 7.0)
    assert placed_release(words(at="counts"), LBP(), SQUARE) == HistogramRelease(laplace, 9, WholeImage(), 4096)
    own = words(at="counts", moves=9, unit="pixels:2")
    assert placed_release(own, LBP(), SQUARE) == HistogramRelease(laplace, 9, Pixels(2)), "nothing was left out"
    with pytest.raises(ParameterError, match="--moves"):
        placed_release(words(at="counts"), HOG(), SQUARE[:1])


def test_dimensions_come_from_headers_alone(tmp_path):
    from PIL import Image

    for name, size in (("a", (9, 7)), ("b", (5, 5)), ("c", (5, 5))):
        Image.new("RGB", size).save(tmp_path / f"{name}.png")
    (tmp_path / "d.png").write_bytes(b"no picture")
    sources = [str(tmp_path / f"{name}.png") for name in "abcd"]
    assert shapes_of(LBP(), sources) == [(5, 5, 3), (7, 9, 3)], "the most frequent first"
    assert shapes_of(HOG(size=(64, 32)), sources) == [(64, 32, 3)]


def test_what_leaves_nothing_is_refused_with_a_command_that_leaves_something():
    hog = HOG(size=(256, 256))
    typed = ["extract", "my photos", "-f", "hog", "--release=laplace", "--epsilon", "4", "--at", "pixels"]
    with pytest.raises(ParameterError) as refused:
        refuse_what_leaves_nothing(hog, PixelRelease(Laplace(4.0)), [(256, 256, 3)], typed)
    told = str(refused.value)
    assert "privis extract 'my photos' -f hog --epsilon 4 --post random:16,l2 --release privunit; --yes" in told
    refuse_what_leaves_nothing(hog, DirectionRelease(PrivUnit(400.0)), [(256, 256, 3)], typed)
    refuse_what_leaves_nothing(hog, None, [(256, 256, 3)], typed)
    with pytest.raises(ParameterError, match="larger epsilon"):
        refuse_what_leaves_nothing(hog, PixelRelease(Laplace(1e-3)), [(256, 256, 3)], typed)


def test_a_command_is_typed_again_with_other_options():
    typed = ["explain", "--post", "log", "--clip", "3", "-f", "sift", "--yes"]
    again = retyped(typed, {"--clip": "", "--post": "random:4,l2", "--block": "8"})
    assert again == "privis explain -f sift --yes --post log,random:4,l2 --block 8"
