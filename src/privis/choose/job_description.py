"""A job: what is to be done with which images, who owns what, who must not see what, and what is needed.

Evolution of job files, which have no number: keys may be added, with a default that keeps the meaning of files written
before; a key that is not known is refused, so that no file means less than it says.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from privis.errors import ParameterError, Problem, refuse
from privis.file_formats import FileFormat, misfit

_LARGEST = 1 << 20  # bytes of a job file
_PERSONAL = ("image", "person", "add-or-remove-person", "person-day")
Word = TypeVar("Word", bound=StrEnum)


class Task(StrEnum):
    """What is to be done with the images."""

    VERIFY = "verify"
    IDENTIFY = "identify"
    SEARCH = "search"
    CLASSIFY = "classify"
    DETECT = "detect"
    COUNT = "count"
    EXTRACT = "extract"


class Concealed(StrEnum):
    """What somebody must not see: pixels and features whoever computes, a person whoever receives, a model its user."""

    PIXELS = "pixels"
    FEATURES = "features"
    PERSON = "person"
    MODEL = "model"


class ResultKind(StrEnum):
    """What is wanted of many images: a row of each, or one sum or mean."""

    ROWS = "rows"
    AGGREGATE = "aggregate"


class NetworkKind(StrEnum):
    """Where the machines are to each other."""

    LOCAL = "local"
    LAN = "lan"
    WAN = "wan"


ROUND_TRIPS: Mapping[NetworkKind, float] = {NetworkKind.LOCAL: 0.0, NetworkKind.LAN: 1e-3, NetworkKind.WAN: 5e-2}
"""Seconds there and back, where a job says a word alone."""
BANDWIDTHS: Mapping[NetworkKind, float] = {NetworkKind.LOCAL: math.inf, NetworkKind.LAN: 1e9, NetworkKind.WAN: 1e8}
"""Bits per second, where a job says a word alone."""


@dataclass(frozen=True)
class JobDescription:
    """What is to be done; `read_job` and `job_of` say how each part is spelled.

    Args:
        task: what is done with the images.
        images: file, folder or glob of the images that are asked about.
        number: how many.
        size: (height, width) in pixels.
        labelled: images whose classes or people are known: for a training, an enrolment or an index.
        reference: the known picture of ``verify``.
        rows: people of a gallery, or images of an index.
        classes: public names of classes.
        features: as the command line has them, with their parameters; none: those that fit.
        owner: who owns the images.
        model_owner: who owns the model, the gallery or the index.
        computes: whose machines compute.
        owner_computes: whether the images' owner has a machine that can extract features.
        receives: who gets the result.
        result: whether rows of single images are wanted, or an aggregate; None: either.
        hide: what must not be seen.
        operators: independent operators of machines, of whom no two work together.
        network: where machines are to each other.
        round_trip: seconds there and back.
        bandwidth: bits per second.
        server: address of a server that computes on ciphertexts.
        memory: bytes that a process may take.
        days: for how long the same thing will run, day by day.
        latency: largest number of seconds of one image.
        accuracy: least, 0 to 1, in the measure of the task.
        error: largest, as a share, of what is released.
        like: the measured set that the images are like.
        epsilon: budget of the unit.
        delta: failure probability that goes with it.
        unit: what noise hides, as the command line has it.
        output: folder for what is written.
    """

    task: Task
    images: str
    number: int
    size: tuple[int, int]
    labelled: str | None = None
    reference: str | None = None
    rows: int = 1000
    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    owner: str = "images' owner"
    model_owner: str | None = None
    computes: str | None = None
    owner_computes: bool = True
    receives: str | None = None
    result: ResultKind | None = None
    hide: frozenset[Concealed] = frozenset()
    operators: int = 1
    network: NetworkKind = NetworkKind.LOCAL
    round_trip: float = 0.0
    bandwidth: float = math.inf
    server: str | None = None
    memory: int | None = None
    days: int = 1
    latency: float | None = None
    accuracy: float | None = None
    error: float | None = None
    like: str | None = None
    epsilon: float | None = None
    delta: float = 1e-6
    unit: str = "image"
    output: str = "."

    @property
    def outsourced(self) -> bool:
        """Whether somebody else than the images' owner computes."""
        return self.computes is not None and self.computes != self.owner

    @property
    def leaves(self) -> bool:
        """Whether somebody else than the images' owner gets the result."""
        return self.receives is not None and self.receives != self.owner

    @property
    def hides_person(self) -> bool:
        """Whether the unit of the noise is at least a whole image."""
        return self.unit.partition(":")[0] in _PERSONAL


@dataclass(frozen=True)
class Entry:
    """One thing that a job says.

    Args:
        key: in a job file, with its table, as in ``images.path``.
        field: of `JobDescription`.
        read: from a value of TOML or a typed word to the field's value; ValueError says what was expected.
        meaning: one line for help and questions.
    """

    key: str
    field: str
    read: Callable[[Any], Any]
    meaning: str

    @property
    def option(self) -> str:
        """The option of the command line."""
        return "--" + (self.key if "." not in self.key else OPTIONS.get(self.key, self.key.rpartition(".")[2]))


