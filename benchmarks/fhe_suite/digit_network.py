"""The network of the MNIST submission, trained by the product: ``python -m benchmarks.fhe_network net.onnx``.

One hidden layer by default; ``--levels 5`` puts a convolution in front of it. Accuracy is that of the clear network on
the test images, which training never sees.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privis.training.polynomial_networks.network_design import design_for
from privis.training.polynomial_networks.network_file import save_network
from privis.training.polynomial_networks.network_fitting import NetworkFitting, fit_network
from privis.training.polynomial_networks.square_network import normalised, square_network

DIGITS = Path(__file__).resolve().parents[3] / "shared" / "data" / "classification" / "mnist" / "mnist.npz"
CLASSES = tuple("0123456789")


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


def train_network(given: Digits, output: Path, levels: int, hidden: int, plan: NetworkFitting) -> float:
    """Train, write an ONNX file, and return the accuracy on the test images."""
    import torch

    design = design_for(levels, (1, *given.train.shape[1:]), len(CLASSES), hidden=hidden)
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
    parser.add_argument("--levels", type=int, default=3)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=12)
    options = parser.parse_args()
    plan = NetworkFitting(epochs=options.epochs)
    right = train_network(digits(), options.output, options.levels, options.hidden, plan)
    print(f"{options.output}: {right:.2%} of the test images, {options.levels} levels")


if __name__ == "__main__":
    main()
