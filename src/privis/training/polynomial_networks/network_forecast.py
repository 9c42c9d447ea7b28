"""What a network will take under encryption, told before it is trained."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from privis.errors import UnsupportedError, refuse
from privis.run.he.executor import CKKS
from privis.tasks.linear_head import Scored
from privis.training.polynomial_networks.network_design import NetworkDesign
from privis.training.polynomial_networks.network_fitting import NetworkFitting, fit_network
from privis.training.polynomial_networks.square_network import normalised, scored_of, square_network

if TYPE_CHECKING:
    import torch

PRECISION = 1e-2
"""Largest error of a score, relative to the largest: what is lost is told beside it."""
_STATISTICS = 512  # images that the statistics of an untrained network are taken from
_TIMED = 3  # steps that the duration of a training is told from


@dataclass(frozen=True)
class EncryptedForecast:
    """What one image takes under CKKS, and what that costs in accuracy.

    Args:
        seconds: of the server for one image, once weights are encoded, as calibrated by ``privis doctor``.
        memory: bytes of the server at its peak.
        keys: bytes of evaluation keys, sent once.
        query: bytes sent for an image.
        reply: bytes sent back.
        levels: of a fresh ciphertext.
        degree: of the ring.
        error: predicted largest error of a score, relative to the largest score.
        changed: share of the given images whose class an error of that size could change; None: none were given.
        accuracy: share of the given images whose class is right in the clear; None: none were given.
    """

    seconds: float
    memory: int
    keys: int
    query: int
    reply: int
    levels: int
    degree: int
    error: float
    changed: float | None
    accuracy: float | None


def forecast_of(
    scored: Scored, scores: npt.NDArray[np.floating] | None, numbers: npt.NDArray[np.int64] | None, under: CKKS
) -> EncryptedForecast:
    """Compile a network for ciphertexts, without a key or an encrypted image, and tell what it takes.

    Args:
        scored: the network.
        scores: float (images, classes), in the clear; None: nothing is told about accuracy.
        numbers: of the true classes, (images,).
        under: who computes.

    Returns:
        The forecast.

    Raises:
        UnsupportedError: no 128-bit secure parameters give enough levels or precision.
    """
    program = scored.program(scored.core_shape((*(scored.size or ()), 3)))
    refuse(UnsupportedError, under.supports(program))
    made, expected = under.compiled(program), under.predicted(program)
    changed = accuracy = None
    if scores is not None and numbers is not None and len(scores):
        ordered = np.sort(scores, 1)
        margin = ordered[:, -1] - ordered[:, -2]
        changed = float((margin <= 2 * made.spec.error * np.abs(scores).max()).mean())
        accuracy = float((scores.argmax(1) == numbers).mean())
    return EncryptedForecast(
        expected.seconds, expected.memory, expected.keys, expected.query, expected.reply,
        made.choice.arrangement.depth, made.spec.parameters.degree, made.spec.error, changed, accuracy,
    )  # fmt: skip


def forecast_before_training(
    design: NetworkDesign,
    plan: NetworkFitting,
    images: npt.NDArray[np.uint8],
    numbers: npt.NDArray[np.int64],
    held_images: npt.NDArray[np.uint8],
    held_numbers: npt.NDArray[np.int64],
    classes: tuple[str, ...],
    under: CKKS,
) -> tuple[EncryptedForecast, float]:
    """Tell what a network will take, before it is trained.

    Seconds and bytes follow from the design. What encryption may change is told by a stand-in: the untrained network,
    whose last matrix is solved for by least squares; a trained one has larger margins, as a rule.

    Args:
        design: what it consists of.
        plan: how it is trained.
        images: of the training, uint8 (N, planes, height, width).
        numbers: of their classes, (N,).
        held_images: images that are not trained on.
        held_numbers: of their classes.
        classes: their names.
        under: who computes.

    Returns:
        The forecast, and seconds that the training will take here, as three steps of it take.

    Raises:
        UnsupportedError: no 128-bit secure parameters give enough levels or precision.
        MissingExtraError: torch is not installed.
    """
    import torch

    network = square_network(design, plan.seed)
    timed = copy.deepcopy(network)
    some = slice(0, _TIMED * plan.batch)
    once = replace(plan, epochs=1, batch=min(plan.batch, len(images)))
    fit_network(once, timed, images[: once.batch], numbers[: once.batch])  # what is loaded with the first step
    started = time.perf_counter()
    fit_network(once, timed, images[some], numbers[some])
    each = (time.perf_counter() - started) / once.steps(len(images[some]))
    with torch.no_grad():
        drawn = np.random.default_rng(plan.seed).permutation(len(images))[:_STATISTICS]  # files lie by class
        _solved(network, images[drawn], numbers[drawn], len(classes))
        network.eval()
        scores = network(normalised(held_images)).numpy() if len(held_images) else None
    forecast = forecast_of(scored_of(network, design, classes), scores, held_numbers, under)
    return forecast, each * plan.steps(len(images)) * plan.epochs


def _solved(
    network: torch.nn.Sequential, images: npt.NDArray[np.uint8], numbers: npt.NDArray[np.int64], classes: int
) -> None:
    """Take statistics of an untrained network from images, layer after layer, and solve for its last matrix."""
    import torch

    body, last = network.get_submodule("body"), network.get_submodule("last")
    for module in body.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.momentum = 1.0  # statistics are those of these images alone
    body.train()
    body(normalised(images))
    body.eval()
    squares = body(normalised(images)).double()
    moments = squares.T @ squares + 0.1 * len(squares) * torch.eye(squares.shape[1], dtype=torch.float64)
    wanted = torch.nn.functional.one_hot(torch.as_tensor(numbers), classes).double() - 1 / classes
    solved = torch.linalg.solve(moments, squares.T @ wanted).T
    assert isinstance(last, torch.nn.Linear)
    last.weight.copy_(solved)
    last.bias.zero_()
