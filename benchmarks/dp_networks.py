"""Speed of private training of the brief's network: images per second, beside Opacus alone.

``python -m benchmarks.dp_networks`` trains a convolutional network (32 filters of 3x3, pooling, 128 hidden units, 10
classes: 693,962 parameters) on random images of MNIST's size, a few steps of about 256 images at a time, by Privis
(exact integer noise from keyed AES, ghost clipping of linear layers), and by Opacus (`PrivacyEngine` with its hooks,
and with its ghost clipping; both with float noise of torch's generator, as its secure mode needs a package that cannot
be installed). Runs are interleaved; ratios are medians over pairs. Processor time is what is compared: a busy machine
does not change it.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from privis.privacy import Dataset, Gaussian, ReleaseKey
from privis.training.networks import NetworkTraining, noisy_gradients, trained_numbers

BATCH, IMAGES = 256, 1024


@dataclass(frozen=True)
class Speeds:
    """Images per second of processor time, and the medians of the ratios to each rival."""

    images_per_second: dict[str, float]
    ratios: dict[str, float]


def network():
    """The brief's network."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(5408, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def ours(images, targets) -> Callable[[int], int]:
    """So many steps of Privis; gives the images it saw."""
    import torch

    trained = network()
    plan = NetworkTraining(
        trained_numbers(trained), IMAGES, Gaussian(3.0, 1e-5), Dataset(), sampling=BATCH / IMAGES, steps=10_000
    )
    optimiser = torch.optim.Adam(trained.parameters(), lr=0.001)
    stream = ReleaseKey(bytes(32)).stream("speed", b"", b"")
    # The noise does not take longer for being calibrated to another number of steps.
    plan.__dict__["noise_multiplier"] = 1.0
    gradients = noisy_gradients(plan, trained, images, targets, stream)

    def run(steps: int) -> int:
        for _ in range(steps):
            noisy, _ = next(gradients)
            place = 0
            for parameter in trained.parameters():
                part = noisy[place : place + parameter.numel()].reshape(parameter.shape)
                parameter.grad = torch.as_tensor(part)
                place += parameter.numel()
            optimiser.step()
        return steps * BATCH

    return run


def opacus(mode: str, images, targets) -> Callable[[int], int]:
    """So many steps of Opacus with Poisson sampling; gives the images it saw."""
    import torch
    from opacus import PrivacyEngine
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    trained = network()
    engine = PrivacyEngine(accountant="rdp")
    words = {
        "module": trained,
        "optimizer": torch.optim.Adam(trained.parameters(), lr=0.001),
        "data_loader": DataLoader(TensorDataset(images, targets), batch_size=BATCH),
        "noise_multiplier": 1.0,
        "max_grad_norm": 1.0,
        "grad_sample_mode": mode,
    }
    if mode == "ghost":
        trained, optimiser, criterion, loader = engine.make_private(**words, criterion=nn.CrossEntropyLoss())
    else:
        trained, optimiser, loader = engine.make_private(**words)
        criterion = nn.CrossEntropyLoss()

    def batches():
        while True:
            yield from loader

    stream = batches()

    def run(steps: int) -> int:
        seen = 0
        for _ in range(steps):
            x, y = next(stream)
            optimiser.zero_grad()
            criterion(trained(x), y).backward()
            optimiser.step()
            seen += len(x)
        return seen

    return run


def run(steps: int = 1, repeats: int = 5) -> Speeds:
    """Race them."""
    import torch

    rng = np.random.default_rng(0)
    images = torch.as_tensor(rng.random((IMAGES, 1, 28, 28), dtype=np.float32))
    targets = torch.as_tensor(rng.integers(0, 10, IMAGES))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        racers = {
            "Privis": ours(images, targets),
            "Opacus, hooks": opacus("hooks", images, targets),
            "Opacus, ghost": opacus("ghost", images, targets),
        }
        speeds: dict[str, list[float]] = {name: [] for name in racers}
        for each in racers.values():
            each(1)
        for _ in range(repeats):
            for name, each in racers.items():
                start = time.process_time()
                seen = each(steps)
                speeds[name].append(seen / (time.process_time() - start))
    ratios = {
        name: statistics.median(a / b for a, b in zip(speeds["Privis"], speeds[name], strict=True))
        for name in racers
        if name != "Privis"
    }
    return Speeds({name: statistics.median(values) for name, values in speeds.items()}, ratios)


def main() -> None:
    found = run()
    for name, speed in found.images_per_second.items():
        print(f"{name:15} {speed:8.0f} images per second of processor time")
    for name, ratio in found.ratios.items():
        print(f"Privis over {name}: {ratio:.2f}")


if __name__ == "__main__":
    main()
