"""Epsilon, delta and scales agree with independent computations, and are never on the wrong side."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import pytest
from dp_accounting.pld import privacy_loss_distribution as pld
from hypothesis import given, settings
from hypothesis import strategies as st

from privis.errors import ParameterError
from privis.privacy import Gaussian, Laplace, PixelRelease, Pixels, WholeImage
from privis.privacy.accounting.noise_calibration import (
    gaussian_charge,
    gaussian_delta,
    gaussian_epsilon,
    gaussian_ratio,
    gaussian_scale,
    laplace_scale,
)
from privis.privacy.sampling.alias_table import TOTAL_VARIATION
from privis.privacy.sensitivity import Sensitivity, feature_sensitivity, pixel_sensitivity


def exact_delta(ratio: float, epsilon: float) -> mpmath.mpf:
    """Balle and Wang, theorem 8, in 200 bits."""
    with mpmath.workprec(200):
        mu, bound = mpmath.mpf(ratio), mpmath.mpf(epsilon)
        return mpmath.ncdf(mu / 2 - bound / mu) - mpmath.exp(bound) * mpmath.ncdf(-mu / 2 - bound / mu)


@settings(max_examples=60, deadline=None)
@given(epsilon=st.floats(1e-6, 500.0), exponent=st.floats(-20, -0.01))
def test_gaussian_calibration_is_never_too_little_and_hardly_too_much(epsilon: float, exponent: float) -> None:
    delta = 10.0**exponent
    ratio = gaussian_ratio(epsilon, delta)
    assert exact_delta(ratio, epsilon) <= delta
    assert exact_delta(ratio * 1.0001, epsilon) > delta


@settings(max_examples=60, deadline=None)
@given(ratio=st.floats(1e-3, 3000.0), exponent=st.floats(-20, -1))
def test_gaussian_epsilon_is_never_too_small_and_hardly_too_large(ratio: float, exponent: float) -> None:
    delta = 10.0**exponent
    epsilon = gaussian_epsilon(ratio, delta)
    assert exact_delta(ratio, epsilon) <= delta
    assert epsilon == 0 or exact_delta(ratio, epsilon * 0.9999) > delta


@pytest.mark.parametrize(("ratio", "delta"), [(0.2, 1e-5), (1.0, 1e-6), (5.0, 1e-8)])
def test_gaussian_agrees_with_the_privacy_loss_distribution(ratio: float, delta: float) -> None:
    accountant = pld.from_gaussian_mechanism(1 / ratio, value_discretization_interval=1e-4)
    assert gaussian_epsilon(ratio, delta) == pytest.approx(accountant.get_epsilon_for_delta(delta), abs=2e-4)


@pytest.mark.parametrize(("scale", "distance"), [(63.75, 255), (100.0, 30)])
def test_laplace_epsilon_agrees_with_the_privacy_loss_distribution(scale: float, distance: int) -> None:
    accountant = pld.from_discrete_laplace_mechanism(
        1 / scale, sensitivity=distance, value_discretization_interval=1e-5
    )
    assert accountant.get_delta_for_epsilon(distance / scale + 1e-4) < 1e-12
    assert accountant.get_delta_for_epsilon(distance / scale * 0.99) > 1e-4


@settings(max_examples=200, deadline=None)
@given(epsilon=st.floats(1e-4, 40.0), distance=st.integers(1, 10**9))
def test_laplace_scale_is_rounded_up(epsilon: float, distance: int) -> None:
    scale = laplace_scale(epsilon, Sensitivity("L1", distance**2, 1, distance, ""))
    assert Fraction(scale) * Fraction(epsilon) >= distance
    assert scale <= max(2.0**-10, distance / epsilon * (1 + 1e-15))


@settings(max_examples=40, deadline=None)
@given(epsilon=st.floats(0.01, 30.0), exponent=st.floats(-12, -2), dimension=st.integers(1, 10**6))
def test_gaussian_scale_pays_for_the_sampler(epsilon: float, exponent: float, dimension: int) -> None:
    delta, sensitivity = 10.0**exponent, feature_sensitivity("L2", 2**19, dimension)
    scale = gaussian_scale(epsilon, delta, sensitivity)
    slack, charge = gaussian_charge(scale, sensitivity, epsilon)
    assert charge > 0
    assert exact_delta(sensitivity.value / scale, epsilon - slack) + charge <= delta


def test_charge_is_the_smaller_of_the_two_bounds() -> None:
    few = pixel_sensitivity("L2", Pixels(1), 1, (28, 28))
    assert gaussian_charge(304.0, few, 4.0) == (0.0, TOTAL_VARIATION * (1 + math.exp(4.0)))
    whole = pixel_sensitivity("L2", WholeImage(), 1, (28, 28))
    slack, charge = gaussian_charge(304.0, whole, 386.0)
    assert 0 < slack < 1e-6
    eta = -math.expm1(-slack / 784)
    beta = min(math.exp(e) * TOTAL_VARIATION / eta + float(exact_delta(255 / 304.0, e)) for e in range(1, 76))
    assert 784 * (TOTAL_VARIATION + beta) <= charge < 784 * (TOTAL_VARIATION + beta) * 10
    assert charge < 1e-12


def test_whole_image_epsilon_of_pixel_laplace_is_784_times_the_nominal_one() -> None:
    guarantee = PixelRelease(Laplace(4.0), unit=Pixels(1)).guarantee((28, 28))
    assert (guarantee.epsilon, guarantee.whole_image_epsilon, guarantee.scale) == (4.0, 3136.0, 63.75)
    assert guarantee.delta == pytest.approx(TOTAL_VARIATION * (1 + math.exp(4.0)))
    assert guarantee.whole_image_delta == pytest.approx(784 * guarantee.delta)


def test_whole_image_epsilon_after_pixelisation_as_in_the_literature() -> None:
    guarantee = PixelRelease(Laplace(4.0), unit=Pixels(16), block=4).guarantee((28, 28))
    assert guarantee.whole_image_epsilon == pytest.approx(196.0)
    assert guarantee.scale == 1020.0  # block sums: 16 pixels of 255 by epsilon 4
    assert guarantee.scale * guarantee.step == 63.75  # in grey levels


def test_whole_image_epsilon_of_pixel_gaussian_is_recomputed() -> None:
    guarantee = PixelRelease(Gaussian(4.0, 1e-6), unit=Pixels(1)).guarantee((28, 28))
    assert (guarantee.epsilon, guarantee.delta, guarantee.whole_image_delta) == (4.0, 1e-6, 1e-6)
    assert gaussian_delta(255 / guarantee.scale, 4.0) == pytest.approx(1e-6, rel=1e-5)
    low, high = 0.0, 3136.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if exact_delta(255 * 28 / guarantee.scale, middle) <= 1e-6 else (middle, high)
    assert guarantee.whole_image_epsilon == pytest.approx(high, rel=1e-6)
    assert guarantee.whole_image_epsilon >= high
    assert round(high) == 386


def test_whole_image_unit_has_one_epsilon() -> None:
    for noise in (Laplace(2.0), Gaussian(2.0, 1e-6)):
        guarantee = PixelRelease(noise).guarantee((64, 48, 3))
        assert guarantee.epsilon == guarantee.whole_image_epsilon == 2.0
        assert guarantee.delta == guarantee.whole_image_delta


@pytest.mark.parametrize("noise", [Laplace(90.0), Gaussian(90.0, 1e-6), Laplace(1e-12)])
def test_epsilon_that_sampled_noise_cannot_keep_is_refused(noise) -> None:
    shape = (28, 28) if noise.epsilon > 1 else (30_000, 30_000)
    with pytest.raises(ParameterError, match="epsilon"):
        PixelRelease(noise, unit=Pixels(1) if noise.epsilon > 1 else WholeImage()).guarantee(shape)
