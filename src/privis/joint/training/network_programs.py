"""Fully connected networks as programs: one training step, the score of a batch, the labels of a batch.

``readings.evaluate`` runs these programs in the clear and SPU runs them on shares: one definition of training.

A layer is one matrix whose last row is the bias. Backpropagation of the cross entropy of a softmax with heavy-ball
momentum (Polyak, 1964, doi:10.1016/0041-5553(64)90137-5), on the mean of a batch of n images, rate r, momentum m::

    a1 = relu(a0 W0)   z = a1 W1   p = softmax(z)   d1 = (p - y) r / n   d0 = (d1 W1') * (a0 W0 >= 0)
    Vl <- m Vl + al' dl       Wl <- Wl - Vl

Fixed point has no overflow flag, so every value must be provably bounded, for the whole run and for any images:

- activations have a ceiling, ``min(relu(.), 64)``: five times what occurs on MNIST;
- the exponents of the softmax are at most 0, cut at -14 (exp(-14) is under four units of 2**-22), and their sum
  is cut to [1, classes], where it lies anyway. So 0 <= p <= 1 whatever the reciprocal's error, and |dl| <= r / n;
- all layers but the first are clipped to [-2, 2] in each step (they are small, so this costs little): gradients of the
  first layer are at most g = 2 r * classes for one hidden layer, however the other weights moved;
- a velocity is at most g / (1 - m), so the first layer moves by at most that per step, and it is clipped to [-8, 8] at
  the end of each epoch (100,000 comparisons are too dear for every step). Within an epoch of 234 steps at r = 0.7 it
  stays below 8 + 234 * 56 = 13,112, and the products a0 W0 below 785 * 13,112 < 2**24.

No bound is reached on real images, so the result is that of the unbounded network. ``Job`` proves all this again by
interval arithmetic over every instruction, and refuses a training for which it does not hold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.program import Input, Kind, Program, Value, apply, concat, ops, trace

Array = NDArray[np.float32]

PIXEL = 1.0 / 256.0
"""Images are shared as 8-bit values times this: exact in fixed point."""
ACTIVATION_CEILING = 64.0
FIRST_LAYER_BOUND = 8.0
OTHER_LAYERS_BOUND = 2.0
LOWEST_EXPONENT = -14.0
LOG_DEGREE = 14
TIE = 2.0**-12
"""How far below the largest logit the true label's may lie and still be right: above all rounding errors."""
ROUNDING = 1.01
"""Room that declared bounds leave for the rounding of intervals and of truncated products."""


