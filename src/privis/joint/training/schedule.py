"""The plan of a joint training as jobs: owners share batches, parties take steps on shares, nothing is revealed.

Every step takes images of all owners, so that it does not matter how classes are spread over them. An owner shares one
batch at a time, in an order that it keeps to itself, and the batch is dropped after its step. Layers and velocities
stay resident as shares from one job to the next. A job takes ``steps_per_job`` steps; between jobs a training may pause
as long as the session lives. Scoring reveals two numbers, the loss and the number of right answers; labelling reveals
labels to the owner of the images. `privis.joint.training.network_programs` says why no value overflows,
`privis.joint.training.simulate` runs it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from privis.errors import ParameterError, Problem, refuse
from privis.joint.statistics.sums import Committee
from privis.joint.training import network_programs
from privis.joint.training.network_programs import Network
from privis.program import Input, Program
from privis.readings import ranges
from privis.run.mpc.fixed_point import FixedPoint
from privis.run.mpc.job import Drop, Instruction, Job, Reveal, Run, Share, Source
from privis.run.mpc.lowering.precision import choose_fixed_point
from privis.validation import whole_number

SCORED_AT_ONCE = 1000  # images


@dataclass(frozen=True)
class Training:
    """Everything public about a training: network, how many images each owner has, who computes, and the schedule.

    An owner may be of the committee or not.

    Args:
        network: layers and inputs.
        owners: (name, images) of each.
        committee: the compute parties and their protocol.
        batch: images of a step, about; from each owner in proportion to what it has.
        rates: a row for each epoch: learning rates of equal parts of it.
        momentum: at least 0, less than 1.
        seed: public, of the initial weights.
        steps_per_job: steps between two jobs.

    Raises:
        ParameterError: naming all bad parameters.

    >>> training = Training(Network((784, 128, 10)), (("bob", 30000), ("carol", 30000)))
    >>> training.rows, training.steps
    ((128, 128), 234)
    """

    network: Network
    owners: tuple[tuple[str, int], ...]
    committee: Committee = field(default_factory=Committee)
    batch: int = 256
    rates: tuple[tuple[float, ...], ...] = ((0.35, 0.7, 0.7, 0.7), (0.7, 0.35, 0.175, 0.07))
    momentum: float = 0.75
    seed: int = 0
    steps_per_job: int = 26

    def __post_init__(self) -> None:
        problems = whole_number("Training.steps_per_job", self.steps_per_job)
        if not self.owners or len({name for name, _ in self.owners}) != len(self.owners):
            problems.append(Problem("Training.owners", repr(self.owners), "different owners, at least one"))
        elif self.batch < len(self.owners) or self.steps < 1:
            images = sum(count for _, count in self.owners)
            expected = f"between {len(self.owners)} and the {images} images there are"
            problems.append(Problem("Training.batch", repr(self.batch), expected))
        if not self.rates or not all(row and all(0 < rate < math.inf for rate in row) for row in self.rates):
            problems.append(Problem("Training.rates", repr(self.rates), "positive rates, a row for each epoch"))
        if not 0 <= self.momentum < 1:
            problems.append(Problem("Training.momentum", repr(self.momentum), "at least 0 and less than 1"))
        refuse(ParameterError, problems)

    @property
    def rows(self) -> tuple[int, ...]:
        """How many images of each owner a step takes."""
        images = sum(count for _, count in self.owners)
        return tuple(max(1, round(self.batch * count / images)) for _, count in self.owners)

    @property
    def steps(self) -> int:
        """Steps of an epoch; what remains of an owner's images is left out, others in each epoch."""
        return min(count // rows for (_, count), rows in zip(self.owners, self.rows, strict=True))

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the variables that hold the layers of the model."""
        return tuple(f"layer {index}" for index in range(len(self.network.shapes)))

    @property
    def velocities(self) -> tuple[str, ...]:
        """The variables that hold its momentum during training."""
        return tuple(f"velocity {index}" for index in range(len(self.network.shapes)))

    @cached_property
    def fixed_point(self) -> FixedPoint:
        """How a session for all jobs of this training must carry values."""
        score = network_programs.score_program(self.network, SCORED_AT_ONCE)
        return choose_fixed_point([*self.programs.values(), score])

    @cached_property
    def programs(self) -> Mapping[str, Program]:
        """The programs of training: one step per rate, and ``settle``."""
        rates = {rate: None for row in self.rates for rate in row}
        moving = self.network.moving(max(rates), self.momentum, self.steps)
        step = network_programs.step_program
        steps = {step_name(rate): step(self.network, self.rows, rate, self.momentum, moving) for rate in rates}
        return {**steps, "settle": network_programs.settle_program(self.network, moving[0])}

    @cached_property
    def jobs(self) -> tuple[Job, ...]:
        """All jobs of the training, in order; DomainError when a value could overflow."""
        made: list[Job] = []
        for epoch, first, last in self.stretches:
            made.append(self._job(epoch, first, last, made[-1].left if made else {}))
        return tuple(made)

    @property
    def stretches(self) -> tuple[tuple[int, int, int], ...]:
        """For each job its epoch, its first step in it, and the step after its last."""
        return tuple(
            (epoch, first, min(first + self.steps_per_job, self.steps))
            for epoch in range(len(self.rates))
            for first in range(0, self.steps, self.steps_per_job)
        )

    def _job(self, epoch: int, first: int, last: int, resident: Mapping[str, Input]) -> Job:
        sources: dict[str, Source] = {}
        instructions: list[Instruction] = []
        state = (*self.layers, *self.velocities)
        if not resident:  # public values, so that it does not matter whose they are
            starts = zip(self.layers, self.network.resting(), strict=True)
            sources |= {name: Source(self.owners[0][0], declared) for name, declared in starts}
            instructions += [Share(name) for name in self.layers]
        if first == 0:
            instructions.append(Run("settle", self.layers, state))
        for step in range(first, last):
            batch = self.batch_sources(step)
            sources |= batch
            instructions += [Share(name) for name in batch]
            rate = self.rates[epoch][step * len(self.rates[epoch]) // self.steps]
            instructions += [Run(step_name(rate), (*state, *batch), state), Drop(tuple(batch))]
        if last == self.steps and epoch == len(self.rates) - 1:
            instructions += [Run("settle", self.layers, state), Drop(self.velocities)]
        used = {each.program for each in instructions if isinstance(each, Run)}
        programs = {name: program for name, program in self.programs.items() if name in used}
        return self._built(sources, programs, instructions, resident)

    def batch_sources(self, step: int) -> dict[str, Source]:
        """The images and labels of each owner that one step takes.

        Args:
            step: of an epoch, from 0.

        Returns:
            Sources by name, in a program's order.
        """
        return {
            source_name(owner, what, step): Source(owner, declare(rows))
            for (owner, _), rows in zip(self.owners, self.rows, strict=True)
            for what, declare in (("images", self.network.images), ("labels", self.network.labels))
        }

    def score_job(self, owner: str, images: int, receivers: tuple[str, ...]) -> Job:
        """Build the job that reveals loss and right answers on one owner's labelled images, summed.

        Args:
            owner: whose images they are.
            images: how many.
            receivers: names of those who learn the result.

        Returns:
            The job.
        """
        sources: dict[str, Source] = {}
        programs: dict[str, Program] = {}
        instructions: list[Instruction] = []
        parts: dict[str, Input] = {}
        for index, rows in enumerate(portions(images)):
            names = (source_name(owner, "images", index), source_name(owner, "labels", index))
            declared = (self.network.images(rows), self.network.labels(rows))
            sources |= {name: Source(owner, known) for name, known in zip(names, declared, strict=True)}
            program = network_programs.score_program(self.network, rows)
            programs[f"score {rows}"] = program
            parts[f"score {index}"] = Input((2,), *ranges(program)[program.outputs[0]].bounds, None)
            instructions += [Share(name) for name in names]
            instructions += [Run(f"score {rows}", (*self.layers, *names), (f"score {index}",)), Drop(names)]
        programs["sum"] = network_programs.sum_program(tuple(parts.values()))
        instructions += [Run("sum", tuple(parts), ("score",)), Reveal("score", receivers), Drop((*parts, "score"))]
        return self._built(sources, programs, instructions, self._trained)

    def label_job(self, owner: str, images: int) -> Job:
        """Build the job that reveals the labels of one owner's images to it alone.

        Args:
            owner: whose images they are.
            images: how many.

        Returns:
            The job.
        """
        sources: dict[str, Source] = {}
        programs: dict[str, Program] = {}
        instructions: list[Instruction] = []
        for index, rows in enumerate(portions(images)):
            name, answer = source_name(owner, "images", index), f"labels {index}"
            sources[name] = Source(owner, self.network.images(rows))
            programs[f"label {rows}"] = network_programs.label_program(self.network, rows)
            instructions += [Share(name), Run(f"label {rows}", (*self.layers, name), (answer,))]
            instructions += [Reveal(answer, (owner,)), Drop((name, answer))]
        return self._built(sources, programs, instructions, self._trained)

    @property
    def _trained(self) -> Mapping[str, Input]:
        return dict(zip(self.layers, self.network.resting(), strict=True))

    def _built(
        self,
        sources: Mapping[str, Source],
        programs: Mapping[str, Program],
        instructions: list[Instruction],
        resident: Mapping[str, Input],
    ) -> Job:
        return Job(
            preset=self.committee.preset,
            parties=self.committee.members,
            sources=sources,
            programs=programs,
            instructions=tuple(instructions),
            resident=resident,
            fixed_point=self.fixed_point,
        )


def portions(images: int) -> list[int]:
    """How many images are scored or labelled at a time.

    >>> portions(2500)
    [1000, 1000, 500]
    """
    return [min(SCORED_AT_ONCE, images - start) for start in range(0, images, SCORED_AT_ONCE)]


def source_name(owner: str, what: str, index: int) -> str:
    """Name the source of an owner's batch."""
    return f"{owner}'s {what} {index}"


def step_name(rate: float) -> str:
    """Name the program of a step."""
    return f"step at {rate:g}"
