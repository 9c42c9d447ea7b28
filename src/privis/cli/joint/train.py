"""``train``: a classifier of several owners' labelled rows; its quality is revealed, or a model with noise."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from privis.cli.joint.datasets import Reading, Rows, brings_several, components_of, joined, read_reading
from privis.cli.joint.options import ReleaseOptions, output_problems, read_release, stated
from privis.errors import ParameterError, Problem, refuse
from privis.joint.concatenation import chained, chained_names
from privis.joint.statistics.sums import Committee
from privis.joint.training.network_programs import Network
from privis.joint.training.private_schedule import BIAS, UNITS, PrivateTraining, fresh_run, private_network
from privis.joint.training.private_simulate import bounded
from privis.joint.training.schedule import Training, portions, source_name
from privis.joint.training.simulate import Labelled, batches, one_hot, pixels
from privis.parties.job.specification import Specification
from privis.parties.job.task import (
    AgreedJob,
    Announcement,
    Array,
    LocalData,
    Networks,
    Outputs,
    PreparedInput,
    PrivateState,
    Protection,
)
from privis.parties.table_reader import Reader, shown
from privis.privacy.mechanisms.additive import Gaussian
from privis.privacy.releases.partial_sums import within_bound
from privis.privacy.units import Person, WholeImage
from privis.run.mpc.job import Job
from privis.run.mpc.protocols import preset

SCORE, MODEL = "score", "model"
MOST = 1 << 16  # classes, units of a layer, rows of a batch: what a job names is allocated


@dataclass(frozen=True)
class Train:
    """``train``: logistic regression, or a network with hidden layers, on the rows of all owners.

    The input ``score`` holds rows that the model is judged by, every other input rows to train on. Options:
    ``classes``; ``label``, the column that has them; ``bound`` of the size of a component (without it rows are bytes);
    ``hidden``, sizes of hidden layers; ``rates``, one for each epoch; ``batch``; ``momentum``; ``seed`` of the start;
    ``feature`` and ``parameters`` where inputs are images. Output: ``score``, loss and accuracy; the model is dropped.
    With ``[release]`` there is no input ``score``, and the output is ``model``, a logistic regression with noise; for a
    person, every input uses the first of each person's rows, as many as its share of them.
    """

    networks: Networks = field(default_factory=dict)

    def with_networks(self, networks: Networks) -> Train:
        """Return this task with the ``networks`` of a member."""
        return Train(networks)

    def releasing(self, specification: Specification) -> ModelRelease | None:
        """The release, if the job asks for one; ParameterError lists every option that does not fit."""
        asked = _asked(specification)
        return None if asked.release is None else ModelRelease(specification, asked, asked.release)

    def revealed(self, specification: Specification) -> str:
        """Nothing beyond what outputs are called."""
        return ""

    def prepare(self, specification: Specification, name: str, local: LocalData) -> PreparedInput:
        """Read rows and classes; which batch a row is in depends on how many there are at all owners."""
        asked = _asked(specification, self.networks)
        subject = None if asked.release is None else asked.release.subject_of(local)
        rows = asked.reading.rows(local, subject, name != SCORE and brings_several(specification, name))
        asked.check(rows, local.name)
        if rows.subjects is not None:
            rows = rows.chosen(within_bound(rows.subjects, _most_of_a_person(specification, asked, name)))
        announced = Announcement(specification.inputs[name].owner, ((rows.values.shape[1],),) * len(rows.values))
        return PreparedInput(announced, {}, rows.names, rows)

    def build(self, specification: Specification, announcements: Mapping[str, Announcement]) -> Job:
        """All steps and the score, or all noisy steps and the model, as one job."""
        asked, noisy = _asked(specification, self.networks), self.releasing(specification)
        jobs = (
            ExactTraining(specification, asked, announcements).jobs if noisy is None else noisy.plan(announcements).jobs
        )
        return stated(chained(jobs), specification, announcements, asked.reading.feature)

    def draw(self, agreed: AgreedJob, state: PrivateState) -> Mapping[str, Array]:
        """This member's batches, in an order that it keeps to itself, and its noise."""
        noisy = self.releasing(agreed.specification)
        if noisy is not None:
            return noisy.draw(agreed, state)
        return ExactTraining(agreed.specification, _asked(agreed.specification), agreed.announcements).draw(state)

    def finish(
        self, agreed: AgreedJob, member: str, labels: Mapping[str, tuple[str, ...]], revealed: Mapping[str, Array]
    ) -> Outputs:
        """Mean cross entropy in nats and the fraction of right answers, or the model's matrix."""
        if self.releasing(agreed.specification) is not None:
            matrix = np.array(revealed["layer 0"], np.float64)
            matrix[-1] *= BIAS / UNITS
            return {MODEL: {"matrix": matrix}}
        count = len(agreed.announcements[SCORE].shapes)
        loss, right = map(float, revealed["score"])
        return {SCORE: {"loss": np.array(loss / count), "accuracy": np.array(round(right) / count)}}


