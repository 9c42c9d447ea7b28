"""Small instances of every feature: what the conformance suite runs on every executor."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from privis.features.aggregate import VLAD, BagOfVisualWords, Codebook
from privis.features.colour import ColourHistogram, ColourSpace
from privis.features.dalal_triggs import DalalTriggsHOG
from privis.features.feature import Feature
from privis.features.gabor import Gabor
from privis.features.glcm import GLCM
from privis.features.hog import HOG
from privis.features.lbp import LBP, Patterns
from privis.features.scattering import Scattering
from privis.features.sift import SIFT, DenseSIFT
from privis.features.surf import SURF


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


def small_network() -> bytes:
    """An ONNX network with a residual connection, pooling and a dense layer."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(3)

    def weights(name: str, *shape: int) -> Any:
        return numpy_helper.from_array((rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=4),
        helper.make_node("Add", ["c2", "r1"], ["a"]),
        helper.make_node("MaxPool", ["a"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["m"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "w3"], ["y"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5])],
        [weights("w1", 8, 3, 3, 3), weights("b1", 8), weights("w2", 8, 2, 3, 3), weights("w3", 5, 8)],
    )
    buffer = io.BytesIO()
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), buffer)
    return buffer.getvalue()


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
    Sample("hog-L1", HOG(norm="L1", block=2), promised=True),  # type: ignore[arg-type]
    Sample("hog-opencv", DalalTriggsHOG(size=(64, 64)), promised=True),
    Sample("scattering", Scattering(scales=2, angles=4)),
    Sample("sift", SIFT(keypoints=8), promised=True),
    Sample("dense-sift", DenseSIFT(step=16), promised=True),
    Sample("surf", SURF(keypoints=8), promised=True),
    Sample("bag-of-words", BagOfVisualWords(DenseSIFT(step=16), codebook()), promised=True, polynomial=False),
    Sample("vlad", VLAD(DenseSIFT(step=16), codebook()), promised=True, polynomial=False),
)
