"""The parts of job files that several tasks share: the release, and who receives the one output."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from privis.cli.releases import person_day_of, unit_of
from privis.errors import ParameterError, Problem, refuse
from privis.features.feature import Feature
from privis.identity import identity
from privis.parties.job.specification import OWNER, Specification
from privis.parties.job.task import Announcement, LocalData, Protection
from privis.parties.table_reader import Reader, shown
from privis.privacy.mechanisms.additive import Gaussian, Laplace
from privis.privacy.units import Dataset, Person, PersonDay, WholeImage
from privis.run.mpc.job import Job

NOISES = ("gaussian", "laplace")


@dataclass(frozen=True)
class ReleaseOptions:
    """``[release]`` of a job file: how much noise, for whose protection, and in whose budget it goes."""

    corpus: str
    noise: Gaussian | Laplace
    unit: WholeImage | Dataset | Person | PersonDay
    clip: float | None
    colluding: int
    disjoint: bool
    subject: str | None

    @property
    def protection(self) -> Protection:
        """The guarantee of this release, by which policies judge the job."""
        delta = self.noise.delta if isinstance(self.noise, Gaussian) else 0.0
        return Protection(self.noise.epsilon, delta, self.colluding, self.unit.relation)

    def subject_of(self, local: LocalData) -> str | None:
        """The column that tells people apart in ``local``, where they matter; also checks ``disjoint``.

        Both are the owner's to say: ParameterError when the job says anything else.
        """
        problems, where = [], f"input {local.name}"
        if self.disjoint and not local.disjoint:
            remedy = f"disjoint = true in [inputs.{local.name}], if that is so"
            problems.append(
                Problem(where, "a job that says disjoint", "its owner to say that nobody is elsewhere", remedy)
            )
        if self.unit.needs_subjects:
            if local.subject is None:
                remedy = f'subject = "…" in [inputs.{local.name}]'
                problems.append(Problem(where, "no column of people", "one, for a release for a person", remedy))
            elif self.subject not in (None, local.subject):
                expected, remedy = f"{local.subject!r}, as its owner says", "leave subject out of the job"
                problems.append(Problem(f"{where}: subject", repr(self.subject), expected, remedy))
        refuse(ParameterError, problems)
        return local.subject if self.unit.needs_subjects else None


def read_release(specification: Specification, problems: list[Problem]) -> ReleaseOptions | None:
    """Read ``[release]``; what does not fit goes to ``problems``.

    Keys: ``corpus``, its name in every ledger; ``epsilon``; ``delta``; ``noise`` (gaussian, laplace); ``clip``;
    ``unit`` (image, dataset, person:IMAGES, of windows person-day:WINDOWS:IDS); ``disjoint`` where nobody is at two
    owners, as every owner must say too;
    ``colluding``, how many compute parties may pool their noise (all but one). Which column tells people apart is
    every owner's to say; a ``subject`` here is what it must be everywhere.
    """
    if specification.release is None:
        return None
    reader = Reader(specification.release, f"{specification.name}: release", problems)
    corpus, name = reader.text("corpus"), reader.text("noise", "gaussian")
    epsilon, delta = reader.number("epsilon", None), reader.number("delta", None)
    clip, colluding = reader.number("clip", None), reader.number("colluding", len(specification.parties) - 1)
    unit_words, disjoint = reader.text("unit", "image"), reader.flag("disjoint", False)
    subject = reader.text("subject", "") or None
    reader.done()
    if name not in NOISES:
        reader.wrong("noise", repr(name), f"one of {shown(NOISES)}")
    unit: WholeImage | Dataset | Person | PersonDay = WholeImage()
    try:
        chosen = Dataset() if unit_words == "dataset" else person_day_of(unit_words) or unit_of(unit_words)
        if isinstance(chosen, WholeImage | Dataset | Person | PersonDay):
            unit = chosen
        else:
            raise ParameterError
    except ParameterError:
        reader.wrong(
            "unit", repr(unit_words), "image, dataset, person:IMAGES or person-day:WINDOWS:IDS, as in person:5"
        )
    if subject is not None and not unit.needs_subjects:
        reader.wrong("subject", repr(subject), "none but for person:IMAGES and person-day:WINDOWS:IDS")
    if colluding is None or math.floor(colluding) != colluding:
        reader.wrong("colluding", repr(colluding), "a whole number")
    noise: Gaussian | Laplace = Laplace(1.0)
    try:
        noise = Laplace(epsilon or 0.0) if name == "laplace" else Gaussian(epsilon or 0.0, delta or 0.0)
    except ParameterError as error:
        problems.extend(error.problems)
    if name == "laplace" and delta is not None:
        reader.wrong("delta", f"{delta:g}", "none for laplace", "leave it out")
    return ReleaseOptions(corpus, noise, unit, clip, int(colluding or 0), disjoint, subject)


def stated(
    job: Job, specification: Specification, announcements: Mapping[str, Announcement], feature: Feature | None
) -> Job:
    """Return ``job`` with a digest that covers the job file, the announcements, and the feature on this member."""
    said: dict[str, object] = {"specification": specification.to_dict()}
    said["inputs"] = [[name, one.to_dict()] for name, one in announcements.items()]
    said["feature"] = None if feature is None else identity(feature).hex()
    return job.stating(hashlib.sha256(json.dumps(said, sort_keys=True, allow_nan=False).encode()).hexdigest())


def output_problems(specification: Specification, output: str, of_all: bool = True) -> list[Problem]:
    """What is wrong with who receives ``output``, the task's only one; ``of_all`` says that it has no one owner."""
    if set(specification.receivers) == {output}:
        if of_all and OWNER in specification.receivers[output]:
            expected = "names, or all: it is about all owners together"
            return [Problem(f"{specification.name}: receivers: {output}", repr(OWNER), expected)]
        return []
    got = shown(sorted(specification.receivers))
    return [Problem(f"{specification.name}: receivers", got, f"who receives {output}")]


def exact_problems(specification: Specification) -> list[Problem]:
    """The problem that a release was asked of a task that knows none, if so: it must not be ignored."""
    if specification.release is None:
        return []
    remedy = "ask for exact results, or choose a task that knows releases"
    return [Problem(f"{specification.name}: release", "one", "none with this task", remedy)]
