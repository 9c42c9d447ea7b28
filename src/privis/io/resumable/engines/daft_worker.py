"""The class that Daft makes in each of its workers; this module imports Daft."""

from __future__ import annotations

import atexit
import os
import pickle
import sys

import daft

from privis.io.resumable.engines.engine_worker import EngineWorker, Versions


class DaftWorker:
    """Answers rows of spans: one row at a time, so that a lost worker takes along one row.

    Args:
        wanted: as of `EngineWorker`.
        make: as of `EngineWorker`.
    """

    def __init__(self, wanted: Versions, make: bytes) -> None:
        if _alone():
            atexit.register(_leave)  # first, so that it runs after what others register later
        self._worker = EngineWorker(wanted, make)

    @daft.method.batch(return_dtype=daft.DataType.binary(), batch_size=1)
    def answers(self, spans: daft.Series, paths: daft.Series) -> list[bytes]:
        """Answer each row; one without spans asks whether the worker is ready.

        Args:
            spans: of each row a list: first source of a span and source after its last, one span after another.
            paths: of each row the paths of the sources of its spans, in one list.

        Returns:
            For each row answers as of `EngineWorker`, in a pickled list.
        """
        rows = zip(spans.to_pylist(), paths.to_pylist(), strict=True)
        return [pickle.dumps(self._answered(edges, names)) for edges, names in rows]

    def _answered(self, edges: list[int], names: list[str]) -> list[bytes]:
        answers, begin = [], 0
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            end = begin + stop - start
            answers.append(self._worker.answer(start, stop, names[begin:end]))
            begin = end
        return answers or [self._worker.ready()]


def _alone() -> bool:
    """Whether this process is nothing but a worker that Daft started."""
    specification = getattr(sys.modules["__main__"], "__spec__", None)
    return specification is not None and specification.name == "daft.execution.udf_worker"


def _leave() -> None:
    """End at once: until a worker has ended, Daft keeps back what the others answered last."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
