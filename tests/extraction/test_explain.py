"""``explain``: every number it tells is derived, and agrees with what the release does."""

import json
import math

import numpy as np
import pytest
from scipy.stats import norm

import privis
from privis import FeatureRelease, Gaussian, Laplace, PixelRelease, Pixels, ReleaseKey
from privis.errors import ImageError, ParameterError
from privis.extraction.explain import explain
from privis.privacy import (
    CodeRelease,
    DirectionRelease,
    HistogramRelease,
    Metric,
    Person,
    PrivUnit,
    RandomisedResponse,
    VonMisesFisher,
)
from privis.readings import cost

HISTOGRAM = privis.LBP(privis.Patterns.UNIFORM, density=True)  # 10 shares
COUNTS = privis.LBP(privis.Patterns.UNIFORM)
VECTORS = (
    FeatureRelease(Laplace(4.0), clip=1.0),
    FeatureRelease(Gaussian(4.0, 1e-6), clip=1.0),
    DirectionRelease(PrivUnit(4.0)),
    DirectionRelease(VonMisesFisher(20.0)),
    CodeRelease(RandomisedResponse(4.0)),
)


def test_without_a_release_nothing_is_hidden():
    told = explain(privis.HOG(), (64, 64))
    assert told.unit is told.whole_image is told.person is told.noise is None
    assert told.lines[0].startswith("Nothing is hidden")
    assert told.to_dict()["guarantee"]["epsilon"] is None


def test_it_tells_the_guarantee_of_the_release():
    """On the image that the feature reads: resized, and luma."""
    release = PixelRelease(Laplace(4.0), unit=Pixels(1))
    told = explain(privis.HOG(size=(28, 28)), (100, 80, 3), release=release)
    assert told.guarantee == release.guarantee((28, 28)).of_resized((28, 28))
    assert (told.unit.epsilon, told.whole_image.epsilon) == (4.0, 3136.0)
    assert told.shape == (100, 80, 3) and told.noise.values == 28 * 28


def test_a_pure_guess_is_right_as_often_as_epsilon_allows():
    told = explain(HISTOGRAM, (64, 64), release=FeatureRelease(Laplace(math.log(3)), clip=1.0))
    assert told.unit.success == pytest.approx(0.75, abs=1e-9)
    assert told.unit.advantage == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize("release", [DirectionRelease(PrivUnit(2.0)), CodeRelease(RandomisedResponse(2.0))])
def test_no_attacker_is_right_more_often(release):
    """The best attacker on two opposite vectors, over 4,000 releases: within the bound, and not far below it."""
    key, vector = ReleaseKey.generate(), np.array([1.0, 1.0], np.float32)
    right = 0
    for index in range(4000):
        sign = 1 if index % 2 else -1
        released = release.apply(sign * vector, key.stream(str(index), b"", b""))
        right += np.sign(released @ vector + 1e-9) == sign
    bound = explain(privis.LBP(grid=(1, 1)), (64, 64), release=release).unit.success
    assert 0.75 * bound < right / 4000 < bound + 0.03


def test_a_gaussian_guess_is_that_between_two_normal_laws():
    release = FeatureRelease(Gaussian(4.0, 1e-6), clip=1.0)
    told = explain(HISTOGRAM, (64, 64), release=release)
    guarantee = release.guarantee((10,))
    exact = norm.cdf(guarantee.sensitivity / guarantee.scale / 2)
    assert exact <= told.unit.success < exact + 1e-5
    assert told.unit.success < 0.67  # the pair (epsilon, delta) alone would allow 0.982


def test_pure_epsilons_of_a_person_add_up():
    told = explain(HISTOGRAM, (64, 64), release=DirectionRelease(PrivUnit(2.0)), images_per_person=3)
    assert (told.person.epsilon, told.person.images) == (6.0, 3)
    assert told.person.success == pytest.approx(1 / (1 + math.exp(-6)))


def test_gaussian_images_of_a_person_compose_as_one_gaussian():
    """k releases of sensitivity D are as private as one of D sqrt(k): here k = 4, so half the noise."""
    told = explain(HISTOGRAM, (64, 64), release=FeatureRelease(Gaussian(1.0, 1e-6), clip=1.0), images_per_person=4)
    epsilon = told.person.epsilon
    assert told.person.delta == 1e-6 and 2.0 < epsilon < 4.0
    half = FeatureRelease(Gaussian(epsilon, 1e-6), clip=1.0).guarantee((10,))
    assert half.scale == pytest.approx(told.guarantee.scale / 2, rel=1e-4)


def test_a_release_for_a_person_is_told_as_such():
    told = explain(HISTOGRAM, (64, 64), release=FeatureRelease(Laplace(6.0), 1.0, unit=Person(3)), images_per_person=3)
    assert (told.unit.epsilon, told.unit.images) == (6.0, 3)
    assert told.whole_image.epsilon == pytest.approx(2.0)
    assert told.person.epsilon == pytest.approx(6.0)
    assert sum(line.startswith("Hidden") for line in told.lines) == 2  # the person's images once, not twice


def test_metric_privacy_is_told_for_distance_one():
    told = explain(HISTOGRAM, (64, 64), release=DirectionRelease(VonMisesFisher(3.0), unit=Metric()))
    assert (told.unit.epsilon, told.whole_image.epsilon) == (3.0, 6.0)
    assert "d = 1" in told.lines[0]


