"""Why a way is not admissible: who would see what, who would have to be there, and what the budget says."""

from __future__ import annotations

import math
from collections.abc import Mapping

from privis.choose.job_description import Concealed, JobDescription, ResultKind, Task
from privis.choose.way import AdmissibleWay, ReleaseKind, Side, Under, Way
from privis.choose.way_commands import is_video
from privis.choose.ways import PEOPLE, releases_of

_ROWS = (ReleaseKind.PIXELS, ReleaseKind.FEATURE, ReleaseKind.PRIVUNIT)
_LEAST_CLASSES = 2
_COMPARED = (Task.VERIFY, Task.IDENTIFY, Task.SEARCH)


def needs_release(job: JobDescription) -> bool:
    """Tell whether what leaves must be released under privacy.

    Args:
        job: that is to be done.

    Returns:
        Whether a person is to be hidden from whoever receives, or a budget or an error is stated.
    """
    budget = job.epsilon is not None or job.error is not None
    return (Concealed.PERSON in job.hide or budget) and (job.leaves or job.receives is None)


def release_reasons(job: JobDescription, epsilon: float | None) -> Mapping[ReleaseKind, str]:
    """Say of each release why this job excludes it, whatever the feature and the executor.

    Args:
        job: that is to be done.
        epsilon: that may be spent; None: nothing.

    Returns:
        Reasons; an empty one: it is admissible.
    """
    reasons = releases_of(job.task)
    receiver = job.receives or "whoever receives the result"
    for release in ReleaseKind:
        if reasons[release]:
            continue
        if release is ReleaseKind.NONE:
            if needs_release(job):
                reasons[release] = f"{receiver} would learn exactly what images of a person say"
        elif not needs_release(job):
            whose = f"{job.receives} owns the images" if job.receives is not None else "nobody is to be hidden"
            reasons[release] = f"noise would help nobody: {whose}, or no budget is stated"
        elif epsilon is None:
            reasons[release] = "no budget is stated: say budget.epsilon, or needs.error and it is solved for"
        else:
            reasons[release] = _unit_reason(job, release)
    return reasons


def _unit_reason(job: JobDescription, release: ReleaseKind) -> str:
    """Why a release cannot hide the job's unit, is not what is wanted, or the unit not a person."""
    rows = release in _ROWS and not is_video(job)
    if rows and job.result is ResultKind.AGGREGATE:
        return "one sum or mean is wanted, which has far less noise than a row of each image"
    if release is ReleaseKind.AGGREGATE and job.result is ResultKind.ROWS:
        return "a row of each image is wanted, and an aggregate is of all"
    if release is ReleaseKind.AGGREGATE and is_video(job):
        return "counts of a video are released by windows of time, all together"
    unit = job.unit.partition(":")[0]
    if Concealed.PERSON in job.hide and not job.hides_person:
        return f"noise that hides {job.unit} hides no person: say budget.unit as image or person:IMAGES"
    if unit in ("dataset", "add-or-remove-person") and release not in (ReleaseKind.AGGREGATE, ReleaseKind.TRAINING):
        return f"{job.unit} is a unit of sums, means and trainings: rows that are released show that somebody is there"
    if release is ReleaseKind.PIXELS and unit in ("image", "person", "add-or-remove-person"):
        return "noise on pixels that hides a whole image leaves nothing of it: its scale grows with the pixels"
    if release in (ReleaseKind.PRIVUNIT, ReleaseKind.AGGREGATE, ReleaseKind.TRAINING) and unit in ("pixels", "patch"):
        return f"{release.value} hides whole images, more than {job.unit} asks for, at a higher price"
    if release is ReleaseKind.TRAINING and len(job.classes) < _LEAST_CLASSES:
        return "a training under privacy needs the public list of classes: say images.classes"
    return _other_unit(job, release)


def _other_unit(job: JobDescription, release: ReleaseKind) -> str:
    """Why the command of a release hides something else than the job's unit; empty: it hides just that."""
    unit, _, count = job.unit.partition(":")
    people = unit in ("person", "add-or-remove-person")
    if is_video(job):
        told = "of a video everything of a person in it is hidden: say budget.unit as person-day:WINDOWS"
        return "" if unit == "person-day" else told
    if unit == "person-day":
        return "person-day is a unit of counts in windows of time, of a video"
    if people and release is ReleaseKind.AGGREGATE:
        return f"{job.unit} needs a list of whose images they are: privis release --subjects has it, a job has none"
    by_image = (Task.SEARCH, ReleaseKind.PRIVUNIT), (Task.COUNT, ReleaseKind.FEATURE), (Task.CLASSIFY, release.TRAINING)
    if people and count != "1" and (job.task, release) in by_image:
        return f"its noise hides one image, and {job.unit} has more: nobody says here whose images they are"
    return ""


