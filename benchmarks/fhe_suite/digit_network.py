"""The network of the MNIST submission, trained by the product: ``python -m benchmarks.fhe_network net.onnx``.

One hidden layer, of 128 squares of the 22 x 22 pixels in the middle of an image. ``--held 6000`` keeps so many training
images back, and tells the accuracy on them instead: design and plan were chosen by that. Otherwise accuracy is that of
the clear network on the test images, which training never sees.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privis.training.polynomial_networks.network_design import NetworkDesign
from privis.training.polynomial_networks.network_file import save_network
from privis.training.polynomial_networks.network_fitting import NetworkFitting, fit_network
from privis.training.polynomial_networks.square_network import normalised, square_network

DIGITS = Path(__file__).resolve().parents[3] / "shared" / "data" / "classification" / "mnist" / "mnist.npz"
CLASSES = tuple("0123456789")
HIDDEN, BORDER = 128, 3
PLAN = NetworkFitting(epochs=100, batch=256, warp=0.15, shift=1)


@dataclass(frozen=True, eq=False)
class Digits:
    """Images uint8 (N, 28, 28) and classes int64 (N,), of training and of test."""

    train: NDArray[np.uint8] = field(repr=False)
    train_classes: NDArray[np.int64] = field(repr=False)
    test: NDArray[np.uint8] = field(repr=False)
    test_classes: NDArray[np.int64] = field(repr=False)


def digits(path: Path = DIGITS) -> Digits:
    """MNIST, as an ``.npz`` of its four arrays."""
    with np.load(path, allow_pickle=False) as found:
        parts = [found[name] for name in ("x_train", "y_train", "x_test", "y_test")]
    return Digits(parts[0], parts[1].astype(np.int64), parts[2], parts[3].astype(np.int64))


def held_back(given: Digits, count: int) -> Digits:
    """The training images alone, ``count`` of them in the place of the test images."""
    order = np.random.default_rng(5).permutation(len(given.train))
    kept, held = order[:-count], order[-count:]
    return Digits(given.train[kept], given.train_classes[kept], given.train[held], given.train_classes[held])


def train_network(given: Digits, output: Path, hidden: int, border: int, plan: NetworkFitting) -> float:
    """Train, write an ONNX file, and return the accuracy on the test images."""
    import torch

    design = NetworkDesign((1, *given.train.shape[1:]), len(CLASSES), (), hidden, border)
    network = square_network(design, plan.seed)
    fit_network(
        plan,
        network,
        given.train[:, None],
        given.train_classes,
        checkpoint=output.with_suffix(".checkpoint"),
        on_progress=lambda progress: print(progress, flush=True),
    )
    network.eval()
    with torch.no_grad():
        found = network(normalised(given.test[:, None])).argmax(1).numpy()
    save_network(network, design, CLASSES, output)
    output.with_suffix(".checkpoint").unlink(missing_ok=True)
    return float(np.mean(found == given.test_classes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--hidden", type=int, default=HIDDEN)
    parser.add_argument("--border", type=int, default=BORDER)
    parser.add_argument("--epochs", type=int, default=PLAN.epochs)
    parser.add_argument("--held", type=int, default=0, help="training images to hold back and measure on")
    options = parser.parse_args()
    given = held_back(digits(), options.held) if options.held else digits()
    plan = replace(PLAN, epochs=options.epochs)
    right = train_network(given, options.output, options.hidden, options.border, plan)
    print(f"{options.output}: {right:.2%} of {len(given.test):,} {'held-back' if options.held else 'test'} images")


if __name__ == "__main__":
    main()
