"""Logistic regression whose model may be revealed: differentially private by noise added inside, in every step.

Multinomial logistic regression on the images of several owners by gradient steps on fixed batches. In each step every
party adds integer noise of its own to the summed gradient, inside; only the model after the last step is revealed.
Since each step sees the data through its noisy gradient alone, the guarantee is that of revealing all noisy gradients.

Everything between the data and the noise is integer arithmetic, which the ring does exactly, so there is no rounding to
argue about:

- an owner shortens its vectors to an L2 norm of at most sqrt(15)/4 and rounds each component towards zero to a multiple
  of 1/4096; the bias's constant 1/4 is appended inside. In units of 1/4096 a row is an integer vector of norm at most
  4096. (What an owner does wrong here weakens the protection of its own images, and of nobody else's.);
- a probability p, whatever approximations it went through, becomes the number of the thresholds 1/32, 3/32 ... 31/32
  that it reaches, an integer from 0 to 16, so that an error p - y is an integer in units of 1/16. The errors of a row
  whose squares add up to more than 2 * 16**2 are set to 0; those of true probabilities never do;
- the gradient is the matrix product of both, integers in units of 1/65,536, to which one row adds at most
  4096 * 16 sqrt(2) in L2 norm.

Two neighbours differ in one row, and rows are computed one by one, so their gradients are at most

    D = 2 * 4096 * 16 sqrt(2),  D**2 = 8 * 65536**2

apart at equal weights. (Weights depend on earlier noisy gradients and on the protocol's own randomness in truncations,
which is independent of all data.) Batches are fixed by the position of an image, publicly: an image is in one batch of
each epoch and touches no other step. So E epochs are E adaptive Gaussian releases of sensitivity D, exactly as private
as one of sensitivity D sqrt(E) (Dong, Roth and Su, arXiv:1905.02383, corollary 3.3). No amplification by sampling or
shuffling is claimed. For ``Person(k)`` all k rows may be in one batch: k D instead of D.

A run is a release. Truncations are random, so a second run on equal data adds up slightly other gradients, which no
party sees and no noise can hang on: with equal noise, the difference of two models would show what they differ by.
Every member therefore says a fresh number for each run, all of them are in the release's name, and noise hangs on it:
two runs share no noise and are two charges, whoever lies about their numbers.

Noise shares, who may collude and whose budget it is: `privis.joint.release.distributed_noise`. A network with hidden
layers has no such bound without clipping each example's gradient of all layers, which is why `PrivateTraining` refuses
it.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import operator
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, UnsupportedError, refuse
from privis.identity import identity
from privis.joint.release.distributed_noise import SMALLEST_SHARE, noise_source
from privis.joint.statistics.sums import Committee
from privis.joint.training.network_programs import Network, Softmax, probability_levels
from privis.joint.training.schedule import Training
from privis.privacy.guarantee import Guarantee
from privis.privacy.ledger.budget import Per
from privis.privacy.ledger.file import FileLedger
from privis.privacy.mechanisms.additive import Gaussian
from privis.privacy.releases.noise import draw_noise, largest_noise, noise_guarantee
from privis.privacy.sampling.release_key import ReleaseKey
from privis.privacy.sensitivity import Sensitivity
from privis.privacy.units import Person, WholeImage
from privis.program import Input, Program, Value, concat, ops, trace
from privis.run.mpc.fixed_point import FixedPoint
from privis.run.mpc.job import Drop, Instruction, Job, Reveal, Run, Share, Source
from privis.validation import positive_number, whole_number

FIXED = FixedPoint()
UNITS = 4096  # of a row's norm
BIAS = UNITS // 4
LEVELS = 16  # of a probability
WEIGHT_BOUND = 32.0
STEP = "noisy step"

Floats = NDArray[np.float32]


def fresh_run() -> str:
    """A number that one member says for one run and never again."""
    return secrets.token_hex(16)


def private_network(components: int, classes: int) -> Network:
    """The only network whose gradients are bounded: logistic regression on vectors of integers, norm at most 4096."""
    return Network((components, classes), inputs=(-float(UNITS), float(UNITS)), step=1.0)


@dataclass(frozen=True)
class PrivateTraining:
    """All that owners, noise parties and receivers agree on before a private training; see the module.

    The committee's members are the noise parties.

    Args:
        network: logistic regression, as ``private_network`` makes it.
        owners: (name, images) of each.
        noise: what the whole training may cost.
        corpus: names the images in every ledger.
        receivers: names of those who learn the model.
        committee: the compute parties and their protocol.
        batch: images of a step, over all owners.
        epochs: passes over the images.
        rate: learning rate.
        momentum: at least 0, less than 1.
        unit: what is hidden: WholeImage() or Person(images).
        colluding: noise parties that may pool their noise; None: all but one.
        steps_per_job: steps between two jobs.

    Raises:
        ParameterError: naming all bad parameters.
        UnsupportedError: the network has hidden layers.

    >>> plan = PrivateTraining(
    ...     private_network(784, 10), (("bob", 30000), ("carol", 30000)), Gaussian(1.0, 1e-6), "digits", ("alice",)
    ... )
    >>> plan.guarantee.epsilon, round(plan.guarantee.sensitivity / 65536, 3)  # of two epochs
    (1.0, 4.0)
    """

    identifier: ClassVar[str] = "privis.joint-training/2"

    network: Network
    owners: tuple[tuple[str, int], ...]
    noise: Gaussian
    corpus: str
    receivers: tuple[str, ...]
    committee: Committee = field(default_factory=Committee)
    batch: int = 2048
    epochs: int = 2
    rate: float = 2.0
    momentum: float = 0.75
    unit: WholeImage | Person = field(default_factory=WholeImage)
    colluding: int | None = None
    steps_per_job: int = 10

    def __post_init__(self) -> None:
        if len(self.network.sizes) > 2:
            got = f"hidden layers {self.network.sizes[1:-1]}"
            remedy = "extract a public feature first and train logistic regression on it, or keep the model in shares"
            why = "no hidden layer: bounding each example's gradient of all layers inside costs more than the training"
            raise UnsupportedError(Problem("PrivateTraining.network", got, why, remedy))
        colluding = len(self.committee.members) - 1 if self.colluding is None else self.colluding
        object.__setattr__(self, "colluding", colluding)
        problems = whole_number("PrivateTraining.epochs", self.epochs)
        problems += positive_number("PrivateTraining.rate", self.rate)
        if self.network != private_network(self.network.shapes[0][0] - 1, self.network.classes):
            problems.append(Problem("PrivateTraining.network", repr(self.network), "private_network(...)"))
        if not isinstance(self.noise, Gaussian):
            problems.append(Problem("PrivateTraining.noise", repr(self.noise), "Gaussian noise"))
        if not isinstance(self.unit, WholeImage | Person):
            problems.append(Problem("PrivateTraining.unit", repr(self.unit), "WholeImage() or Person(images)"))
        if type(colluding) is not int or not 0 <= colluding < len(self.committee.members):
            expected = f"an integer from 0 to {len(self.committee.members) - 1}"
            problems.append(Problem("PrivateTraining.colluding", repr(self.colluding), expected))
        if not self.receivers:
            problems.append(Problem("PrivateTraining.receivers", "nobody", "at least one"))
        refuse(ParameterError, problems)

    @cached_property
    def plan(self) -> Training:
        """The schedule without noise: batches, names, jobs' lengths."""
        rates = ((self.rate,),) * self.epochs
        size = (self.committee, self.batch, rates, self.momentum, 0, self.steps_per_job)
        return Training(self.network, self.owners, *size)

    @property
    def unknown(self) -> int:
        """How many noise shares stay unknown to whoever colludes."""
        assert self.colluding is not None
        return len(self.committee.members) - self.colluding

    def sensitivity(self, unit: WholeImage | Person) -> Sensitivity:
        """The sensitivity of all steps together, in units of 1/65,536 of a summed gradient.

        Args:
            unit: WholeImage() or Person(images).

        Returns:
            L2, with the derivation in words.
        """
        images = unit.images if isinstance(unit, Person) else 1
        squared = 8 * (images * UNITS * LEVELS) ** 2
        reason = (
            f"each row is cut to norm 1 by its owner and its error to sqrt(2) inside; {images} of a batch replaced, "
            f"in each of {self.epochs} epochs"
        )
        numbers = images * self.epochs * math.prod(self.network.shapes[0]) * (self.unknown + 1)
        return Sensitivity("L2", self.epochs * squared, numbers, 2 * images * UNITS * LEVELS, reason)

    @cached_property
    def guarantee(self) -> Guarantee:
        """What the revealed model guarantees towards whoever knows ``colluding`` of the parties' noise."""
        sensitivity, whole = self.sensitivity(self.unit), self.sensitivity(WholeImage())
        step = 1 / (UNITS * LEVELS)
        guarantee = noise_guarantee(self.noise, self.unit, sensitivity, whole, step, "summed gradients")
        if not isinstance(self.unit, Person):
            return guarantee
        most = f"nobody is in more than {self.unit.images} images of all owners together"
        return replace(guarantee, promises=(most,))

    @property
    def share_scale(self) -> float:
        """Scale of one party's noise in each step, in units of 1/65,536."""
        if self.unknown == 1:
            return self.guarantee.scale
        return max(SMALLEST_SHARE, self.guarantee.scale / math.sqrt(self.unknown) * (1 + 2**-50))

    @property
    def digest(self) -> bytes:
        """SHA-256 of all that decides what is released and with which noise; receivers do not."""
        return identity(replace(self, receivers=("anybody",)))

    @cached_property
    def jobs(self) -> tuple[Job, ...]:
        """All jobs in order; the last reveals the model."""
        made: list[Job] = []
        for index in range(len(self.plan.stretches)):
            made.append(self._job(index, made[-1].left if made else {}))
        return tuple(made)

    @cached_property
    def programs(self) -> Mapping[str, Program]:
        """The two programs: a noisy step, and ``settle``, which makes the first velocity."""
        return {STEP: self._step, "settle": self._settle}

    def _job(self, index: int, resident: Mapping[str, Input]) -> Job:
        epoch, first, last = self.plan.stretches[index]
        state = ("layer 0", "velocity 0")
        sources: dict[str, Source] = {}
        instructions: list[Instruction] = []
        if not resident:
            sources["layer 0"] = Source(self.owners[0][0], Input(self.network.shapes[0], 0.0, 0.0, None))
            instructions += [Share("layer 0"), Run("settle", ("layer 0",), state)]
        for step in range(first, last):
            given = {**self.plan.batch_sources(step), **self._noise_sources(epoch, step)}
            sources |= given
            instructions += [Share(name) for name in given]
            instructions += [Run(STEP, (*state, *given), state), Drop(tuple(given))]
        if index == len(self.plan.stretches) - 1:
            instructions += [Reveal("layer 0", self.receivers), Drop(state)]
        used = {each.program for each in instructions if isinstance(each, Run)}
        return Job(
            preset=self.committee.preset,
            parties=self.committee.members,
            sources=sources,
            programs={name: program for name, program in self.programs.items() if name in used},
            instructions=tuple(instructions),
            resident=resident,
            fixed_point=FIXED,
        )

    def _noise_sources(self, epoch: int, step: int) -> dict[str, Source]:
        return {self.noise_name(party, epoch, step): Source(party, self._noise) for party in self.committee.members}

    def noise_name(self, party: str, epoch: int, step: int) -> str:
        """Name the source of a party's noise in one step.

        Args:
            party: name of a noise party.
            epoch: from 0.
            step: of the epoch, from 0.

        Returns:
            The source's name.
        """
        return f"{noise_source(party)} {epoch * self.plan.steps + step}"

    @cached_property
    def _noise(self) -> Input:
        most = float(largest_noise(self.noise, self.share_scale))
        return Input(self.network.shapes[0], -most, most, 1.0)

    @cached_property
    def _moving(self) -> tuple[Input, Input]:
        noise = self._noise.high * len(self.committee.members) / (UNITS * LEVELS)
        speed = 1.01 * self.rate * (1.0 + noise / sum(self.plan.rows)) / (1.0 - self.momentum)
        shape = self.network.shapes[0]
        return Input(shape, -WEIGHT_BOUND, WEIGHT_BOUND, None), Input(shape, -speed, speed, None)

    @cached_property
    def _settle(self) -> Program:
        return trace(lambda layer: (layer * 1.0, layer * 0.0), self._moving[0])

    @cached_property
    def _step(self) -> Program:
        """One noisy step: layer, velocity, the batch's images and labels by owner, noise by party."""
        data = [source.declared for source in self.plan.batch_sources(0).values()]
        rows, parties = sum(self.plan.rows), len(self.committee.members)

        def step(layer: Value, velocity: Value, *given: Value) -> tuple[Value, Value]:
            batch, noises = given[:-parties], given[-parties:]
            vectors = concat(*batch[::2]) >> ops.Pad(((0, 0), (0, 1)), BIAS)
            probabilities = Softmax.of((vectors * (1.0 / UNITS)) @ layer).probabilities
            error = probability_levels(probabilities, LEVELS) - concat(*batch[1::2]) * LEVELS
            short = (2.0 * LEVELS**2 - (error * error).sum(1, keep=True)).compare()
            gradient = vectors.transpose(1, 0) @ (error * short)
            noisy = functools.reduce(operator.add, noises, gradient)
            moved = velocity * self.momentum + noisy * (self.rate / (rows * UNITS * LEVELS))
            return (layer - moved).clip(-WEIGHT_BOUND, WEIGHT_BOUND), moved

        return trace(step, *self._moving, *data, *[self._noise] * parties)

    def tag(self, vectors: Floats, classes: NDArray[np.integer], key: ReleaseKey) -> str:
        """Tell an owner's contents apart without giving them away.

        Args:
            vectors: of the owner, (images, components); secret.
            classes: of the images, (images,); secret.
            key: the owner's own.

        Returns:
            Hexadecimal digits.
        """
        content = hashlib.sha256(vectors.tobytes() + np.asarray(classes, np.int64).tobytes()).digest()
        return key.stream(f"tag: {self.corpus}", content, self.digest).words(0, 2).tobytes().hex()

    def fingerprint(self, key: ReleaseKey) -> str:
        """Tell noise keys apart without giving them away: equal keys have equal fingerprints.

        Args:
            key: of a noise party.

        Returns:
            Hexadecimal digits.
        """
        return key.stream(f"fingerprint: {self.corpus}", b"", self.digest).words(0, 2).tobytes().hex()

    @property
    def members(self) -> tuple[str, ...]:
        """Everybody who has something to lose: owners and noise parties."""
        return tuple(sorted({*dict(self.owners), *self.committee.members}))

    def release_id(self, tags: Mapping[str, str], prints: Mapping[str, str], runs: Mapping[str, str]) -> str:
        """Name this run of the training of these contents.

        Args:
            tags: What each owner said for its contents (`tag`).
            prints: What each noise party said for its key (`fingerprint`).
            runs: A number that owners and noise parties drew for this run alone (`fresh_run`).

        Returns:
            Hexadecimal digits of a SHA-256.

        Raises:
            ParameterError: one is missing, or two parties have the same key.

        Raises ParameterError when one is missing or two parties have the same key.
        """
        problems = []
        for what, got, expected in (
            ("tags", tags, [owner for owner, _ in self.owners]),
            ("noise keys", prints, self.committee.members),
            ("numbers of the run", {name: run for name, run in runs.items() if run}, self.members),
        ):
            if set(got) != set(expected):
                problems.append(Problem(what, f"those of {', '.join(sorted(got))}", f"those of {', '.join(expected)}"))
        if len(set(prints.values())) != len(prints):
            problems.append(Problem("noise keys", "two parties with one key", "a key for each, shown to nobody"))
        refuse(ParameterError, problems)
        said = [sorted(each.items()) for each in (tags, prints, runs)]
        agreed = json.dumps([self.digest.hex(), *said])
        return hashlib.sha256(agreed.encode()).hexdigest()

    def charge(self, ledger: FileLedger, release_id: str) -> None:
        """Charge an owner's ledger, before any noise is drawn.

        Args:
            ledger: of the owner, with a budget per corpus.
            release_id: as `release_id` gives it.

        Raises:
            BudgetError: it would overspend.
            ParameterError: the ledger is per subject.
        """
        if ledger.budget.per is not Per.CORPUS:
            remedy = "make one with Budget(epsilon, delta, per=Per.CORPUS)"
            raise ParameterError(Problem(repr(ledger), "a budget per subject", "a ledger per corpus", remedy))
        ledger.charge(self.corpus, self.guarantee, release_id)

    def noise_share(self, key: ReleaseKey, release_id: str, epoch: int, step: int) -> NDArray[np.int64]:
        """Draw one party's noise of one step from its own key, after all owners have charged.

        Args:
            key: of the noise party.
            release_id: as `release_id` gives it.
            epoch: from 0.
            step: of the epoch, from 0.

        Returns:
            Noise in units of 1/65,536 of a summed gradient, int64 (components + 1, classes).
        """
        purpose = f"gradient noise {epoch * self.plan.steps + step}, {self.share_scale.hex()}, {self.digest.hex()}"
        stream = key.stream(f"noise: {self.corpus}", release_id.encode(), purpose.encode())
        return draw_noise(self.noise, self.share_scale, stream, self.network.shapes[0], purpose)
