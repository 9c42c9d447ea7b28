"""Job specification: data that every party reads, judges by its own policy, and builds the job from itself.

Format ``privis.specification/1``, in TOML or as JSON on the control plane: unknown keys are refused, because a party
must not run what it does not understand, and members compare the digest of all of it. A key may be added only with a
default that leaves old files' meaning, and is then left out of the digest while it has that default; a key that
changes its meaning or goes raises the number. Readers refuse other numbers than their own.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from privis.errors import ParameterError, Problem, refuse
from privis.file_formats import FileFormat, format_of, misfit
from privis.parties.table_reader import Reader, shown

FORMAT = "privis.specification/1"
HEAD = "head"  # the parameter that names a linear head behind a feature, which members lend as networks
NETWORK = "network"  # the parameter of a feature that names a network; files are never named
OWNER, ALL = "owner", "all"  # words that stand for receivers; no party may be called so


@dataclass(frozen=True)
class Use:
    """An input of the job: its owner, and under which name (``lends``) the owner's configuration knows it."""

    owner: str
    lends: str


@dataclass(frozen=True)
class Specification:
    """A joint computation in words: no program, no data, nothing that a party would have to trust.

    ``task`` names what to compute and ``options`` are its parameters; ``parties`` compute, in rank order; ``inputs``
    say whose data goes in; ``receivers`` say, per output of the task, who gets it: names, ``owner`` (the owner of what
    the output is about) or ``all`` (every member). ``release`` holds the parameters of a differentially private
    release; None means exact results.

    >>> job = Specification("hogs", "extract", ("a", "b", "c"), {"left": Use("a", "photos")}, {"features": ("owner",)})
    >>> job.members, job.receiving("features", "a")
    (('a', 'b', 'c'), ('a',))
    """

    name: str
    task: str
    parties: tuple[str, ...]
    inputs: Mapping[str, Use]
    receivers: Mapping[str, tuple[str, ...]]
    options: Mapping[str, Any] = field(default_factory=dict)
    preset: str = "aby3"
    insecure: bool = False
    release: Mapping[str, Any] | None = None

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """The feature's parameters as the job words them: every ``name=value`` of the option ``parameters``."""
        words = self.options.get("parameters", [])
        listed = words if isinstance(words, list | tuple) else [words]
        return tuple((name, value) for name, _, value in (str(word).partition("=") for word in listed))

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks and heads that it names; every member's configuration has its own file for each."""
        return tuple(dict.fromkeys(value for name, value in self.parameters if name in (NETWORK, HEAD)))

    @property
    def members(self) -> tuple[str, ...]:
        """Compute parties in rank order, then outside owners and receivers in alphabetical order."""
        named = {use.owner for use in self.inputs.values()}
        named |= {name for names in self.receivers.values() for name in names} - {OWNER, ALL}
        return (*self.parties, *sorted(named - set(self.parties)))

    def receiving(self, output: str, owner: str | None = None) -> tuple[str, ...]:
        """Who receives ``output``, or the part of it that is about data of ``owner``; in the order of ``members``."""
        if output not in self.receivers:
            raise ParameterError(_unknown_output(output, self.receivers))
        words = set(self.receivers[output])
        if OWNER in words and owner is None:
            remedy = "name a member, or write all"
            raise ParameterError(Problem(f"receivers.{output}", "owner, of an output that has none", "a name", remedy))
        wanted = words | ({owner} if OWNER in words else set())
        return tuple(name for name in self.members if ALL in words or name in wanted)

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values, ``format`` included; `specification_from` reads them back."""
        return {
            "format": FORMAT,
            "name": self.name,
            "task": self.task,
            "parties": list(self.parties),
            "inputs": {name: {"owner": use.owner, "lends": use.lends} for name, use in self.inputs.items()},
            "receivers": {name: list(names) for name, names in self.receivers.items()},
            "options": dict(self.options),
            "preset": self.preset,
            "insecure": self.insecure,
            "release": None if self.release is None else dict(self.release),
        }

    @property
    def digest(self) -> str:
        """SHA-256 of `to_dict`, 64 hexadecimal digits: members compare it."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True, allow_nan=False).encode()).hexdigest()


