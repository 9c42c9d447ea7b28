"""Gradients of single images, each clipped over all parameters, and their sum.

For a linear layer on vectors a gradient is never formed: its length is that of error and input, multiplied (ghost
clipping: Li, Tramer, Liang and Hashimoto, arXiv:2110.05679), and the clipped sum is one matrix product. For every other
layer Opacus's samplers give it. One backward pass does for both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from privis.errors import Problem, UnsupportedError, refuse
from privis.extras import optional_import

if TYPE_CHECKING:
    import torch

LOSS_MOST, LOSS_SHARE = 8.0, 1 / 16
"""Largest loss of an image that is counted, in nats, and its share of what an image may add."""
_LEAST_FACTOR = 2.0**-100  # smaller ones lose digits in single precision, and a gradient could come out too long


class Captured:
    """Inputs and errors of every layer with trained parameters, caught while a batch goes through the network."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.network = network
        self.names = {id(module): name for name, module in network.named_modules()}
        self.trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.layers = [module for module in network.modules() if is_trained(module)]
        self.order = {id(parameter): at for at, parameter in enumerate(network.parameters()) if parameter.requires_grad}
        self.inputs: dict[int, torch.Tensor] = {}
        self.errors: dict[int, torch.Tensor] = {}
        self.handles: list[Any] = []

    def __enter__(self) -> Captured:
        for layer in self.layers:
            self.handles.append(layer.register_forward_hook(self._forward))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self.handles:
            handle.remove()

    def _forward(self, layer: torch.nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        if id(layer) in self.inputs:
            got = f"{type(layer).__name__} ({self.names[id(layer)]}) used twice in one pass"
            raise UnsupportedError(Problem("network", got, "every trained layer once", "give each use its own layer"))
        self.inputs[id(layer)] = inputs[0].detach()
        output.register_hook(lambda error: self.errors.__setitem__(id(layer), error))

    def clipped_sum(self, images: torch.Tensor, targets: torch.Tensor, clip: float) -> npt.NDArray[np.float64]:
        """Sum of the images' gradients over ``clip``, each of length at most 1, and of their losses; float64.

        An image whose gradient is not finite, or too long to be scaled in single precision, adds nothing but its loss.
        Raises ``UnsupportedError`` for a layer that is not used, is used twice, or whose rows are not the images.
        """
        torch, _, samplers = opacus()
        losses = self.passed(images, targets)
        lengths = torch.zeros(len(images), dtype=torch.float64)
        sums: list[tuple[Any, Callable[[torch.Tensor], torch.Tensor]]] = []
        with torch.no_grad():
            counted = (
                torch.nan_to_num(losses, nan=LOSS_MOST).clamp(0, LOSS_MOST).double().sum() * LOSS_SHARE / LOSS_MOST
            )
            for layer in self.layers:
                found, squared = _layer(layer, self.inputs[id(layer)], self.errors[id(layer)], samplers)
                sums += found
                lengths += squared
            if not (finite := torch.isfinite(lengths)).all():  # 0 times infinity would wipe out what the others add
                part = np.zeros(sum(parameter.numel() for parameter in self.trained) + 1)
                if finite.any():
                    part = self.clipped_sum_without(images[finite], targets[finite], clip)
                return np.append(part[:-1], float(counted))
            factor = 1.0 / torch.clamp(lengths.sqrt() * (1 + 2**-20), min=clip)
            factor = torch.where(factor < _LEAST_FACTOR, 0.0, factor).float()
            parts = {self.order[id(parameter)]: summed(factor) for parameter, summed in sums}
            gradient = torch.cat([parts[at].reshape(-1).double() for at in sorted(parts)]).numpy()
        self.network.zero_grad(set_to_none=True)
        return np.append(np.nan_to_num(gradient), float(counted))

    def clipped_sum_without(self, images: torch.Tensor, targets: torch.Tensor, clip: float) -> npt.NDArray[np.float64]:
        """`clipped_sum` outside of the mode that it is called in: gradients are needed again."""
        import torch

        with torch.enable_grad():
            return self.clipped_sum(images, targets, clip)

    def passed(self, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Catch inputs and errors of one pass there and back; give the losses, (images,), in nats."""
        import torch

        self.inputs.clear(), self.errors.clear()
        scores = self.network(images)
        if scores.dim() != 2 or len(scores) != len(images):
            got = f"scores of shape {tuple(scores.shape)} for {len(images)} images"
            raise UnsupportedError(Problem("network", got, "a score for every image and class, (images, classes)"))
        losses = torch.nn.functional.cross_entropy(scores, targets, reduction="none")
        losses.sum().backward(inputs=self.trained)
        problems = []
        for layer in self.layers:
            where = f"{type(layer).__name__} ({self.names[id(layer)]})"
            if id(layer) not in self.inputs or id(layer) not in self.errors:
                remedy = "leave it out, or freeze its parameters"
                problems.append(Problem("network", f"{where} that the scores do not depend on", "none", remedy))
            elif not len(self.inputs[id(layer)]) == len(self.errors[id(layer)]) == len(images):
                got = f"{where} on an input of shape {tuple(self.inputs[id(layer)].shape)} for {len(images)} images"
                remedy = "keep images along the first axis in every layer with trained parameters"
                problems.append(Problem("network", got, "one row per image", remedy))
        refuse(UnsupportedError, problems)
        return losses.detach()


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


def is_trained(module: torch.nn.Module) -> bool:
    """Whether a parameter of ``module`` itself is trained."""
    return any(parameter.requires_grad for parameter in module.parameters(recurse=False))


def opacus() -> tuple[Any, Any, Any]:
    """Torch, Opacus's validator, and its table of gradient samplers."""
    with optional_import("train", "training a network"):
        import torch
        from opacus.grad_sample import GradSampleModule
        from opacus.validators import ModuleValidator
    return torch, ModuleValidator, GradSampleModule.GRAD_SAMPLERS
