"""A design as a torch network, and a trained one as a feature with a head.

An activation is ``(a x + b)**2`` of what a batch normalisation makes, normalised once more: as general as any
polynomial of degree two whose leading coefficient is not zero, and one product of ciphertexts, as everything else is
linear and becomes part of the next matrix. It starts as the expansion of ReLU in Hermite polynomials up to degree two,
whose shift, in that form, is ``sqrt(pi / 2)``. Reference: Park et al., "AESPA: Accuracy Preserving Low-degree
Polynomial Activation for Fast Private Inference", 2022, arXiv:2201.06699.
"""

from __future__ import annotations

import io
import math
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from privis.extras import optional_import
from privis.features.cnn import CNN, Channels
from privis.tasks.decisions import Link
from privis.tasks.linear_head import LinearHead, Scored
from privis.tasks.linear_stages import LinearMap
from privis.training.polynomial_networks.network_design import NetworkDesign

if TYPE_CHECKING:
    import torch

MEAN, DEVIATION = 0.5, 0.25
"""Of pixels in 0..1, whatever the images are: nothing of a set of images is in them."""
_SHIFT = math.sqrt(math.pi / 2)
_OPSET = 17


def square_network(design: NetworkDesign, seed: int = 0) -> torch.nn.Sequential:
    """Make an untrained network: its first part gives squares, its last is the matrix of the scores.

    Args:
        design: what it consists of.
        seed: decides first weights.

    Returns:
        A network of normalised images, float32 (N, planes, height, width), with modules ``body`` and ``last``.

    Raises:
        MissingExtraError: torch is not installed.
    """
    with optional_import("train", "training a network"):
        import torch
    activation = _activation()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers: list[torch.nn.Module] = [_crop()(design.border)] if design.border else []
        planes = design.shape[0]
        for layer in design.convolutions:
            layers.append(torch.nn.Conv2d(planes, layer.filters, layer.side, layer.stride, layer.padding, bias=False))
            layers.append(activation(layer.filters, torch.nn.BatchNorm2d))
            planes = layer.filters
        if design.hidden:
            layers += [torch.nn.Flatten(), torch.nn.Linear(math.prod(design.planes[-1]), design.hidden, bias=False)]
            layers.append(activation(design.hidden, torch.nn.BatchNorm1d))
        else:
            layers += [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
        network = torch.nn.Sequential()
        network.add_module("body", torch.nn.Sequential(*layers))
        network.add_module("last", torch.nn.Linear(design.hidden or planes, design.classes))
    return network


@cache
def _activation() -> Any:
    """The class of activations, which needs torch."""
    import torch

    class ShiftedSquare(torch.nn.Module):
        def __init__(self, planes: int, normalisation: Any) -> None:
            super().__init__()
            self.before = normalisation(planes)
            torch.nn.init.constant_(self.before.bias, _SHIFT)
            self.after = normalisation(planes)

        def forward(self, values: torch.Tensor) -> torch.Tensor:
            shifted = self.before(values)
            return self.after(shifted * shifted)

    return ShiftedSquare


@cache
def _crop() -> Any:
    """The class of what leaves out the border of images, which needs torch."""
    import torch

    class Crop(torch.nn.Module):
        def __init__(self, border: int) -> None:
            super().__init__()
            self.border = border

        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return values[:, :, self.border : -self.border, self.border : -self.border]

    return Crop


def normalised(images: npt.NDArray[np.uint8]) -> torch.Tensor:
    """Pixels (N, planes, height, width) as a network reads them."""
    import torch

    return torch.as_tensor(((images.astype(np.float32) / 255) - MEAN) / DEVIATION)


def feature_of(network: torch.nn.Sequential, design: NetworkDesign) -> CNN:
    """The squares before the last matrix, as a feature."""
    return CNN(
        onnx_of(network.get_submodule("body"), design.shape),
        mean=MEAN,
        std=DEVIATION,
        channels=Channels.GREY if design.shape[0] == 1 else Channels.RGB,
    )


def head_of(network: torch.nn.Sequential, classes: tuple[str, ...]) -> LinearHead:
    """The last matrix, as a head behind the feature."""
    last: Any = network.get_submodule("last")
    matrix, bias = (part.detach().numpy().astype(np.float64) for part in (last.weight, last.bias))
    return LinearHead(classes, (LinearMap(matrix, bias),), Link.SOFTMAX)


def scored_of(network: torch.nn.Sequential, design: NetworkDesign, classes: tuple[str, ...]) -> Scored:
    """The whole network as a feature whose vector is its scores.

    Args:
        network: trained, of `square_network`.
        design: what it consists of.
        classes: their names, in the order of scores.

    Returns:
        The feature, for every executor.
    """
    return feature_of(network, design) >> head_of(network, classes)


def onnx_of(network: torch.nn.Module, shape: tuple[int, int, int]) -> bytes:
    """An ONNX model of a network in evaluation mode, whose mode is left as it was."""
    import torch

    buffer, mode = io.BytesIO(), network.training
    network.eval()
    with warnings.catch_warnings():  # shapes are constants, which is what these warnings are about
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (torch.zeros(1, *shape),), buffer, opset_version=_OPSET, dynamo=False)
    network.train(mode)
    return buffer.getvalue()
