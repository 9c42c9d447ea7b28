"""Classes of hidden images: how often they are those of the clear, and what an image takes, beside bars.

``python -m benchmarks.private_classification [DATA] [--images N] [--cifar N] [--only NAME] [--epochs N]``. All
hyper-parameters stand below and were fixed before test images were read; networks are trained here, in seconds to
minutes. A row says, of one classifier under one protection, the median seconds of an image from pixels to scores (keys,
compilation, parties and the first image apart), the processor seconds with those of parties, bytes of keys, the images
that get the class of the clear, and the share that is right on these images and, in the clear, on all test images.

CIFAR-10: the network of AutoFHE's repository (VGG11 with quadratic activations) as it is published, and the same
design trained further on the 10,000 training images in JPEG, which the test images are, too. Training and encryption of
it take minutes: rows of it under ckks are asked for with ``--cifar N``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import privis
from benchmarks.tasks.heads import fitted, processor
from benchmarks.training.image_sets import SHARED, Split, cifar10, medical
from privis.estimators.classification.hidden_classifier import HiddenClassifier
from privis.estimators.classification.trained_classifier import TrainedClassifier
from privis.run.mpc.executor import MPC
from privis.run.protocol import Executor
from privis.tasks import Scored
from privis.training.polynomial_networks.network_design import Convolution, NetworkDesign, design_for
from privis.training.polynomial_networks.network_fitting import NetworkFitting, fit_network
from privis.training.polynomial_networks.square_network import normalised, scored_of, square_network

SAME = 0.995
STRENGTH = 0.1
MEDICAL = NetworkFitting(epochs=12)
CIFAR = NetworkFitting(epochs=4, rate=5e-4, batch=64, decay=1e-4, shift=2, flip=True)
STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)
PUBLISHED = SHARED / "weights" / "cifar10_fhe_polynomial" / "vgg11_aespa-cifar10.npz"
CIFAR_MEAN, CIFAR_DEVIATION = np.array([0.4914, 0.4822, 0.4465]), np.array([0.2023, 0.1994, 0.2010])


@dataclass(frozen=True)
class Row:
    """What was measured of one classifier under one protection."""

    name: str
    under: str
    images: int
    seconds: float
    bar: float
    processor: float
    keys: int
    same: int
    right: float
    whole: float

    @property
    def good(self) -> bool:
        """Whether all bars are held."""
        return self.seconds <= self.bar and self.same >= SAME * self.images

    def line(self) -> str:
        """The row of the table."""
        return (
            f"{self.name:34}{self.under:>6}{self.images:7}{self.seconds:9.3f}{self.bar:6.1f}{self.processor:8.2f}"
            f"{self.keys / 1e6:8.1f}{self.same:6}/{self.images:<5}{self.right:8.1%}{self.whole:8.1%}"
            f"  {'ok' if self.good else 'MISSED'}"
        )


HEAD = (
    f"{'classifier':34}{'under':>6}{'images':>7}{'s/image':>9}{'bar':>6}{'CPU s':>8}{'keys MB':>8}{'as clear':>12}"
    f"{'right':>8}{'clear':>8}"
)


def measured(name: str, scored: Scored, given: Split, under: Executor, word: str, images: int, bar: float) -> Row:
    """Ask about ``images`` of the test set, spread over its classes, one after the other."""
    whole = privis.extract(scored, list(given.test_images)).features
    chosen = np.linspace(0, len(given.test_labels) - 1, images).astype(int)
    model = TrainedClassifier(scored.feature, scored.head.classes, scored.head)
    hidden = HiddenClassifier(model, under)
    keys = hidden.check((*given.test_images.shape[1:3], 3)).keys
    cores = [scored.before(given.test_images[place]) for place in chosen]
    run = hidden.runner.prepare(scored.program(cores[0].shape))
    run(cores[0])
    took, answers, busy = [], [], processor()
    for core in cores:
        start = time.perf_counter()
        answers.append(np.ravel(run(core)))
        took.append(time.perf_counter() - start)
    busy = processor() - busy
    called = np.stack(answers).argmax(1)
    same = int((called == whole[chosen].argmax(1)).sum())
    right = float((called == given.test_labels[chosen]).mean())
    clear = float((whole.argmax(1) == given.test_labels).mean())
    return Row(name, word, images, statistics.median(took), bar, busy / images, keys, same, right, clear)


def linear(feature: privis.Feature, given: Split) -> Scored:
    """A standardised logistic regression behind a feature."""
    from benchmarks.tasks.heads import Set

    names = np.array([f"{label:02}" for label in given.labels])
    _, behind = fitted(feature, Set(list(given.images), names, [], names), STRENGTH)
    return behind(feature)


def planes(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(N, planes, height, width)."""
    return images[:, None] if images.ndim == 3 else np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def medical_network(given: Split, plan: NetworkFitting) -> Scored:
    """Five levels: one convolution, one hidden layer."""
    design = design_for(5, (1, *given.images.shape[1:3]), int(given.labels.max()) + 1)
    network = square_network(design, plan.seed)
    fit_network(plan, network, planes(given.images), given.labels)
    return scored_of(network, design, tuple(f"{number:02}" for number in range(design.classes)))


