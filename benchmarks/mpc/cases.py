"""What the MPC benchmarks run: programs on real pixels, and the same functions written by hand for SPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.mpc.by_hand import Arrays
from privis.features.cnn import CNN
from privis.features.colour import ColourHistogram
from privis.features.feature import Feature
from privis.features.hog import HOG
from privis.features.lbp import LBP, WEIGHT_GRID, neighbour_kernel
from privis.program import Input, Program, Value, ops, trace
from privis.readings import batched, promised
from privis.run.mpc.fixed_point import FixedPoint
from privis.run.mpc.protocols import ABY3, CHEETAH, Preset
from privis.tasks.nearest import matching_program
from privis.tasks.questions import Best
from privis.tasks.vector_grid import VectorGrid

WEIGHTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "weights"
MEAN, DEVIATION = (np.array(v, np.float32)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


@dataclass(frozen=True)
class ByHandCase:
    """A function of ``mpc_by_hand``, its secret arrays and its public ones, and its ring if not that of the program."""

    function: str
    arrays: Arrays
    constants: Arrays = ()
    fixed: FixedPoint | None = None


@dataclass(frozen=True, eq=False)
class Case:
    """A program and its inputs; ``limit`` in seconds is what it must take at most, for all ``images`` together.

    ``large`` cases do not share the memory of the machine with their hand-written rival.
    """

    label: str
    program: Program
    arrays: Arrays
    limit: float | None = None
    by_hand: ByHandCase | None = None
    preset: Preset = ABY3
    images: int = 1
    large: bool = False


def photograph(size: int, at: int = 0) -> np.ndarray:
    """``size`` x ``size`` pixels of scikit-image's astronaut around her face, uint8 RGB; ``at`` moves the window."""
    import cv2
    from skimage import data

    crop = np.ascontiguousarray(data.astronaut()[4 * at : 4 * at + 224, 110:334])
    return np.asarray(cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def feature_case(label: str, feature: Feature, size: int, limit: float | None, preset: Preset = ABY3) -> Case:
    """A hand-crafted feature of one photograph."""
    core = np.asarray(feature.before(photograph(size)), np.int64)
    match feature:
        case HOG():
            by_hand = ByHandCase("oriented_gradients", [core.astype(np.float32) / 255])
        case LBP():
            kernel = np.round(neighbour_kernel(8, 1.0) / WEIGHT_GRID).astype(np.int64)
            by_hand = ByHandCase("binary_patterns", [core], [kernel])
        case _:
            by_hand = ByHandCase("colour_histogram", [core])
    return Case(label, feature.program(core.shape), [core], limit, by_hand, preset)


def lenet_case(label: str, count: int, limit: float | None, preset: Preset = ABY3) -> Case:
    """LeNet-5 with ReLU and mean pooling, weights drawn at random, on ``count`` grey 28 x 28 crops in 0..1."""
    generator = np.random.default_rng(1)
    shapes = ((5, 5, 1, 6), (5, 5, 6, 16), (400, 120), (120, 84), (84, 10))
    weights = [
        (generator.standard_normal(s) * np.sqrt(2 / np.prod(s[:-1]))).astype(np.float32) for s in shapes
    ]  # of each layer: variance 2 / inputs
    images = np.stack([photograph(28, at).mean(-1) for at in range(count)])[:, None].astype(np.float32) / 255
    program = batched(_lenet(weights), count)
    by_hand = ByHandCase("lenet", [images.transpose(0, 2, 3, 1)], weights)
    return Case(label, program, [images], limit, by_hand, preset, count)


def _lenet(weights: Sequence[np.ndarray]) -> Program:
    def convolved(x: Value, kernel: np.ndarray, pad: int) -> Value:
        y = (x >> ops.Conv(kernel.transpose(3, 2, 0, 1), pad=(pad,) * 4)).relu()
        channels, height, width = y.shape
        return y.reshape(channels, height // 2, 2, width // 2, 2).sum(2, 4) * 0.25

    def network(x: Value) -> Value:
        x = convolved(convolved(x, weights[0], 2), weights[1], 0).transpose(1, 2, 0).reshape(-1)
        x = (x >> ops.Dense(weights[2].T)).relu()
        return (x >> ops.Dense(weights[3].T)).relu() >> ops.Dense(weights[4].T)

    return trace(network, Input((1, 28, 28), 0.0, 1.0, None))


def resnet_case(label: str, count: int, limit: float | None) -> Case:
    """ResNet-20 with its published CIFAR-10 weights on ``count`` crops."""
    from tests.reference.onnx import networks

    weights = networks.checkpoint(WEIGHTS / "cifar10_resnet" / "resnet20-12fca82f.th")
    images = np.stack([(photograph(32, at).transpose(2, 0, 1) / 255 - MEAN) / DEVIATION for at in range(count)])
    images = images.astype(np.float32)
    program = batched(promised(networks.resnet(weights, 20), 2.0**15), count)
    pixels = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    by_hand = ByHandCase("resnet", [pixels], _folded(weights), FixedPoint(64, 20))  # 18 bits: 3e-4 relative, 20: 6e-5
    return Case(label, program, [images], limit, by_hand, images=count)


def _folded(weights: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Kernel (height, width, in, out) and bias of every layer, batch normalisation folded in; the dense layer last."""
    names = [("conv1", "bn1")]
    names += [(f"layer{s}.{k}.conv{c}", f"layer{s}.{k}.bn{c}") for s in (1, 2, 3) for k in (0, 1, 2) for c in (1, 2)]
    folded = []
    for conv, norm in names:
        scale = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + 1e-5)
        folded.append((weights[f"{conv}.weight"] * scale[:, None, None, None]).transpose(2, 3, 1, 0))
        folded.append(weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale)
    folded += [weights["linear.weight"].T, weights["linear.bias"]]
    return [np.asarray(array, np.float32) for array in folded]


def face_case(label: str, limit: float | None) -> Case:
    """MobileFaceNet, 128 values, of one 112 x 112 face."""
    path = WEIGHTS / "face_embedding_mobilefacenet" / "MobileFaceNet.onnx"
    mean, deviation = (tuple(map(float, v.ravel())) for v in (MEAN, DEVIATION))
    network = CNN.from_onnx(path, mean=mean, std=deviation)
    core = np.asarray(network.before(photograph(112)), np.int64)
    return Case(label, network.program(core.shape), [core], limit)


def matching_case(label: str, templates: int, dimension: int, limit: float | None) -> Case:
    """The index of the most similar of ``templates`` random unit vectors."""
    generator = np.random.default_rng(0)
    faces = generator.standard_normal((templates, dimension))
    query = faces[templates // 2] + 0.5 * generator.standard_normal(dimension)
    grid = VectorGrid(dimension, templates)
    program = matching_program(grid, (templates,), 1, Best(score=False))
    rows, asked = grid.unit_vectors(faces), grid.unit_vectors(query[None])
    plain = [(v / np.linalg.norm(v, axis=-1, keepdims=True)).astype(np.float32) for v in (query, faces)]
    return Case(label, program, [asked, rows], limit, ByHandCase("best_match", plain), large=templates > 10_000)


def cases(tiny: bool = False) -> list[Case]:
    """All cases that can be run here: networks with published weights only where the weights are."""
    if tiny:
        return [
            feature_case("HOG 24x24", HOG(), 24, None),
            feature_case("colour histogram 16x16", ColourHistogram(bins=4, joint=True), 16, None),
            feature_case("LBP 16x16", LBP(), 16, None),
            matching_case("best of 64", 64, 16, None),
        ]
    found = [
        feature_case("HOG 64x64", HOG(), 64, 0.6),
        feature_case("colour histogram 128x128", ColourHistogram(bins=4, joint=True), 128, 1.5),
        feature_case("LBP 128x128", LBP(), 128, 1.5),
        lenet_case("LeNet, 1 image", 1, None),
        lenet_case("LeNet, batch 32", 32, 2.0),
        matching_case("best of 50,000", 50_000, 512, 1.5),
        lenet_case("LeNet, 1 image, Cheetah", 1, None, CHEETAH),
        feature_case("histogram, Cheetah", ColourHistogram(bins=4, joint=True), 64, None, CHEETAH),
    ]
    if WEIGHTS.is_dir():
        found[5:5] = [
            resnet_case("ResNet-20, 1 image", 1, 4.0),
            resnet_case("ResNet-20, batch 16", 16, 32.0),
            face_case("MobileFaceNet 112x112", 30.0),
        ]
    return found
