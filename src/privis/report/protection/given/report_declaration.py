"""What only the user of a report can know, from a TOML file: that of `privis card --declared`, and more."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from privis.cards.card_contents import read_declaration
from privis.errors import ParameterError, Problem, refuse

SENTENCES = (
    "site", "controller", "contact", "purpose", "necessity", "legal_basis", "people", "recipients", "retention",
    "consent", "alternatives", "security", "transparency", "harms", "incidents", "monitoring", "review", "expert",
)  # fmt: skip
"""Keys whose value is a text."""
_NUMBERS = {"cost": ("predicted", "measured"), "utility": ("predicted", "measured")}
_TEXTS = ("custody", "provenance", "roles")
_LONGEST = 4000


@dataclass(frozen=True)
class ReportDeclaration:
    """Words and figures that the user answers for.

    Args:
        sentences: by one of `SENTENCES`.
        custody: who holds a key, by the key.
        provenance: where a bound or projection comes from, by its name.
        roles: who is responsible, by the role.
        cost: ``predicted`` and ``measured``, each by what is counted.
        utility: ``predicted`` and ``measured``, each by what is counted.
        limits: further sentences.
    """

    sentences: Mapping[str, str] = field(default_factory=dict)
    custody: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    cost: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    utility: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    limits: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: Path) -> ReportDeclaration:
        """Read a declaration.

        Args:
            path: of a TOML file.

        Returns:
            The declaration.

        Raises:
            ParameterError: naming all that does not fit.
        """
        known = (*SENTENCES, *_TEXTS, *_NUMBERS, "limits", "registry")
        expected = f"a TOML file with some of {', '.join(known)}"
        said = read_declaration(path, expected)
        refuse(ParameterError, list(_wrong(path, said, expected)))
        tables = {name: said[name] for name in (*_TEXTS, *_NUMBERS) if name in said}
        sentences = {name: said[name] for name in SENTENCES if name in said}
        return cls(sentences, **tables, limits=tuple(said.get("limits", ())))


def _wrong(path: Path, said: Mapping[str, Any], expected: str) -> Iterator[Problem]:
    for key, value in said.items():
        where = f"{path}: {key}"
        if key in SENTENCES:
            if not isinstance(value, str) or len(value) > _LONGEST:
                yield Problem(where, type(value).__name__, f"a text of at most {_LONGEST:,} characters")
        elif key in _TEXTS:
            if not isinstance(value, Mapping) or not all(isinstance(text, str) for text in value.values()):
                yield Problem(where, type(value).__name__, "a table of texts")
        elif key in _NUMBERS:
            yield from _miscounted(where, value, _NUMBERS[key])
        elif key == "limits":
            if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
                yield Problem(where, type(value).__name__, "a list of sentences")
        elif key == "registry":  # of privis card --format dp-registry, which takes the same file; no section has it
            if not isinstance(value, Mapping):
                yield Problem(where, type(value).__name__, "a table")
        else:
            yield Problem(where, "an unknown key", expected)


def _miscounted(where: str, value: Any, kinds: tuple[str, ...]) -> Iterator[Problem]:
    tables = f"tables {' and '.join(kinds)} of numbers, like seconds = 3.5"
    if not isinstance(value, Mapping):
        yield Problem(where, type(value).__name__, tables)
        return
    for kind, counted in value.items():
        if kind not in kinds or not isinstance(counted, Mapping):
            yield Problem(f"{where}.{kind}", type(counted).__name__, tables)
            continue
        for name, number in counted.items():
            if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
                yield Problem(f"{where}.{kind}.{name}", repr(number)[:40], "a number")
