"""``statistics``: means, deviations, covariances, class means and histograms over owners, exact or with noise."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from privis.cli.joint.datasets import Reading, brings_several, components_of, joined, read_reading
from privis.cli.joint.options import ReleaseOptions, output_problems, read_release, stated
from privis.errors import ParameterError, Problem, refuse
from privis.joint.release.aggregate_integers import JointAggregate
from privis.joint.release.distributed_noise import Contribution, ReleasePlan, noise_source
from privis.joint.statistics.exact import (
    ClassMeans,
    Covariance,
    Histogram,
    Mean,
    MeanAndDeviation,
    Statistic,
    statistic_job,
)
from privis.joint.statistics.sums import Committee, source, total_of
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
from privis.parties.table_reader import LARGEST, Reader, shown
from privis.privacy.releases.corpus import CorpusHistogramRelease, MeanRelease, SumRelease
from privis.privacy.releases.partial_sums import Partial, within_bound
from privis.privacy.releases.windows import FINEST, LARGEST_DAY, WindowCountRelease
from privis.privacy.units import PersonDay
from privis.run.mpc.job import Job
from privis.run.mpc.protocols import preset

RESULT, COMPONENTS = "result", "components"
EXACT = ("mean", "standardisation", "covariance", "class-means", "histogram")
MOST_CLASSES = 1 << 16
RELEASED = ("mean", "sum", "histogram", "windows")
COUNTS = ("histogram", "windows")  # which nothing is clipped for


@dataclass(frozen=True)
class Statistics:
    """``statistics``: one statistic of all owners' rows together.

    Options: ``statistic``; ``bound`` of the size of a component, or ``edges`` of a histogram; ``classes`` and ``label``
    for class-means; ``windows`` and ``resolution`` for windows; ``feature`` and ``parameters`` where inputs are
    images. How many rows an owner has is not
    announced. With ``[release]`` a mean, sum or histogram is differentially private, and so are the people per window
    of a day, of whom every owner has a row per sighting with the window's number: every compute party adds noise of
    its own. Output: ``result``.
    """

    networks: Networks = field(default_factory=dict)

    def with_networks(self, networks: Networks) -> Statistics:
        """Return this task with the ``networks`` of a member."""
        return Statistics(networks)

    def releasing(self, specification: Specification) -> StatisticRelease | None:
        """The release, if the job asks for one; ParameterError lists every option that does not fit."""
        asked = _asked(specification)
        return None if asked.release is None else StatisticRelease(specification, asked, asked.release)

    def revealed(self, specification: Specification) -> str:
        """Nothing beyond what outputs are called."""
        return ""

    def prepare(self, specification: Specification, name: str, local: LocalData) -> PreparedInput:
        """Read one input; sums are taken when all inputs of the owner are there."""
        asked = _asked(specification, self.networks)
        subject = None if asked.release is None else asked.release.subject_of(local)
        rows = asked.reading.rows(local, subject, brings_several(specification, name))
        components = rows.values.shape[1]
        if asked.release is None:
            asked.statistic(components).summary(rows.values, rows.labels)  # refuses rows that do not fit
        elif asked.name == "windows":
            if components != 1:
                got, expected = f"{components} columns", "one, the number of the window of every sighting"
                raise ParameterError(Problem(f"input {local.name}", got, expected))
            _partial(asked.aggregate(asked.release), rows.values, rows.subjects)  # refuses numbers that are no window
        return PreparedInput(Announcement(specification.inputs[name].owner, (), {COMPONENTS: components}), {}, (), rows)

    def build(self, specification: Specification, announcements: Mapping[str, Announcement]) -> Job:
        """Add the owners' sums, and the noise, and reveal the total."""
        asked, noisy = _asked(specification, self.networks), self.releasing(specification)
        if noisy is not None:
            return stated(noisy.plan(announcements).job, specification, announcements, asked.reading.feature)
        statistic, receivers = asked.statistic(_components(announcements)), specification.receiving(RESULT)
        job = statistic_job(statistic, _owners(announcements), receivers, _committee(specification))
        return stated(job, specification, announcements, asked.reading.feature)

    def draw(self, agreed: AgreedJob, state: PrivateState) -> Mapping[str, Array]:
        """This member's sum, and its noise."""
        noisy = self.releasing(agreed.specification)
        if noisy is not None:
            return noisy.draw(agreed, state)
        if not state.prepared:
            return {}
        rows = joined([one.kept for one in state.prepared.values()])
        statistic = _asked(agreed.specification).statistic(_components(agreed.announcements))
        return {source(state.member): statistic.summary(rows.values, rows.labels)}

    def finish(
        self, agreed: AgreedJob, member: str, labels: Mapping[str, tuple[str, ...]], revealed: Mapping[str, Array]
    ) -> Outputs:
        """Arrays of the revealed statistic, by output."""
        asked, noisy = _asked(agreed.specification), self.releasing(agreed.specification)
        if noisy is not None:
            return {RESULT: {asked.name: noisy.values(agreed, revealed)}}
        found = asked.statistic(_components(agreed.announcements)).result(total_of(revealed), "")
        values = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
        return {RESULT: {name: np.asarray(v) for name, v in values.items() if v is not None and name != "revealed"}}


