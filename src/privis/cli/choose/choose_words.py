"""From options, a job file and answers on a terminal to a job, and from its words to objects."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from privis.choose.job_description import ENTRIES, Entry, JobDescription, Task, job_of, read_document
from privis.choose.way import Under, Vocabulary
from privis.cli.parsing import executor_named, feature_named
from privis.cli.releases import person_day_of, unit_of
from privis.errors import ParameterError, PrivisError, Problem
from privis.features.feature import Feature
from privis.privacy import Dataset
from privis.run.protocol import Executor

QUESTIONS = (
    "task", "images.path", "images.size", "images.number", "images.labelled", "images.reference", "roles.images",
    "roles.model", "roles.computes", "roles.receives", "hide", "network.kind", "machines.operators", "needs.latency",
    "needs.accuracy", "budget.epsilon", "budget.unit",
)  # fmt: skip
"""What is asked for on a terminal, in this order."""
_OF_TASKS: Mapping[str, tuple[Task, ...]] = {
    "images.labelled": (Task.CLASSIFY, Task.IDENTIFY, Task.SEARCH), "images.reference": (Task.VERIFY,),
}  # fmt: skip


def job_from(path: Path | None, given: Mapping[str, str | None], ask: Callable[[str], str] | None) -> JobDescription:
    """Put together what a file, options and answers say of a job.

    Args:
        path: of a job file.
        given: words of options by key of an entry; None: not given.
        ask: asks a question on a terminal; None: nobody is there.

    Returns:
        The job.

    Raises:
        ParameterError: naming everything that is missing or does not fit.
    """
    document: dict[str, Any] = {} if path is None else read_document(path)
    document |= {key: value for key, value in given.items() if value is not None}
    if ask is not None and path is None:
        _asked(document, ask)
    _looked_up(document)
    return job_of(document, "job" if path is None else str(path))


def _asked(document: dict[str, Any], ask: Callable[[str], str]) -> None:
    """Ask for what is missing; an empty answer leaves it out, and what does not fit is asked again."""
    entries = {entry.key: entry for entry in ENTRIES}
    for key in QUESTIONS:
        if key == "images.size":
            _looked_up(document)
        if key in document or not _concerns(key, document):
            continue
        answer = _answer(entries[key], ask)
        if answer:
            document[key] = answer


def _concerns(key: str, document: Mapping[str, Any]) -> bool:
    tasks = _OF_TASKS.get(key)
    return tasks is None or str(document.get("task")) in {task.value for task in tasks}


def _answer(entry: Entry, ask: Callable[[str], str]) -> str:
    question = entry.meaning[0].upper() + entry.meaning[1:]
    while True:
        answer = ask(f"{question}: ").strip()
        if not answer:
            return ""
        try:
            entry.read(answer)
        except ValueError as error:
            question = f"{answer!r} is none; expected {error}"
            continue
        return answer


def _looked_up(document: dict[str, Any]) -> None:
    """Count the images, and read the size of the first one, where they are there."""
    path = document.get("images.path")
    if not isinstance(path, str) or ("images.number" in document and "images.size" in document):
        return
    from privis.io.images import image_headers
    from privis.io.images.sources import find

    try:
        found = find([path], sys.stdin, videos=True)
        shape = image_headers.shape(found[0]) if found else None
    except (PrivisError, OSError):
        return  # what is missing is said by the job
    if found:
        document.setdefault("images.number", len(found))
    if shape is not None:
        document.setdefault("images.size", f"{shape[0]}x{shape[1]}")


def vocabulary() -> Vocabulary:
    """The words of the command line.

    Returns:
        What makes features, executors and units of them.
    """
    return Vocabulary(_feature, _executor, unit_named)


def _feature(name: str, parameters: Sequence[str]) -> Feature:
    try:
        return feature_named(name, list(parameters))
    except ParameterError as error:
        first, *others = error.problems
        where = f"job: features: {':'.join((name, ','.join(parameters))).rstrip(':')}: {first.where}"
        raise ParameterError(Problem(where, first.got, first.expected, first.remedy), *others) from None


def _executor(under: Under, task: Task) -> Executor:
    """Who computes, with the settings that the task's command has."""
    if under is Under.CKKS and task is Task.CLASSIFY:
        from privis.run.he.executor import CKKS

        return CKKS(precision=1e-3, inside=True)
    if under is Under.CKKS and task in (Task.DETECT, Task.COUNT):
        from privis.run.he.executor import CKKS

        return CKKS(signs=4)
    return executor_named(under.value)


def unit_named(text: str) -> Any:
    """Read ``--unit``, of single images or of all of them.

    Args:
        text: as ``image``, ``person:3`` or ``dataset``.

    Returns:
        What noise hides.

    Raises:
        ParameterError: it is none.

    >>> unit_named("dataset")
    Dataset()
    """
    if text == "dataset":
        return Dataset()
    name, _, number = text.partition(":")
    return person_day_of(text) if name == "person-day" and number else unit_of(text)