@dataclass(frozen=True)
class Network:
    """Linear layers with ReLU between them: ``Network((784, 128, 10))`` is the classic MNIST network.

    Args:
        sizes: of the inputs, the hidden layers and the classes; two sizes are multinomial logistic regression.
        inputs: public interval of the components of an input vector; pixels / 256 by default.
        step: grid of the inputs: every component is a multiple of it; None: none.

    Raises:
        ParameterError: naming all bad parameters.

    >>> Network((784, 128, 10)).shapes
    ((785, 128), (129, 10))
    """

    identifier: ClassVar[str] = "privis.joint-network/1"

    sizes: tuple[int, ...]
    inputs: tuple[float, float] = (0.0, 255.0 * PIXEL)
    step: float | None = PIXEL

    def __post_init__(self) -> None:
        problems = []
        if len(self.sizes) < 2 or min(self.sizes, default=0) < 1 or self.sizes[-1] < 2:
            problems.append(Problem("Network.sizes", repr(self.sizes), "inputs, hidden units, at least two classes"))
        if not -math.inf < self.inputs[0] < self.inputs[1] < math.inf:
            problems.append(Problem("Network.inputs", repr(self.inputs), "a finite interval, low before high"))
        refuse(ParameterError, problems)

    @property
    def classes(self) -> int:
        """Number of classes: the last size."""
        return self.sizes[-1]

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Shapes of the layers' matrices, bias row included."""
        return tuple((rows + 1, columns) for rows, columns in zip(self.sizes, self.sizes[1:], strict=False))

    def images(self, rows: int) -> Input:
        """Declare input vectors.

        Args:
            rows: how many.

        Returns:
            The public declaration, (rows, inputs).
        """
        return Input((rows, self.sizes[0]), *self.inputs, self.step)

    def labels(self, rows: int) -> Input:
        """Declare one-hot labels.

        Args:
            rows: how many.

        Returns:
            The public declaration, (rows, classes).
        """
        return Input((rows, self.classes), 0.0, 1.0, 1.0)

    def start(self, seed: int) -> tuple[Array, ...]:
        """Give initial weights: He initialisation (arXiv:1502.01852) from a public seed, biases 0.

        They are no secret: what training makes of them is. Logistic regression starts at 0.

        Args:
            seed: public.

        Returns:
            A matrix per layer, float32 (inputs + 1, outputs), the biases last.
        """
        random = np.random.default_rng(seed)
        layers = [np.zeros(shape, np.float32) for shape in self.shapes]
        for layer in layers if len(layers) > 1 else []:
            deviation = math.sqrt(2.0 / (len(layer) - 1))
            layer[:-1] = np.clip(random.normal(0.0, deviation, layer[:-1].shape), -2.0, 2.0)
        return tuple(layers)

    def resting(self) -> tuple[Input, ...]:
        """Declare the layers between epochs.

        Returns:
            A declaration per layer.
        """
        return tuple(
            Input(shape, -bound, bound, None) for shape, bound in zip(self.shapes, self._bounds(), strict=True)
        )

    def moving(self, rate: float, momentum: float, steps: int) -> tuple[tuple[Input, ...], tuple[Input, ...]]:
        """Declare layers and velocities during training; see the module.

        Args:
            rate: the largest learning rate.
            momentum: at least 0, less than 1.
            steps: how many without a reset.

        Returns:
            Declarations of the layers, and of their velocities.
        """
        weights, velocities = [], []
        for layer, (shape, bound) in enumerate(zip(self.shapes, self._bounds(), strict=True)):
            speed = ROUNDING * self._largest_gradient(layer, rate) / (1.0 - momentum)
            reach = bound + steps * speed if layer == 0 else bound
            weights.append(Input(shape, -reach, reach, None))
            velocities.append(Input(shape, -speed, speed, None))
        return tuple(weights), tuple(velocities)

    def _bounds(self) -> tuple[float, ...]:
        return (FIRST_LAYER_BOUND, *(OTHER_LAYERS_BOUND for _ in self.shapes[1:]))

    def _largest_gradient(self, layer: int, rate: float) -> float:
        activation = max(1.0, *map(abs, self.inputs)) if layer == 0 else ACTIVATION_CEILING
        paths = math.prod(size * OTHER_LAYERS_BOUND for size in self.sizes[layer + 2 :])
        return rate * activation * paths


def forward(layers: list[Value], images: Value) -> tuple[list[Value], list[Value], Value]:
    """Return the input of every layer with its column of ones, the ReLUs' masks, and the logits."""
    inputs, masks = [_with_ones(images)], []
    for layer in layers[:-1]:
        sums = inputs[-1] @ layer
        masks.append(sums.compare(0.0, exact=False))
        inputs.append(_with_ones(sums.clip(0.0, ACTIVATION_CEILING)))
    return inputs, masks, inputs[-1] @ layers[-1]


def _with_ones(rows: Value) -> Value:
    return rows >> ops.Pad(((0, 0), (0, 1)), 1.0)


@dataclass(frozen=True)
class Softmax:
    """A softmax and what its cross entropy needs: ``margins`` (logits less their largest) and ``total``."""

    margins: Value
    total: Value
    exponentials: Value

    @classmethod
    def of(cls, logits: Value) -> Softmax:
        """Trace the softmax of ``logits`` (rows, classes)."""
        margins = logits - (logits >> ops.Max((1,), True))
        exponentials = margins.clip(LOWEST_EXPONENT, 0.0) >> ops.Nonlinear(Kind.EXP, (LOWEST_EXPONENT, 0.0))
        total = exponentials.sum(1, keep=True).clip(1.0, float(logits.shape[1]))
        return cls(margins, total, exponentials)

    @property
    def probabilities(self) -> Value:
        """In [0, 1] by construction, their sum is 1 up to the reciprocal's error."""
        classes = float(self.exponentials.shape[1])
        return self.exponentials * (self.total >> ops.Nonlinear(Kind.RECIPROCAL, (1.0, classes)))

    def cross_entropies(self, labels: Value) -> Value:
        """Natural logarithm of the total less the true label's margin, (rows,)."""
        logarithm = self.total >> _logarithm(self.exponentials.shape[1])
        return (logarithm.reshape(-1)) - (self.margins * labels).sum(1)


