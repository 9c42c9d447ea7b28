"""Differentially private training of torch networks: noise of our own on gradients by Opacus.

What a step adds up are the gradients of single images, each clipped to length 1 over all parameters
(`privis.training.gradients`).

Sums are of single precision over at most ``microbatch`` images and of double precision beyond, put on a grid of 2**-24
and covered with integer noise. The sensitivity is stated with a margin for all of that (`NetworkTraining.margin`):

- a sum of m numbers in single precision is off by at most m 2**-23 times the sum of their sizes (Higham, "Accuracy and
  stability of numerical algorithms", 2002, chapter 4, with a factor of 2 to spare), hence for gradients of length 1
  by at most m 2**-23 per image, and twice that for two neighbours; steps of more than 4 q n + 64 images, where q n are
  expected, are rarer than 1e-50 and left out of account;
- cutting P numbers to the grid moves each sum by at most 2**-24 sqrt(P), twice that for two neighbours.

One thing is assumed, as in every implementation that computes many images at once: that the gradient of an image does
not depend on which images are computed beside it by more than the margin's spare half. Networks that break it on
made-up images, draw random numbers or keep what they see are refused before anything is charged
(`privis.training.probes`).

Members and noise of a step are keyed functions of everything that was added up so far, and of the network and the
arithmetic that it runs with (`privis.training.network_identity`): two trainings whose sums differ share neither, and
are two charges.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, UnsupportedError, refuse
from privis.identity import identity
from privis.privacy.guarantee import CORPUS, UNIT_NAMES, Guarantee
from privis.privacy.learning.subsampling import (
    CorpusUnit,
    Neighbours,
    NoisySums,
    check_sampling,
    drawn,
    epsilon_of,
    least_multiplier,
    noisy_sums,
    sampling_problem,
)
from privis.privacy.ledger.ledger_protocol import Ledger
from privis.privacy.mechanisms.additive import Gaussian
from privis.privacy.sampling.release_key import KeySource, NoiseStream, ReleaseKey
from privis.privacy.units import Dataset, WholeImage
from privis.training.fitting import TrainingProgress, content_of
from privis.training.gradients import LOSS_MOST, LOSS_SHARE, Captured, is_trained, opacus
from privis.training.heads import class_numbers
from privis.training.network_identity import network_identity
from privis.training.probes import behaviour_problems
from privis.validation import positive_number, whole_number

if TYPE_CHECKING:
    import torch

GRID = 2.0**-24
"""Grid of the noise, in clipping norms."""

Images = npt.NDArray[np.floating]


@dataclass(frozen=True)
class NetworkTraining:
    """All that decides a private training of a network (DP-SGD: Abadi et al., 2016, arXiv:1607.00133, with Adam).

    Args:
        parameters: trained numbers of the network; see `trained_numbers`.
        size: public number of images; under `Dataset` it may be a guess.
        noise: what the whole training may cost.
        unit: what is hidden: WholeImage() or Dataset().
        sampling: probability of being in a step's sample.
        steps: how many.
        clip: largest length of an image's gradient over all parameters.
        rate: step of Adam.
        microbatch: images computed at a time, which bounds memory and nothing else: clipping is of single images.

    Raises:
        ParameterError: naming all bad parameters.

    >>> plan = NetworkTraining(26010, 60000, Gaussian(3.0, 1e-5), Dataset(), sampling=0.1, steps=30)
    >>> round(plan.noise_multiplier, 2)
    1.19
    """

    identifier: ClassVar[str] = "privis.network-training/1"

    parameters: int
    size: int
    noise: Gaussian
    unit: CorpusUnit = field(default_factory=WholeImage)
    sampling: float = 0.01
    steps: int = 1000
    clip: float = 1.0
    rate: float = 0.001
    microbatch: int = 64

    def __post_init__(self) -> None:
        problems = []
        for name in ("parameters", "size", "steps", "microbatch"):
            problems += whole_number(f"NetworkTraining.{name}", getattr(self, name))
        for name in ("clip", "rate"):
            problems += positive_number(f"NetworkTraining.{name}", getattr(self, name))
        problems += sampling_problem("NetworkTraining.sampling", self.sampling)
        if not isinstance(self.noise, Gaussian):
            problems.append(Problem("NetworkTraining.noise", repr(self.noise), "Gaussian(epsilon, delta)"))
        if not isinstance(self.unit, WholeImage | Dataset):
            remedy = "train a head on features for people: LogisticTraining(unit=Person(images))"
            problems.append(Problem("NetworkTraining.unit", repr(self.unit), "WholeImage() or Dataset()", remedy))
        refuse(ParameterError, problems)

    @cached_property
    def noise_multiplier(self) -> float:
        """Standard deviation of a step's noise over what one image may add; never too little."""
        make = _Sums(self.sampling, self.steps)
        return least_multiplier(make, self.noise.epsilon, self.noise.delta, Neighbours.of(self.unit))

    @property
    def margin(self) -> float:
        """Share of the clipping norm by which rounding may move a sum between two neighbours; see the module."""
        images = 4 * self.sampling * self.size + 64
        return 2 * self.microbatch * 2.0**-23 * images + 2 * GRID * math.sqrt(self.parameters + 1)

    @property
    def sensitivity(self) -> float:
        """What one image may move a step, gradient and loss together, in grid steps."""
        return math.sqrt(1 + LOSS_SHARE**2) * (1 + self.margin) / GRID * (1 + 2**-40)

    @property
    def scale(self) -> float:
        """Standard deviation of a step's noise, in grid steps."""
        return self.noise_multiplier * self.sensitivity

    @property
    def digest(self) -> bytes:
        """SHA-256 of everything that decides what is released, but for the network itself."""
        return identity(self)

    @cached_property
    def guarantee(self) -> Guarantee:
        """What the trained network, the networks of all steps and the printed losses guarantee together."""
        parts = _Sums(self.sampling, self.steps)(self.noise_multiplier)
        relations = (Neighbours.of(self.unit), Neighbours.REPLACED)
        epsilon, whole = (epsilon_of(parts, self.noise.delta, relation) for relation in relations)
        check_sampling((self.parameters + 1) * self.steps, whole, self.noise.delta)
        return Guarantee(
            unit=UNIT_NAMES[type(self.unit)],
            relation=self.unit.relation,
            mechanism=f"rounded Gaussian in {self.steps} steps, each on a Poisson sample of {self.sampling:.4g}",
            scale=self.scale,
            step=GRID * self.clip,
            step_unit="summed gradients",
            sensitivity=relations[0].parts * self.sensitivity,
            norm="L2",
            sensitivity_reason=(
                f"the gradient of every image is clipped to {self.clip:g} over all parameters; margin for rounding "
                f"{self.margin:.2g}"
            ),
            epsilon=epsilon,
            delta=self.noise.delta,
            whole_image_epsilon=whole,
            whole_image_delta=self.noise.delta,
            computed_from=CORPUS,
        )


