"""LinearMap heads as files: an npz of numbers, and JSON for all that is text.

Evolution of the file: ``format`` in its metadata names it, and a reader refuses any other. Arrays and keys may be added
under the same number; one that goes, or means something else, takes the next, and so does a new kind of stage.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from privis.errors import OutputError, ParameterError, Problem
from privis.file_formats import FileFormat, misfit
from privis.tasks.linear_stages import LinearMap, Scaling, Square, Stage, UnitLength
from privis.version import VERSION

FORMAT = "privis.linear-head/1"
WITH_SQUARES = "privis.linear-head/2"
"""Of heads that hold the stage that format 1 does not know; all others stay readable for what knows format 1 alone."""
LARGEST = 1 << 30
"""Bytes of a file at most."""
_KINDS: dict[str, tuple[type[Scaling] | type[LinearMap], tuple[str, str]]] = {
    "scaling": (Scaling, ("scale", "shift")),
    "linear": (LinearMap, ("matrix", "bias")),
}
_PLAIN: dict[str, type[UnitLength] | type[Square]] = {"unit length": UnitLength, "square": Square}
"""Stages without numbers."""

H = TypeVar("H")


def arrays_of(stages: Sequence[Stage]) -> tuple[list[str], dict[str, npt.NDArray[np.float64]]]:
    """Give stages as kinds and numbers, for a file.

    Args:
        stages: of a head.

    Returns:
        The kind of each, and arrays by name.
    """
    kinds, arrays = [], {}
    for number, stage in enumerate(stages):
        every = {name: kind for name, (kind, _) in _KINDS.items()} | _PLAIN
        name = next(name for name, kind in every.items() if isinstance(stage, kind))
        kinds.append(name)
        for field in _KINDS[name][1] if name in _KINDS else ():
            arrays[f"{number}_{field}"] = getattr(stage, field)
    return kinds, arrays


def stages_of(kinds: Sequence[str], members: Mapping[str, Any]) -> tuple[Stage, ...]:
    """Read what `arrays_of` gave.

    Args:
        kinds: of each stage.
        members: arrays by name; others may be among them.

    Returns:
        The stages.

    Raises:
        KeyError: a kind is unknown, or an array is missing.
    """
    stages: list[Stage] = []
    for number, kind in enumerate(kinds):
        if kind in _PLAIN:
            stages.append(_PLAIN[kind]())
            continue
        build, fields = _KINDS[kind]
        stages.append(build(*(np.asarray(members[f"{number}_{field}"], np.float64) for field in fields)))
    return tuple(stages)


def save(path: str | Path, classes: Sequence[str], link: str, stages: Sequence[Stage]) -> None:
    """Write a head to ``path``; OutputError when it cannot be written, and what was there is untouched."""
    kinds, arrays = arrays_of(stages)
    written = WITH_SQUARES if any(isinstance(stage, Square) for stage in stages) else FORMAT
    text = {"format": written, "version": VERSION, "classes": list(classes), "link": link, "stages": kinds}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, metadata=np.array(json.dumps(text, sort_keys=True)), **arrays)
    place = Path(path)
    beside = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        try:
            beside.write_bytes(buffer.getvalue())
            os.replace(beside, place)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        remedy = "choose a folder you may write to"
        raise OutputError(Problem(str(path), error.strerror or "an error", "a writable file", remedy)) from None


def load(path: str | Path, make: Callable[[tuple[str, ...], tuple[Stage, ...], str], H]) -> H:
    """Read what `save` wrote; ParameterError for anything else."""
    try:
        if Path(path).stat().st_size > LARGEST:
            raise ValueError("a file that is too large")
        with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as members:
            text = json.loads(str(members["metadata"]))
            if text["format"] not in (FORMAT, WITH_SQUARES):
                raise ValueError(f"format {text['format']!r}")
            stages = stages_of(text["stages"], members)
        return make(tuple(map(str, text["classes"])), stages, str(text["link"]))
    except Exception as error:  # whatever damaged or hostile bytes do to a decoder, the file is no head
        if isinstance(error, MemoryError):
            raise
        reason = f"{type(error).__name__}: {error}"
        expected = "a head that LinearHead.save wrote"
        raise ParameterError(misfit(path, FileFormat.LINEAR_HEAD, reason, expected)) from None
