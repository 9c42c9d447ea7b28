"""Histograms: no neighbour breaches the sensitivity, and the noise is what is claimed."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from privis.errors import ParameterError
from privis.privacy import (
    Gaussian,
    HistogramRelease,
    Laplace,
    NoiseStream,
    Patch,
    Person,
    Pixels,
    ReleaseKey,
    WholeImage,
)
from privis.privacy.sensitivity import Norm, count_sensitivity

NORMS: tuple[Norm, Norm] = ("L1", "L2")
images = hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.sampled_from([0, 1, 2, 3, 9])
)


def stream(record: str = "a.png") -> NoiseStream:
    return ReleaseKey(bytes(range(32))).stream(record, b"content", b"purpose")


def grey_values(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """One changed pixel moves one count."""
    return np.bincount(image.ravel(), minlength=10)


def neighbourhoods(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Counts of a code of every pixel's 3 x 3 surroundings: one changed pixel moves at most 9 counts."""
    padded = np.pad(image, 1, mode="edge")
    height, width = image.shape
    around = [padded[y : y + height, x : x + width] >= image for y in range(3) for x in range(3)]
    return np.bincount(sum(bit.astype(int) << (n % 4) for n, bit in enumerate(around)).ravel(), minlength=64)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), image=images, pixels=st.integers(1, 12))
def test_no_neighbour_breaches_the_claim(data: st.DataObject, image, pixels: int) -> None:
    changed = data.draw(st.permutations(range(image.size)))[:pixels]
    neighbour = image.copy()
    neighbour.ravel()[changed] = data.draw(hnp.arrays(np.uint8, len(changed), elements=st.integers(0, 9)))
    for histogram, moves in ((grey_values, 1), (neighbourhoods, 9)):
        move = histogram(neighbour) - histogram(image)
        for norm in NORMS:
            claim = count_sensitivity(norm, pixels * moves, move.size, "")
            distance = np.abs(move).sum() ** 2 if norm == "L1" else (move**2).sum()
            assert distance <= claim.squared
            assert np.count_nonzero(move) <= claim.coordinates
            assert np.abs(move).max() <= claim.largest


@pytest.mark.parametrize("pixels", [1, 5, 30])
def test_the_claim_is_attained(pixels: int) -> None:
    """All changed pixels go from the same bin to the same other bin."""
    image, neighbour = np.zeros((6, 6), np.uint8), np.zeros((6, 6), np.uint8)
    neighbour.ravel()[:pixels] = 7
    move = grey_values(neighbour) - grey_values(image)
    assert np.abs(move).sum() ** 2 == count_sensitivity("L1", pixels, 10, "").squared
    assert (move**2).sum() == count_sensitivity("L2", pixels, 10, "").squared


awkward = st.one_of(
    st.sampled_from([np.nan, np.inf, -np.inf, -4.0, 1e300, 2.0**41, 0.0]), st.integers(0, 50).map(float)
)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), bins=st.integers(1, 12), total=st.integers(1, 60))
def test_whatever_the_feature_two_histograms_are_within_the_whole_image_claim(data, bins: int, total: int) -> None:
    release = HistogramRelease(Laplace(1.0), moves=1, total=total)
    first, second = (release.on_grid(data.draw(hnp.arrays(np.float64, bins, elements=awkward))) for _ in range(2))
    assert min(first.min(), second.min()) >= 0 and max(first.sum(), second.sum()) <= total
    move = first - second
    assert np.abs(move).sum() ** 2 <= count_sensitivity("L1", total, bins, "").squared
    assert (move**2).sum() <= count_sensitivity("L2", total, bins, "").squared


def test_counts_within_the_total_are_kept() -> None:
    counts = np.array([[3.0, 0.0], [7.0, 2.0]])
    assert HistogramRelease(Laplace(1.0), moves=1, total=12).on_grid(counts).tolist() == counts.tolist()
    assert HistogramRelease(Laplace(1.0), moves=1, total=8).on_grid(counts).tolist() == [[3, 0], [5, 0]]
    assert HistogramRelease(Laplace(1.0), 1, Pixels(2), total=8).on_grid(counts).tolist() == counts.tolist()


