"""Tasks that the page can try: each is a form, and the command that it fills in."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from privis.cli.parsing import UNDER
from privis.errors import ParameterError, Problem, refuse

OWNERS = ("server", "owner")
JOBS = ("verify", "identify", "search", "classify", "detect", "count", "extract")
OUTPUT = "{output}"
"""In a command: a file in memory that is gone with it."""


@dataclass(frozen=True)
class FormField:
    """One thing that a form asks for.

    Args:
        name: of the field.
        option: that it fills in.
        choices: what it may be; none: a path or a number that is typed.
        required: whether the command needs it.
        hidden: whether it has a meaning only where images are hidden from who computes.
    """

    name: str
    option: str
    choices: tuple[str, ...] = ()
    required: bool = False
    hidden: bool = False


@dataclass(frozen=True)
class TaskForm:
    """A task of the page.

    Args:
        command: words behind ``privis``.
        images: how many dropped images it reads.
        fields: what it asks for besides.
        ends: words at the end of the command.
        view: which view of the page has it.
    """

    command: tuple[str, ...]
    images: int
    fields: tuple[FormField, ...]
    ends: tuple[str, ...] = ("--json",)
    view: str = "task"

    def words(self, values: Mapping[str, Any]) -> list[str]:
        """Fill in the command, with ``{0}``, ``{1}`` for its images.

        Args:
            values: by names of fields, as they were typed.

        Returns:
            The words behind ``privis``.

        Raises:
            ParameterError: naming every field that is missing or not allowed.
        """
        known = {field.name for field in self.fields}
        problems = [Problem(name, "a value", f"one of {', '.join(known)}") for name in values if name not in known]
        found = [*self.command, *(f"{{{number}}}" for number in range(self.images))]
        in_the_clear = values.get("under") in (None, "", "clear")
        for field in self.fields:
            value = "" if field.hidden and in_the_clear else str(values.get(field.name) or "").strip()
            if not value:
                problems += [Problem(field.name, "nothing", "a value")] if field.required else []
            elif field.choices and value not in field.choices:
                problems.append(Problem(field.name, repr(value), f"one of {', '.join(field.choices)}"))
            elif value != "clear":  # one word, so that no value can become another option
                found.append(f"{field.option}={value}")
        refuse(ParameterError, problems)
        return [*found, *self.ends]


_UNDER = FormField("under", "--under", UNDER)
TASKS: Mapping[str, TaskForm] = {
    "verify": TaskForm(("face", "verify"), 2, (_UNDER,)),
    "identify": TaskForm(("face", "identify"), 1, (FormField("gallery", "--gallery", required=True), _UNDER)),
    "search": TaskForm(
        ("search", "query"), 1, (FormField("index", "--index", required=True), FormField("top", "--top"), _UNDER)
    ),
    "detect": TaskForm(
        ("detect",),
        1,
        (
            FormField("what", "--what", ("people", "faces", "plates"), required=True),
            _UNDER,
            FormField("owner", "--extracted-by", OWNERS, hidden=True),
        ),
    ),
    "classify": TaskForm(("classify", "predict"), 1, (FormField("model", "--model", required=True), _UNDER)),
    "document": TaskForm(("document", "check"), 1, (_UNDER,)),
    "extract": TaskForm(
        ("extract",),
        1,
        (
            FormField("feature", "--feature", ("colour", "lbp", "glcm", "gabor", "hog", "scattering"), required=True),
            FormField("parameter", "--parameter"),
            _UNDER,
        ),
        ("-o", OUTPUT, "--json"),
    ),
    "choose": TaskForm(
        ("choose", "--no-ask"),
        0,
        (
            FormField("job", "--task", JOBS, required=True),
            FormField("images", "--images", required=True),
            FormField("number", "--number"),
            FormField("size", "--size"),
            FormField("labelled", "--labelled"),
            FormField("reference", "--reference"),
            FormField("hide", "--hide"),
            FormField("network", "--network", ("local", "lan", "wan")),
            FormField("operators", "--operators"),
            FormField("accuracy", "--accuracy"),
            FormField("epsilon", "--epsilon"),
            FormField("hidden", "--unit"),
        ),
        view="choose",
    ),
    "solve": TaskForm(
        ("choose",),
        0,
        (
            FormField("error", "--error", required=True),
            FormField("of", "--of", ("count", "mean", "histogram"), required=True),
            FormField("people", "--people", required=True),
        ),
        view="choose",
    ),
    "precedents": TaskForm(("choose", "--precedents"), 0, (FormField("sector", "--sector"),), view="choose"),
}


def described_tasks() -> dict[str, Any]:
    """Give the forms for the page."""
    return {
        name: {
            "images": task.images,
            "view": task.view,
            "fields": [
                {"name": field.name, "choices": list(field.choices), "required": field.required}
                for field in task.fields
            ],
        }
        for name, task in TASKS.items()
    }


def shown_command(words: Sequence[str], names: Sequence[str]) -> str:
    """Write a filled command as somebody would type it: without what only the page needs."""
    typed = ["privis"]
    for word in words:
        for number, name in enumerate(names):
            if word == f"{{{number}}}":
                word = f"./{name}" if name.startswith("-") else name
        typed.append("features.parquet" if word == OUTPUT else word)
    return shlex.join(typed)