@dataclass(frozen=True)
class TrainingOptions:
    """Options of a job of task ``train``."""

    reading: Reading
    classes: int
    bound: float | None
    hidden: tuple[int, ...]
    rates: tuple[float, ...]
    batch: int
    momentum: float
    seed: int
    release: ReleaseOptions | None

    def network(self, components: int) -> Network:
        """The network to train."""
        sizes = (components, *self.hidden, self.classes)
        return Network(sizes) if self.bound is None else Network(sizes, (-self.bound, self.bound), None)

    def check(self, rows: Rows, where: str) -> None:
        """Raise ParameterError for classes that do not exist, and for rows that are not what ``bound`` says."""
        problems, classes = [], rows.classes
        if classes.size and not 0 <= classes.min() <= classes.max() < self.classes:
            got = f"classes from {classes.min()} to {classes.max()}"
            problems.append(Problem(f"input {where}", got, f"0 to {self.classes - 1}"))
        if self.release is None and self.bound is None and rows.values.dtype != np.uint8:
            remedy = "say their bound in the options of the job"
            problems.append(Problem(f"input {where}", f"{rows.values.dtype} values", "bytes", remedy))
        refuse(ParameterError, problems)

    def labelled(self, rows: Rows) -> Labelled:
        """Rows as the network declares them."""
        values = pixels(rows.values) if self.bound is None else np.asarray(rows.values, np.float32)
        return Labelled(values, rows.classes)


@dataclass(frozen=True)
class ExactTraining:
    """A training whose model nobody sees, and its score."""

    specification: Specification
    asked: TrainingOptions
    announcements: Mapping[str, Announcement]

    @cached_property
    def training(self) -> Training:
        """What all members agree on."""
        rates = tuple((rate,) for rate in self.asked.rates)
        size = (_committee(self.specification), self.asked.batch, rates, self.asked.momentum, self.asked.seed)
        return Training(self.asked.network(_components(self.announcements)), _counts(self.announcements), *size)

    @cached_property
    def jobs(self) -> tuple[Job, ...]:
        """Jobs of the training, then the one of the score."""
        one = self.announcements[SCORE]
        receivers = self.specification.receiving(SCORE, one.owner)
        return (*self.training.jobs, self.training.score_job(one.owner, len(one.shapes), receivers))

    def draw(self, state: PrivateState) -> dict[str, Array]:
        """All sources of this member, by their names in the whole job."""
        training, names, arrays = self.training, chained_names(self.jobs), {}
        owners = [owner for owner, _ in training.owners]
        if state.member == owners[0]:
            arrays |= dict(zip(training.layers, training.network.start(training.seed), strict=True))
        if state.member in owners:
            place, secret = owners.index(state.member), secrets.randbits(128)
            data = self.asked.labelled(_trained(state))
            for index, (epoch, first, last) in enumerate(training.stretches):
                order = np.random.default_rng([secret, epoch])
                made = batches(training, place, data, order, range(first, last))
                arrays |= {names[index][name]: array for name, array in made.items()}
        if SCORE in state.prepared:
            data, start = self.asked.labelled(state.prepared[SCORE].kept), 0
            for index, rows in enumerate(portions(len(data.images))):
                part = slice(start, start := start + rows)
                classes = one_hot(data.classes[part], self.asked.classes)
                for what, array in (("images", data.images[part]), ("labels", classes)):
                    arrays[names[-1][source_name(state.member, what, index)]] = array
        return arrays


