"""Denoising: what is known about the noise against the releases themselves, and what it gives back.

Answers for `privis.features.preprocessing.preprocessed`.
"""

from __future__ import annotations

import numpy as np
import pytest

from privis import HOG, ColourHistogram, Gaussian, Laplace, PixelRelease, Pixels, ReleaseKey, WholeImage, extract
from privis.errors import ParameterError
from privis.features.feature import Feature
from privis.features.image_ops import grey
from privis.features.preprocessing.denoise import (
    Denoised,
    NoiseLaw,
    NonLocalMeans,
    PixelNoise,
    WaveletShrinkage,
    Wiener,
    _merge,
    _shrink,
    _split,
)

DENOISERS = (Wiener, WaveletShrinkage, NonLocalMeans)
WEAK = PixelRelease(Laplace(16.0), Pixels(1))  # standard deviation 23 grey levels
STRONG = PixelRelease(Laplace(4.0), Pixels(1))  # 90 grey levels
BLOCKS = PixelRelease(Laplace(4.0), Pixels(16), block=4)
NORMAL = PixelRelease(Gaussian(30.0, 1e-6), Pixels(1))


def noise_of(release: PixelRelease, shape=(256, 256)) -> PixelNoise:
    guarantee = release.guarantee(shape)
    return PixelNoise(NoiseLaw(guarantee.mechanism), guarantee.scale * guarantee.step, release.block)


def released(release: PixelRelease, image: np.ndarray, record: str = "image") -> np.ndarray:
    return release.apply(image, ReleaseKey(bytes(32)).stream(record, b"", b""))


def error(image: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(((image.astype(float) - truth) ** 2).mean()))


@pytest.mark.parametrize("release", [WEAK, STRONG, BLOCKS, NORMAL, PixelRelease(Gaussian(4.0, 1e-6), WholeImage(), 64)])
@pytest.mark.parametrize("level", [0, 20, 128, 250])
def test_mean_and_variance_are_those_of_the_release(release, level):
    side = 256 * min(release.block, 4)
    pixels = released(release, np.full((side, side), level, np.uint8))[:: release.block, :: release.block].astype(float)
    noise = noise_of(release, (side, side))
    within = 5 * np.sqrt(noise.released_variance[level] / pixels.size)
    assert abs(pixels.mean() - noise.released_mean[level]) < within
    fourth = ((pixels - pixels.mean()) ** 4).mean()
    assert abs(pixels.var() - noise.released_variance[level]) < 5 * np.sqrt(fourth / pixels.size) + 0.01


def test_drawing_by_uniform_numbers_has_the_same_law():
    noise = noise_of(STRONG)
    drawn = noise.released(30, (np.arange(100_000) + 0.5) / 100_000).astype(float)
    assert drawn.mean() == pytest.approx(noise.released_mean[30], abs=0.01)
    assert drawn.var() == pytest.approx(noise.released_variance[30], rel=1e-3)


@pytest.mark.parametrize(
    "release", [PixelRelease(Laplace(60.0), Pixels(1)), PixelRelease(Gaussian(60.0, 1e-6), Pixels(1))]
)
def test_the_deviation_is_that_of_noise_that_is_not_clamped(release):
    noised = released(release, np.full((512, 512), 128, np.uint8)).astype(float)
    assert noised.std() == pytest.approx(noise_of(release).deviation, rel=0.015)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (3, 50), (28, 28), (37, 64)])
