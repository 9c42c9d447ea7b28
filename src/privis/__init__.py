"""Privis: features from images that nobody else gets to see.

>>> import numpy as np, privis
>>> image = np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))
>>> result = privis.extract(privis.HOG(), [image])
>>> result.features.shape
(1, 2916)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from privis.version import VERSION as __version__

if TYPE_CHECKING:
    from privis.estimators import FeatureExtractor
    from privis.explanation import Explanation, explain
    from privis.features.aggregate import VLAD, BagOfVisualWords, Codebook
    from privis.features.bias import UnbiasedHOG
    from privis.features.cnn import CNN, Channels
    from privis.features.colour import ColourHistogram, ColourSpace
    from privis.features.dalal_triggs import DalalTriggsHOG
    from privis.features.denoise import Denoised, NoiseLaw, NonLocalMeans, PixelNoise, WaveletShrinkage, Wiener
    from privis.features.deskew import Deskewed
    from privis.features.feature import Feature
    from privis.features.gabor import Gabor
    from privis.features.glcm import GLCM
    from privis.features.hog import HOG, BlockNorm
    from privis.features.lbp import LBP, Patterns
    from privis.features.logarithm import Logarithm
    from privis.features.post import L1, L2, Hellinger, Posted, Quantise
    from privis.features.projection import Projection, RandomProjection
    from privis.features.scattering import Scattering
    from privis.features.sift import SIFT, DenseSIFT
    from privis.features.surf import SURF
    from privis.features.words import OneHot, WordCode
    from privis.folder import FolderResult, extract_folder
    from privis.plan import Result, extract, image_record
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
        Patch,
        Person,
        PixelRelease,
        Pixels,
        PrivUnit,
        RandomisedResponse,
        ReleaseKey,
        VonMisesFisher,
        WholeImage,
    )
    from privis.privacy.aggregates import CorpusHistogramRelease, MeanRelease, SumRelease
    from privis.privacy.budget import Budget, BudgetUnit, Per
    from privis.privacy.file_ledger import FileLedger
    from privis.run.clear import Clear
    from privis.run.he.executor import CKKS, HE, Paillier
    from privis.run.mpc.executor import MPC
    from privis.serve.client import Client
    from privis.serve.remote import Remote
    from privis.serve.server import Server

# Where each public name lives; it is imported when first asked for, so that `import privis` stays light.
_HOMES = {
    "privis.estimators": ("FeatureExtractor",),
    "privis.explanation": ("Explanation", "explain"),
    "privis.features.aggregate": ("VLAD", "BagOfVisualWords", "Codebook"),
    "privis.features.bias": ("UnbiasedHOG",),
    "privis.features.cnn": ("CNN", "Channels"),
    "privis.features.colour": ("ColourHistogram", "ColourSpace"),
    "privis.features.dalal_triggs": ("DalalTriggsHOG",),
    "privis.features.denoise": ("Denoised", "NoiseLaw", "NonLocalMeans", "PixelNoise", "WaveletShrinkage", "Wiener"),
    "privis.features.deskew": ("Deskewed",),
    "privis.features.feature": ("Feature",),
    "privis.features.gabor": ("Gabor",),
    "privis.features.glcm": ("GLCM",),
    "privis.features.hog": ("HOG", "BlockNorm"),
    "privis.features.lbp": ("LBP", "Patterns"),
    "privis.features.logarithm": ("Logarithm",),
    "privis.features.post": ("L1", "L2", "Hellinger", "Posted", "Quantise"),
    "privis.features.projection": ("Projection", "RandomProjection"),
    "privis.features.scattering": ("Scattering",),
    "privis.features.sift": ("SIFT", "DenseSIFT"),
    "privis.features.surf": ("SURF",),
    "privis.features.words": ("OneHot", "WordCode"),
    "privis.folder": ("FolderResult", "extract_folder"),
    "privis.plan": ("Result", "extract", "image_record"),
    "privis.privacy": (
        "CodeRelease", "Dataset", "DirectionRelease", "FeatureRelease", "Gaussian", "Guarantee", "HistogramRelease",
        "Laplace", "Metric", "Patch", "Person", "PixelRelease", "Pixels", "PrivUnit", "RandomisedResponse",
        "ReleaseKey", "VonMisesFisher", "WholeImage",
    ),
    "privis.privacy.aggregates": ("CorpusHistogramRelease", "MeanRelease", "SumRelease"),
    "privis.privacy.budget": ("Budget", "BudgetUnit", "Per"),
    "privis.privacy.file_ledger": ("FileLedger",),
    "privis.run.clear": ("Clear",),
    "privis.run.he.executor": ("CKKS", "HE", "Paillier"),
    "privis.run.mpc.executor": ("MPC",),
    "privis.serve.client": ("Client",),
    "privis.serve.remote": ("Remote",),
    "privis.serve.server": ("Server",),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "CKKS", "CNN", "GLCM", "HE", "HOG", "L1", "L2", "LBP", "MPC", "SIFT", "SURF", "VLAD", "BagOfVisualWords",
    "BlockNorm", "Budget", "BudgetUnit", "Channels", "Clear", "Client", "CodeRelease", "Codebook",
    "ColourHistogram", "ColourSpace", "CorpusHistogramRelease", "DalalTriggsHOG", "Dataset", "Denoised",
    "DenseSIFT", "Deskewed", "DirectionRelease", "Explanation", "Feature", "FeatureExtractor", "FeatureRelease",
    "FileLedger", "FolderResult", "Gabor", "Gaussian", "Guarantee", "Hellinger", "HistogramRelease", "Laplace",
    "Logarithm", "MeanRelease", "Metric", "NoiseLaw", "NonLocalMeans", "OneHot", "Paillier", "Patch", "Patterns",
    "Per", "Person", "PixelNoise", "PixelRelease", "Pixels", "Posted", "PrivUnit", "Projection", "Quantise",
    "RandomProjection", "RandomisedResponse", "ReleaseKey", "Remote", "Result", "Scattering", "Server",
    "SumRelease", "UnbiasedHOG", "VonMisesFisher", "WaveletShrinkage", "WholeImage", "Wiener", "WordCode",
    "__version__", "explain", "extract", "extract_folder", "image_record",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'privis' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
