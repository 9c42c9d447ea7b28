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
    from privis.features.aggregate import VLAD, BagOfVisualWords, Codebook
    from privis.features.cnn import CNN, Channels
    from privis.features.colour import ColourHistogram, ColourSpace
    from privis.features.dalal_triggs import DalalTriggsHOG
    from privis.features.feature import Feature
    from privis.features.gabor import Gabor
    from privis.features.glcm import GLCM
    from privis.features.hog import HOG, BlockNorm
    from privis.features.lbp import LBP, Patterns
    from privis.features.scattering import Scattering
    from privis.features.sift import SIFT, DenseSIFT
    from privis.features.surf import SURF
    from privis.folder import FolderResult, extract_folder
    from privis.plan import Result, extract
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
    from privis.run.clear import Clear

# Where each public name lives; it is imported when first asked for, so that `import privis` stays light.
_HOMES = {
    "privis.estimators": ("FeatureExtractor",),
    "privis.features.aggregate": ("VLAD", "BagOfVisualWords", "Codebook"),
    "privis.features.cnn": ("CNN", "Channels"),
    "privis.features.feature": ("Feature",),
    "privis.features.colour": ("ColourHistogram", "ColourSpace"),
    "privis.features.dalal_triggs": ("DalalTriggsHOG",),
    "privis.features.gabor": ("Gabor",),
    "privis.features.glcm": ("GLCM",),
    "privis.features.hog": ("HOG", "BlockNorm"),
    "privis.features.lbp": ("LBP", "Patterns"),
    "privis.features.scattering": ("Scattering",),
    "privis.features.sift": ("SIFT", "DenseSIFT"),
    "privis.features.surf": ("SURF",),
    "privis.folder": ("FolderResult", "extract_folder"),
    "privis.plan": ("Result", "extract"),
    "privis.privacy": (
        "CodeRelease", "Dataset", "DirectionRelease", "FeatureRelease", "Gaussian", "Guarantee", "HistogramRelease",
        "Laplace", "Metric", "Patch", "Person", "PixelRelease", "Pixels", "PrivUnit", "RandomisedResponse",
        "ReleaseKey", "VonMisesFisher", "WholeImage",
    ),
    "privis.run.clear": ("Clear",),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "CNN", "GLCM", "HOG", "LBP", "SIFT", "SURF", "VLAD", "BagOfVisualWords", "BlockNorm", "Channels", "Clear",
    "CodeRelease", "Codebook", "ColourHistogram", "ColourSpace", "DalalTriggsHOG", "Dataset", "DenseSIFT",
    "DirectionRelease", "Feature", "FeatureExtractor", "FeatureRelease", "FolderResult", "Gabor", "Gaussian",
    "Guarantee", "HistogramRelease", "Laplace", "Metric", "Patch", "Patterns", "Person", "PixelRelease", "Pixels",
    "PrivUnit", "RandomisedResponse", "ReleaseKey", "Result", "Scattering", "VonMisesFisher", "WholeImage",
    "__version__", "extract", "extract_folder",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'privis' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