@dataclass(frozen=True)
class StatisticOptions:
    """Options of a job of task ``statistics``."""

    name: str
    reading: Reading
    bound: float
    edges: tuple[float, ...]
    classes: int
    windows: int
    resolution: int
    release: ReleaseOptions | None

    def statistic(self, components: int) -> Statistic[Any]:
        """The exact statistic that the options ask for."""
        match self.name:
            case "mean":
                return Mean(components, self.bound)
            case "standardisation":
                return MeanAndDeviation(components, self.bound)
            case "covariance":
                return Covariance(components, self.bound)
            case "class-means":
                return ClassMeans(components, self.bound, self.classes)
            case _:
                return Histogram(components, self.edges)

    def released_components(self, announced: int) -> int:
        """Components of what is released: where rows are numbers of windows, the windows of a day."""
        return self.windows if self.name == "windows" else announced

    def aggregate(self, words: ReleaseOptions) -> JointAggregate:
        """The statistic as a release, with the noise of ``words``."""
        match self.name:
            case "mean":
                return MeanRelease(words.noise, words.clip or 0.0, words.unit)
            case "sum":
                return SumRelease(words.noise, words.clip or 0.0, words.unit)
            case "windows":
                return WindowCountRelease(words.noise, self.windows, words.unit, self.resolution)
            case _:
                return CorpusHistogramRelease(words.noise, self.edges, words.unit)


@dataclass(frozen=True)
class StatisticRelease:
    """The differentially private side of a statistic, by `ReleasePlan`."""

    specification: Specification
    asked: StatisticOptions
    words: ReleaseOptions

    @property
    def protection(self) -> Protection:
        """The guarantee that the job file asks for."""
        return self.words.protection

    def plan(self, announcements: Mapping[str, Announcement]) -> ReleasePlan:
        """The release plan that all members build from the announcements."""
        return ReleasePlan(
            self.asked.aggregate(self.words),
            self.words.corpus,
            self.asked.released_components(_components(announcements)),
            _owners(announcements),
            self.specification.receiving(RESULT),
            _committee(self.specification),
            colluding=self.words.colluding,
            disjoint=self.words.disjoint,
        )

    def pledge(self, announcements: Mapping[str, Announcement], state: PrivateState) -> Mapping[str, Any]:
        """An owner's tag, and the number of images where that is public; a noise party's fingerprint."""
        plan, said = self.plan(announcements), {}
        if state.member in plan.owners:
            brought = _contribution(plan, state)
            said |= {"tag": brought.tag, "images": brought.images}
        if state.member in plan.drawing:
            said["fingerprint"] = plan.fingerprint(state.noise_key)
        return said

    def charge(self, agreed: AgreedJob, state: PrivateState) -> None:
        """Charge each of an owner's ledgers once."""
        plan, release_id = self._agreed(agreed)
        for ledger in {ledger.path: ledger for ledger in state.ledgers.values()}.values():
            plan.charge(ledger, release_id)

    def draw(self, agreed: AgreedJob, state: PrivateState) -> dict[str, Array]:
        """An owner's integers, a noise party's share."""
        plan, release_id = self._agreed(agreed)
        arrays: dict[str, Array] = {}
        if state.member in plan.owners:
            arrays[source(state.member)] = _contribution(plan, state).summand
        if state.member in plan.drawing:
            arrays[noise_source(state.member)] = plan.noise_share(state.noise_key, release_id)
        return arrays

    def values(self, agreed: AgreedJob, revealed: Mapping[str, Array]) -> Array:
        """Read the statistic out of the revealed noisy total."""
        plan = self.plan(agreed.announcements)
        counts = [agreed.pledges[owner].get("images") for owner in plan.owners]
        known = [int(count) for count in counts if count is not None]
        return plan.result(revealed, sum(known) if len(known) == len(counts) else None).values

    def _agreed(self, agreed: AgreedJob) -> tuple[ReleasePlan, str]:
        plan, said = self.plan(agreed.announcements), agreed.pledges
        tags = {owner: str(said[owner].get("tag")) for owner in plan.owners}
        return plan, plan.release_id(tags, {party: str(said[party].get("fingerprint")) for party in plan.drawing})


