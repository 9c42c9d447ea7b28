"""Features that are attacked, each as a library gives it to users."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import privis
from benchmarks.attacks.feature_table.pictures import SIDE
from privis.features.feature import Feature

_WORDS = {"vlad": 16, "bovw": 64}


def attacked_features(data: Path, faces: bool) -> dict[str, Feature]:
    """Features by name; templates are of faces only."""
    local = privis.DenseSIFT(step=8, width=4)
    # words are public: of patterns that show nothing
    squares = np.random.default_rng(0).integers(0, 256, (20, SIDE // 8, SIDE // 8, 3), np.uint8)
    patterns = squares.repeat(8, 1).repeat(8, 2)
    descriptors = privis.extract(local, list(patterns)).features.reshape(-1, 128)
    book = {name: privis.Codebook.fit(descriptors, words, "random patterns") for name, words in _WORDS.items()}
    found: dict[str, Feature] = {"template": template(data)} if faces else {}
    return found | {
        "hog": privis.HOG(),
        "dense_sift": privis.DenseSIFT(step=16, width=4),
        "colour": privis.ColourHistogram(bins=16, density=True),
        "lbp": privis.LBP(privis.Patterns.UNIFORM, radius=2.0, grid=(8, 8), density=True),
        "glcm": privis.GLCM(),
        "gabor": privis.Gabor(grid=(7, 7)),
        "scattering": privis.Scattering(size=(64, 64)),
        "vlad": privis.VLAD(local, book["vlad"]),
        "bovw": privis.BagOfVisualWords(local, book["bovw"]),
        "squeezenet": squeezenet(data),
        "surf": privis.SURF(),
        "sift": privis.SIFT(),
    }


def squeezenet(data: Path) -> Feature:
    """The pooled last layer of a network trained on ImageNet."""
    from benchmarks.tasks.retrieval import pooled_squeezenet

    means = (104.0, 117.0, 123.0)
    return privis.CNN(pooled_squeezenet(data), mean=means, divisor=1.0, channels=privis.Channels.BGR)


def template(data: Path) -> Feature:
    """The network of faces that also tells who a reconstruction is of."""
    path = data / "weights" / "face_embedding_mobilefacenet" / "MobileFaceNet.onnx"
    return privis.CNN.from_onnx(path, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
