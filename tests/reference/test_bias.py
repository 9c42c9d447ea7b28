"""HOG without the votes of noise: zero on average where there is nothing else, and what it gives back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks import denoising
from privis import HOG, Clear, ColourHistogram, Gaussian, Laplace, PixelRelease, Pixels, ReleaseKey, extract
from privis.errors import ParameterError
from privis.features.feature import Feature
from privis.features.noise_corrected_hog import GREY, UnbiasedHOG, expected_cells
from privis.features.preprocessing.denoise import Denoised, NoiseLaw, PixelNoise, Wiener
from privis.readings import domain_problems, evaluate

STRONG = PixelRelease(Laplace(4.0), Pixels(1))
WEAK = PixelRelease(Laplace(16.0), Pixels(1))
BLOCKS = PixelRelease(Laplace(2.0), Pixels(1), block=2)
NORMAL = PixelRelease(Gaussian(20.0, 1e-6), Pixels(1))
SMALL = HOG(cell=4, block=2)


def noise_of(release: PixelRelease, shape: tuple[int, ...]) -> PixelNoise:
    guarantee = release.guarantee(shape)
    return PixelNoise(NoiseLaw(guarantee.mechanism), guarantee.scale * guarantee.step, release.block)


@pytest.mark.parametrize("release", [STRONG, BLOCKS, NORMAL])
@pytest.mark.parametrize("wrap", [lambda hog, noise: hog, lambda hog, noise: Denoised(hog, Wiener(noise))])
def test_pure_noise_has_corrected_cells_of_mean_zero(release, wrap):
    """Before they are kept from below zero: every orientation, inside and along each border, within 1 %."""
    shape, runs = (28, 28), 1500
    noise = noise_of(release, shape)
    feature = UnbiasedHOG(wrap(SMALL, noise), noise)
    flat, key = np.full(shape, GREY, np.uint8), ReleaseKey(bytes(32))
    cells = Clear().prepare(SMALL.cells_program(shape))
    found = np.stack(
        [cells(feature.before(release.apply(flat, key.stream(str(k), b"", b"")))) for k in range(runs)]
    ).astype(float)
    expected = expected_cells(feature, shape)
    inside = (slice(None), slice(None), slice(1, -1), slice(1, -1))
    excess = (found - expected)[inside].mean((0, 2, 3)) / expected[inside[1:]].mean((1, 2))
    assert np.abs(excess).max() < 0.03
    for border in ((..., 0, slice(1, -1)), (..., -1, slice(1, -1)), (..., slice(1, -1), 0), (..., slice(1, -1), -1)):
        assert abs((found - expected)[border].mean()) < 0.02 * expected[border].mean()
    assert abs((found - expected).mean()) < 0.006 * expected.mean()


def test_the_expectation_is_the_rayleigh_mean_for_weak_gaussian_noise():
    """Two independent differences of standard deviation s * sqrt(2): mean length s * sqrt(pi), in all directions."""
    sigma = 12.0
    cells = expected_cells(UnbiasedHOG(HOG(), PixelNoise(NoiseLaw.GAUSSIAN, sigma)), (256, 256))[:, 1:-1, 1:-1]
    rounded = math.sqrt(sigma**2 + 1 / 12)
    assert cells.mean((1, 2)).sum() == pytest.approx(rounded * math.sqrt(math.pi), rel=0.01)
    assert np.abs(cells[1:-1].mean((1, 2)) / cells.mean() - 1).max() < 0.02  # the outer two share ties on an axis


def test_without_noise_it_is_hog(camera):
    feature = UnbiasedHOG(HOG(), PixelNoise(NoiseLaw.LAPLACE, 0.0))
    x = camera[:96, :96]
    np.testing.assert_array_equal(evaluate(feature.program(x.shape), x), evaluate(HOG().program(x.shape), x))


def test_blocks_with_an_edge_come_back_towards_clean_ones():
    """A bright disc on dark ground. Blocks without its edge stay as loud as before: normalised noise has length one."""
    y, x = np.mgrid[:96, :96]
    image = np.where((y - 48) ** 2 + (x - 48) ** 2 < 24**2, 230, 20).astype(np.uint8)
    key = ReleaseKey(bytes(32))
    clean = extract(HOG(), [image]).features.reshape(-1, 81)
    edge = clean.any(1)
    for release, gain in ((WEAK, 0.12), (STRONG, 0.02)):
        corrected = UnbiasedHOG(HOG(), noise_of(release, image.shape))
        plain, ours = (extract(f, [image], release=release, key=key).features for f in (HOG(), corrected))
        plain, ours = plain.reshape(-1, 81)[edge], ours.reshape(-1, 81)[edge]
        assert cosine(ours, clean[edge]) > cosine(plain, clean[edge]) + gain


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    return float((first * second).sum() / np.linalg.norm(first) / np.linalg.norm(second))


def test_a_model_of_clean_digits_reads_noised_ones_better(shared):
    """The benchmark in small: 79 to 91 per cent there."""
    digits = denoising.corpora(shared, 600)[0]
    clean = denoising.features(SMALL, digits.images)
    noised = denoising.released(digits.images, WEAK, key=1)
    corrected = UnbiasedHOG(SMALL, noise_of(WEAK, (28, 28)))
    before = denoising.accuracy(clean, denoising.features(SMALL, noised), digits)
    after = denoising.accuracy(clean, denoising.features(corrected, noised), digits)
    assert after > before + 5 and after > 80


def test_it_is_a_feature_like_hog(camera):
    noise = PixelNoise(NoiseLaw.LAPLACE, 16.0)
    feature = UnbiasedHOG(HOG(size=(64, 64)), noise)
    assert isinstance(feature, Feature) and (feature.luma_only, feature.size) == (True, (64, 64))
    assert feature.names((64, 64)) == HOG().names((64, 64))
    x = feature.before(camera)
    program = feature.program(x.shape)
    np.testing.assert_allclose(Clear().prepare(program)(x), evaluate(program, x), atol=1e-5)
    assert len(domain_problems(program)) == len(domain_problems(HOG().program((64, 64))))
    again = UnbiasedHOG(HOG(size=(64, 64)), PixelNoise(NoiseLaw.LAPLACE, 16.0))
    assert again == feature and repr(again) == repr(feature)


def test_the_correction_repeats():
    """A public constant of the program: its digest, and so the noise of a release, must not move."""
    feature = UnbiasedHOG(SMALL, PixelNoise(NoiseLaw.LAPLACE, 16.0))
    first = expected_cells(feature, (28, 28))
    expected_cells.cache_clear()
    np.testing.assert_array_equal(expected_cells(feature, (28, 28)), first)


def test_cells_that_lie_alike_get_the_same_correction():
    cells = expected_cells(UnbiasedHOG(SMALL, PixelNoise(NoiseLaw.LAPLACE, 16.0)), (28, 36))
    for rows in (0, slice(1, -1), -1):
        for columns in (0, slice(1, -1), -1):
            assert all(len(np.unique(cells[k, rows, columns])) == 1 for k in range(9))
    assert (cells[:, 1:-1, 1:-1].mean((1, 2)).sum() > 1.05 * cells.sum(0)[[0, 0, -1, -1], [0, -1, 0, -1]]).all()
    np.testing.assert_array_equal(cells * 64, np.rint(cells * 64))
    one = expected_cells(UnbiasedHOG(HOG(cell=8, block=1), PixelNoise(NoiseLaw.LAPLACE, 16.0)), (8, 9))
    assert one.shape == (9, 1, 1) and (one > 0).all()


def test_other_features_are_refused():
    noise = PixelNoise(NoiseLaw.LAPLACE, 16.0)
    for feature in (ColourHistogram(), Denoised(ColourHistogram(), Wiener(noise)), HOG):
        with pytest.raises(ParameterError, match=r"UnbiasedHOG\.feature"):
            UnbiasedHOG(feature, noise)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match=r"UnbiasedHOG\.noise"):
        UnbiasedHOG(HOG(), 16.0)  # type: ignore[arg-type]
