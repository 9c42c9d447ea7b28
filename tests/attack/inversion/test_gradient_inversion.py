"""Derivatives of programs in PyTorch, and the descent that gives pictures back.

Answers for `privis.attack.inversion.torch_evaluation` and `privis.attack.inversion.gradient_inversion`.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from privis.attack.inversion.gradient_inversion import GradientInversion, feature_program
from privis.attack.inversion.torch_evaluation import TorchEvaluation
from privis.errors import MissingExtraError, ParameterError, UnsupportedError
from privis.features.colour import ColourHistogram
from privis.features.feature import Feature
from privis.features.glcm import GLCM
from privis.features.hog import HOG
from privis.features.keypoints.sift import SIFT, DenseSIFT
from privis.features.lbp import LBP
from privis.features.wavelets.gabor import Gabor
from privis.features.wavelets.scattering import Scattering
from privis.program import Input, Kind, ops, trace
from privis.readings.evaluate import evaluate

FEATURES = (
    HOG(), DenseSIFT(step=16, width=4), LBP(), Gabor(), Scattering(), ColourHistogram(bins=4), GLCM(),
)  # fmt: skip


def _pictures(count: int, side: int = 32) -> np.ndarray:
    """Smooth pictures of 8 bits with edges."""
    random = np.random.default_rng(3)
    waves = random.normal(size=(count, 3, 2))
    at = np.stack(np.mgrid[:side, :side], -1) / 6
    made = sum(np.sin(at @ waves[:, k].T) for k in range(3)).transpose(2, 0, 1)
    return np.clip(128 + 60 * made, 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: type(feature).__name__)
def test_a_feature_has_its_values_and_a_derivative(feature: Feature) -> None:
    pytest.importorskip("torch")
    cores = [feature.before(np.repeat(picture[:, :, None], 3, 2)) for picture in _pictures(3, 48)]
    program = feature.program(cores[0].shape)
    exact = np.stack([evaluate(program, core) for core in cores])
    hard = TorchEvaluation(program, 0.0)
    assert np.allclose(hard(hard.tensor(cores)).numpy().reshape(exact.shape), exact, rtol=1e-3, atol=1e-3)
    soft = TorchEvaluation(program)
    pixels = soft.tensor(cores).requires_grad_()
    soft(pixels).square().sum().backward()
    assert np.isfinite(pixels.grad.numpy()).all() and pixels.grad.abs().amax(tuple(range(1, pixels.ndim))).min() > 0


@pytest.mark.parametrize("kind", list(Kind))
def test_every_function_is_the_readings(kind: Kind) -> None:
    pytest.importorskip("torch")
    op = ops.Nonlinear(kind, (0.1, 2.0), a=0.5, b=1.5)
    program = trace(lambda x: x >> op, Input((7,), 0.1, 2.0, None))
    values = np.linspace(0.1, 2.0, 7, dtype=np.float32)
    made = TorchEvaluation(program)
    assert np.allclose(made(made.tensor(values[None])).numpy()[0], evaluate(program, values), atol=1e-5)


def test_what_has_no_derivative_is_named() -> None:
    pytest.importorskip("torch")
    first = trace(lambda x: x >> ops.TopK(2), Input((4,)))
    with pytest.raises(UnsupportedError, match="TopK"):
        TorchEvaluation(first)


def test_the_descent_gives_back_a_picture_of_hog() -> None:
    """From grey, with nothing learned: the feature of what is found is the attacked one, and the edges are there."""
    pytest.importorskip("torch")
    program = feature_program(HOG(cell=4), (32, 32))
    pictures = _pictures(2)
    rows = np.stack([evaluate(program, picture) for picture in pictures])
    start = np.random.default_rng(1).normal(128, 4, (2, 32, 32))
    shares: list[float] = []
    made = GradientInversion(steps=80)(program, rows, start, shares.append)
    found = np.stack([evaluate(program, picture) for picture in made.round()])
    begun = np.stack([evaluate(program, picture) for picture in start.round()])
    assert np.linalg.norm(found - rows) < 0.4 * np.linalg.norm(begun - rows)
    assert made.min() >= 0 and made.max() <= 255
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_a_direction_is_enough_where_lengths_are_noise() -> None:
    pytest.importorskip("torch")
    program = feature_program(HOG(cell=4), (32, 32))
    rows = np.stack([evaluate(program, picture) for picture in _pictures(1)])
    start = np.random.default_rng(1).normal(128, 4, (1, 32, 32))
    descent = GradientInversion(steps=5, by_direction=True)
    assert np.allclose(descent(program, rows, start), descent(program, 7 * rows, start), atol=0.5)


def test_what_does_not_fit_is_refused() -> None:
    program = feature_program(HOG(cell=4), (32, 32))
    with pytest.raises(ParameterError, match="one for one"):
        GradientInversion()(program, np.zeros((2, 5)), np.zeros((2, 32, 32)))
    with pytest.raises(ParameterError, match="0 steps"):
        GradientInversion(steps=0)
    with pytest.raises(UnsupportedError, match="sift"):
        feature_program(SIFT(), SIFT().before(_pictures(1)[0]).shape)


@pytest.mark.parametrize(("feature", "size"), [(DenseSIFT(step=16, width=4), (48, 48)), (LBP(density=True), (32, 32))])
def test_what_the_owner_does_last_is_seen_on_a_sample(feature: Feature, size: tuple[int, int]) -> None:
    first, second = (feature.before(picture) for picture in _pictures(2, size[0]))
    program = feature_program(feature, size, first)
    assert np.allclose(evaluate(program, second), feature.after(evaluate(feature.program(size), second)), atol=1e-4)


def test_without_pytorch_it_says_what_to_install(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match="train"):
        TorchEvaluation(trace(lambda x: x * 2.0, Input((3,))))