@dataclass(frozen=True)
class _Sums:
    sampling: float
    steps: int

    def __call__(self, multiplier: float) -> tuple[NoisySums, ...]:
        return (NoisySums(multiplier, self.sampling, self.steps),)


def check_network(
    network: torch.nn.Module, shape: tuple[int, ...] | None = None, classes: int = 2, microbatch: int = 64
) -> None:
    """Raise ``UnsupportedError`` naming everything in ``network`` that cannot be trained privately.

    Args:
        network: The network; it is not changed.
        shape: Of an image, (C, H, W): with it, copies of the network are run on made-up images, and layers that mix the
            images of a batch, draw random numbers or keep what passes are found whatever they are called.
        classes: How many scores the network gives.
        microbatch: How many images pass at a time.

    Raises:
        UnsupportedError: naming everything that cannot be trained privately.
    """
    _, validator, _ = opacus()
    problems = []
    names = {id(module): name for name, module in network.named_modules()}
    for module in network.modules():
        kind = type(module).__name__
        if "BatchNorm" in kind:
            got, remedy = f"{kind} ({names[id(module)]})", "torch.nn.GroupNorm, or a layer with its statistics frozen"
            why = "layers that look at one image at a time"
            problems.append(Problem("network", got, why, f"replace it: {remedy}"))
        elif is_trained(module) and kind not in _KNOWN:
            expected = f"layers with trained parameters out of {', '.join(sorted(_KNOWN))}"
            problems.append(Problem("network", f"{kind} ({names[id(module)]})", expected, "freeze or replace it"))
    others = [] if problems else validator.validate(network, strict=False)
    problems += [Problem("network", str(error).split(".")[0], "what Opacus can differentiate") for error in others]
    if not any(parameter.requires_grad for parameter in network.parameters()):
        problems.append(Problem("network", "no trained parameter", "at least one"))
    if shape is not None and not problems:
        problems += behaviour_problems(network, shape, classes, microbatch)
    refuse(UnsupportedError, problems)


_KNOWN = frozenset(
    {"Conv1d", "Conv2d", "Conv3d", "Embedding", "GroupNorm", "InstanceNorm1d", "InstanceNorm2d", "LayerNorm", "Linear"}
)


