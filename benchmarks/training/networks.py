"""Speed of private training of the brief's network: images per second, beside Opacus alone.

``python -m benchmarks.dp_networks [--jax-privacy PYTHON]`` trains a convolutional network (32 filters of 3x3, pooling,
128 hidden units, 10 classes: 693,962 parameters) on random images of MNIST's size, a few steps of about 256 images at a
time, by Privis (exact integer noise from keyed AES, ghost clipping of linear layers), by Opacus (`PrivacyEngine` with
its hooks, and with its ghost clipping; both with float noise of torch's generator, as its secure mode needs a package
that cannot be installed) and by jax-privacy (compiled, float noise), which needs an interpreter of its own: ``python -m
venv``, ``pip install jax-privacy``. Runs are interleaved; ratios are medians over pairs. Processor time is what is
compared: a busy machine does not change it.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from privis.privacy import Dataset, Gaussian, ReleaseKey
from privis.training.networks import NetworkTraining, noisy_gradients, trained_numbers

BATCH, IMAGES = 256, 1024
WARMING = 10  # steps

Racer = Callable[[int], float]
"""So many steps; gives images per second of processor time."""


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


def timed(train: Callable[[int], int]) -> Racer:
    """Images per second of processor time."""

    def race(steps: int) -> float:
        start = time.process_time()
        seen = train(steps)
        return seen / (time.process_time() - start)

    return race


@contextlib.contextmanager
def elsewhere(python: str) -> Iterator[Racer]:
    """jax-privacy in a process of another Python."""
    command = [python, str(Path(__file__).with_name("networks_jax.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        words, answers = process.stdin, process.stdout

        def race(steps: int) -> float:
            print(steps, file=words, flush=True)
            seen, seconds = answers.readline().split()
            return int(seen) / float(seconds)

        if answers.readline().strip() != "ready":
            raise RuntimeError(f"{python} could not start jax-privacy; is it installed there?")
        race(WARMING)  # batches of different sizes are compiled once each
        yield race
        words.close()


def run(steps: int = 1, repeats: int = 5, jax_privacy: str | None = None) -> Speeds:
    """Race them."""
    import torch

    rng = np.random.default_rng(0)
    images = torch.as_tensor(rng.random((IMAGES, 1, 28, 28), dtype=np.float32))
    targets = torch.as_tensor(rng.integers(0, 10, IMAGES))
    with warnings.catch_warnings(), contextlib.ExitStack() as others:
        warnings.simplefilter("ignore")
        racers = {
            "Privis": timed(ours(images, targets)),
            "Opacus, hooks": timed(opacus("hooks", images, targets)),
            "Opacus, ghost": timed(opacus("ghost", images, targets)),
        }
        if jax_privacy is not None:
            racers["jax-privacy"] = others.enter_context(elsewhere(jax_privacy))
        speeds: dict[str, list[float]] = {name: [] for name in racers}
        for each in racers.values():
            each(1)
        for _ in range(repeats):
            for name, each in racers.items():
                speeds[name].append(each(steps))
    ratios = {
        name: statistics.median(a / b for a, b in zip(speeds["Privis"], speeds[name], strict=True))
        for name in racers
        if name != "Privis"
    }
    return Speeds({name: statistics.median(values) for name, values in speeds.items()}, ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jax-privacy", metavar="PYTHON", help="an interpreter that has jax-privacy")
    parser.add_argument("--repeats", type=int, default=5)
    words, _ = parser.parse_known_args()
    found = run(repeats=words.repeats, jax_privacy=words.jax_privacy)
    for name, speed in found.images_per_second.items():
        print(f"{name:15} {speed:8.0f} images per second of processor time")
    for name, ratio in found.ratios.items():
        print(f"Privis over {name}: {ratio:.2f}")


if __name__ == "__main__":
    main()