def test_guarantees_in_numbers() -> None:
    pixels = HistogramRelease(Laplace(2.0), moves=9, unit=Pixels(4), total=900).guarantee((59,))
    assert (pixels.unit, pixels.sensitivity, pixels.scale, pixels.step_unit) == ("pixels", 72.0, 36.0, "counts")
    assert pixels.whole_image_epsilon == 50.0
    whole = HistogramRelease(Laplace(2.0), moves=9, total=900).guarantee((59,))
    assert (whole.unit, whole.scale, whole.epsilon, whole.whole_image_epsilon) == ("whole image", 900.0, 2.0, 2.0)
    gaussian = HistogramRelease(Gaussian(2.0, 1e-6), moves=9, unit=Pixels(4), total=900).guarantee((59,))
    assert gaussian.sensitivity == pytest.approx(36 * math.sqrt(2), rel=1e-12)
    person = HistogramRelease(Laplace(2.0), moves=1, unit=Person(5), total=900).guarantee((59,))
    assert (person.unit, person.scale, person.epsilon, person.whole_image_epsilon) == ("person", 4500.0, 2.0, 0.4)


def test_without_a_total_nothing_is_said_about_whole_images() -> None:
    guarantee = HistogramRelease(Laplace(2.0), moves=1, unit=Pixels(4)).guarantee((59,))
    assert guarantee.whole_image_epsilon == math.inf and guarantee.to_dict()["whole_image_epsilon"] is None
    assert "Whole images are not hidden: nothing that was stated bounds them." in guarantee.sentence
    assert type(guarantee).from_dict(guarantee.to_dict()) == guarantee


def test_released_counts_are_whole_numbers_from_0_with_the_noise_that_is_claimed() -> None:
    release = HistogramRelease(Laplace(1.0), moves=1, unit=Pixels(10))
    full, empty = np.full((100, 200), 5000), np.zeros((100, 200))
    released = release.apply(full, stream())
    assert (released.dtype, released.shape) == (np.float32, (100, 200))
    assert np.array_equal(released, np.rint(released))
    assert np.abs(released - 5000).mean() == pytest.approx(release.guarantee(full.shape).scale, rel=0.03)
    assert np.array_equal(release.apply(empty, stream()), np.maximum(released - 5000, 0))
    assert not np.array_equal(release.apply(full, stream("b.png")), released)


def test_the_scale_does_not_depend_on_the_histogram() -> None:
    release = HistogramRelease(Gaussian(1.0, 1e-6), moves=1, total=100_000)
    small, large = np.full(50, 1000), np.full(50, 2000)
    first, second = release.apply(small, stream()), release.apply(large, stream())
    both = (first > 0) & (second > 0)
    assert both.any() and np.array_equal((second - first)[both], np.full(both.sum(), 1000))


def test_normalised_histograms_are_refused() -> None:
    for unit in (Pixels(1), WholeImage()):
        with pytest.raises(ParameterError, match="whole numbers"):
            HistogramRelease(Laplace(1.0), moves=1, unit=unit, total=10).apply(np.array([0.5, 0.5]), stream())


@pytest.mark.parametrize("bad", [0, -3, 1.5, math.nan, "16", True])
def test_all_problems_are_listed(bad) -> None:
    with pytest.raises(ParameterError) as caught:
        HistogramRelease("noise", moves=bad, unit=Patch(2), total=bad)  # type: ignore[arg-type]
    assert [problem.where.removeprefix("HistogramRelease.") for problem in caught.value.problems] == [
        "noise",
        "moves",
        "unit",
        "total",
    ]


def test_whole_images_need_a_total() -> None:
    for unit in (WholeImage(), Person(2)):
        with pytest.raises(ParameterError, match=r"HistogramRelease\.total"):
            HistogramRelease(Laplace(1.0), moves=1, unit=unit)
    with pytest.raises(ParameterError, match=r"2\*\*40"):
        HistogramRelease(Laplace(1.0), moves=1, total=2**41)
    with pytest.raises(ParameterError, match="no bin"):
        HistogramRelease(Laplace(1.0), moves=1, total=4).guarantee((0,))