def under_reason(job: JobDescription, under: Under) -> str:
    """Say why nobody can compute so in this job, whatever the feature.

    Args:
        job: that is to be done.
        under: who computes.

    Returns:
        The reason; empty: somebody can.
    """
    if under is Under.CLEAR:
        return ""
    names = {name for name in (job.owner, job.model_owner, job.computes) if name is not None}
    there = max(job.operators, len(names))
    if len(names) == 1 and under is not Under.SERVER:
        return f"{job.owner} has images and model and computes alone: there is nobody to hide anything from"
    if there < under.parties:
        needed = {2: "two", 3: "three"}[under.parties]
        return f"{under.value} needs {needed} operators of whom no two work together, and there are {there}"
    if under is Under.SERVER and job.server is None:
        return "no server is named: say machines.server, its address"
    return ""


def way_reason(job: JobDescription, way: Way) -> str:
    """Say why a way shows somebody what the job hides, or is none.

    Args:
        job: that is to be done.
        way: in question.

    Returns:
        The reason; empty: nothing is against it.
    """
    computing, owner = job.computes or job.owner, job.owner
    if way.release is ReleaseKind.TRAINING and way.under is not Under.CLEAR:
        return "a training under privacy runs in the clear, at whoever holds the images"
    if way.under is Under.SERVER and job.task in (Task.SEARCH, Task.DETECT, Task.COUNT):
        return f"no server answers the task {job.task.value}: galleries, heads and features are what privis serve has"
    if way.under is Under.SERVER and job.task is Task.VERIFY:
        return "a server compares with people whom it knows: verify by --subject, or identify"
    if way.under is Under.CLEAR and way.extracted_by is Side.SERVER:
        seen = [what.value for what in (Concealed.PIXELS, Concealed.FEATURES) if what in job.hide]
        if seen:
            return f"{computing} would see {' and '.join(seen)}"
    owns = job.model_owner or owner
    if way.under in (Under.CKKS, Under.SERVER) and job.task in _COMPARED and not way.encrypted and owns != computing:
        if job.outsourced and job.hide & {Concealed.PIXELS, Concealed.FEATURES}:
            return f"{computing} would see the vectors that {owns} compares with, as they are not encrypted"
    if job.task in (Task.DETECT, Task.COUNT) and way.under is not Under.CLEAR and way.feature != PEOPLE:
        return (
            f"{way.under.value} has a detector of people, and {way.feature} are found by networks: name one by --model"
        )
    if way.release is ReleaseKind.TRAINING and way.extracted_by is Side.SERVER:
        return "a training under privacy runs at whoever holds the images"
    extracts = job.task in (Task.EXTRACT, Task.CLASSIFY, Task.DETECT, Task.COUNT) and way.extracted_by is Side.OWNER
    if extracts and not job.owner_computes:
        return f"{owner} has no machine to extract features on"
    shows = way.shown_model or (way.under is Under.CLEAR and way.extracted_by is Side.OWNER)
    foreign = job.model_owner is not None and job.model_owner != owner and _has_model(job)
    if Concealed.MODEL in job.hide and foreign and shows and way.release is not ReleaseKind.TRAINING:
        return f"{owner} would get the model of {job.model_owner}"
    if Concealed.MODEL in job.hide and foreign and job.task in (Task.DETECT, Task.COUNT) and way.under is Under.CKKS:
        return "from the scores of every window of two pictures, which the key opens, a linear model can be worked out"
    if job.outsourced and way.shown_model and Concealed.FEATURES not in job.hide and job.model_owner is None:
        return "the server would do nothing but extract a public feature: its owner does that in less time"
    return ""


def _has_model(job: JobDescription) -> bool:
    return job.task is not Task.EXTRACT


def need_reasons(job: JobDescription, choice: AdmissibleWay, seconds: float) -> list[str]:
    """Say which needs of a job a way misses.

    Args:
        job: that is to be done.
        choice: with its predictions.
        seconds: of all images, the network included.

    Returns:
        All reasons; none: it meets all.
    """
    reasons, each = [], seconds / max(1, choice.images)
    if job.latency is not None and each > job.latency:
        reasons.append(f"{each:.3g} s an image predicted, at most {job.latency:g} s allowed")
    if job.memory is not None and choice.cost.memory > job.memory:
        told = f"{choice.cost.memory / 2**20:,.0f} MiB predicted, at most {job.memory / 2**20:,.0f} MiB allowed"
        reasons.append(told)
    if job.accuracy is not None and not _is_count(job):
        if choice.accuracy is None:
            reasons.append(f"nobody measured its accuracy, and {job.accuracy:g} is needed")
        elif choice.accuracy.is_share and choice.accuracy.value < job.accuracy:
            reasons.append(f"{choice.accuracy.metric} {choice.accuracy.value:.3g} on {choice.accuracy.set}, "
                           f"and {job.accuracy:g} is needed")  # fmt: skip
    if not math.isfinite(seconds):
        reasons.append("nothing is known of how long it takes")
    return reasons


def _is_count(job: JobDescription) -> bool:
    return job.task is Task.COUNT
