"""Names of a detector's classes, as exporters and data sets write them down: a line each, a list, or by number."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence

from privis.errors import ParameterError, Problem

_ENTRY = re.compile(r"^\s+(?:(?P<number>\d+)\s*:|-)\s*(?P<name>.+?)\s*$")
_NAMES = re.compile(r"^names\s*:\s*(?P<rest>.*?)\s*$")
_LARGEST = 100_000
"""Most names; what has more is no list of classes."""


def class_names(text: str, where: str) -> tuple[str, ...]:
    """Read the names of classes.

    Args:
        text: one name a line (``coco.names``); or a list ``['person', 'car']`` or names by number ``{0: 'person'}`` as
            Ultralytics writes them into an ONNX file; or the part ``names:`` of a data set's YAML file.
        where: what messages call the text.

    Returns:
        The names in the order of their numbers.

    Raises:
        ParameterError: there are none, two classes have one name, or numbers are missing.

    >>> class_names("{0: 'person', 1: 'car'}", "metadata"), class_names("person\\ncar\\n", "coco.names")
    (('person', 'car'), ('person', 'car'))
    >>> class_names("path: .\\nnames:\\n  0: person\\n  1: car\\nnc: 2\\n", "data.yaml")
    ('person', 'car')
    """
    lines = [line.split(" #")[0].rstrip() for line in text.splitlines()]
    lines = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    start = next((number for number, line in enumerate(lines) if _NAMES.match(line)), None)
    if start is not None:
        inline = str(_NAMES.match(lines[start])["rest"])  # type: ignore[index]  # it matched
        names = _literal(inline, where) if inline else _block(lines[start + 1 :], where)
    elif text.lstrip()[:1] in ("[", "{"):
        names = _literal(text.strip(), where)
    else:
        names = [line.strip() for line in lines]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(names) <= _LARGEST else []
    if not names or twice or len(names) > _LARGEST:
        got = f"{twice[0]!r} twice" if twice else f"{len(names)} names"
        expected = "names of classes, each once, a line each or by number"
        raise ParameterError(Problem(where, got, expected, "write them into a file and name that"))
    return tuple(names)


def _literal(text: str, where: str) -> list[str]:
    """A Python or JSON list or mapping, or YAML's in one line, whose words need no quotes."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        inside = text.strip("[]{} \n")
        words = [word.strip().strip("'\"") for word in inside.split(",") if word.strip()]
        if text.startswith("{"):
            pairs = [word.partition(":") for word in words]
            return _by_number([(number.strip(), name.strip().strip("'\"")) for number, _, name in pairs], where)
        return words
    if isinstance(value, Mapping):
        return _by_number(list(value.items()), where)
    return [str(name) for name in value] if isinstance(value, list | tuple) else [str(value)]


def _block(lines: list[str], where: str) -> list[str]:
    """Indented lines ``0: person`` or ``- person``."""
    found = []
    for line in lines:
        entry = _ENTRY.match(line if line[:1].isspace() else f" {line}" if line.startswith("-") else line)
        if not entry:
            break
        found.append((entry["number"], entry["name"].strip("'\"")))
    if found and all(number is not None for number, _ in found):
        return _by_number(found, where)
    return [name for _, name in found]


def _by_number(names: Sequence[tuple[object, object]], where: str) -> list[str]:
    numbered = {int(str(number)): str(name) for number, name in names if str(number).isdecimal()}
    if sorted(numbered) != list(range(len(names))):
        got = f"numbers {sorted(str(number) for number, _ in names)[:5]}"
        raise ParameterError(Problem(where, got, f"each number from 0 to {len(names) - 1} once"))
    return [numbered[number] for number in range(len(numbered))]
