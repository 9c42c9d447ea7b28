"""What users rely on: shapes, values, guarantees in words and JSON, refusals, and the promised epsilon, attacked.

Answers for `privis.privacy.releases.release` too.
"""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from privis.errors import ImageError, ParameterError
from privis.privacy import (
    NO_GUARANTEE,
    FeatureRelease,
    Gaussian,
    Guarantee,
    Laplace,
    NoiseStream,
    Patch,
    PixelRelease,
    Pixels,
    ReleaseKey,
    WholeImage,
    no_release,
)
from privis.privacy.releases import image as releases

RELEASES = [
    PixelRelease(Laplace(4.0), unit=Pixels(1)),
    PixelRelease(Laplace(4.0), unit=Pixels(16), block=4),
    PixelRelease(Gaussian(4.0, 1e-6), unit=Patch(5)),
    PixelRelease(Gaussian(4.0, 1e-6)),
]


def stream(record: str = "a.png") -> NoiseStream:
    return ReleaseKey(bytes(range(32))).stream(record, b"content", b"purpose")


def lower_bound_on_epsilon(noise: Laplace, count: int = 100_000) -> float:
    """What an attacker proves, with 97.5 % confidence twice, who has to tell black pixels from white ones."""
    release = PixelRelease(noise, unit=Pixels(1))
    white = release.apply(np.full((count, 1), 255, np.uint8), stream("white"))
    black = release.apply(np.zeros((count, 1), np.uint8), stream("black"))
    hits, misses = int((white == 255).sum()), int((black == 255).sum())
    at_least = stats.beta.ppf(0.025, hits, count - hits + 1)
    at_most = stats.beta.ppf(0.975, misses + 1, count - misses)
    return math.log(at_least / at_most)


def test_two_point_audit() -> None:
    assert 0.9 <= lower_bound_on_epsilon(Laplace(1.0)) <= 1.0


def test_two_point_audit_catches_noise_that_is_too_small_by_a_fifth() -> None:
    assert lower_bound_on_epsilon(Laplace(1.2)) > 1.0  # the noise of a release that claims 1.0 with scale / 1.2


@pytest.mark.parametrize("shape", [(1, 1), (7, 9), (30, 21, 3)])
@pytest.mark.parametrize("release", RELEASES)
def test_pixel_release_keeps_shape_and_type_and_repeats_itself(release: PixelRelease, shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    released = release.apply(image, stream())
    assert (released.shape, released.dtype) == (image.shape, np.uint8)
    assert np.array_equal(released, release.apply(image, stream()))
    if image.size > 1:
        assert not np.array_equal(released, release.apply(image, stream("b.png")))


@pytest.mark.parametrize("shape", [(8, 8), (7, 10), (10, 7, 3), (1, 1)])
@pytest.mark.parametrize("block", [1, 2, 4, 16])
def test_pixelisation_without_noise(monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], block: int) -> None:
    monkeypatch.setattr(releases, "draw_noise", lambda noise, scale, own, shape, purpose: np.zeros(shape, np.int64))
    image = np.random.default_rng(2).integers(0, 256, shape, dtype=np.uint8)
    released = PixelRelease(Laplace(1.0), block=block).apply(image, stream())
    for top, left in itertools.product(range(0, shape[0], block), range(0, shape[1], block)):
        window = (slice(top, top + block), slice(left, left + block))
        mean = image[window].reshape(-1, *shape[2:]).mean(axis=0)
        assert np.array_equal(released[window], np.broadcast_to(np.floor(mean + 0.5), released[window].shape))


def test_pixel_noise_has_the_scale_that_is_claimed() -> None:
    image = np.full((400, 400), 128, np.uint8)
    for release in (PixelRelease(Laplace(32.0), unit=Pixels(1)), PixelRelease(Laplace(32.0), unit=Patch(4))):
        guarantee = release.guarantee(image.shape)
        noise = release.apply(image, stream())[:: release.block, :: release.block].astype(float) - 128
        expected = guarantee.scale * guarantee.step
        assert np.abs(noise).mean() == pytest.approx(expected, rel=0.06)


def test_feature_noise_has_the_scale_that_is_claimed() -> None:
    vector = np.zeros(50_000)
    vector[0] = 0.5
    for noise, spread in ((Laplace(2.0), math.sqrt(2)), (Gaussian(2.0, 1e-6), 1.0)):
        release = FeatureRelease(noise, clip=1.0)
        guarantee = release.guarantee(vector.shape)
        released = release.apply(vector, stream())
        assert (released.dtype, released.shape) == (np.float32, vector.shape)
        assert released.std() == pytest.approx(spread * guarantee.scale * guarantee.step, rel=0.03)
        assert np.array_equal(released, release.apply(vector, stream()))
    assert FeatureRelease(Laplace(2.0), clip=1.0).guarantee(vector.shape).scale * 2.0**-19 == 1.0  # 2 clip / epsilon


def test_two_scales_never_share_their_noise() -> None:
    """Else the difference of two releases would show how much noise to take off."""
    vector = np.zeros(20_000)
    first = FeatureRelease(Laplace(1.0), clip=1.0).apply(vector, stream())
    second = FeatureRelease(Laplace(2.0), clip=1.0).apply(vector, stream())
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03


