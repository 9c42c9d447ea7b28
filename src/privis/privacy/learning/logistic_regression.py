"""Differentially private training of a linear classifier on feature vectors.

Multinomial logistic regression by noisy gradient steps (Abadi et al., arXiv:1607.00133) with heavy-ball momentum and an
exponential average of the weights. A step draws its members (`privis.privacy.learning.subsampling.drawn`), adds up
their clipped gradients and losses as integers (`privis.privacy.learning.clipped_gradients`), adds integer Gaussian
noise to every coordinate, and moves the weights. Weights, average and the printed loss are computed from noisy sums
alone, so the guarantee is that of revealing all noisy sums; so is everything in a `TrainingState`.

Members of a step are a function of a keyed stream, the number of the step and the state before it; noise is a function
of the very sums that it hides, too. A training that is taken up again from any of its states, or done again from the
start with the same key and the same vectors, is the same training, bit for bit, and is charged once. Where arithmetic
gives other sums, from that step on nothing is shared with the first run: it is another training, and whoever charges
has to tell it apart by `first_sums` and by the arithmetic.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.identity import identity
from privis.privacy.guarantee import CORPUS, UNIT_NAMES, Guarantee
from privis.privacy.learning.clipped_gradients import (
    LEVELS,
    LOSS_MOST,
    Floats,
    IntegerRows,
    Integers,
    bias_value,
    clipped_sum,
    loss_steps,
    row_squared,
    unit_steps,
)
from privis.privacy.learning.standardisation import Standardisation, moment_sums, moments_squared, standardisation_of
from privis.privacy.learning.subsampling import (
    CorpusUnit,
    Neighbours,
    NoisySums,
    StepSums,
    check_sampling,
    drawn,
    epsilon_of,
    least_multiplier,
    noisy_sums,
    sampling_problem,
)
from privis.privacy.mechanisms.additive import Gaussian
from privis.privacy.sampling.release_key import NoiseStream
from privis.privacy.units import Person, WholeImage
from privis.validation import keep_whole, positive_number, whole_number

PREPARED, STEP = b"standardisation", b"step"


@dataclass(frozen=True)
class LogisticTraining:
    """All that decides a private training of a linear classifier by noisy gradient steps.

    All images of a person, where a person is hidden, are drawn and clipped as one member: each of n <= k rows is
    clipped to a share of 1 / n.

    All parameters are fixed beforehand: trying several on private images releases several models, each of which is to
    be charged.

    A training that cannot learn is refused before anything is charged.

    Args:
        classes: at least 2.
        components: of a vector.
        size: public number of members, which scales the steps; under `Dataset` and `Person` it may be a guess.
        noise: what the whole training may cost.
        unit: what is hidden: an image's presence (`Dataset`), its content (`WholeImage`), or all images of a person
            (`Person(k)`).
        sampling: probability of being in a step's sample.
        steps: how many.
        rate: length of a step in which all gradients are clipped and agree.
        clip: largest length of an error p - y, at most sqrt(2).
        momentum: from 0 to below 1.
        averaging: weight of the past in the average of the weights that is released; 0: the last weights alone.
        standardise: share of the signal's square that a private standardisation of the components costs; 0: none.
        groups: runs of components (the paths of a scattering transform, say) that share one deviation each; 0: each
            component has its own.

    Raises:
        ParameterError: naming all bad parameters; or no noise can keep this epsilon, or noise would drown all that
            ``size`` members can say.

    >>> from privis.privacy.units import Dataset
    >>> plan = LogisticTraining(10, 144, 60000, Gaussian(3.0, 1e-5), Dataset(), sampling=0.125, steps=200)
    >>> round(plan.noise_multiplier, 2), round(plan.guarantee.epsilon, 3)
    (2.65, 3.0)
    """

    identifier: ClassVar[str] = "privis.logistic-training/1"

    classes: int
    components: int
    size: int
    noise: Gaussian
    unit: CorpusUnit = field(default_factory=WholeImage)
    sampling: float = 0.125
    steps: int = 200
    rate: float = 30.0
    clip: float = 0.1
    momentum: float = 0.9
    averaging: float = 0.95
    standardise: float = 0.0
    groups: int = 0

    def __post_init__(self) -> None:
        problems = []
        for name, least in (("classes", 2), ("components", 1), ("size", 1), ("steps", 1)):
            value = getattr(self, name)
            if whole_number(name, value) or value < least:
                expected = f"an integer of at least {least}"
                problems.append(Problem(f"LogisticTraining.{name}", repr(value), expected))
        if self.groups and (whole_number("groups", self.groups) or (not problems and self.components % self.groups)):
            expected = f"0, or an integer that divides the {self.components} components"
            problems.append(Problem("LogisticTraining.groups", repr(self.groups), expected))
        for name in ("rate", "clip"):
            problems += positive_number(f"LogisticTraining.{name}", getattr(self, name))
        problems += sampling_problem("LogisticTraining.sampling", self.sampling)
        for name in ("momentum", "averaging", "standardise"):
            value = getattr(self, name)
            if value != 0 and (positive_number(name, value) or value >= 1):
                problems.append(Problem(f"LogisticTraining.{name}", repr(value), "a number from 0 to below 1"))
        if not isinstance(self.noise, Gaussian):
            problems.append(Problem("LogisticTraining.noise", repr(self.noise), "Gaussian(epsilon, delta)"))
        if not isinstance(self.unit, CorpusUnit):
            expected = "WholeImage(), Dataset(), Person(images) or AddOrRemovePerson(images)"
            problems.append(Problem("LogisticTraining.unit", repr(self.unit), expected))
        refuse(ParameterError, problems)
        keep_whole(self, "classes", "components", "size", "steps", "groups")
        self._check_signal()

    @classmethod
    def full_batch(
        cls, classes: int, components: int, size: int, noise: Gaussian, unit: CorpusUnit, groups: int = 0
    ) -> Self:
        """Plan 60 steps over all members with a private standardisation: what to take where nothing was tuned.

        Samples of members leave noise over signal of a training about the same, and learned less of Fashion-MNIST;
        a step takes longer over all. ``python -m benchmarks.classification_bars`` shows accuracies.

        Args:
            classes: at least 2.
            components: of a vector.
            size: public number of members.
            noise: what the whole training may cost.
            unit: what is hidden.
            groups: runs of components that share one deviation; 0: each has its own.

        Returns:
            The plan.

        Raises:
            ParameterError: as for `LogisticTraining`.

        >>> LogisticTraining.full_batch(10, 144, 60000, Gaussian(3.0, 1e-5), WholeImage()).sampling
        1.0
        """
        return cls(classes, components, size, noise, unit, 1.0, 60, 30.0, 0.03, standardise=0.05, groups=groups)

    @property
    def neighbours(self) -> Neighbours:
        """What is accounted: a member that comes or goes, or one that is replaced."""
        return Neighbours.of(self.unit)

    @cached_property
    def noise_multiplier(self) -> float:
        """Standard deviation of the noise of a step over what one member may add; never too little."""
        make = StepSums(self.sampling, self.steps, self.standardise)
        return least_multiplier(make, self.noise.epsilon, self.noise.delta, self.neighbours)

    @cached_property
    def parts(self) -> tuple[NoisySums, ...]:
        """The noisy sums of the whole training: the steps, then the standardisation if there is one."""
        return StepSums(self.sampling, self.steps, self.standardise)(self.noise_multiplier)

    @property
    def squared(self) -> int:
        """Square of what one member adds to a step at most, in grid steps: gradient and loss together."""
        return LEVELS**2 * row_squared(self.components) + loss_steps(self.components) ** 2

    @property
    def numbers(self) -> int:
        """How many noisy numbers the training reveals."""
        each = self.classes * (self.components + 1) + 1
        return each * self.steps + (2 * self.components if self.standardise else 0)

    @cached_property
    def guarantee(self) -> Guarantee:
        """What the trained model, all states on the way and the printed losses guarantee together."""
        return self._guarantee_with(self.noise_multiplier)

    def guarantee_at(self, scale: float) -> Guarantee:
        """State what it would guarantee with noise of another scale.

        Args:
            scale: standard deviation of the noise of a step, in grid steps.

        Returns:
            The guarantee.
        """
        return self._guarantee_with(scale / math.sqrt(self.squared))

    def _guarantee_with(self, multiplier: float) -> Guarantee:
        parts = StepSums(self.sampling, self.steps, self.standardise)(multiplier)
        epsilon = epsilon_of(parts, self.noise.delta, self.neighbours)
        whole = epsilon_of(parts, self.noise.delta, Neighbours.REPLACED)
        check_sampling(self.numbers, whole, self.noise.delta)
        member = "person, whose rows share it" if self.unit.needs_subjects else "row"
        prepared = "; means and squares of components once" if self.standardise else ""
        relation = self.unit.relation
        if isinstance(self.unit, Person):
            relation = (
                f"all images of one person, of which at most {self.unit.images} count, "
                "replaced by others, more, fewer or none"
            )
        return Guarantee(
            unit=UNIT_NAMES[type(self.unit)],
            relation=relation,
            mechanism=f"rounded Gaussian in {self.steps} steps, each on a Poisson sample of {self.sampling:.4g}",
            scale=_scaled(multiplier, self.squared),
            step=1 / (LEVELS * unit_steps(self.components)),
            step_unit="summed gradients, of which a clipped one is 1",
            sensitivity=self.neighbours.parts * math.sqrt(self.squared),
            norm="L2",
            sensitivity_reason=f"gradient and loss of every {member} are clipped as integers{prepared}",
            epsilon=epsilon,
            delta=self.noise.delta,
            whole_image_epsilon=whole,
            whole_image_delta=self.noise.delta,
            computed_from=CORPUS,
        )

    @property
    def scale(self) -> float:
        """Standard deviation of the noise of a step, in grid steps."""
        return _scaled(self.noise_multiplier, self.squared)

    @property
    def digest(self) -> bytes:
        """SHA-256 of everything that decides what is released."""
        return identity(self)

    def epsilon_after(self, step: int) -> float:
        """Epsilon of the first steps, at the whole training's delta.

        Args:
            step: how many.

        Returns:
            Epsilon.
        """
        steps = replace(self.parts[0], steps=step)
        return epsilon_of((steps, *self.parts[1:]), self.noise.delta, self.neighbours)

    def _check_signal(self) -> None:
        signal = self.sampling * self.size * math.sqrt(self.steps)
        if signal < self.noise_multiplier:
            member = "people" if self.unit.needs_subjects else "images"
            got = (
                f"epsilon {self.noise.epsilon:g} for {self.size:,} {member}: all of them, agreeing in all steps, say "
                f"less than the noise of one number"
            )
            remedy = (
                f"about {math.ceil(self.size * self.noise_multiplier / signal * 30):,} {member}, or a larger epsilon"
            )
            raise ParameterError(Problem("LogisticTraining", got, "a training that can learn something", remedy))


@dataclass(frozen=True, eq=False)
class TrainingState:
    """A training after ``step`` steps: all of it may be shown, as it is computed from noisy sums alone.

    ``weights``, ``velocity`` and ``average`` are float64 (classes, components + 1) for standardised vectors of length 1
    and a last component of `bias_value`; ``loss`` is the average of the latest noisy losses in nats, cut at 8.
    """

    step: int
    weights: Floats
    velocity: Floats
    average: Floats
    averaged: float
    loss: float
    standardisation: Standardisation | None

    @classmethod
    def start(cls, plan: LogisticTraining, standardisation: Standardisation | None = None) -> TrainingState:
        """The state before the first step: weights and velocity are zero."""
        zeros = np.zeros((plan.classes, plan.components + 1))
        return cls(0, zeros, zeros, zeros, 0.0, math.log(plan.classes), standardisation)

    @property
    def released(self) -> Floats:
        """The average of the weights, (classes, components + 1), the last column the bias of every class."""
        weights = (self.average / self.averaged if self.averaged else self.weights).copy()
        weights[:, -1] *= bias_value(weights.shape[1] - 1)
        return weights


def prepared(
    plan: LogisticTraining, vectors: npt.NDArray[np.floating], shares: Integers, stream: NoiseStream
) -> Standardisation | None:
    """Release the standardisation that ``plan`` has a share for."""
    if not plan.standardise:
        return None
    sums = moment_sums(vectors, shares)
    scale = _scaled(plan.parts[1].noise_multiplier, moments_squared())
    noisy = noisy_sums(plan.noise, scale, stream.narrowed(PREPARED), sums)
    return standardisation_of(noisy, plan.size, scale, plan.components, plan.groups or plan.components)


def first_sums(
    plan: LogisticTraining,
    vectors: npt.NDArray[np.floating],
    labels: Integers,
    owners: Integers,
    shares: Integers,
    stream: NoiseStream,
) -> bytes:
    """SHA-256 of what public weights give on a sample that no step uses: tells trainings apart that add up otherwise.

    As secret as the vectors; a keyed function of it is not.
    """
    there = np.zeros(int(owners.max()) + 1, bool)
    there[drawn(stream.narrowed(b"first sums"), len(there), plan.sampling)] = True
    chosen = np.flatnonzero(there[owners])
    digest = hashlib.sha256()
    if plan.standardise:
        digest.update(moment_sums(vectors, shares).tobytes())
    if len(chosen):
        weights = np.linspace(-9.0, 9.0, plan.classes * (plan.components + 1)).reshape(plan.classes, -1)
        rows, everyone = IntegerRows.of(vectors[chosen]), np.arange(len(chosen))
        total, losses = clipped_sum(rows, everyone, labels[chosen], shares[chosen], weights, plan.clip)
        digest.update(np.append(total.ravel(), losses).tobytes())
    return digest.digest()


def steps(
    plan: LogisticTraining,
    rows: IntegerRows,
    labels: Integers,
    owners: Integers,
    shares: Integers,
    stream: NoiseStream,
    state: TrainingState,
) -> Iterator[TrainingState]:
    """Give the state after every step that is left, from ``state`` on.

    ``labels`` are class numbers; ``owners`` the number of every row's member, from 0; ``shares`` how many rows the
    owner has.
    """
    members = int(owners.max()) + 1
    batch = plan.sampling * plan.size
    unit = LEVELS * rows.unit * batch
    while state.step < plan.steps:
        own = stream.narrowed(STEP + str(state.step).encode() + state.weights.tobytes() + state.velocity.tobytes())
        there = np.zeros(members, bool)
        there[drawn(own.narrowed(b"sample"), members, plan.sampling)] = True
        chosen = np.flatnonzero(there[owners])
        total, losses = clipped_sum(rows, chosen, labels, shares, state.weights, plan.clip)
        noisy = noisy_sums(plan.noise, plan.scale, own, np.append(total.ravel(), losses))
        loss = float(noisy[-1]) / batch / loss_steps(plan.components) * LOSS_MOST
        velocity = plan.momentum * state.velocity + noisy[:-1].reshape(total.shape) / unit
        weights = state.weights - plan.rate * velocity
        kept = plan.averaging
        state = TrainingState(
            state.step + 1,
            weights,
            velocity,
            kept * state.average + (1 - kept) * weights,
            kept * state.averaged + (1 - kept),
            0.9 * state.loss + 0.1 * min(max(loss, 0.0), LOSS_MOST),
            state.standardisation,
        )
        yield state


def _scaled(multiplier: float, squared: int) -> float:
    """Noise in grid steps: ``multiplier`` times the root of ``squared``, never less."""
    return math.nextafter(multiplier * math.sqrt(squared) * (1 + 2**-50), math.inf)
