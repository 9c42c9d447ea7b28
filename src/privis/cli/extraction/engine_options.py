"""Options that say where files are read and computed: processes of this machine, or workers of an engine."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from privis.errors import ParameterError, Problem

if TYPE_CHECKING:
    from privis.io.resumable.span_scheduler import SpanScheduler


class EngineName(StrEnum):
    """Who computes the files of a run."""

    PROCESSES = "processes"
    RAY = "ray"
    DAFT = "daft"


On = Annotated[
    EngineName, typer.Option("--on", help="Where files are read and computed: here, or by workers of an engine.")
]
Address = Annotated[
    str | None,
    typer.Option(help="Of the Ray cluster: auto, HOST:6379 or ray://HOST:10001. Without it an engine of this machine."),
]


def scheduler_named(on: EngineName, address: str | None, workers: int) -> SpanScheduler | None:
    """Give the scheduler that words describe.

    Args:
        on: the engine.
        address: of its cluster, if it has one.
        workers: as of ``--workers``.

    Returns:
        The scheduler; None for processes of this machine.

    Raises:
        ParameterError: an address for processes.
    """
    if on is EngineName.PROCESSES:
        if address is not None:
            remedy = "say --on ray as well, or leave out --address"
            raise ParameterError(Problem("--address", repr(address), "an engine that has addresses", remedy))
        return None
    if on is EngineName.RAY:
        from privis.io.resumable.engines.ray_scheduler import RayScheduler

        return RayScheduler(address, workers or None)
    from privis.io.resumable.engines.daft_scheduler import DaftScheduler

    return DaftScheduler(address, workers or None)
