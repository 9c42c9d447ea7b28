"""Differentially private training of torch networks: noise of our own on gradients by Opacus.

What a step adds up are the gradients of single images, each clipped to length 1 over all parameters. For a linear layer
on vectors it is never formed: its length is that of error and input, multiplied (ghost clipping: Li, Tramer, Liang and
Hashimoto, arXiv:2110.05679), and the clipped sum is one matrix product. For every other layer Opacus's samplers give
it. One backward pass does for both.

Sums are of single precision over at most ``microbatch`` images and of double precision beyond, put on a grid of 2**-24
and covered with integer noise. The sensitivity is stated with a margin for all of that (`NetworkTraining.margin`):

- a sum of m numbers in single precision is off by at most m 2**-23 times the sum of their sizes (Higham, "Accuracy and
  stability of numerical algorithms", 2002, chapter 4, with a factor of 2 to spare), hence for gradients of length 1
  by at most m 2**-23 per image, and twice that for two neighbours; steps of more than 4 q n + 64 images, where q n are
  expected, are rarer than 1e-50 and left out of account;
- cutting P numbers to the grid moves each sum by at most 2**-24 sqrt(P), twice that for two neighbours.

One thing is assumed, as in every implementation that computes many images at once: that the gradient of an image does
not depend on which images are computed beside it by more than the margin's spare half.
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

from privis.errors import MissingExtraError, ParameterError, Problem, UnsupportedError, refuse
from privis.privacy.guarantee import CORPUS, UNIT_NAMES, Guarantee
from privis.privacy.keys import NoiseStream, ReleaseKey
from privis.privacy.ledger import Ledger
from privis.privacy.mechanisms import Gaussian
from privis.privacy.parameters import positive_number, whole_number
from privis.privacy.releases import draw_noise
from privis.privacy.subsampling import (
    CorpusUnit,
    Neighbours,
    NoisySums,
    check_sampling,
    drawn,
    epsilon_of,
    least_multiplier,
    sampling_problem,
)
from privis.privacy.units import Dataset, WholeImage
from privis.training.fitting import TrainingProgress, content_of
from privis.training.heads import class_numbers

if TYPE_CHECKING:
    import torch

GRID = 2.0**-24
"""Grid of the noise, in clipping norms."""
LOSS_MOST, LOSS_SHARE = 8.0, 1 / 16

Images = npt.NDArray[np.floating]


@dataclass(frozen=True)
class NetworkTraining:
    """All that decides a private training of a network of ``parameters`` trained numbers.

    ``noise``, ``unit`` (`WholeImage` or `Dataset`), ``size``, ``sampling`` and ``steps`` mean what they do for
    `privis.privacy.train.LogisticTraining`. ``clip`` is the largest length of an image's gradient over all parameters;
    ``microbatch`` how many images are computed at a time, which bounds memory and nothing else: clipping is of single
    images. ``rate`` is the step of Adam. Raises ``ParameterError`` naming all bad parameters.

    >>> plan = NetworkTraining(26010, 60000, Gaussian(3.0, 1e-5), Dataset(), sampling=0.01, steps=300)
    >>> round(plan.noise_multiplier, 2)
    0.71
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
        return hashlib.sha256(repr(self).encode()).digest()

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
            sensitivity=self.sensitivity,
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


def check_network(network: torch.nn.Module) -> None:
    """Raise ``UnsupportedError`` naming every layer that mixes images of a batch, and what replaces it."""
    _, validator, _ = _opacus()
    problems = []
    names = {id(module): name for name, module in network.named_modules()}
    for module in network.modules():
        kind = type(module).__name__
        if "BatchNorm" in kind:
            got, remedy = f"{kind} ({names[id(module)]})", "torch.nn.GroupNorm, or a layer with its statistics frozen"
            why = "layers that look at one image at a time"
            problems.append(Problem("network", got, why, f"replace it: {remedy}"))
        elif _trained(module) and kind not in _KNOWN:
            expected = f"layers with trained parameters out of {', '.join(sorted(_KNOWN))}"
            problems.append(Problem("network", f"{kind} ({names[id(module)]})", expected, "freeze or replace it"))
    others = [] if problems else validator.validate(network, strict=False)
    problems += [Problem("network", str(error).split(".")[0], "what Opacus can differentiate") for error in others]
    if not any(parameter.requires_grad for parameter in network.parameters()):
        problems.append(Problem("network", "no trained parameter", "at least one"))
    refuse(UnsupportedError, problems)