@dataclass(frozen=True)
class ModelRelease:
    """The differentially private side: a logistic regression that may be shown, by `PrivateTraining`."""

    specification: Specification
    asked: TrainingOptions
    words: ReleaseOptions

    @property
    def protection(self) -> Protection:
        """The guarantee that the job file asks for."""
        return self.words.protection

    def plan(self, announcements: Mapping[str, Announcement]) -> PrivateTraining:
        """What all members agree on."""
        noise, unit = self.words.noise, self.words.unit
        assert isinstance(noise, Gaussian) and isinstance(unit, WholeImage | Person)
        return PrivateTraining(
            private_network(_components(announcements), self.asked.classes),
            _counts(announcements),
            noise,
            self.words.corpus,
            self.specification.receiving(MODEL),
            _committee(self.specification),
            batch=self.asked.batch,
            epochs=len(self.asked.rates),
            rate=self.asked.rates[0],
            momentum=self.asked.momentum,
            unit=unit,
            colluding=self.words.colluding,
        )

    def pledge(self, announcements: Mapping[str, Announcement], state: PrivateState) -> Mapping[str, Any]:
        """An owner's tag, a noise party's fingerprint, and everybody's number for this run."""
        plan, said = self.plan(announcements), {"run": fresh_run()}
        if state.member in dict(plan.owners):
            rows = _trained(state)
            said["tag"] = plan.tag(bounded(rows.values), rows.classes, state.noise_key)
        if state.member in plan.committee.members:
            said["fingerprint"] = plan.fingerprint(state.noise_key)
        return said

    def charge(self, agreed: AgreedJob, state: PrivateState) -> None:
        """Charge each of an owner's ledgers once."""
        plan, release_id = self._agreed(agreed)
        for ledger in {ledger.path: ledger for ledger in state.ledgers.values()}.values():
            plan.charge(ledger, release_id)

    def draw(self, agreed: AgreedJob, state: PrivateState) -> dict[str, Array]:
        """An owner's batches, which are fixed by the position of a row, and a noise party's noise of every step."""
        plan, release_id = self._agreed(agreed)
        names, arrays, counts = chained_names(plan.jobs), {}, dict(plan.owners)
        if state.member == plan.owners[0][0]:
            arrays["layer 0"] = np.zeros(plan.network.shapes[0], np.float32)
        rows = _trained(state) if state.member in counts else None
        vectors = None if rows is None else bounded(rows.values)
        for index, (epoch, first, last) in enumerate(plan.plan.stretches):
            for step in range(first, last):
                if rows is not None and vectors is not None:
                    taken = plan.plan.rows[list(counts).index(state.member)]
                    part = slice(step * taken, (step + 1) * taken)
                    classes = one_hot(rows.classes[part], self.asked.classes)
                    for what, array in (("images", vectors[part]), ("labels", classes)):
                        arrays[names[index][source_name(state.member, what, step)]] = array
                if state.member in plan.committee.members:
                    noise = plan.noise_share(state.noise_key, release_id, epoch, step)
                    arrays[plan.noise_name(state.member, epoch, step)] = noise
        return arrays

    def _agreed(self, agreed: AgreedJob) -> tuple[PrivateTraining, str]:
        plan, said = self.plan(agreed.announcements), agreed.pledges
        tags = {owner: str(said[owner].get("tag")) for owner, _ in plan.owners}
        prints = {party: str(said[party].get("fingerprint")) for party in plan.committee.members}
        runs = {member: str(said[member].get("run") or "") for member in plan.members}
        return plan, plan.release_id(tags, prints, runs)


def _trained(state: PrivateState) -> Rows:
    return joined([one.kept for name, one in state.prepared.items() if name != SCORE])


def _shares_of_a_person(specification: Specification, release: ReleaseOptions, name: str) -> int:
    """Among how many inputs the images of one person are shared, of which ``name`` is one.

    What a person has at other owners nobody sees, and what is in the owner's other inputs is read by itself.
    """
    owners = [used.owner for used in specification.inputs.values()]
    return owners.count(specification.inputs[name].owner) * (1 if release.disjoint else len(set(owners)))