def _contribution(plan: ReleasePlan, state: PrivateState) -> Contribution:
    """What the owner's inputs add together; of a person the first rows over all of them, as many as the plan lets."""
    rows = joined([one.kept for one in state.prepared.values()])
    values, subjects = rows.values, rows.subjects
    if subjects is not None and plan.most_per_owner is not None:
        used = within_bound(subjects, plan.most_per_owner)
        values, subjects = values[used], tuple(itertools.compress(subjects, used))
    return plan.contribution(state.member, _partial(plan.release, values, subjects), state.noise_key)


def _partial(release: JointAggregate, values: Array, subjects: tuple[str, ...] | None) -> Partial:
    """The exact integers of rows; those of windows have one component, the window's number."""
    if isinstance(release, WindowCountRelease):
        return release.partial(values[:, 0], subjects)
    return release.partial(values, subjects)


def _owners(announcements: Mapping[str, Announcement]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.owner for one in announcements.values()))


def _components(announcements: Mapping[str, Announcement]) -> int:
    return components_of({name: one.facts.get(COMPONENTS) for name, one in announcements.items()})


def _committee(specification: Specification) -> Committee:
    return Committee(specification.parties, preset(specification.preset, insecure=specification.insecure))


def _asked(specification: Specification, networks: Networks | None = None) -> StatisticOptions:
    """ParameterError lists every option that does not fit; without ``networks`` words alone are looked at."""
    problems = output_problems(specification, RESULT)
    reader = Reader(specification.options, f"{specification.name}: options", problems)
    release = read_release(specification, problems)
    name = reader.text("statistic")
    known = EXACT if release is None else RELEASED
    if name and name not in known:
        reader.wrong("statistic", repr(name), f"one of {shown(known)}" + ("" if release is None else " with a release"))
    reading = read_reading(reader, networks, name == "class-means")
    edges = reader.numbers("edges") if name == "histogram" else ()
    bound = (
        0.0 if name == "histogram" or release is not None else _needed(reader, "bound", "of the size of a component")
    )
    classes = 0
    if name == "class-means" and (classes := reader.whole("classes", 0, MOST_CLASSES) or 0) == 0:
        reader.wrong("classes", "nothing", "a number of classes")
    windows = (reader.whole("windows", 0, LARGEST_DAY) or 0) if name == "windows" else 0
    resolution = (reader.whole("resolution", 1, FINEST) or 1) if name == "windows" else 1
    if name == "windows" and not windows:
        reader.wrong("windows", "nothing", "how many windows a day has")
    if release is not None and isinstance(release.unit, PersonDay) != (name == "windows"):
        got, expected = repr(release.unit), "person-day:WINDOWS:IDS for windows, and for nothing else"
        problems.append(Problem(f"{specification.name}: release: unit", got, expected))
    if release is not None and (release.clip is None) != (name in COUNTS):
        got, expected = ("nothing", "a bound of a row's norm") if release.clip is None else ("one", "none for counts")
        problems.append(Problem(f"{specification.name}: release: clip", got, expected))
    if not problems and not edges and name == "histogram":
        reader.wrong("edges", "none", "at least one, increasing")
    reader.done()
    refuse(ParameterError, problems)
    return StatisticOptions(name, reading, bound, edges, int(classes), int(windows), int(resolution), release)


def _needed(reader: Reader, key: str, what: str, most: float = LARGEST) -> float:
    found = reader.number(key, None, most)
    if found is None:
        reader.wrong(key, "nothing", f"a number {what}")
    return found or 0.0