@pytest.mark.parametrize("denoiser", DENOISERS)
def test_without_noise_the_image_comes_back(denoiser, shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    for law in NoiseLaw:
        np.testing.assert_array_equal(denoiser(PixelNoise(law, 0.0))(image), image)


def test_wavelets_reconstruct_exactly():
    plane = np.random.default_rng(1).normal(size=(16, 24))
    for gap in (1, 2, 4):
        for axis in (0, 1):
            np.testing.assert_allclose(_merge(*_split(plane, gap, axis), gap, axis), plane, atol=1e-13)
    np.testing.assert_allclose(_shrink(plane, 0.0, 1, 3), plane, atol=1e-13)
    assert np.abs(_shrink(plane, 1.0, 1, 3)).max() < np.abs(plane).max() / 2  # it is all noise


@pytest.mark.parametrize(
    ("release", "denoiser", "left"),
    [
        (WEAK, Wiener, 0.68),
        (WEAK, WaveletShrinkage, 0.45),
        (WEAK, NonLocalMeans, 0.45),
        (STRONG, Wiener, 0.35),
        (STRONG, WaveletShrinkage, 0.32),
        (STRONG, NonLocalMeans, 0.33),
        (NORMAL, Wiener, 0.5),
        (NORMAL, WaveletShrinkage, 0.4),
        (NORMAL, NonLocalMeans, 0.38),
        (BLOCKS, Wiener, 0.5),
        (BLOCKS, WaveletShrinkage, 0.5),
        (BLOCKS, NonLocalMeans, 0.51),
    ],
)
def test_denoising_leaves_a_share_of_the_error_on_a_photograph(camera, release, denoiser, left):
    noised = released(release, camera)
    assert error(denoiser(noise_of(release))(noised), camera) < left * error(noised, camera)


@pytest.mark.parametrize("denoiser", DENOISERS[:2])
def test_dark_and_bright_images_keep_their_level(denoiser):
    """Clamping moves the mean of a dark image up by 20 grey levels; the curve takes it back."""
    for level in (30, 128, 225):
        noised = released(STRONG, np.full((96, 96), level, np.uint8))
        assert abs(denoiser(noise_of(STRONG))(noised).mean() - level) < 3
        assert level == 128 or abs(noised.mean() - level) > 15


@pytest.mark.parametrize("denoiser", DENOISERS)
@pytest.mark.parametrize("block", [1, 4])
def test_channels_are_denoised_each_on_its_own(astronaut, denoiser, block):
    noised = released(PixelRelease(Laplace(4.0), Pixels(1), block), astronaut[:61, :50])
    noise = noise_of(PixelRelease(Laplace(4.0), Pixels(1), block), noised.shape)
    got = denoiser(noise)(noised)
    assert got.dtype == np.uint8 and got.shape == noised.shape
    np.testing.assert_array_equal(got[..., 1], denoiser(noise)(np.ascontiguousarray(noised[..., 1])))


@pytest.mark.parametrize("denoiser", DENOISERS)
def test_no_scale_of_noise_breaks_it(denoiser):
    image = np.random.default_rng(3).integers(0, 256, (13, 9), dtype=np.uint8)
    for scale in (1e-9, 1e-3, 0.3, 1e3, 1e9, 1e20, 1e30):
        for law in NoiseLaw:
            for block in (1, 4, 100):
                got = denoiser(PixelNoise(law, scale, block))(image)
                assert got.shape == image.shape and got.dtype == np.uint8


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    return float((first * second).sum() / np.linalg.norm(first) / np.linalg.norm(second))


@pytest.mark.parametrize("denoiser", DENOISERS)
def test_features_of_noised_images_come_closer_to_clean_ones(astronaut, denoiser):
    key, hog = ReleaseKey.generate(), HOG(size=(128, 128))
    clean = extract(hog, [astronaut]).features[0]
    plain = extract(hog, [astronaut], release=STRONG, key=key)
    noise = noise_of(STRONG, (128, 128))
    ours = extract(Denoised(hog, denoiser(noise)), [astronaut], release=STRONG, key=key)
    assert cosine(ours.features[0], clean) > cosine(plain.features[0], clean) + 0.03
    assert ours.guarantee == plain.guarantee


def test_a_denoised_feature_is_the_feature_of_the_denoised_image(astronaut):
    wiener = Wiener(noise_of(STRONG))
    hog, colours = Denoised(HOG(size=(64, 64)), wiener), Denoised(ColourHistogram(), wiener)
    assert isinstance(hog, Feature)
    assert (hog.name, hog.luma_only, hog.size, colours.luma_only) == ("hog", True, (64, 64), False)
    small = np.ascontiguousarray(astronaut[::4, ::4])
    np.testing.assert_array_equal(hog.before(small), wiener(grey(small)))
    np.testing.assert_array_equal(hog.before(small), hog.before(grey(small)))
    np.testing.assert_array_equal(colours.before(small), ColourHistogram().before(wiener(small)))
    assert hog.names((64, 64)) == HOG().names((64, 64))
    assert hog != Denoised(HOG(size=(64, 64)), WaveletShrinkage(wiener.noise))
    assert "LAPLACE" in repr(hog) and "scale=" in repr(hog)


def test_bad_noise_and_bad_denoisers_are_refused():
    with pytest.raises(ParameterError) as caught:
        PixelNoise("laplace", -1.0, 0)  # type: ignore[arg-type]
    assert len(caught.value.problems) == 3
    for scale in (np.nan, np.inf, "3", True):
        with pytest.raises(ParameterError, match=r"PixelNoise\.scale"):
            PixelNoise(NoiseLaw.LAPLACE, scale)
    with pytest.raises(ParameterError) as caught:
        Denoised(HOG, Wiener)  # type: ignore[arg-type]
    assert [p.where for p in caught.value.problems] == ["Denoised.feature", "Denoised.denoiser"]
