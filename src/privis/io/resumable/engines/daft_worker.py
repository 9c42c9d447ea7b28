"""The class that Daft makes in each of its workers; this module imports Daft."""

from __future__ import annotations

import daft

from privis.io.resumable.engines.engine_worker import EngineWorker, Versions


class DaftWorker:
    """Answers rows of spans: one row at a time, so that a lost worker takes along one span.

    Args:
        wanted: as of `EngineWorker`.
        make: as of `EngineWorker`.
    """

    def __init__(self, wanted: Versions, make: bytes) -> None:
        self._worker = EngineWorker(wanted, make)

    @daft.method.batch(return_dtype=daft.DataType.binary(), batch_size=1)
    def answers(self, start: daft.Series, stop: daft.Series, paths: daft.Series) -> list[bytes]:
        """Answer each row; one without paths asks whether the worker is ready.

        Args:
            start: first sources.
            stop: sources after the last.
            paths: of the sources, a list in each row.

        Returns:
            As of `EngineWorker`.
        """
        rows = zip(start.to_pylist(), stop.to_pylist(), paths.to_pylist(), strict=True)
        return [
            self._worker.answer(first, last, names) if names else self._worker.ready() for first, last, names in rows
        ]
