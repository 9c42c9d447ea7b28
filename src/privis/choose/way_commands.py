"""The commands that do a job in one way: placeholders are filled from the job, nothing is left to guess."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import PurePath

from privis.choose.job_description import JobDescription, Task
from privis.choose.way import ReleaseKind, Side, Under, Way
from privis.errors import ParameterError, Problem

VIDEOS = (".avi", ".mp4", ".mkv", ".mov", ".webm")
COMPONENTS = 16
"""Numbers that a vector is projected to at random before its direction is released."""
BOXES = 6
"""Boxes of a picture that count, where counts are released."""
WINDOW = "10s"
DETECTING_STEP = 1.2
"""Factor from one size to the next where pictures are hidden: a window in fewer sizes, at a tenth of the price."""


def is_video(job: JobDescription) -> bool:
    """Tell whether the job's images are those of a video.

    Args:
        job: that is asked about.

    Returns:
        Whether its path has the ending of a video.
    """
    return PurePath(job.images).suffix.lower() in VIDEOS


def commands(
    job: JobDescription, way: Way, epsilon: float | None, detail: Sequence[str] = ()
) -> tuple[tuple[str, ...], str]:
    """Write the commands of a way.

    Args:
        job: that is to be done.
        way: in which.
        epsilon: of the release; None: there is none.
        detail: words of the release that follow from the feature, such as its place.

    Returns:
        Commands that are typed once before, and the one that does it; a line of several is joined by ``&&``.

    >>> from privis.choose.job_description import job_of
    >>> job = job_of({"task": "extract", "images.path": "in", "images.number": 3, "images.size": "64x64"})
    >>> commands(job, Way("hog:size=64x64", Under.CKKS), None)[1]
    'privis extract in -f hog -p size=64x64 --under ckks -o ./features.parquet'
    """
    match job.task:
        case Task.EXTRACT:
            return _extract(job, way, epsilon, detail)
        case Task.CLASSIFY:
            return _classify(job, way, epsilon)
        case Task.VERIFY | Task.IDENTIFY:
            return _faces(job, way, epsilon)
        case Task.SEARCH:
            return _search(job, way, epsilon)
        case Task.DETECT:
            return (), _line("detect", job.images, *_detecting(way), "-o", _out(job, "boxes.csv"))
        case Task.COUNT:
            return _count(job, way, epsilon)


def feature_words(feature: str) -> list[str]:
    """The options that name a feature.

    Args:
        feature: its name, and parameters behind a colon.

    Returns:
        Words of a command.

    >>> feature_words("hog:size=64x64,cell=8")
    ['-f', 'hog', '-p', 'size=64x64', '-p', 'cell=8']
    """
    name, parameters = parted(feature)
    return ["-f", name, *(word for parameter in parameters for word in ("-p", parameter))]


def parted(feature: str) -> tuple[str, list[str]]:
    """Part a feature into its name and its parameters.

    Args:
        feature: as in a job.

    Returns:
        Name and ``NAME=VALUE`` words.

    >>> parted("hog:size=64x64,cell=8")
    ('hog', ['size=64x64', 'cell=8'])
    """
    name, _, rest = feature.partition(":")
    return name, [word for word in rest.split(",") if word]


def _line(*words: str) -> str:
    return shlex.join(["privis", *words])


def _out(job: JobDescription, name: str) -> str:
    return f"{job.output.rstrip('/')}/{name}"


def _under(way: Way) -> list[str]:
    words = [] if way.under is Under.CLEAR else ["--under", way.under.value]
    return [*words, "--extracted-by", "owner"] if words and way.extracted_by is Side.OWNER else words


def _spent(epsilon: float | None) -> str:
    if epsilon is None:
        raise ParameterError(Problem("commands", "a release without a budget", "an epsilon"))
    return f"{epsilon!r}"  # as it is: rounded to nearest it might be more than the budget


def _extract(
    job: JobDescription, way: Way, epsilon: float | None, detail: Sequence[str]
) -> tuple[tuple[str, ...], str]:
    words, table = feature_words(way.feature), _out(job, "features.parquet")
    if way.under is Under.SERVER:
        return (_keygen(job),), _line("query", job.images, *_server(job), *words, "-o", table)
    under = [] if way.under is Under.CLEAR else ["--under", way.under.value]
    if way.release is ReleaseKind.NONE:
        return (), _line("extract", job.images, *words, *under, "-o", table)
    key = ["--key", _out(job, "release.key")]
    if way.release is ReleaseKind.AGGREGATE:
        exact = _line("extract", job.images, *words, *under, "-o", table)
        mean = ["--aggregate", "mean", "--corpus", "job", *detail, "--epsilon", _spent(epsilon), *key]
        return (), f"{exact} && {_line('release', table, *mean, '-o', _out(job, 'mean.parquet'))}"
    noise = [*detail, "--unit", job.unit, "--epsilon", _spent(epsilon), *key]
    return (), _line("extract", job.images, *words, *under, *noise, "-o", table)


def _classify(job: JobDescription, way: Way, epsilon: float | None) -> tuple[tuple[str, ...], str]:
    model, words = _out(job, "job.model"), feature_words(way.feature)
    train = ["classify", "train", job.labelled or job.images, "--labels-from", "folder", *words, "-o", model]
    if way.release is ReleaseKind.TRAINING:
        train += ["--epsilon", _spent(epsilon), "--delta", f"{job.delta!r}", "--classes", ",".join(job.classes)]
        return (), _line(*train, "--key", _out(job, "release.key"))
    if way.under is Under.SERVER:
        return (_line(*train), _keygen(job)), _line("query", job.images, *_server(job), "-o", _out(job, "scores.csv"))
    asked = [*_under(way), *(["--learn", "decisions"] if way.under.parties > 1 else [])]
    return (_line(*train),), _line(
        "classify", "predict", job.images, "--model", model, *asked, "-o", _out(job, "classes.csv")
    )


def _faces(job: JobDescription, way: Way, epsilon: float | None) -> tuple[tuple[str, ...], str]:
    under = [] if way.under is Under.CLEAR else ["--under", way.under.value]
    under += ["--encrypted-gallery"] if way.encrypted else []
    if way.under is Under.SERVER:
        under = ["--under", "server", job.server or "", "--keys", _out(job, "keys"), "--token-file", _out(job, "token")]
    release = ["--release", "privunit", "--epsilon", _spent(epsilon)] if way.release is ReleaseKind.PRIVUNIT else []
    rate = ["--threshold", "fmr:1e-2" if release else "fmr:1e-4"]
    if job.task is Task.VERIFY:
        return (), _line("face", "verify", job.reference or "", job.images, *rate, *under, *release)
    if way.under is Under.SERVER:
        return (_keygen(job),), _line("face", "identify", job.images, *rate, *under)
    gallery = _out(job, "people.gallery")
    enrol = _line("face", "enrol", gallery, job.labelled or "", "--subject-from", "folder", *release)
    return (enrol,), _line("face", "identify", job.images, "--gallery", gallery, *rate, *under)


def _search(job: JobDescription, way: Way, epsilon: float | None) -> tuple[tuple[str, ...], str]:
    index = _out(job, "job.index")
    release = ["--release", "privunit", "--epsilon", _spent(epsilon)] if way.release is ReleaseKind.PRIVUNIT else []
    build = _line("search", "build", job.labelled or "", "-o", index, "--recipe", way.feature, *release)
    under = [] if way.under is Under.CLEAR else ["--under", way.under.value]
    under += ["--gallery", "encrypted"] if way.encrypted else []
    return (build,), _line("search", "query", job.images, "--index", index, "--top", "10", *under)


def _detecting(way: Way) -> list[str]:
    words = ["--what", way.feature, *_under(way), *(["--show-model"] if way.shown_model else [])]
    return words if way.under is Under.CLEAR else [*words, "--step", f"{DETECTING_STEP:g}"]


def _count(job: JobDescription, way: Way, epsilon: float | None) -> tuple[tuple[str, ...], str]:
    key = ["--key", _out(job, "release.key")]
    if is_video(job):
        noise = [] if epsilon is None or way.release is ReleaseKind.NONE else ["--epsilon", _spent(epsilon), *key]
        unit = ["--unit", job.unit] if noise else []
        return (), _line("video", "count", job.images, "--window", WINDOW, "--json", *noise, *unit)
    boxes, counts = _out(job, "boxes.csv"), _out(job, "counts.csv")
    found = _line("detect", job.images, *_detecting(way), "-o", boxes)
    count = ["detect", "count", job.images, "--boxes", boxes, "-o", counts]
    if way.release is ReleaseKind.FEATURE:
        count += ["--epsilon", _spent(epsilon), "--total", str(BOXES), *key]
    line = f"{found} && {_line(*count)}"
    if way.release is not ReleaseKind.AGGREGATE:
        return (), line
    total = ["release", counts, "--release", "laplace", "--aggregate", "sum", "--corpus", "job", "--clip", str(BOXES)]
    total += ["--unit", job.unit, "--epsilon", _spent(epsilon), *key, "--record-column", "path"]
    return (), f"{line} && {_line(*total, '-o', _out(job, 'sum.csv'))}"


def _server(job: JobDescription) -> list[str]:
    return ["--server", job.server or "", "--keys", _out(job, "keys"), "--token-file", _out(job, "token")]


def _keygen(job: JobDescription) -> str:
    return _line("keygen", _out(job, "keys"), "--for", "homomorphic", "--server", job.server or "",
                 "--token-file", _out(job, "token"))  # fmt: skip