def specification_from(document: Mapping[str, Any], where: str) -> Specification:
    """Check ``document`` (from TOML or from the wire); ParameterError lists everything that does not fit."""
    reader = Reader(document, where)
    reader.constant("format", FORMAT)
    inputs, receivers = {}, {}
    for name, entry in reader.tables("inputs").items():
        inputs[name] = Use(entry.name("owner"), entry.name("lends"))
        entry.done()
    chosen = reader.table("receivers")
    for output in chosen.keys:
        receivers[output] = chosen.names(output)
    chosen.done()
    specification = Specification(
        reader.name("name"),
        reader.name("task"),
        reader.names("parties"),
        inputs,
        receivers,
        reader.json("options") or {},
        reader.name("preset", "aby3"),
        reader.flag("insecure", False),
        reader.json("release"),
    )
    reader.done()
    refuse(ParameterError, [*reader.problems, *_problems(specification, where)])
    return specification


def load_specification(path: Path) -> Specification:
    """Read a job's TOML file; ParameterError lists everything that is wrong with it."""
    return specification_from(read_toml(path, FileFormat.JOB), str(path))


def read_toml(path: Path, wanted: FileFormat) -> dict[str, Any]:
    """The document in ``path``; ParameterError when there is none, or one of another format than ``wanted``."""
    expected = f"{wanted}, a TOML file"
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise ParameterError(misfit(path, wanted, error.strerror or "an error", expected, "check the path")) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ParameterError(misfit(path, wanted, str(error), expected, "correct that line")) from None
    found = format_of(path)
    if found in (FileFormat.JOB, FileFormat.PARTY, FileFormat.SUBMITTER, FileFormat.EMPTY) and found is not wanted:
        raise ParameterError(Problem(str(path), str(found), expected))
    return document


def _problems(specification: Specification, where: str) -> list[Problem]:
    problems = []
    twice = sorted({name for name in specification.parties if specification.parties.count(name) > 1})
    if twice:
        problems.append(Problem(f"{where}: parties", f"{', '.join(twice)} twice", "every compute party once"))
    reserved = {OWNER, ALL} & {*specification.parties, *(use.owner for use in specification.inputs.values())}
    if reserved:
        got = shown(sorted(reserved))
        problems.append(Problem(f"{where}: parties", got, "a name that stands for nobody else", "rename that party"))
    problems += _repeated(specification, where)
    if not specification.inputs:
        problems.append(Problem(f"{where}: inputs", "none", "at least one", "add [inputs.NAME] with owner and lends"))
    if not any(specification.receivers.values()):
        remedy = 'add [receivers] with, for example, features = ["owner"]'
        problems.append(Problem(f"{where}: receivers", "nobody", "a receiver of at least one output", remedy))
    return problems


def _repeated(specification: Specification, where: str) -> list[Problem]:
    """Refuse data named twice: named n times, every image would count n times for one charge."""
    uses = Counter((use.owner, use.lends) for use in specification.inputs.values())
    parameters = Counter(name for name, _ in specification.parameters)
    problems = [
        Problem(f"{where}: inputs", f"{lends} of {owner} {count} times", "once", "name it in one input")
        for (owner, lends), count in uses.items()
        if count > 1
    ]
    twice = [name for name, count in parameters.items() if count > 1]
    if twice:
        problems.append(Problem(f"{where}: parameters", f"{shown(twice)} more than once", "every parameter once"))
    return problems


def _unknown_output(output: str, receivers: Mapping[str, tuple[str, ...]]) -> Problem:
    got = shown(sorted(receivers)) if receivers else "no receivers"
    return Problem("receivers", got, f"who receives {output!r}", f'add {output} = ["owner"], ["all"] or names')
