"""Networks with squares, trained on public images: what ciphertexts and shares compute without an approximation.

Nothing is hidden here: there is no noise, no ledger and no guarantee. Private images are trained on by
`privis.training.train_head` and `privis.training.train_network`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.extras import optional_import
from privis.privacy.learning.clipped_gradients import check_vectors
from privis.tasks.decisions import Link
from privis.tasks.linear_head import LinearHead
from privis.tasks.linear_stages import LinearMap, Scaling, Square
from privis.training.fitting import TrainingProgress
from privis.training.heads import class_numbers
from privis.validation import positive_number, whole_number

_LEAST_DEVIATION = 0.1
"""Share of the largest deviation that a component is divided by at least: what hardly varies is not blown up."""


@dataclass(frozen=True)
class QuadraticTraining:
    """All that decides the training of a matrix, squares, and a matrix (Adam on cross entropy).

    Args:
        hidden: squares.
        epochs: how often every vector is seen.
        rate: step of Adam at the start; it falls to 0 along half a wave.
        batch: vectors of a step.
        decay: share of the weights that a step takes away, times the rate.
        seed: decides first weights and the order of vectors.

    Raises:
        ParameterError: naming all bad parameters.
    """

    identifier: ClassVar[str] = "privis.quadratic-training/1"

    hidden: int = 64
    epochs: int = 10
    rate: float = 0.003
    batch: int = 256
    decay: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        problems = []
        for name in ("hidden", "epochs", "batch"):
            problems += whole_number(f"QuadraticTraining.{name}", getattr(self, name))
        if type(self.seed) is not int or self.seed < 0:
            problems.append(Problem("QuadraticTraining.seed", repr(self.seed), "an integer of at least 0"))
        for name in ("rate", "decay"):
            problems += positive_number(f"QuadraticTraining.{name}", getattr(self, name))
        refuse(ParameterError, problems)


def train_quadratic(
    plan: QuadraticTraining,
    vectors: npt.NDArray[np.floating],
    labels: Sequence[str] | npt.NDArray[Any],
    classes: Sequence[str],
    *,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
) -> LinearHead:
    """Train a network of one hidden layer of squares on vectors of public images.

    No guarantee: what is learned may tell of every image. Equal plan, vectors and versions of libraries give equal
    weights on one kind of processor. Reference: Gilad-Bachrach et al., "CryptoNets", ICML 2016.

    Args:
        plan: all that decides the training.
        vectors: (rows, components).
        labels: name of every row's class, (rows,).
        classes: their names, in the order of scores.
        on_progress: called after every epoch.

    Returns:
        A head that runs behind the feature of the vectors, in the clear, on ciphertexts and on shares.

    Raises:
        ParameterError: something does not fit.
        MissingExtraError: torch is not installed.

    >>> rng = np.random.default_rng(0)
    >>> angle = rng.uniform(0, 2 * np.pi, 600)
    >>> rings = np.stack([np.cos(angle), np.sin(angle)], 1) * np.repeat([1.0, 2.0], 300)[:, None]
    >>> names = ["inner"] * 300 + ["outer"] * 300
    >>> head = train_quadratic(QuadraticTraining(4, epochs=40, rate=0.05), rings, names, ["inner", "outer"])
    >>> head.decide(head.scores(np.array([[0.0, 1.0], [-2.0, 0.0]]))).labels
    ('inner', 'outer')
    """
    with optional_import("train", "training a network"):
        import torch
    rows = np.asarray(vectors)
    check_vectors("vectors", rows)
    numbers = class_numbers(labels, classes, len(rows))
    standard = _standardisation(rows)
    given = torch.as_tensor(standard(rows.astype(np.float64)).astype(np.float32))
    truth = torch.as_tensor(numbers)
    generator = np.random.default_rng(plan.seed)
    shapes = {"first": (plan.hidden, rows.shape[1]), "last": (len(classes), plan.hidden)}
    matrices = {name: generator.uniform(-1, 1, shape) / np.sqrt(shape[1]) for name, shape in shapes.items()}
    weights = {name: torch.tensor(matrix, dtype=torch.float32, requires_grad=True) for name, matrix in matrices.items()}
    biases = {name: torch.zeros(shape[0], requires_grad=True) for name, shape in shapes.items()}
    optimiser = torch.optim.AdamW([*weights.values(), *biases.values()], lr=plan.rate, weight_decay=plan.decay)
    steps = plan.epochs * -(-len(rows) // plan.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    started = time.monotonic()
    for epoch in range(1, plan.epochs + 1):
        total = 0.0
        for chosen in torch.as_tensor(generator.permutation(len(rows))).split(plan.batch):
            hidden = torch.nn.functional.linear(given[chosen], weights["first"], biases["first"])
            scores = torch.nn.functional.linear(hidden * hidden, weights["last"], biases["last"])
            loss = torch.nn.functional.cross_entropy(scores, truth[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach()) * len(chosen)
        took = time.monotonic() - started
        left = took / epoch * (plan.epochs - epoch)
        on_progress(TrainingProgress(epoch, plan.epochs, total / len(rows), took, left))
    maps = {
        name: LinearMap(weights[name].detach().numpy().astype(np.float64), biases[name].detach().numpy().astype(float))
        for name in shapes
    }
    return LinearHead(tuple(map(str, classes)), (standard, maps["first"], Square(), maps["last"]), Link.SOFTMAX)


def _standardisation(rows: npt.NDArray[np.floating]) -> Scaling:
    deviations = rows.std(0, dtype=np.float64)
    gain = 1 / np.maximum(deviations, max(_LEAST_DEVIATION * float(deviations.max()), 1e-12))
    return Scaling(gain, -rows.mean(0, dtype=np.float64) * gain)