@pytest.mark.parametrize("release", VECTORS, ids=repr)
def test_the_noise_is_what_it_says(release):
    """Root mean square over 500 releases of one vector, within five standard errors (2 % to 5 %)."""
    told = explain(HISTOGRAM, (64, 64), release=release)
    key, vector = ReleaseKey.generate(), np.array([0.8] + [0.2] * 9)
    vector = np.sign(vector) if isinstance(release, CodeRelease) else vector / np.linalg.norm(vector)
    released = np.stack([release.apply(vector, key.stream(str(i), b"", b"")) for i in range(500)])
    assert told.noise.values == released.shape[1] == 10
    assert np.sqrt(((released - vector) ** 2).mean()) == pytest.approx(told.noise.deviation, rel=0.1)
    assert told.noise.length == pytest.approx(told.noise.deviation * math.sqrt(10))


def test_pixel_noise_is_told_in_grey_levels():
    """Of the mean of a block: 255 * 16 / 4 over 16 pixels is a scale of 63.75, times the square root of 2."""
    release = PixelRelease(Laplace(4.0), unit=Pixels(16), block=4)
    told = explain(privis.ColourHistogram(), (28, 32, 3), release=release)
    assert (
        told.noise.deviation == told.noise.most == pytest.approx(math.sqrt(2) * 63.75 * 3, rel=1e-3)
    )  # three channels
    assert told.noise.values == 7 * 8 * 3
    assert told.noise.unit == "grey levels" and told.noise.clip is None
    assert "on average" not in " ".join(told.lines)


def test_blocks_cut_off_by_the_border_are_told_to_be_noisier():
    """Of 64 blocks of 30 x 30 pixels 49 are whole, 14 half and one a quarter: 1, 2 and 4 times the noise."""
    release = PixelRelease(Laplace(4.0), unit=Pixels(16), block=4)
    told = explain(privis.ColourHistogram(), (30, 30, 3), release=release)
    whole = math.sqrt(2) * 63.75 * 3
    assert told.noise.most == pytest.approx(4 * whole, rel=1e-3)
    assert told.noise.deviation == pytest.approx(whole * math.sqrt((49 + 14 * 4 + 16) / 64), rel=1e-3)
    assert "on average, up to 1,082 on the smallest block at the border" in " ".join(told.lines)


def test_noise_on_counts_is_told_in_counts():
    release = HistogramRelease(Laplace(1.0), moves=9, unit=Pixels(1), total=64 * 64)
    told = explain(COUNTS, (64, 64), release=release)
    assert told.noise.deviation == pytest.approx(math.sqrt(2) * 18, rel=1e-2)
    assert told.whole_image.epsilon == pytest.approx(2 * 64 * 64 / 18)
    assert "counts" in told.noise.unit


def test_a_whole_image_without_a_bound_is_told_so():
    for noise in (Laplace(1.0), Gaussian(1.0, 1e-6)):
        release = HistogramRelease(noise, moves=9, unit=Pixels(1))  # no total
        told = explain(COUNTS, (64, 64), release=release, images_per_person=2)
        assert told.whole_image.success == told.person.success == 1.0
        assert told.to_dict()["person"]["epsilon"] is None
        assert "epsilon without bound" in told.lines[1]


def test_what_stays_public_and_what_it_costs():
    told = explain(privis.HOG(), (64, 48))
    text = " ".join(told.lines)
    assert "64 x 48" in text and f"{told.length:,} components" in text
    assert told.length == len(privis.HOG().names((64, 48)))
    assert told.cost == cost(privis.HOG().program((64, 48)))
    assert f"{told.cost.operations:,} operations" in text


@pytest.mark.parametrize("release", [None, PixelRelease(Laplace(4.0), unit=Pixels(16)), *VECTORS], ids=repr)
def test_every_explanation_is_json(release):
    told = explain(HISTOGRAM, (32, 32, 3), release=release, images_per_person=2)
    again = json.loads(json.dumps(told.to_dict(), allow_nan=False))
    assert again["lines"] == list(told.lines)
    if release is not None:
        assert again["person"]["advantage"] == pytest.approx(told.person.advantage)


def test_percentages_are_bounds():
    """Rounded up, never to certainty while anything is missing that can be shown."""
    strong = explain(HISTOGRAM, (64, 64), release=DirectionRelease(PrivUnit(8.0)))
    assert 0.9996 < strong.unit.success < 0.9997
    assert "at most 99.97 %" in strong.lines[0]


def test_a_large_gaussian_epsilon_still_adds_up():
    """Composition may not be certified there; the sums of epsilons and deltas always hold."""
    told = explain(HISTOGRAM, (64, 64), release=PixelRelease(Gaussian(4.0, 1e-6), unit=Pixels(16)), images_per_person=5)
    assert told.person.epsilon <= 5 * told.whole_image.epsilon
    assert told.person.delta <= 5 * told.whole_image.delta


def test_bad_questions_are_refused():
    for images in (0, -1, 1.5, True):
        with pytest.raises(ParameterError, match="images_per_person"):
            explain(HISTOGRAM, (64, 64), images_per_person=images)
    for shape in ((64,), (64, 64, 4), (0, 64), (64, 64, 3, 1)):
        with pytest.raises(ImageError, match=r"explain\.shape"):
            explain(HISTOGRAM, shape)
    with pytest.raises(ParameterError, match="HOG"):
        explain(privis.HOG(), (8, 8))