def trained_numbers(network: torch.nn.Module) -> int:
    """How many numbers of a network are trained.

    Args:
        network: any network.

    Returns:
        The number of elements of all parameters that have gradients.
    """
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def train_network(
    plan: NetworkTraining,
    network: torch.nn.Module,
    images: Images,
    labels: Sequence[str] | npt.NDArray[Any],
    classes: Sequence[str],
    *,
    corpus: str,
    key: KeySource | None = None,
    ledger: Ledger | None = None,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
) -> Guarantee:
    """Train a network in place on private images.

    Its initial weights are public. The network gives a score per class and is trained with Adam on their cross entropy.
    The ledger is charged before any noise is drawn; the same call with the same key, initial weights and images is the
    same release.

    Args:
        plan: all that decides the training.
        network: gives a score per class.
        images: private, float32 (N, C, H, W).
        labels: name of every image's class, (N,).
        classes: the public list of names.
        corpus: what the ledger calls the images.
        key: decides the noise; None: a fresh one.
        ledger: charged once, before any noise is drawn, with the whole training; None: nobody accounts for it.
        on_progress: called after every step.

    Returns:
        What the network guarantees from then on.

    Raises:
        ParameterError: something does not fit.
        UnsupportedError: a layer cannot be trained privately.
        BudgetError: the ledger refuses.
        MissingExtraError: torch or Opacus is not installed.
    """
    torch, _, _ = opacus()
    network.train()
    numbers = _checked(plan, network, images, labels, classes)
    given, targets = torch.as_tensor(np.asarray(images, np.float32)), torch.as_tensor(numbers)
    check_network(network, tuple(given.shape[1:]), len(classes), plan.microbatch)
    content = content_of(np.asarray(images), numbers)
    identity = network_identity(network, tuple(given.shape[1:]), len(classes))
    stream = ReleaseKey.of(key).stream(corpus, content, plan.digest + identity)
    stream = stream.narrowed(first_sums(plan, network, given, targets, stream))
    if ledger is not None:
        ledger.charge(corpus, plan.guarantee, stream.narrowed(b"release id").words(0, 2).tobytes().hex())
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=plan.rate)
    start, shown = time.monotonic(), math.log(len(classes))
    for step, (noisy, loss) in enumerate(noisy_gradients(plan, network, given, targets, stream), 1):
        place = 0
        for parameter in trained:
            part = noisy[place : place + parameter.numel()].reshape(parameter.shape)
            parameter.grad = torch.as_tensor(part, dtype=parameter.dtype)
            place += parameter.numel()
        optimiser.step()
        shown = 0.9 * shown + 0.1 * min(max(loss, 0.0), LOSS_MOST)
        took = time.monotonic() - start
        on_progress(TrainingProgress(step, plan.steps, shown, took, took / step * (plan.steps - step)))
    network.zero_grad()
    network.eval()
    return plan.guarantee


def noisy_gradients(
    plan: NetworkTraining, network: torch.nn.Module, images: torch.Tensor, targets: torch.Tensor, stream: NoiseStream
) -> Iterator[tuple[npt.NDArray[np.float32], float]]:
    """Give the noisy mean gradient of every step, float32 (parameters,), and the noisy mean loss in nats.

    A step's members are a keyed function of the sums of all steps before it, its noise of its own sums too.
    """
    batch = plan.sampling * plan.size
    with Captured(network) as captured:
        for step in range(plan.steps):
            own = stream.narrowed(f"step {step}".encode())
            steps = _sums(plan, captured, images, targets, own)
            stream = stream.narrowed(steps.tobytes())
            noisy = noisy_sums(plan.noise, plan.scale, own, steps) * GRID
            loss = float(noisy[-1]) / batch / LOSS_SHARE * LOSS_MOST
            yield (noisy[:-1] * (plan.clip / batch)).astype(np.float32), loss


def first_sums(
    plan: NetworkTraining, network: torch.nn.Module, images: torch.Tensor, targets: torch.Tensor, stream: NoiseStream
) -> bytes:
    """SHA-256 of the sums that the untrained network gives for a sample that no step uses; as secret as the images."""
    with Captured(network) as captured:
        sums = _sums(plan, captured, images, targets, stream.narrowed(b"first sums"))
    return hashlib.sha256(sums.tobytes()).digest()


def _sums(
    plan: NetworkTraining, captured: Captured, images: torch.Tensor, targets: torch.Tensor, own: NoiseStream
) -> npt.NDArray[np.int64]:
    """Clipped gradients and losses of a sample on the grid, (parameters + 1,)."""
    chosen = drawn(own.narrowed(b"sample"), len(images), plan.sampling)
    total = np.zeros(plan.parameters + 1)
    for start in range(0, len(chosen), plan.microbatch):
        part = chosen[start : start + plan.microbatch]
        total += captured.clipped_sum(images[part], targets[part], plan.clip)
    return np.trunc(total / GRID).astype(np.int64)


def _checked(plan: NetworkTraining, network: Any, images: Any, labels: Any, classes: Sequence[str]) -> Any:
    array = np.asarray(images)
    problems = []
    if array.ndim != 4 or array.dtype.kind != "f" or len(array) < 2:
        got = f"{array.dtype} values of shape {array.shape}"
        problems.append(Problem("images", got, "at least two images, floating-point numbers (N, C, H, W)"))
    elif bad := np.flatnonzero(~np.isfinite(array).all((1, 2, 3))).tolist():
        problems.append(Problem("images", f"NaN or infinity in {len(bad)}: {bad[:5]}", "finite numbers"))
    if plan.parameters != (count := trained_numbers(network)):
        problems.append(Problem("plan.parameters", str(plan.parameters), f"{count}, as the network has"))
    if isinstance(plan.unit, WholeImage) and plan.size != len(array):
        problems.append(Problem("plan.size", str(plan.size), f"{len(array)}, the number of images"))
    refuse(ParameterError, problems)
    return class_numbers(labels, classes, len(array))
