"""Small instances of every feature: what the conformance suite runs on every executor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from privis.features.cnn import CNN
from privis.features.colour import ColourHistogram, ColourSpace
from privis.features.dalal_triggs import DalalTriggsHOG
from privis.features.feature import Feature
from privis.features.glcm import GLCM
from privis.features.hog import HOG, BlockNorm
from privis.features.keypoints.aggregate import VLAD, BagOfVisualWords, Codebook
from privis.features.keypoints.sift import SIFT, DenseSIFT
from privis.features.keypoints.surf import SURF
from privis.features.lbp import LBP, Patterns
from privis.features.motion.flow_histogram import FlowHistogram
from privis.features.motion.foreground_counts import Foreground
from privis.features.motion.frame_differences import FrameDifference, MotionEnergy
from privis.features.motion.motion_hog import MotionHOG
from privis.features.noise_corrected_hog import UnbiasedHOG
from privis.features.postprocessing.projection import RandomProjection
from privis.features.postprocessing.steps import L2, Hellinger, Posted
from privis.features.preprocessing.denoise import Denoised, NoiseLaw, PixelNoise, Wiener
from privis.features.wavelets.gabor import Gabor
from privis.features.wavelets.scattering import Scattering
from tests.reference.onnx.networks import tiny_onnx


@dataclass(frozen=True)
class Sample:
    """A feature to run on a 64x64 photograph. ``promised``: its polynomial form relies on declared domains."""

    label: str
    feature: Feature
    promised: bool = False
    polynomial: bool = True


def codebook() -> Codebook:
    """Six random unit words: public by construction."""
    words = np.random.default_rng(7).random((6, 128)).astype(np.float32)
    return Codebook(words / np.linalg.norm(words, axis=1, keepdims=True), source="random numbers")


NOISE = PixelNoise(NoiseLaw.LAPLACE, 16.0)

SAMPLES = (
    Sample("colour", ColourHistogram(bins=4)),
    Sample("colour-hsv-joint", ColourHistogram(ColourSpace.HSV, bins=3, joint=True)),
    Sample("colour-lab", ColourHistogram(ColourSpace.LAB, bins=4)),
    Sample("lbp", LBP(grid=(2, 3))),
    Sample("lbp-uniform", LBP(Patterns.UNIFORM)),
    Sample("lbp-rotation-invariant", LBP(Patterns.ROTATION_INVARIANT, points=6, radius=1.5)),
    Sample("glcm", GLCM()),
    Sample("gabor", Gabor()),
    Sample("hog", HOG(), promised=True),
    Sample("hog-L1", HOG(norm=BlockNorm.L1, block=2), promised=True),
    Sample("hog-unbiased", UnbiasedHOG(HOG(), NOISE), promised=True),
    Sample("hog-denoised", Denoised(HOG(), Wiener(NOISE)), promised=True),
    Sample("colour-projected", Posted(ColourHistogram(), (Hellinger(), RandomProjection(16), L2()))),
    Sample("hog-opencv", DalalTriggsHOG(size=(64, 64)), promised=True),
    Sample("scattering", Scattering(scales=2, angles=4)),
    Sample("sift", SIFT(keypoints=8), promised=True),
    Sample("dense-sift", DenseSIFT(step=16), promised=True),
    Sample("surf", SURF(keypoints=8), promised=True),
    Sample("bag-of-words", BagOfVisualWords(DenseSIFT(step=16), codebook()), promised=True, polynomial=False),
    Sample("motion-energy", MotionEnergy(grid=(2, 2), size=(64, 64))),
    Sample("frame-difference", FrameDifference(grid=(2, 2), size=(64, 64))),
    Sample("foreground", Foreground(frames=4, grid=(2, 2), size=(64, 64))),
    Sample("motion-hog", MotionHOG(size=(64, 64)), promised=True),
    Sample("flow", FlowHistogram(grid=(2, 2), size=(64, 64))),
    Sample("cnn", CNN(tiny_onnx(), mean=0.5), promised=False, polynomial=False),
    Sample("vlad", VLAD(DenseSIFT(step=16), codebook()), promised=True, polynomial=False),
)
