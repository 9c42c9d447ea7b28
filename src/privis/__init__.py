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
    from privis.estimators.transformer import FeatureExtractor
    from privis.extraction.explain import Explanation, explain
    from privis.extraction.folder import FolderResult, extract_folder
    from privis.extraction.images import Result, extract, image_record
    from privis.features.cnn import CNN, Channels
    from privis.features.colour import ColourHistogram, ColourSpace
    from privis.features.dalal_triggs import DalalTriggsHOG
    from privis.features.feature import Feature
    from privis.features.glcm import GLCM
    from privis.features.hog import HOG, BlockNorm
    from privis.features.keypoints.aggregate import VLAD, BagOfVisualWords, Codebook
    from privis.features.keypoints.sift import SIFT, DenseSIFT
    from privis.features.keypoints.surf import SURF
    from privis.features.lbp import LBP, Patterns
    from privis.features.noise_corrected_hog import UnbiasedHOG
    from privis.features.postprocessing.logarithm import Logarithm
    from privis.features.postprocessing.projection import Projection, RandomProjection
    from privis.features.postprocessing.steps import L1, L2, Hellinger, Posted, Quantise
    from privis.features.postprocessing.word_code import OneHot, WordCode
    from privis.features.preprocessing.denoise import (
        Denoised,
        NoiseLaw,
        NonLocalMeans,
        PixelNoise,
        WaveletShrinkage,
        Wiener,
    )
    from privis.features.preprocessing.deskew import Deskewed
    from privis.features.wavelets.gabor import Gabor
    from privis.features.wavelets.scattering import Scattering
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
    from privis.privacy.ledger.budget import Budget, BudgetUnit, Per
    from privis.privacy.ledger.file import FileLedger
    from privis.privacy.releases.corpus import CorpusHistogramRelease, MeanRelease, SumRelease
    from privis.run.clear import Clear
    from privis.run.he.executor import CKKS, HE, Paillier
    from privis.run.mpc.executor import MPC
    from privis.serve.client.client import Client
    from privis.serve.client.executor import Remote
    from privis.serve.http.server import Server

# Where each public name lives; it is imported when first asked for, so that `import privis` stays light.
_HOMES = {
    "privis.estimators.transformer": ("FeatureExtractor",),
    "privis.extraction.explain": ("Explanation", "explain"),
    "privis.features.keypoints.aggregate": ("VLAD", "BagOfVisualWords", "Codebook"),
    "privis.features.noise_corrected_hog": ("UnbiasedHOG",),
    "privis.features.cnn": ("CNN", "Channels"),
    "privis.features.colour": ("ColourHistogram", "ColourSpace"),
    "privis.features.dalal_triggs": ("DalalTriggsHOG",),
    "privis.features.preprocessing.denoise": ("Denoised", "NoiseLaw", "NonLocalMeans", "PixelNoise", "WaveletShrinkage",
    "Wiener"), "privis.features.preprocessing.deskew": ("Deskewed",),
    "privis.features.feature": ("Feature",),
    "privis.features.wavelets.gabor": ("Gabor",),
    "privis.features.glcm": ("GLCM",),
    "privis.features.hog": ("HOG", "BlockNorm"),
    "privis.features.lbp": ("LBP", "Patterns"),
    "privis.features.postprocessing.logarithm": ("Logarithm",),
    "privis.features.postprocessing.steps": ("L1", "L2", "Hellinger", "Posted", "Quantise"),
    "privis.features.postprocessing.projection": ("Projection", "RandomProjection"),
    "privis.features.wavelets.scattering": ("Scattering",),
    "privis.features.keypoints.sift": ("SIFT", "DenseSIFT"),
    "privis.features.keypoints.surf": ("SURF",),
    "privis.features.postprocessing.word_code": ("OneHot", "WordCode"),
    "privis.extraction.folder": ("FolderResult", "extract_folder"),
    "privis.extraction.images": ("Result", "extract", "image_record"),
    "privis.privacy": (
        "CodeRelease", "Dataset", "DirectionRelease", "FeatureRelease", "Gaussian", "Guarantee", "HistogramRelease",
        "Laplace", "Metric", "Patch", "Person", "PixelRelease", "Pixels", "PrivUnit", "RandomisedResponse",
        "ReleaseKey", "VonMisesFisher", "WholeImage",
    ),
    "privis.privacy.releases.corpus": ("CorpusHistogramRelease", "MeanRelease", "SumRelease"),
    "privis.privacy.ledger.budget": ("Budget", "BudgetUnit", "Per"),
    "privis.privacy.ledger.file": ("FileLedger",),
    "privis.run.clear": ("Clear",),
    "privis.run.he.executor": ("CKKS", "HE", "Paillier"),
    "privis.run.mpc.executor": ("MPC",),
    "privis.serve.client.client": ("Client",),
    "privis.serve.client.executor": ("Remote",),
    "privis.serve.http.server": ("Server",),
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