def published_network(given: Split) -> tuple[Any, NetworkDesign]:
    """VGG11-AESPA in the form of `square_network`: the same function but at the border of the first convolution."""
    import torch

    with np.load(PUBLISHED, allow_pickle=False) as members:
        weights = {name: members[name].astype(np.float64) for name in members.files}
    numbers = sorted(int(name.split("_")[1]) for name in weights if name.startswith("features_") and "_weight" in name)
    kernels, width = [], 3
    for number in numbers:
        kernels.append(weights[f"features_{number}_weight"].reshape(-1, width, 3, 3))
        width = len(kernels[-1])
    layers = tuple(Convolution(len(kernel), 3, stride) for kernel, stride in zip(kernels, STRIDES, strict=True))
    design = NetworkDesign((3, 32, 32), 10, layers, hidden=0)
    network = square_network(design)
    values = normalised(planes(given.images[:1000])).double()
    body: Any = network.get_submodule("body")
    with torch.no_grad():
        for place, (number, kernel) in enumerate(zip(numbers, kernels, strict=True)):
            shift = np.zeros(len(kernel))
            if place == 0:  # pixels are normalised otherwise here
                shift = (kernel.sum((2, 3)) * ((0.5 - CIFAR_MEAN) / CIFAR_DEVIATION)).sum(1)
                kernel = kernel * (0.25 / CIFAR_DEVIATION).reshape(1, 3, 1, 1)
            w2, w1, w0 = (weights[f"features_{number + 1}_w{power}"].ravel() for power in (2, 1, 0))
            made = torch.nn.functional.conv2d(values, torch.tensor(kernel), stride=STRIDES[place], padding=1)
            middle, root = w1 / (2 * w2) + shift, np.sqrt(np.abs(w2))
            squares = ((made + _across(middle)) * _across(root)) ** 2
            body[2 * place].weight.copy_(torch.tensor(kernel))
            _set(body[2 * place + 1].before, made, root, root * middle)
            _set(body[2 * place + 1].after, squares, np.sign(w2), w0 - w1 * w1 / (4 * w2))
            values = squares * _across(np.sign(w2)) + _across(w0 - w1 * w1 / (4 * w2))
        last: Any = network.get_submodule("last")
        last.weight.copy_(torch.tensor(weights["linear_weight"].reshape(10, 64)))
        last.bias.copy_(torch.tensor(weights["linear_bias"]))
    return network.eval(), design


def _across(numbers: NDArray[np.float64]) -> Any:
    import torch

    return torch.tensor(numbers).reshape(1, -1, 1, 1)


def _set(normalisation: Any, values: Any, scale: NDArray[np.float64], shift: NDArray[np.float64]) -> None:
    """Let a normalisation by the statistics of ``values`` compute ``scale * values + shift``."""
    import torch

    mean, variance = values.mean((0, 2, 3)), values.var((0, 2, 3))
    deviation = (variance + normalisation.eps).sqrt()
    normalisation.running_mean.copy_(mean)
    normalisation.running_var.copy_(variance)
    normalisation.weight.copy_(deviation * torch.tensor(scale))
    normalisation.bias.copy_(mean * torch.tensor(scale) + torch.tensor(shift))


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Every row that was asked for, as it is measured."""
    x_rays = medical()
    size = x_rays.images.shape[1:3]
    if options.few:
        x_rays = Split(
            "few", x_rays.images[:600], x_rays.labels[:600], x_rays.test_images[::20], x_rays.test_labels[::20]
        )
    if options.only in "colour histogram >> linear":
        yield measured(
            "colour histogram >> linear", linear(privis.ColourHistogram(bins=16, size=size), x_rays), x_rays,
            privis.CKKS(precision=1e-3, inside=True), "ckks", options.images, 1.5,
        )  # fmt: skip
    if options.only in "HOG >> linear":
        hog = privis.HOG(cell=16, block=1, norm=privis.BlockNorm.L2, size=size)
        with MPC() as parties:
            yield measured("HOG >> linear", linear(hog, x_rays), x_rays, parties, "aby3", options.images, 1.0)
    if options.only in "quadratic network":
        network = medical_network(x_rays, NetworkFitting(epochs=2) if options.few else MEDICAL)
        under = privis.CKKS(precision=1e-2)
        yield measured("quadratic network", network, x_rays, under, "ckks", options.images, 2.0)


def cifar_lines(images: int) -> Iterator[str]:
    """CIFAR-10: what the published network and the one trained further get right, and some of it encrypted."""
    given = cifar10()
    network, design = published_network(given)
    classes = tuple(map(str, range(10)))
    for name in ("VGG11-AESPA as published", "trained further on JPEG"):
        if name != "VGG11-AESPA as published":
            started = time.process_time()
            fit_network(CIFAR, network, planes(given.images), given.labels)
            yield f"trained for {time.process_time() - started:.0f} processor seconds"
        scored = scored_of(network, design, classes)
        found = privis.extract(scored, list(given.test_images)).features.argmax(1)
        yield f"CIFAR-10 (JPEG), {design.levels} levels, {name}: {(found == given.test_labels).mean():.2%} of 6,000"
    if images:
        under = privis.CKKS(precision=1e-2)
        yield measured("CIFAR-10, trained further", scored, given, under, "ckks", images, 60.0).line()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", help="ignored: `python -m benchmarks` names the folder it looked for")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--only", default="", help="part of the name of a row; cifar for CIFAR-10 alone")
    parser.add_argument("--cifar", type=int, default=0, metavar="N", help="images of CIFAR-10 that are encrypted")
    parser.add_argument("--few", action="store_true", help="few training images: to see that it runs")
    options = parser.parse_args(arguments)
    if options.only != "cifar":
        print(HEAD)
        for row in rows(options):
            print(row.line(), flush=True)
    if options.only == "cifar" or not (options.only or options.few):
        for line in cifar_lines(options.cifar):
            print(line, flush=True)


if __name__ == "__main__":
    main()