OPTIONS: Mapping[str, str] = {
    "images.path": "images", "roles.images": "owner", "roles.model": "model-owner", "network.kind": "network",
    "machines.memory_gib": "memory-gib", "needs.error": "error",
    "network.round_trip": "round-trip", "roles.owner_computes": "owner-computes",
}  # fmt: skip
"""Options that are not called like the last word of their key."""


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text that is not empty")
    return value.strip()


def _word(kind: type[Word]) -> Callable[[Any], Word]:
    def read(value: Any) -> Word:
        for member in kind:
            if isinstance(value, str) and value.strip().lower() == member.value:
                return member
        raise ValueError(f"one of {', '.join(member.value for member in kind)}")

    return read


def _whole(least: int, most: int = 10**9) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        text = str(value).strip()
        if isinstance(value, bool) or not text.isdecimal() or not least <= int(text) <= most:
            raise ValueError(f"a whole number from {least:,} to {most:,}")
        return int(text)

    return read


def _number(low: float, high: float, what: str) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        try:
            found = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            found = math.nan
        if not low < found <= high:
            raise ValueError(what)
        return found

    return read


def share(value: Any) -> float:
    """Read a share: ``0.05`` or ``5%``; ValueError says what was expected.

    >>> share("5%"), share(0.05)
    (0.05, 0.05)
    """
    text = str(value).strip()
    percent = text.endswith("%")
    found = _number(0.0, 100.0 if percent else 1.0, "a share, as in 5% or 0.05")(text.removesuffix("%").strip())
    return found / 100 if percent else found


def _size(value: Any) -> tuple[int, int]:
    if isinstance(value, list) and len(value) == 2:
        value = f"{value[0]}x{value[1]}"
    height, _, width = str(value).lower().partition("x")
    if not (height.strip().isdecimal() and width.strip().isdecimal() and int(height) and int(width)):
        raise ValueError("HEIGHTxWIDTH in pixels, as in 480x640")
    return int(height), int(width)


def _texts(value: Any) -> tuple[str, ...]:
    found = value.split(",") if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(one, str) and one.strip() for one in found):
        raise ValueError("a list of words")
    return tuple(one.strip() for one in found)


def _features(value: Any) -> tuple[str, ...]:  # commas part features, and within one its parameters, NAME=VALUE
    return _texts(re.split(r",(?![^,:]*=)", value) if isinstance(value, str) else value)


def _hide(value: Any) -> frozenset[Concealed]:
    words = _texts([]) if value in ("", "nothing") else _texts(value)
    return frozenset(_word(Concealed)(word) for word in words)


def _yes_or_no(value: Any) -> bool:
    word = str(value).strip().lower()
    if word not in ("yes", "no", "true", "false"):
        raise ValueError("yes or no")
    return word in ("yes", "true")


def _memory(value: Any) -> int:
    return round(_number(0.0, 1e6, "GiB, above 0")(value) * 2**30)


def _unit(value: Any) -> str:
    text = _text(value)
    name, _, count = text.partition(":")
    counted = ("person", "add-or-remove-person", "pixels", "patch", "person-day")
    if (name in ("image", "dataset") and not count) or (name in counted and count.split(":")[0].isdecimal()):
        return text
    raise ValueError("image, person:IMAGES, add-or-remove-person:IMAGES, pixels:COUNT, patch:SIDE, or dataset")


ENTRIES = (
    Entry("task", "task", _word(Task), "what is to be done"),
    Entry("images.path", "images", _text, "file, folder or glob of the images that are asked about"),
    Entry("images.number", "number", _whole(1), "how many images; counted where --images exists"),
    Entry("images.size", "size", _size, "HEIGHTxWIDTH in pixels; read from the first image where --images exists"),
    Entry("images.labelled", "labelled", _text, "images in a folder for each class or person, for what is learned"),
    Entry("images.reference", "reference", _text, "the known picture, of verify"),
    Entry("images.rows", "rows", _whole(1), "people of a gallery, or images of an index"),
    Entry("images.classes", "classes", _texts, "public names of classes, for a training under privacy"),
    Entry("features", "features", _features, "features to choose from, as in lbp or hog:size=64x64"),
    Entry("roles.images", "owner", _text, "who owns the images"),
    Entry("roles.model", "model_owner", _text, "who owns the model, gallery or index"),
    Entry("roles.computes", "computes", _text, "whose machines compute"),
    Entry("roles.owner_computes", "owner_computes", _yes_or_no, "whether the images' owner can extract features"),
    Entry("roles.receives", "receives", _text, "who gets the result"),
    Entry("result", "result", _word(ResultKind), "what is wanted of many images: rows or aggregate"),
    Entry("hide", "hide", _hide, "what must not be seen: pixels, features, person, model, or nothing"),
    Entry("machines.operators", "operators", _whole(1, 99), "independent operators, of whom no two work together"),
    Entry("network.kind", "network", _word(NetworkKind), "where the machines are to each other: local, lan or wan"),
    Entry("network.round_trip", "round_trip", _number(-1e-9, 60, "seconds, up to 60"), "seconds there and back"),
    Entry("network.bandwidth", "bandwidth", _number(0, math.inf, "bits per second, above 0"), "bits per second"),
    Entry("machines.server", "server", _text, "address of a server that computes on ciphertexts"),
    Entry("machines.memory_gib", "memory", _memory, "GiB that a process may take"),
    Entry("machines.days", "days", _whole(1, 36500), "for how many days the same thing will run"),
    Entry("needs.latency", "latency", _number(0, 1e9, "seconds, above 0"), "largest number of seconds of one image"),
    Entry("needs.accuracy", "accuracy", share, "least accuracy, in the measure of the task"),
    Entry("needs.error", "error", share, "largest error of what is released"),
    Entry("needs.like", "like", _text, "the measured set that the images are like"),
    Entry("budget.epsilon", "epsilon", _number(0, 1e6, "a number above 0"), "privacy budget of the unit"),
    Entry("budget.delta", "delta", _number(0, 0.1, "a probability above 0, at most 0.1"), "its failure probability"),
    Entry("budget.unit", "unit", _unit, "what noise hides"),
    Entry("output", "output", _text, "folder for what is written"),
)
_NEEDED = ("task", "images.path", "images.number", "images.size")


