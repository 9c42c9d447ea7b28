"""A person's images together keep the epsilon that is stated, and each alone has what is said of it."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from dp_accounting.pld import privacy_loss_distribution as pld
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from privis.errors import ParameterError
from privis.privacy import (
    CodeRelease,
    Dataset,
    DirectionRelease,
    FeatureRelease,
    Gaussian,
    Guarantee,
    HistogramRelease,
    Laplace,
    Metric,
    Person,
    PixelRelease,
    PrivUnit,
    RandomisedResponse,
    ReleaseKey,
    VonMisesFisher,
    WholeImage,
)
from privis.privacy.accounting.noise_calibration import share
from privis.privacy.releases.image import block_sums
from privis.privacy.sensitivity import feature_sensitivity, pixel_sensitivity

RELEASES = {
    "pixels": (PixelRelease(Laplace(6.0), unit=Person(3)), (12, 10)),
    "blocks": (PixelRelease(Gaussian(6.0, 1e-6), unit=Person(3), block=4), (12, 10, 3)),
    "feature": (FeatureRelease(Laplace(6.0), clip=2.0, unit=Person(3)), (40,)),
    "histogram": (HistogramRelease(Laplace(6.0), moves=1, unit=Person(3), total=500), (40,)),
    "PrivUnit": (DirectionRelease(PrivUnit(6.0), unit=Person(3)), (40,)),
    "vMF": (DirectionRelease(VonMisesFisher(3.0), unit=Person(3)), (40,)),
    "code": (CodeRelease(RandomisedResponse(6.0), unit=Person(3)), (40,)),
}


@pytest.mark.parametrize("name", RELEASES)
def test_the_stated_epsilon_is_the_persons(name: str) -> None:
    release, shape = RELEASES[name]
    guarantee = release.guarantee(shape)
    assert (guarantee.unit, guarantee.epsilon) == ("person", 6.0)
    assert "at most 3 images of one person" in guarantee.relation
    assert "each alone has whole-image epsilon" in guarantee.sentence
    assert Guarantee.from_dict(json.loads(json.dumps(guarantee.to_dict()))) == guarantee
    if "Gaussian" in guarantee.mechanism:
        assert 2.0 < guarantee.whole_image_epsilon < 6.0  # sqrt(3), not 3: the Gaussian composes better
    else:
        assert guarantee.whole_image_epsilon == pytest.approx(2.0, rel=1e-12)
        assert guarantee.whole_image_epsilon <= 2.0


@pytest.mark.parametrize("name", RELEASES)
def test_one_image_per_person_is_the_whole_image(name: str) -> None:
    release, shape = RELEASES[name]
    fields = {key: value for key, value in vars(release).items() if key not in ("unit", "block")}
    one, whole = (type(release)(**fields, unit=unit).guarantee(shape) for unit in (Person(1), WholeImage()))
    assert (one.scale, one.epsilon, one.delta) == (whole.scale, whole.epsilon, whole.delta)
    assert (one.whole_image_epsilon, one.unit, whole.unit) == (whole.epsilon, "person", "whole image")


@pytest.mark.parametrize("name", RELEASES)
def test_the_noise_is_that_of_the_share(name: str) -> None:
    """What is released is as noisy as the guarantee says."""
    release, shape = RELEASES[name]
    fields = {key: value for key, value in vars(release).items() if key != "unit"}
    alone = type(release)(**fields, unit=WholeImage())
    factor = release.guarantee(shape).scale / alone.guarantee(shape).scale
    assert factor > 1.5
    key = ReleaseKey(bytes(range(32)))
    values = np.zeros(shape, np.uint8) + 128
    spread = []
    for made in (release, alone):
        many = [made.apply(values, key.stream(str(n), b"", b"")).astype(float) for n in range(300)]
        spread.append(np.std(many))
    if name not in ("pixels", "blocks", "histogram"):  # these clamp
        assert spread[0] / spread[1] == pytest.approx(factor, rel=0.15)
    else:
        assert spread[0] > spread[1]


@pytest.mark.parametrize(("images", "epsilon"), [(2, 1.0), (5, 4.0), (16, 8.0)])
def test_gaussian_images_compose_to_the_stated_epsilon(images: int, epsilon: float) -> None:
    guarantee = FeatureRelease(Gaussian(epsilon, 1e-6), clip=1.0, unit=Person(images)).guarantee((64,))
    one = feature_sensitivity("L2", 2**19, 64).value
    together = pld.from_gaussian_mechanism(guarantee.scale / one, value_discretization_interval=1e-4)
    spent = together.self_compose(images).get_epsilon_for_delta(1e-6)
    assert epsilon * 0.995 < spent < epsilon * 1.005  # the discretisation's error
    alone = pld.from_gaussian_mechanism(guarantee.scale / one, value_discretization_interval=1e-4)
    assert guarantee.whole_image_epsilon == pytest.approx(alone.get_epsilon_for_delta(1e-6), abs=2e-3)


def test_laplace_images_compose_to_the_stated_epsilon() -> None:
    guarantee = PixelRelease(Laplace(4.0), unit=Person(4)).guarantee((3, 3))
    one = pixel_sensitivity("L1", WholeImage(), 1, (3, 3)).value
    assert 4 * Fraction(one) / Fraction(guarantee.scale) <= 4
    assert guarantee.scale == 4 * PixelRelease(Laplace(4.0)).guarantee((3, 3)).scale


@settings(max_examples=150, deadline=None)
@given(data=st.data(), images=st.integers(1, 4), block=st.integers(1, 3))
def test_no_person_breaches_the_claim(data: st.DataObject, images: int, block: int) -> None:
    """All images of a person are replaced; the distance is taken over everything that is released about them."""
    shape = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    pictures = hnp.arrays(np.uint8, (images, *shape), elements=st.sampled_from([0, 0, 255, 255, 9]))
    before, after = data.draw(pictures), data.draw(pictures)
    move = np.concatenate([_sums(two, block) - _sums(one, block) for one, two in zip(before, after, strict=True)])
    vectors = hnp.arrays(np.float64, (images, 5), elements=st.floats(-9, 9))
    first, second = data.draw(vectors), data.draw(vectors)
    for noise in (Laplace(1.0), Gaussian(1.0, 1e-6)):
        pixels = PixelRelease(noise, unit=Person(images), block=block).guarantee(shape).sensitivity
        assert _length(move, noise.norm) <= pixels
        release = FeatureRelease(noise, clip=1.5, unit=Person(images))
        grid = np.concatenate([release.on_grid(b) - release.on_grid(a) for a, b in zip(first, second, strict=True)])
        assert _length(grid, noise.norm) <= release.guarantee((5,)).sensitivity


def _sums(image: npt.NDArray[np.uint8], block: int) -> npt.NDArray[np.int64]:
    return block_sums(image, block).ravel()


def _length(move: npt.NDArray[np.int64], norm: str) -> float:
    return float(np.abs(move).sum()) if norm == "L1" else math.sqrt((move**2).sum())


def test_the_persons_claim_is_attained() -> None:
    black, white = np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8)
    move = np.concatenate([_sums(white, 2) - _sums(black, 2)] * 5)
    for noise in (Laplace(1.0), Gaussian(1.0, 1e-6)):
        guarantee = PixelRelease(noise, unit=Person(5), block=2).guarantee((4, 4))
        assert guarantee.sensitivity == pytest.approx(_length(move, noise.norm), rel=1e-12)


@settings(max_examples=300, deadline=None)
@given(epsilon=st.floats(1e-6, 1e4), images=st.integers(1, 1000))
def test_shares_never_add_up_to_more(epsilon: float, images: int) -> None:
    part = share(epsilon, images)
    assert Fraction(part) * images <= Fraction(epsilon)
    assert part >= epsilon / images * (1 - 1e-15)


@pytest.mark.parametrize("bad", [0, -3, 1.5, math.nan, "16", None, True])
def test_persons_are_checked(bad) -> None:
    with pytest.raises(ParameterError, match=r"Person\.images"):
        Person(bad)


@pytest.mark.parametrize("unit", [Dataset(), Metric(), "person"])
def test_units_of_other_releases_are_refused(unit) -> None:
    for make in (
        lambda: PixelRelease(Laplace(1.0), unit=unit),
        lambda: FeatureRelease(Laplace(1.0), clip=1.0, unit=unit),
        lambda: HistogramRelease(Laplace(1.0), moves=1, unit=unit, total=3),
        lambda: DirectionRelease(PrivUnit(1.0), unit=unit),
        lambda: CodeRelease(RandomisedResponse(1.0), unit=unit),
    ):
        with pytest.raises(ParameterError, match="unit"):
            make()


def test_relations_in_words() -> None:
    assert Person(1).relation.startswith("the one image of one person replaced")
    assert Dataset().relation == "corpora of which one holds one image more than the other"
    assert "Euclidean distance d" in Metric().relation