def _most_of_a_person(specification: Specification, asked: TrainingOptions, name: str) -> int:
    """Rows of one person that the input ``name`` may use."""
    assert asked.release is not None
    return asked.release.unit.images // _shares_of_a_person(specification, asked.release, name)


def _counts(announcements: Mapping[str, Announcement]) -> tuple[tuple[str, int], ...]:
    """Rows to train on, by owner, in the order of the job file."""
    counts: dict[str, int] = {}
    for name, one in announcements.items():
        if name != SCORE:
            counts[one.owner] = counts.get(one.owner, 0) + len(one.shapes)
    return tuple(counts.items())


def _components(announcements: Mapping[str, Announcement]) -> int:
    shapes = {f"{name} {shape}": shape[0] for name, one in announcements.items() for shape in set(one.shapes)}
    return components_of(shapes)


def _committee(specification: Specification) -> Committee:
    return Committee(specification.parties, preset(specification.preset, insecure=specification.insecure))


def _asked(specification: Specification, networks: Networks | None = None) -> TrainingOptions:
    """ParameterError lists every option that does not fit; without ``networks`` words alone are looked at."""
    released = specification.release is not None
    problems = output_problems(specification, MODEL if released else SCORE, of_all=released)
    reader = Reader(specification.options, f"{specification.name}: options", problems)
    release = read_release(specification, problems)
    reading = read_reading(reader, networks, labelled=True)
    classes, batch = reader.whole("classes", None, MOST), reader.whole("batch", 256, MOST)
    seed = reader.whole("seed", 1)
    bound, hidden, rates = (
        reader.number("bound", None),
        reader.numbers("hidden", (), MOST),
        reader.numbers("rates", (0.5,)),
    )
    momentum = reader.number("momentum", 0.75) or 0.0
    if any(size != int(size) or size < 1 for size in hidden):
        reader.wrong("hidden", repr(list(hidden)), "integers of at least 1")
    reader.done()
    if classes is None or classes < 2:
        reader.wrong("classes", repr(classes), "how many there are, at least 2")
    if (SCORE in specification.inputs) == released or len(specification.inputs) < 2 - released:
        others = f"no {SCORE}: the model itself is released" if released else SCORE
        expected = f"inputs to train on, and {others}"
        problems.append(Problem(f"{specification.name}: inputs", shown(specification.inputs), expected))
    if release is not None:
        problems += _release_problems(specification, release, hidden, rates, bound)
    refuse(ParameterError, problems)
    sizes = tuple(map(int, hidden))
    return TrainingOptions(
        reading, int(classes or 0), bound, sizes, rates, int(batch or 0), momentum, int(seed or 0), release
    )


def _release_problems(
    specification: Specification,
    release: ReleaseOptions,
    hidden: tuple[float, ...],
    rates: tuple[float, ...],
    bound: float | None,
) -> list[Problem]:
    """What a released model cannot have."""
    where, problems = specification.name, []
    if not isinstance(release.noise, Gaussian):
        problems.append(Problem(f"{where}: release: noise", "laplace", "gaussian for a model"))
    if not isinstance(release.unit, WholeImage | Person):
        problems.append(Problem(f"{where}: release: unit", repr(release.unit), "image or person:IMAGES for a model"))
    elif isinstance(release.unit, Person):
        least = max(_shares_of_a_person(specification, release, name) for name in specification.inputs)
        if release.unit.images < least:
            remedy = "raise IMAGES, lend one input each, or say disjoint where nobody is at two owners"
            expected = f"person:{least} at least: an image per person in every owner's every input"
            problems.append(Problem(f"{where}: release: unit", f"person:{release.unit.images}", expected, remedy))
    if release.clip is not None or bound is not None:
        remedy = "leave clip and bound out; rows are cut to an L2 norm of 0.968 each, so scale them at home"
        problems.append(Problem(f"{where}: release", "a clip or a bound", "neither for a model", remedy))
    if hidden or len(set(rates)) != 1:
        got, expected = f"hidden {hidden} and rates {rates}", "no hidden layers and one rate for all epochs"
        problems.append(Problem(f"{where}: options", got, expected, "only logistic regression can be released"))
    return problems
