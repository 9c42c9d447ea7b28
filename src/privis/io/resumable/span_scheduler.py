"""Who computes the spans of a run: the port of local processes and of engines that have workers on other machines."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Protocol, TypeVar

from privis.io.resumable.parts import Span

Answer = TypeVar("Answer")
Compute = Callable[[Span, Sequence[str]], Answer]
"""Deals with the sources of a span, given with their paths, and returns what became of them, never an exception."""

MOST_LOSSES = 4
"""Of workers with one source, until it is given up: it may be innocent where workers are killed at random."""


class SpanScheduler(Protocol):
    """Shares spans out over workers, of which any may die at any moment.

    An implementation

    - hands every worker ``make``, which the worker calls once, and one span after another, as its place and paths: what
      lies at a path is read by our code in the worker, never by the engine;
    - gives an answer for every span exactly once, whatever it had computed twice, and for parts of a span where it had
      to divide it;
    - tries a span whose worker died again, and calls ``give_up``, in the calling process, only for a single source
      whose worker died every time;
    - gives every worker one thread (`privis.io.resumable.processes.ONE_THREAD`).
    """

    @property
    def near(self) -> bool:
        """Whether workers have the disk of the calling process, so that they can keep what they computed there."""
        ...

    def parallelism(self) -> int:
        """Count the spans that are computed at once; connects to an engine that has to be asked.

        Returns:
            How many.
        """
        ...

    def share_out(
        self,
        spans: Sequence[Span],
        paths: Sequence[str],
        make: Callable[[], Compute[Answer]],
        give_up: Callable[[Span, str], Answer],
    ) -> Generator[tuple[Span, Answer], None, None]:
        """Compute all ``spans`` of ``paths``; closing the generator ends the work.

        Args:
            spans: that do not overlap.
            paths: all sources of the run.
            make: picklable; makes the function that computes a span, in the worker.
            give_up: what to answer for a span of one source that ends its workers, from the reason.

        Yields:
            A span, or a part of one, and its answer, in any order.

        Raises:
            ParameterError: ``make`` cannot be pickled, or no worker can start.
            PrivisError: what ``make`` or the computation raised.
        """
        ...
