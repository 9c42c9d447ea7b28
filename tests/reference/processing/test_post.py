"""Steps after a feature: exact properties for any vector, and nothing new about privacy."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from privis import HOG, ColourHistogram, FeatureRelease, Laplace, PixelRelease, Pixels, ReleaseKey, extract
from privis.errors import ParameterError
from privis.features.feature import Feature
from privis.features.postprocessing.projection import Projection
from privis.features.postprocessing.steps import L1, L2, Hellinger, Posted, Quantise, posted
from privis.readings import evaluate

ANY = arrays(np.float32, st.integers(1, 12), elements=st.floats(width=32))
FINITE = arrays(np.float32, (3, 5), elements=st.floats(width=32, allow_nan=False, allow_infinity=False))
STEPS = (L1(), L2(), Hellinger(), Quantise(0.25), Quantise(2.0**100), Quantise(2.0**-100))


@given(ANY)
@pytest.mark.parametrize("step", STEPS)
def test_whatever_comes_in_finite_float32_goes_out(step, values):
    got = step(values)
    assert got.dtype == np.float32 and got.shape == values.shape and np.isfinite(got).all()
    if not np.isfinite(values).all() or not values.any():
        assert not got.any()


@given(FINITE)
def test_lengths_are_one_however_large_or_small_the_vector(values):
    present = values.any(1)
    np.testing.assert_allclose(np.abs(L1()(values)).sum(1, dtype=float), present, rtol=1e-6)
    for step in (L2(), Hellinger()):
        np.testing.assert_allclose(np.linalg.norm(step(values).astype(float), axis=1), present, rtol=1e-6)
        assert (np.sign(step(values)) * np.sign(values) >= 0).all()


def test_hellinger_turns_dot_products_into_bhattacharyya_coefficients():
    first, second = np.random.default_rng(1).random((2, 40))
    coefficient = np.sqrt(first / first.sum() * second / second.sum()).sum()
    assert Hellinger()(first) @ Hellinger()(second) == pytest.approx(coefficient, abs=1e-6)
    signed = np.array([4.0, -1.0, 0.0, 11.0])
    np.testing.assert_allclose(Hellinger()(signed), np.sign(signed) * np.sqrt(np.abs(signed) / 16), atol=1e-7)


def test_quantise_rounds_to_the_nearest_multiple():
    values = np.random.default_rng(2).normal(size=1000).astype(np.float32)
    got = Quantise(0.1)(values)
    np.testing.assert_allclose(got / 0.1, np.rint(got / 0.1), atol=1e-5)
    assert np.abs(got - values).max() <= 0.05 + 1e-6
    assert len(np.unique(got)) < 100
    assert not np.signbit(Quantise(1.0)(np.array([-0.2]))).any()


def test_posted_is_the_feature_and_then_the_steps(camera):
    hog = HOG(size=(64, 64))
    steps = (Hellinger(), Projection.random(2916, 12), L2())
    feature = Posted(hog, steps)
    core_input = feature.before(camera)
    values = evaluate(feature.program(core_input.shape), core_input)
    expected = hog.after(values)
    for step in steps:
        expected = step(expected)
    np.testing.assert_array_equal(feature.after(values), expected)
    assert feature.names((64, 64)) == tuple(f"random_{k}" for k in range(12))
    assert isinstance(feature, Feature) and feature == Posted(HOG(size=(64, 64)), steps)
    assert (feature.name, feature.luma_only, feature.size) == ("hog", True, (64, 64))
    assert not Posted(ColourHistogram(), (L1(),)).luma_only
    again = pickle.loads(pickle.dumps(feature))
    assert again == feature and repr(again) == repr(feature) and hash(again) == hash(feature)


def test_noise_on_pixels_is_the_same_release_with_or_without_steps(camera):
    key, release = ReleaseKey.generate(), PixelRelease(Laplace(8.0), Pixels(1))
    plain = extract(HOG(), [camera[:48, :48]], release=release, key=key)
    ended = extract(Posted(HOG(), (L2(),)), [camera[:48, :48]], release=release, key=key)
    np.testing.assert_array_equal(ended.features, posted(plain.features, (L2(),)))
    assert ended.guarantee == plain.guarantee


def test_noise_on_the_feature_is_other_noise_for_every_projection(camera):
    image, key, release = camera[:24, :24], ReleaseKey.generate(), FeatureRelease(Laplace(1.0), clip=1.0)
    matrix = np.eye(2, 81)
    other = matrix.copy()
    other[1, 80] = 1e-12  # moves no feature by more than 1e-12
    results = [
        extract(Posted(HOG(), (Projection(m, np.zeros(81), source="made up"),)), [image], release=release, key=key)
        for m in (matrix, matrix.copy(), other)
    ]
    assert results[0].features.shape == (1, 2)
    np.testing.assert_array_equal(results[0].features, results[1].features)
    assert (results[0].features != results[2].features).all()


def test_the_card_names_the_public_corpus(camera):
    step = Projection.pca(np.random.default_rng(3).random((9, 81)), 4, source="nine public photographs")
    card = json.loads(extract(Posted(HOG(), (step, L2())), [camera[:24, :24]]).card.to_json())
    assert card["feature"]["class"] == "Posted" and card["feature"]["feature"]["class"] == "HOG"
    assert [s["class"] for s in card["feature"]["steps"]] == ["Projection", "L2"]
    assert card["feature"]["steps"][0]["source"] == "nine public photographs"


def test_everything_that_is_no_step_is_named():
    with pytest.raises(ParameterError) as caught:
        Posted(HOG, (L2, "l2", L2()))  # type: ignore[arg-type]
    assert [p.where for p in caught.value.problems] == ["Posted.feature", "Posted.steps[0]", "Posted.steps[1]"]
    assert "L2()" in caught.value.problems[1].remedy
    with pytest.raises(ParameterError, match="at least one"):
        Posted(HOG(), ())
    for step in (0.0, -1.0, np.inf, np.nan, "1", True):
        with pytest.raises(ParameterError, match=r"Quantise\.step"):
            Quantise(step)  # type: ignore[arg-type]


def test_a_projection_for_other_vectors_is_refused_before_anything_is_computed():
    feature = Posted(HOG(), (Projection.random(100, 2),))
    for ask in (feature.program, feature.names):
        with pytest.raises(ParameterError, match="100 components"):
            ask((64, 64))