def test_bad_features_are_released_as_zero() -> None:
    release = FeatureRelease(Gaussian(4.0, 1e-6), clip=1.0)
    zero = release.apply(np.zeros(8), stream())
    for bad in (np.nan, np.inf):
        assert np.array_equal(release.apply(np.array([bad, *[1e300] * 7]), stream()), zero)


BAD_IMAGES = [
    np.zeros((4, 4)),
    np.zeros((4, 4), np.uint16),
    np.zeros(4, np.uint8),
    np.zeros((0, 4), np.uint8),
    np.zeros((2, 2, 2, 2), np.uint8),
    [[1, 2]],
]


@pytest.mark.parametrize("image", BAD_IMAGES)
def test_images_that_cannot_be_released(image) -> None:
    with pytest.raises(ImageError):
        PixelRelease(Laplace(1.0)).apply(image, stream())


@pytest.mark.parametrize("feature", [np.array(["a"]), np.array([1j]), np.zeros(0)])
def test_features_that_cannot_be_released(feature: npt.NDArray) -> None:
    with pytest.raises(ParameterError):
        FeatureRelease(Laplace(1.0), clip=1.0).apply(feature, stream())


@pytest.mark.parametrize("bad", [0, -1.0, math.nan, math.inf, -math.inf, "4", None, True])
def test_epsilon_delta_and_clip_are_checked_together(bad) -> None:
    with pytest.raises(ParameterError) as caught:
        Gaussian(epsilon=bad, delta=bad)
    assert [problem.where for problem in caught.value.problems] == ["Gaussian.epsilon", "Gaussian.delta"]
    with pytest.raises(ParameterError, match=r"Laplace\.epsilon"):
        Laplace(bad)
    with pytest.raises(ParameterError) as caught:
        FeatureRelease("noise", clip=bad)  # type: ignore[arg-type]
    assert [problem.where for problem in caught.value.problems] == [
        "FeatureRelease.noise",
        "FeatureRelease.clip",
    ]


def test_all_problems_of_a_pixel_release_are_listed() -> None:
    with pytest.raises(ParameterError) as caught:
        PixelRelease(noise=None, unit="image", block=0)  # type: ignore[arg-type]
    assert [problem.where for problem in caught.value.problems] == [
        "PixelRelease.noise",
        "PixelRelease.unit",
        "PixelRelease.block",
    ]
    with pytest.raises(ParameterError, match="side of the patch"):
        PixelRelease(Laplace(1.0), unit=Patch(4), block=3)


@pytest.mark.parametrize("bad", [0, -3, 1.5, math.nan, "16", None, True])
def test_units_are_checked(bad) -> None:
    with pytest.raises(ParameterError, match=r"Pixels\.count"):
        Pixels(bad)
    with pytest.raises(ParameterError, match=r"Patch\.side"):
        Patch(bad)
    with pytest.raises(ParameterError, match="block"):
        PixelRelease(Laplace(1.0), block=bad)


@pytest.mark.parametrize("delta", [1.0, 1.5])
def test_delta_below_one(delta: float) -> None:
    with pytest.raises(ParameterError, match="delta"):
        Gaussian(1.0, delta)


def test_numpy_numbers_are_welcome() -> None:
    image = np.zeros((8, 8), np.uint8)
    release = PixelRelease(Laplace(np.float32(4)), unit=Pixels(np.uint8(200)), block=np.int64(2))
    assert release == PixelRelease(Laplace(4.0), unit=Pixels(200), block=2)
    assert release.apply(image, stream()).shape == image.shape


@pytest.mark.parametrize("release", [*RELEASES, FeatureRelease(Gaussian(1.0, 1e-5), clip=3.0)])
def test_guarantee_survives_json(release) -> None:
    guarantee = release.guarantee((12, 10))
    text = json.dumps(guarantee.to_dict(), allow_nan=False)
    assert Guarantee.from_dict(json.loads(text)) == guarantee
    assert str(guarantee.relation) in guarantee.sentence
    assert ("whole-image epsilon" in guarantee.sentence) == (guarantee.unit != "whole image")


def test_no_release_says_so() -> None:
    guarantee = no_release()
    assert guarantee is NO_GUARANTEE
    assert guarantee.epsilon == guarantee.whole_image_epsilon == math.inf
    assert guarantee.sentence.startswith("No differential privacy")
    text = json.dumps(guarantee.to_dict(), allow_nan=False)
    assert json.loads(text)["epsilon"] is None
    assert Guarantee.from_dict(json.loads(text)) == guarantee


def test_units_state_their_relation() -> None:
    assert "one whole image" in WholeImage().relation
    assert "at most 16 pixels" in Pixels(16).relation
    assert "4 x 4" in Patch(4).relation
    assert PixelRelease(Laplace(1.0), unit=Patch(4)).block == 4


def test_import_is_light() -> None:
    heavy = ("numba", "dp_accounting", "mpmath", "cryptography", "scipy", "cv2", "jax")
    code = f"import privis.privacy, sys; print([m for m in {heavy} if m in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"
