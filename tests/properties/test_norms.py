"""No image, however made, has a longer vector than its feature says (`privis.features.norms`)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import privis
from privis import L1, L2, Hellinger, Logarithm, OneHot, Posted, Projection, Quantise, RandomProjection, WordCode
from privis.features.feature import Feature, core_shape
from privis.features.hog import BlockNorm
from privis.features.keypoints.aggregate import VLAD, BagOfVisualWords, Codebook
from privis.features.keypoints.sift import DenseSIFT
from privis.features.norms import Norms, largest_norms
from privis.run.clear import Clear

SIDE = 48
ROUNDING = 1 + 1e-5  # of float32
WORDS = Codebook(np.eye(4, 128, dtype=np.float32), source="four made-up words")
GENERATOR = np.random.default_rng(7)
MATRIX = GENERATOR.normal(size=(5, 10))
NOISE = privis.PixelNoise(privis.NoiseLaw.LAPLACE, 16.0)
LBP = privis.LBP(privis.Patterns.UNIFORM)
FEATURES: dict[str, Feature] = {
    **{f"hog {norm.value}": privis.HOG(norm=norm) for norm in BlockNorm},
    "hog of two bins": privis.HOG(orientations=2, cell=5, block=1),
    "corrected hog": privis.UnbiasedHOG(privis.HOG(), NOISE),
    "denoised hog": privis.Denoised(privis.HOG(), privis.WaveletShrinkage(NOISE)),
    "opencv": privis.DalalTriggsHOG(size=None),
    "opencv without gamma": privis.DalalTriggsHOG(size=None, gamma=False),
    "lbp": privis.LBP(grid=(3, 2)),
    "lbp shares": privis.LBP(privis.Patterns.UNIFORM, grid=(3, 2), density=True),
    "lbp classes": privis.LBP(privis.Patterns.ROTATION_INVARIANT),
    **{f"colour {space.value}": privis.ColourHistogram(space) for space in privis.ColourSpace},
    "colour joint": privis.ColourHistogram(bins=3, joint=True),
    "colour shares": privis.ColourHistogram(density=True),
    "colour joint shares": privis.ColourHistogram(bins=3, joint=True, density=True),
    "glcm": privis.GLCM(),
    "glcm far": privis.GLCM(levels=12, distances=(1, 3), angles=(20.0, 90.0)),
    "gabor": privis.Gabor(),
    "gabor cells": privis.Gabor(frequencies=(0.5, 0.2), angles=3, bandwidth=2.0, grid=(2, 3), stride=2),
    "sift": privis.SIFT(keypoints=8),
    "dense sift": DenseSIFT(),
    "surf": privis.SURF(keypoints=8),
    "scattering": privis.Scattering(),
    "scattering one scale": privis.Scattering(scales=1, angles=4),
    "words": BagOfVisualWords(DenseSIFT(), WORDS),
    "vlad": VLAD(DenseSIFT(), WORDS),
    "of length 1": Posted(privis.HOG(), (RandomProjection(16), L2())),
    "of sum 1": Posted(privis.HOG(), (RandomProjection(16), L1())),
    "roots": Posted(LBP, (Hellinger(),)),
    "logarithms": Posted(LBP, (Logarithm(),)),
    "coarse": Posted(LBP, (Quantise(3000.0),)),
    "fine": Posted(LBP, (Quantise(0.3),)),
    "projected": Posted(LBP, (Projection(MATRIX, np.full(10, 2.0), "made up"),)),
    "signed sums": Posted(LBP, (RandomProjection(3),)),
    "code": Posted(DenseSIFT(), (RandomProjection(128), WordCode(WORDS))),
    "one word": Posted(DenseSIFT(), (RandomProjection(128), WordCode(WORDS), OneHot(2))),
}
REACHED = {  # where an image comes this close to the bound of the L2 norm
    "hog L2": 0.99, "hog L2-Hys": 0.99, "hog L1": 0.4, "hog L1-sqrt": 0.99, "opencv": 0.95, "lbp": 0.9,
    "lbp shares": 0.9, "colour rgb": 1.0, "colour joint": 1.0, "colour shares": 1.0, "glcm": 0.85,
    "gabor": 0.1, "dense sift": 0.99,
    "vlad": 0.99, "of length 1": 1.0, "roots": 1.0, "code": 1.0,
}  # fmt: skip


@functools.cache
def adversarial() -> tuple[np.ndarray, ...]:
    """Flat, striped, of one pixel, of chance: what makes one component or one norm as large as it gets."""
    y, x = np.mgrid[:SIDE, :SIDE]
    grey = [np.full((SIDE, SIDE), level, np.uint8) for level in (0, 1, 128, 254, 255)]
    for period in (2, 5, 24):
        for stripes in (x, y, x + y, x - y, x + 3 * y):
            grey.append(np.uint8(255 * (stripes % period < period / 2)))
            grey.append(np.uint8(127.5 + 127.5 * np.cos(2 * np.pi * stripes / period)))
    grey.append(np.uint8(255 * ((x + y) % 2)))
    grey.append(np.uint8(255 * ((x - 24) ** 2 + (y - 24) ** 2 < 150)))
    dot = np.zeros((SIDE, SIDE), np.uint8)
    dot[31, 31] = 255
    grey += [dot, 255 - dot, np.uint8(5 * x), np.uint8(x * y % 256)]
    grey += [GENERATOR.integers(0, most, (SIDE, SIDE), np.uint8) for most in (2, 3, 256)]
    grey += [np.uint8(255 * GENERATOR.integers(0, 2, (SIDE, SIDE)))]
    colours = [np.full((SIDE, SIDE, 3), c, np.uint8) for c in ((255, 0, 0), (0, 255, 255), (1, 2, 3))]
    return (*grey, *colours, GENERATOR.integers(0, 256, (SIDE, SIDE, 3), np.uint8))


def norms(vector: np.ndarray) -> Norms:
    reals = vector.astype(np.float64)
    return Norms(float(np.abs(reals).sum()), float(np.sqrt((reals * reals).sum())))


@functools.lru_cache(maxsize=64)
def prepared(feature: Feature, shape: tuple[int, ...]) -> Callable[..., Any]:
    return Clear().prepare(feature.program(shape))


def run(feature: Feature, image: np.ndarray) -> np.ndarray:
    core = feature.before(image)
    return prepared(feature, core.shape)(core)


@pytest.mark.parametrize("name", FEATURES)
def test_no_image_has_a_longer_vector(name):
    feature = FEATURES[name]
    most = Norms(0.0, 0.0)
    images = adversarial()
    bounds = {shape: largest_norms(feature, core_shape(feature, shape)) for shape in {image.shape for image in images}}
    for image in images:
        bound = bounds[image.shape]
        assert bound is not None
        found = norms(feature.after(run(feature, image)))
        assert found.l1 <= bound.l1 * ROUNDING and found.l2 <= bound.l2 * ROUNDING, image[:2, :6]
        most = Norms(max(most.l1, found.l1), max(most.l2, found.l2))
    assert most.l2 >= REACHED.get(name, 0.0) * bound.l2 / ROUNDING, "the bound could be smaller"


@dataclass(frozen=True)
class Doubled(privis.HOG):
    """Its bound is the one of HOG's ``after``, not of its own."""

    def after(self, values: np.ndarray) -> np.ndarray:
        return 2 * super().after(values)


@dataclass(frozen=True)
class Tenfold:
    def __call__(self, values: np.ndarray) -> np.ndarray:
        return 10 * np.asarray(values)

    def names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return names


def test_a_bound_is_about_the_class_that_states_it():
    assert largest_norms(Doubled(), (64, 64)) is None
    assert largest_norms(privis.Denoised(Doubled(), privis.WaveletShrinkage(NOISE)), (64, 64)) is None
    assert largest_norms(Posted(privis.HOG(), (Tenfold(),)), (64, 64)) is None
    assert largest_norms(Posted(Doubled(), (Tenfold(), L2())), (64, 64)) == Norms(2916**0.5, 1.0)
