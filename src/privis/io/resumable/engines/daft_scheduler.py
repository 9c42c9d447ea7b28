"""Spans computed by workers of Daft."""

from __future__ import annotations

import itertools
import os
import pickle
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from privis.errors import ParameterError, PrivisError, Problem
from privis.extras import optional_import
from privis.io.resumable.engines.engine_worker import packed, unpacked, versions
from privis.io.resumable.engines.ray_connection import connected
from privis.io.resumable.engines.retried_spans import Attempt
from privis.io.resumable.parts import Span
from privis.io.resumable.processes import one_thread
from privis.io.resumable.span_scheduler import Answer, Compute

_QUIET = {"DAFT_ANALYTICS_ENABLED": "0", "DO_NOT_TRACK": "1", "DAFT_PROGRESS_BAR": "0"}
_SPANS = 4  # of a row, at most: Daft takes some time between two rows
_ROWS = 4  # of a partition
_STARTS = 5  # queries that end before a worker was ready, one after another, before the run ends


@dataclass(frozen=True)
class DaftScheduler:
    """The `SpanScheduler` of Daft: rows of spans go through a class that each of its worker processes makes once.

    Daft ends a query with the first worker that is lost. The spans that have no answer then are asked for in a query of
    their own; where two queries in a row gave none, in halves, down to the source that ends its workers.

    Args:
        address: of a Ray cluster on which Daft is to compute; None: Daft's own processes, on this machine.
        workers: processes; None: one per processor of this machine.
    """

    address: str | None = None
    workers: int | None = None

    @property
    def near(self) -> bool:
        """Whether workers have the disk of the calling process: they need not, so it keeps all parts."""
        return False

    def parallelism(self) -> int:
        """Count the processes; connects where a cluster has to be asked.

        Returns:
            How many.

        Raises:
            MissingExtraError: Ray is not installed.
            ServiceError: the cluster cannot be reached.
        """
        if self.workers is None and self.address is not None:
            return max(1, int(connected(self.address, None).cluster_resources().get("CPU", 1)))
        return self.workers or os.cpu_count() or 1

    def share_out(
        self,
        spans: Sequence[Span],
        paths: Sequence[str],
        make: Callable[[], Compute[Answer]],
        give_up: Callable[[Span, str], Answer],
    ) -> Generator[tuple[Span, Answer], None, None]:
        """Compute all ``spans`` of ``paths`` in workers of Daft.

        Args:
            spans: that do not overlap.
            paths: all sources of the run.
            make: picklable; called once in every worker.
            give_up: what to answer for a span of one source that ends its workers.

        Yields:
            A span, or a part of one, and its answer, in any order.

        Raises:
            MissingExtraError: Daft is not installed.
            ParameterError: ``make`` cannot be pickled, no worker starts, one has another version, or Daft was used in
                this process already and an address is given now.
            ServiceError: the cluster cannot be reached.
            PrivisError: what ``make`` or the computation raised.
        """
        recipe = packed(make)
        lots: deque[Lot] = deque([tuple(map(Attempt, spans))] if spans else [])
        failed_starts = 0
        while lots:
            left = {attempt.span: attempt for attempt in lots.popleft()}
            before, started, why = len(left), False, "its query ended early"
            try:
                with closing(self._answers(list(left), paths, recipe)) as answers:
                    for span, answer in answers:
                        started = True
                        if span is not None and left.pop(span, None):
                            yield span, answer
            except PrivisError:
                raise
            except Exception as error:  # Daft's: of a class for each of its executors
                why = _short(error)
            failed_starts = 0 if started else failed_starts + 1
            if failed_starts == _STARTS:
                raise ParameterError(_not_started(why))
            if left and (not started or len(left) < before):
                _put_back(tuple(left.values()), lots, 2 * self.parallelism())
            elif left and (again := _again(tuple(left.values()))):
                lots.extendleft(reversed(again))
            elif left:
                (span,) = left
                yield span, give_up(span, f"its worker was lost every time it was tried ({why})")

    def _on_its_runner(self) -> Any:
        daft = _imported()
        if self.address is None:
            return daft
        connected(self.address, self.workers)
        try:
            daft.set_runner_ray(noop_if_initialized=True)
        except Exception as error:  # of Daft, whose class has changed its place
            got, remedy = f"Daft that computes on this machine already ({error})", "use another process for it"
            raise ParameterError(Problem("DaftScheduler.address", got, "a Daft that was not used", remedy)) from error
        return daft

    def _answers(
        self, spans: Sequence[Span], paths: Sequence[str], recipe: bytes
    ) -> Generator[tuple[Span | None, Any], None, None]:
        """Answers of one query as they come; one is None, of a worker that is ready."""
        daft = self._on_its_runner()
        from privis.io.resumable.engines.daft_worker import DaftWorker

        count = min(self.parallelism(), len(spans))
        most = max(1, min(_SPANS, len(spans) // (8 * count)))  # so few that every worker is busy to the end
        rows = [[], *(list(spans[place : place + most]) for place in range(0, len(spans), most))]
        asked = {
            "spans": [[edge for span in row for edge in (span.start, span.stop)] for row in rows],
            "paths": [[path for span in row for path in paths[span.start : span.stop]] for row in rows],
        }
        frame = daft.from_pydict(asked)
        if self.address is not None:
            frame = frame.into_partitions(-(-len(rows) // _ROWS))  # what the cluster shares out, and hands back
        worker = daft.cls(DaftWorker, use_process=True, max_concurrency=count)(versions(), recipe)
        answered = frame.select(frame["spans"], worker.answers(frame["spans"], frame["paths"]).alias("answers"))
        found: Iterator[dict[str, Any]] = answered.iter_rows(results_buffer_size=4 * count)
        with one_thread():  # whenever Daft starts its processes
            with daft.execution_config_ctx(maintain_order=False):  # seen when a query begins; in order, workers wait
                first = next(found)
            for row in itertools.chain([first], found):
                edges = row["spans"]
                answers = map(unpacked, pickle.loads(row["answers"]))
                if edges:
                    yield from zip(map(Span, edges[::2], edges[1::2]), answers, strict=True)
                else:
                    yield None, next(answers)


Lot = Sequence[Attempt]
"""Spans of one query."""


def _put_back(left: Lot, lots: deque[Lot], most: int) -> None:
    """Ask again for what a query left; the first ``most``, one of which may have ended its worker, after all others."""
    suspects, rest = left[:most], left[most:]
    if rest:
        lots.appendleft(rest)
    lots.append(suspects)


def _again(left: Lot) -> list[Lot]:
    """What to ask after a query that gave nothing: the same once more, then halves; a single source time after time."""
    if not all(attempt.losses for attempt in left):
        return [tuple(Attempt(attempt.span, 1) for attempt in left)]
    if len(left) == len(left[0].span) == 1:
        return [again] if (again := left[0].again()) else []
    fresh = [Attempt(attempt.span) for attempt in (left if len(left) > 1 else left[0].again())]
    middle = (len(fresh) + 1) // 2
    return [tuple(half) for half in (fresh[:middle], fresh[middle:]) if half]


def _imported() -> Any:
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)  # Daft reports its first import unless told not to
    with optional_import("daft", "--on daft"):
        import daft
    return daft


def _short(error: Exception) -> str:
    """The first line of a message and its last, which of a traceback is the error."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0] if len(lines) == 1 else f"{lines[0]} {lines[-1].strip()}"


def _not_started(why: str) -> Problem:
    return Problem("workers", f"one that does not start ({why})", "a worker that starts", "see the messages of Daft")