_KNOWN = frozenset(
    {"Conv1d", "Conv2d", "Conv3d", "Embedding", "GroupNorm", "InstanceNorm1d", "InstanceNorm2d", "LayerNorm", "Linear"}
)


def trained_numbers(network: torch.nn.Module) -> int:
    """How many numbers of ``network`` are trained."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def train_network(
    plan: NetworkTraining,
    network: torch.nn.Module,
    images: Images,
    labels: Sequence[str] | npt.NDArray[Any],
    classes: Sequence[str],
    *,
    corpus: str,
    key: ReleaseKey | None = None,
    ledger: Ledger | None = None,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
) -> Guarantee:
    """Train ``network`` in place on private ``images``, float32 (N, C, H, W); give what it guarantees from then on.

    Its initial weights are public. The network gives a score per class and is trained with Adam on their cross entropy.
    The ledger is charged before any noise is drawn; the same call with the same key, initial weights and images is the
    same release. Raises ``ParameterError``, ``UnsupportedError`` for a layer that cannot be trained privately,
    ``BudgetError``, and ``MissingExtraError`` without torch and Opacus.
    """
    torch, _, _ = _opacus()
    check_network(network)
    numbers = _checked(plan, network, images, labels, classes)
    state = [value.detach().cpu().numpy() for value in network.state_dict().values()]
    content = content_of(np.asarray(images), numbers, *state)
    stream = (key or ReleaseKey.generate()).stream(corpus, content, plan.digest + repr(network).encode())
    if ledger is not None:
        ledger.charge(corpus, plan.guarantee, stream.narrowed(b"release id").words(0, 2).tobytes().hex())
    given, targets = torch.as_tensor(np.asarray(images, np.float32)), torch.as_tensor(numbers)
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=plan.rate)
    start, shown = time.monotonic(), math.log(len(classes))
    network.train()
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
    """Give the noisy mean gradient of every step, float32 (parameters,), and the noisy mean loss in nats."""
    batch = plan.sampling * plan.size
    with _Captured(network) as captured:
        for step in range(plan.steps):
            own = stream.narrowed(f"step {step}".encode())
            chosen = drawn(own.narrowed(b"sample"), len(images), plan.sampling)
            total = np.zeros(plan.parameters + 1)
            for start in range(0, len(chosen), plan.microbatch):
                part = chosen[start : start + plan.microbatch]
                total += captured.clipped_sum(images[part], targets[part], plan.clip)
            steps = np.trunc(total / GRID).astype(np.int64)
            noise = draw_noise(plan.noise, plan.scale, own, steps.shape, "gradient and loss")
            noisy = (steps + noise) * GRID
            loss = float(noisy[-1]) / batch / LOSS_SHARE * LOSS_MOST
            yield (noisy[:-1] * (plan.clip / batch)).astype(np.float32), loss


class _Captured:
    """Inputs and errors of every layer with trained parameters, caught while a batch goes through the network."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.network = network
        self.layers = [module for module in network.modules() if _trained(module)]
        self.order = {id(parameter): at for at, parameter in enumerate(network.parameters()) if parameter.requires_grad}
        self.inputs: dict[int, torch.Tensor] = {}
        self.errors: dict[int, torch.Tensor] = {}
        self.handles: list[Any] = []

    def __enter__(self) -> _Captured:
        for layer in self.layers:
            self.handles.append(layer.register_forward_hook(self._forward))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self.handles:
            handle.remove()

    def _forward(self, layer: torch.nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        if id(layer) in self.inputs:
            got = f"{type(layer).__name__} used twice in one pass"
            raise UnsupportedError(Problem("network", got, "every trained layer once", "give each use its own layer"))
        self.inputs[id(layer)] = inputs[0].detach()
        output.register_hook(lambda error: self.errors.__setitem__(id(layer), error))

    def clipped_sum(self, images: torch.Tensor, targets: torch.Tensor, clip: float) -> npt.NDArray[np.float64]:
        """Sum of the images' gradients over ``clip``, each of length at most 1, and of their losses; float64."""
        torch, _, samplers = _opacus()
        self.inputs.clear(), self.errors.clear()
        losses = torch.nn.functional.cross_entropy(self.network(images), targets, reduction="none")
        losses.sum().backward(inputs=[parameter for parameter in self.network.parameters() if parameter.requires_grad])
        lengths = torch.zeros(len(images), dtype=torch.float64)
        sums: list[tuple[Any, Callable[[torch.Tensor], torch.Tensor]]] = []
        with torch.no_grad():
            for layer in self.layers:
                found, squared = _layer(layer, self.inputs[id(layer)], self.errors[id(layer)], samplers)
                sums += found
                lengths += squared
            factor = 1.0 / torch.clamp(lengths.sqrt() * (1 + 2**-20), min=clip)
            factor = torch.where(torch.isfinite(factor) & torch.isfinite(lengths), factor, 0.0).float()
            parts = {self.order[id(parameter)]: summed(factor) for parameter, summed in sums}
            gradient = torch.cat([parts[at].reshape(-1).double() for at in sorted(parts)]).numpy()
            counted = (
                torch.nan_to_num(losses, nan=LOSS_MOST).clamp(0, LOSS_MOST).double().sum() * LOSS_SHARE / LOSS_MOST
            )
        self.network.zero_grad(set_to_none=True)
        return np.append(np.nan_to_num(gradient), float(counted))


def _layer(layer: torch.nn.Module, inputs: torch.Tensor, errors: torch.Tensor, samplers: Any) -> tuple[list, Any]:
    """For each parameter a function from factors to the weighted sum of gradients; squared lengths, (images,)."""
    import torch

    if isinstance(layer, torch.nn.Linear) and inputs.dim() == 2:  # ghost: gradients are outer products
        size = (errors.double() ** 2).sum(1)
        sums, squared = [], torch.zeros_like(size)
        if layer.weight.requires_grad:
            sums.append((layer.weight, lambda factor: (errors * factor[:, None]).T @ inputs))
            squared = squared + size * (inputs.double() ** 2).sum(1)
        if layer.bias is not None and layer.bias.requires_grad:
            sums.append((layer.bias, lambda factor: factor @ errors))
            squared = squared + size
        return sums, squared
    sums, squared = [], torch.zeros(len(errors), dtype=torch.float64)
    for parameter, gradients in samplers[type(layer)](layer, [inputs], errors).items():
        flat = gradients.reshape(len(errors), -1)
        sums.append((parameter, lambda factor, flat=flat: factor @ flat))
        squared = squared + torch.linalg.vector_norm(flat, dim=1, dtype=torch.float64) ** 2
    return sums, squared


def _trained(module: torch.nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters(recurse=False))


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


def _opacus() -> tuple[Any, Any, Any]:
    """Torch, Opacus's validator, and its table of gradient samplers."""
    try:
        import torch
        from opacus.grad_sample import GradSampleModule
        from opacus.validators import ModuleValidator
    except ImportError as error:
        raise MissingExtraError.of(error.name or "torch", "train", "training a network") from None
    return torch, ModuleValidator, GradSampleModule.GRAD_SAMPLERS