def _logarithm(high: int) -> ops.Poly:
    """The natural logarithm on [1, high]; to 1e-5 for ten classes."""
    from numpy.polynomial import chebyshev

    half = (high - 1.0) / 2.0
    coefficients = chebyshev.chebinterpolate(lambda t: np.log(1.0 + half * (t + 1.0)), LOG_DEGREE)
    return ops.Poly(tuple(map(float, coefficients)), (1.0, float(high)))


def step_program(
    network: Network, rows: tuple[int, ...], rate: float, momentum: float, moving: tuple[tuple[Input, ...], ...]
) -> Program:
    """One step on a batch of ``rows[i]`` images of owner ``i``.

    Inputs: layers, velocities (declared by ``moving``), then the images and the labels of each owner. Outputs: layers,
    velocities.
    """
    depth = len(network.shapes)
    data = [declare(count) for count in rows for declare in (network.images, network.labels)]

    def step(*values: Value) -> tuple[Value, ...]:
        layers, velocities = list(values[:depth]), values[depth : 2 * depth]
        images, labels = concat(*values[2 * depth :: 2]), concat(*values[2 * depth + 1 :: 2])
        inputs, masks, logits = forward(layers, images)
        error = (Softmax.of(logits).probabilities - labels) * (rate / sum(rows))
        moved = []
        for layer in reversed(range(depth)):
            moved.append(velocities[layer] * momentum + inputs[layer].transpose(1, 0) @ error)
            if layer:
                weights = layers[layer][:-1].transpose(1, 0)
                error = (error @ weights) * masks[layer - 1]
        moved.reverse()
        updated = [weights - velocity for weights, velocity in zip(layers, moved, strict=True)]
        kept = [w.clip(-OTHER_LAYERS_BOUND, OTHER_LAYERS_BOUND) for w in updated[1:]]
        return updated[0], *kept, *moved

    return trace(step, *moving[0], *moving[1], *data)


def settle_program(network: Network, moving: tuple[Input, ...]) -> Program:
    """The layers, clipped to their bounds between epochs, and velocities 0."""
    bounds = [declared.high for declared in network.resting()]

    def settle(*layers: Value) -> tuple[Value, ...]:
        clipped = [w.clip(-b, b) for w, b in zip(layers, bounds, strict=True)]
        return *clipped, *(w * 0.0 for w in layers)

    return trace(settle, *moving)


def score_program(network: Network, rows: int) -> Program:
    """Sum of the cross entropies (nats) and number of right answers of one batch, (2,).

    An answer is right when no other class has a larger logit, up to 2**-12.
    """

    def score(*values: Value) -> Value:
        layers, images, labels = list(values[:-2]), values[-2], values[-1]
        softmax = Softmax.of(forward(layers, images)[2])
        right = (softmax.margins * labels).sum(1).compare(-TIE, step=TIE, exact=False)
        return concat(softmax.cross_entropies(labels).sum(0).reshape(1), right.sum(0).reshape(1))

    return trace(score, *network.resting(), network.images(rows), network.labels(rows))


def sum_program(declared: tuple[Input, ...]) -> Program:
    """The sum of equally shaped variables."""

    def total(*values: Value) -> Value:
        result = values[0]
        for value in values[1:]:
            result = apply(ops.Add(), result, value)
        return result

    return trace(total, *declared)


def label_program(network: Network, rows: int) -> Program:
    """The class with the largest logit of each image, (rows,)."""

    def label(*values: Value) -> Value:
        return forward(list(values[:-1]), values[-1])[2] >> ops.ArgMax(1)

    return trace(label, *network.resting(), network.images(rows))


def probability_levels(probabilities: Value, levels: int) -> Value:
    """The number of thresholds 1/2, 3/2 ... of ``1 / levels`` that each probability reaches."""
    repeated = probabilities.reshape(*probabilities.shape, 1) >> ops.Gather(np.zeros(levels, np.int64), 2)
    return repeated.compare((np.arange(levels) + 0.5) / levels, step=1.0 / levels, exact=False).sum(2)
