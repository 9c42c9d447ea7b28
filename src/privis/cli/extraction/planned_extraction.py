"""The tables of ``privis extract``: one feature, or several that decode every file once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from privis.cli.extraction.plan import Planned
from privis.extraction.folder import FolderResult, extract_folder
from privis.extraction.folder_many import extract_folder_many
from privis.io.images.decode import Decoding
from privis.io.resumable.run import Progress
from privis.io.resumable.span_scheduler import SpanScheduler
from privis.privacy.ledger.ledger_protocol import KeptLedger
from privis.run.protocol import Executor


def extracted(
    planned: Sequence[Planned],
    sources: Sequence[str],
    subjects: Sequence[str] | None,
    under: Executor,
    ledger: KeptLedger | None,
    key: Path | None,
    workers: int,
    decoding: Decoding,
    engine: SpanScheduler | None,
    show: Callable[[Progress], None],
) -> Sequence[FolderResult]:
    """Write the tables of a run.

    Args:
        planned: the tables.
        sources: files.
        subjects: whose image each is, if that is known.
        under: who computes.
        ledger: what is charged, if anything.
        key: the file of the release key; None: one for this run.
        workers: processes, without an engine.
        decoding: how files become pixels.
        engine: whose workers read and compute; None: processes.
        show: called with what is done so far.

    Returns:
        What was written, for each table.
    """
    first = planned[0]
    if len(planned) == 1:
        result = extract_folder(
            first.feature,
            sources,
            first.output,
            under=under,
            release=first.release,
            ledger=ledger,
            key=key,
            subjects=subjects,
            workers=workers,
            max_pixels=decoding.max_pixels,
            bits=decoding.bits,
            dicom=decoding.dicom,
            on=engine,
            on_progress=show,
        )
        return [result]
    return extract_folder_many(
        [table.feature for table in planned],
        sources,
        [table.output for table in planned],
        under=under,
        release=[table.release for table in planned],
        ledger=ledger,
        key=key,
        subjects=subjects,
        workers=workers,
        max_pixels=decoding.max_pixels,
        bits=decoding.bits,
        dicom=decoding.dicom,
        on=engine,
        on_progress=show,
    )
