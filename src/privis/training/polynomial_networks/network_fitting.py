"""Training of a network on public images, in epochs after each of which it may be killed and goes on.

Evolution of the checkpoint: ``format`` names it, and a reader refuses any other: the training then starts from its
beginning.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.file_formats import FileFormat, misfit
from privis.identity import LATER, identity
from privis.io.atomic import replacing
from privis.training.fitting import TrainingProgress, content_of
from privis.training.polynomial_networks.square_network import normalised
from privis.validation import positive_number, whole_number

if TYPE_CHECKING:
    import torch

FORMAT = "privis.network-checkpoint/1"
_LONGEST_GRADIENT = 1.0  # squares of squares grow fast where a step went too far
_RISING = 0.25  # of a training

Images = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class NetworkFitting:
    """All that decides how a network is trained (AdamW on cross entropy; the step rises and falls along one wave).

    Args:
        epochs: how often every image is seen.
        rate: largest step.
        batch: images of a step.
        decay: share of the weights that a step takes away, times its length.
        shift: pixels by which images are moved at most.
        flip: whether left and right are exchanged in half of the steps; not for letters, nor where sides matter.
        seed: decides first weights, the order of images, and how they are moved.
        warp: how far a random affine map changes each image: turned by as many radians at most, stretched and slanted
            by as large a share, and moved by ``shift`` pixels on its own; 0: none does, and a batch moves as a whole.

    Raises:
        ParameterError: naming all bad parameters.
    """

    identifier: ClassVar[str] = "privis.network-fitting/1"

    epochs: int = 12
    rate: float = 0.004
    batch: int = 64
    decay: float = 0.01
    shift: int = 2
    flip: bool = False
    seed: int = 0
    warp: float = field(default=0.0, metadata=LATER)

    def __post_init__(self) -> None:
        problems = []
        for name in ("epochs", "batch"):
            problems += whole_number(f"NetworkFitting.{name}", getattr(self, name))
        for name in ("shift", "seed"):
            value = getattr(self, name)
            if type(value) is not int or value < 0:
                problems.append(Problem(f"NetworkFitting.{name}", repr(value), "an integer of at least 0"))
        for name in ("rate", "decay"):
            problems += positive_number(f"NetworkFitting.{name}", getattr(self, name))
        if not isinstance(self.warp, int | float) or not 0 <= self.warp < 1:
            problems.append(Problem("NetworkFitting.warp", repr(self.warp), "a number from 0 to below 1"))
        if self.batch == 1:
            problems.append(Problem("NetworkFitting.batch", "1", "at least two: what is normalised is a batch"))
        refuse(ParameterError, problems)

    def steps(self, images: int) -> int:
        """Count the steps of an epoch.

        Args:
            images: of the training.

        Returns:
            Steps; what is left over after whole batches waits for the next epoch's order.
        """
        return max(1, images // self.batch)


def fit_network(
    plan: NetworkFitting,
    network: torch.nn.Module,
    images: Images,
    numbers: Numbers,
    *,
    checkpoint: Path | None = None,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
) -> None:
    """Train a network in place on public images.

    No guarantee: what is learned may tell of every image. A training that was killed goes on after its last whole epoch
    and gives what it would have given, where libraries and processor are the same.

    Args:
        plan: all that decides the training, but for the network's first weights.
        network: gives a score per class for normalised images.
        images: uint8 (N, planes, height, width).
        numbers: of classes, (N,).
        checkpoint: file to go on from, written after every epoch; None: none is written.
        on_progress: called after every epoch.

    Raises:
        ParameterError: a checkpoint of another training.
        OutputError: a checkpoint cannot be written.
    """
    import torch

    optimiser = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=plan.decay)
    steps = plan.steps(len(images))
    of = _identity(plan, network, images, numbers)
    done = 0 if checkpoint is None else _load(checkpoint, of, network, optimiser)
    started = time.monotonic()
    network.train()
    for epoch in range(done + 1, plan.epochs + 1):
        generator = np.random.default_rng([plan.seed, epoch])
        order, total = generator.permutation(len(images)), 0.0
        finite = 0
        for step in range(steps):
            chosen = order[step * plan.batch : (step + 1) * plan.batch]
            for group in optimiser.param_groups:
                group["lr"] = plan.rate * _wave(((epoch - 1) * steps + step) / (plan.epochs * steps))
            given = normalised(_moved(images[chosen], plan, generator))
            loss = torch.nn.functional.cross_entropy(network(given), torch.as_tensor(numbers[chosen]))
            optimiser.zero_grad()
            loss.backward()
            if bool(torch.isfinite(torch.nn.utils.clip_grad_norm_(network.parameters(), _LONGEST_GRADIENT))):
                optimiser.step()
                finite += 1
                total += float(loss.detach())
        if finite < steps / 2:
            remedy = "a smaller rate, or fewer levels"
            expected = "finite ones: squares of squares grow fast"
            raise ParameterError(
                Problem("training", f"{steps - finite} of {steps} steps that overflow", expected, remedy)
            )
        if checkpoint is not None:
            _save(checkpoint, of, epoch, network, optimiser)
        took = time.monotonic() - started
        left = took / (epoch - done) * (plan.epochs - epoch)
        on_progress(TrainingProgress(epoch, plan.epochs, total / finite, took, left))
    network.eval()


def _wave(done: float) -> float:
    """Share of the largest step at a share of the training: up in its first part, then down to nothing."""
    if done < _RISING:
        return (1 - math.cos(math.pi * (done + 0.01) / _RISING)) / 2
    return (1 + math.cos(math.pi * (done - _RISING) / (1 - _RISING))) / 2


def _moved(images: Images, plan: NetworkFitting, generator: np.random.Generator) -> Images:
    """A batch, moved by some pixels; the pixels at the border are repeated."""
    if plan.warp:
        images = _warped(images, plan, generator)
        return images[:, :, :, ::-1] if plan.flip and generator.random() < 0.5 else images
    down, right = generator.integers(-plan.shift, plan.shift, 2, endpoint=True)
    if down or right:
        height, width = images.shape[2:]
        rows = np.clip(np.arange(height) + down, 0, height - 1)
        images = images[:, :, rows][:, :, :, np.clip(np.arange(width) + right, 0, width - 1)]
    return images[:, :, :, ::-1] if plan.flip and generator.random() < 0.5 else images


def _warped(images: Images, plan: NetworkFitting, generator: np.random.Generator) -> Images:
    """Every image by an affine map of its own, interpolated linearly."""
    import torch

    count, _, height, width = images.shape
    turned, slanted = generator.uniform(-plan.warp, plan.warp, (2, count))
    stretched = generator.uniform(1 - plan.warp, 1 + plan.warp, (2, count))
    moved = generator.uniform(-plan.shift, plan.shift, (2, count)) * [[2 / width], [2 / height]]
    maps = np.empty((count, 2, 3), np.float32)
    maps[:, 0] = np.stack([np.cos(turned) * stretched[0], slanted - np.sin(turned), moved[0]], 1)
    maps[:, 1] = np.stack([np.sin(turned), np.cos(turned) * stretched[1], moved[1]], 1)
    places = torch.nn.functional.affine_grid(torch.as_tensor(maps), list(images.shape), align_corners=False)
    given = torch.as_tensor(images.astype(np.float32))
    made = torch.nn.functional.grid_sample(given, places, padding_mode="border", align_corners=False)
    return made.round().numpy().astype(np.uint8)


def _identity(plan: NetworkFitting, network: torch.nn.Module, images: Images, numbers: Numbers) -> str:
    digest = hashlib.sha256(identity(plan) + content_of(images, numbers))
    for name, value in network.state_dict().items():
        digest.update(name.encode() + content_of(value.numpy()))
    return digest.hexdigest()


def _save(path: Path, of: str, epoch: int, network: torch.nn.Module, optimiser: Any) -> None:
    """Weights, what the optimiser remembers of each, and how far the wave is, as arrays of an npz file."""
    arrays = {f"network.{name}": value.numpy() for name, value in network.state_dict().items()}
    for number, kept in optimiser.state_dict()["state"].items():
        arrays |= {f"optimiser.{number}.{name}": np.asarray(value) for name, value in kept.items()}
    text = {"format": FORMAT, "training": of, "step": epoch}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays, metadata=np.array(json.dumps(text)))  # type: ignore[arg-type]
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def _load(path: Path, of: str, network: torch.nn.Module, optimiser: Any) -> int:
    """Take up a training where its checkpoint left it; epochs that are done, 0 without a checkpoint."""
    import torch

    if not path.exists():
        return 0
    remedy = "move it away: the training then starts from its beginning"
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as members:
            text = json.loads(str(members["metadata"]))
            if text["format"] != FORMAT:
                raise ValueError(f"format {text['format']!r}")
            epoch = int(text["step"])
            arrays = {name: np.asarray(members[name]) for name in members.files if name != "metadata"}
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ParameterError(misfit(path, FileFormat.CHECKPOINT, reason, remedy=remedy)) from None
    if text.get("training") != of:
        expected = "one of the same images, labels, design, seed and epochs"
        raise ParameterError(Problem(str(path), "the checkpoint of another training", expected, remedy))
    state = {name.removeprefix("network."): torch.as_tensor(v) for name, v in arrays.items() if name[0] == "n"}
    network.load_state_dict(state)
    kept: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in arrays.items():
        if name.startswith("optimiser."):
            _, number, part = name.split(".")
            kept.setdefault(int(number), {})[part] = torch.as_tensor(value)
    whole = optimiser.state_dict()
    optimiser.load_state_dict({"state": kept, "param_groups": whole["param_groups"]})
    return epoch