def read_document(path: Path) -> dict[str, Any]:
    """Read a job file: TOML, its tables flattened to keys such as ``images.path``.

    Args:
        path: of the file.

    Returns:
        Values by key, unread.

    Raises:
        ParameterError: the file cannot be read, or is no job.
    """
    expected = "a job for privis choose, as TOML; docs/choosing.md has one"
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("a file that is too large")
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        if not document.keys() & {entry.key.partition(".")[0] for entry in ENTRIES}:
            raise ValueError("no key of a job")
    except (OSError, ValueError) as error:
        reason = (error.strerror or "an error") if isinstance(error, OSError) else str(error)
        raise ParameterError(misfit(path, FileFormat.TOML, reason, expected)) from None
    flat: dict[str, Any] = {}
    for key, value in document.items():
        flat |= {f"{key}.{name}": one for name, one in value.items()} if isinstance(value, dict) else {key: value}
    return flat


def job_of(document: Mapping[str, Any], where: str = "job") -> JobDescription:
    """Make a job of what a file, options or answers say.

    Args:
        document: values by key, as of `ENTRIES`.
        where: what messages call it.

    Returns:
        The job.

    Raises:
        ParameterError: naming every key that is unknown, missing, or does not fit.

    >>> job = job_of({"task": "extract", "images.path": "in", "images.number": 3, "images.size": "64x64"})
    >>> job.task, job.size, job.hides_person
    (<Task.EXTRACT: 'extract'>, (64, 64), True)
    """
    problems, values = [], {}
    known = {entry.key: entry for entry in ENTRIES}
    for key, value in document.items():
        if key not in known:
            problems.append(Problem(f"{where}: {key}", repr(value), f"a key that is known: {', '.join(known)}"))
            continue
        try:
            values[known[key].field] = known[key].read(value)
        except ValueError as error:
            problems.append(Problem(f"{where}: {key}", repr(value), str(error)))
    for key in _NEEDED:
        if key not in document:
            problems.append(Problem(f"{where}: {key}", "nothing", known[key].meaning, f"say it as {known[key].option}"))
    problems += _together(values, document.keys(), where)
    refuse(ParameterError, problems)
    kind = values.get("network", NetworkKind.LOCAL)
    values.setdefault("round_trip", ROUND_TRIPS[kind])
    values.setdefault("bandwidth", BANDWIDTHS[kind])
    values["round_trip"] = max(0.0, values["round_trip"])
    if "error" in values and "epsilon" not in values:  # it is the error of a sum or mean
        values.setdefault("result", ResultKind.AGGREGATE)
    return JobDescription(**values)


def _together(values: Mapping[str, Any], said: Collection[str], where: str) -> list[Problem]:
    """What does not fit each other; ``said`` has the keys of values that could not be read, too."""
    problems, hide, task = [], values.get("hide", frozenset()), values.get("task")
    budget = "budget.epsilon" in said or "needs.error" in said
    if Concealed.PERSON in hide and not budget:
        remedy = "say budget.epsilon, or needs.error and it is solved for; privis choose --precedents shows others'"
        problems.append(Problem(f"{where}: hide", "person, without a budget", "a privacy budget with it", remedy))
    if Concealed.MODEL in hide and "roles.model" not in said:
        problems.append(Problem(f"{where}: hide", "model, whose nobody says", "roles.model, who owns it"))
    if task is Task.VERIFY and "images.reference" not in said:
        problems.append(Problem(f"{where}: images.reference", "nothing", "the known picture, of verify"))
    if task in (Task.CLASSIFY, Task.IDENTIFY, Task.SEARCH) and "images.labelled" not in said:
        expected = "a folder: of classes, of people, or of the images to be searched"
        problems.append(Problem(f"{where}: images.labelled", "nothing", expected))
    return problems
