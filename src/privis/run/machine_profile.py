"""``MachineProfile``: the measured speeds of this machine, one document with a section for each mechanism.

A section holds the numbers of a frozen dataclass, which its mechanism defines: here nobody knows what they mean, so
that executors share the document and not each other.

The file, ``machine.json`` in the user's cache, is ``{"format": "privis.machine/1", "sections": {name: {field:
number}}}``. How it evolves: a new mechanism is a new section; a section whose fields changed in number or name counts
as not measured, for constants are fitted together; sections that a version does not know are kept when it saves; a
file of another format counts as empty, and ``privis doctor`` says so. Before there was this file, ``ckks.json`` beside
it held the numbers of the section ``ckks``: they are read until that section is measured anew.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from privis.errors import OutputError, ParameterError, Problem

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Timings = TypeVar("Timings", bound="DataclassInstance")
FORMAT = "privis.machine/1"
NOTHING: Mapping[str, Mapping[str, float]] = MappingProxyType({})
REMEDY = "privis doctor --calibrate"


@dataclass(frozen=True)
class MachineProfile:
    """What was measured of a machine.

    Args:
        sections: numbers by the name of the section and of the field, in seconds where the mechanism says nothing else.
        problems: what of the file could not be used, each with the way to measure it anew.

    >>> from privis.run.he.compiler.circuit_cost import CKKSTimings
    >>> profile = MachineProfile().with_section("ckks", CKKSTimings(add=0.25))
    >>> profile.section("ckks", CKKSTimings()).add, profile.has("matching", CKKSTimings())
    (0.25, False)
    """

    sections: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: NOTHING)
    problems: tuple[Problem, ...] = field(default=(), compare=False)

    @classmethod
    def of_this_machine(cls) -> MachineProfile:
        """Read what ``privis doctor --calibrate`` saved.

        Returns:
            The profile; without sections where nothing was measured or the file cannot be used.
        """
        path = profile_file()
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return cls(_former_sections())
        except (OSError, ValueError) as error:
            return cls(_former_sections(), (_unusable(str(error)),))
        try:
            found: Any = json.loads(text)
        except (ValueError, RecursionError):
            return cls(_former_sections(), (_unusable("a file that is not JSON"),))
        if not isinstance(found, dict) or found.get("format") != FORMAT or not isinstance(found.get("sections"), dict):
            return cls(_former_sections(), (_unusable("a file of another format"),))
        sections = {str(name): own for name, own in found["sections"].items() if _is_numbers(own)}
        damaged = sorted(found["sections"].keys() - sections.keys())
        return cls({**_former_sections(), **sections}, tuple(_unusable(f"no numbers in {name!r}") for name in damaged))

    def section(self, name: str, default: Timings) -> Timings:
        """The numbers of one mechanism.

        Args:
            name: of the section.
            default: a frozen dataclass of numbers: what holds where this machine was not measured.

        Returns:
            What was measured, of the type of ``default``; ``default`` where `has` says no.
        """
        found = self._measured(name, default)
        return default if found is None else found

    def has(self, name: str, default: DataclassInstance) -> bool:
        """Whether the section ``name`` was measured, with the fields that ``default`` has."""
        return self._measured(name, default) is not None

    def _measured(self, name: str, default: Timings) -> Timings | None:
        found, wanted = self.sections.get(name), {f.name: type(getattr(default, f.name)) for f in fields(default)}
        if found is None or found.keys() != wanted.keys():
            return None
        try:
            return replace(default, **{key: kind(found[key]) for key, kind in wanted.items()})
        except ParameterError:
            return None

    def with_section(self, name: str, timings: DataclassInstance) -> MachineProfile:
        """Replace the section ``name`` by ``timings``, in a copy."""
        return MachineProfile({**self.sections, name: asdict(timings)})

    def save(self) -> Path:
        """Keep it for `of_this_machine`; the file is replaced whole.

        Returns:
            The file.

        Raises:
            OutputError: it cannot be written.
        """
        path, sections = profile_file(), {name: dict(own) for name, own in self.sections.items()}
        temporary = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
        text = json.dumps({"format": FORMAT, "sections": sections}, indent=1, sort_keys=True)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            remedy = "set XDG_CACHE_HOME to a folder that can be written"
            raise OutputError(Problem(str(path), str(error.strerror or error), "a writable file", remedy)) from error
        return path


def profile_file() -> Path:
    """Where the profile of this machine is kept: in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "privis" / "machine.json"


def _former_sections() -> Mapping[str, Mapping[str, float]]:
    """What the file of homomorphic encryption alone says, if there is one."""
    try:
        found: Any = json.loads(profile_file().with_name("ckks.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return NOTHING
    return {"ckks": found} if _is_numbers(found) else NOTHING


def _is_numbers(found: Any) -> bool:
    """Whether it is a section: numbers by name, finite and not negative."""
    return isinstance(found, dict) and all(
        isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value and _is_finite(value)
        for value in found.values()
    )


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float holds
        return False


def _unusable(got: str) -> Problem:
    return Problem(str(profile_file()), got, f"speeds in the format {FORMAT}", REMEDY)
