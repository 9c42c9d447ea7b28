"""``extract_folder_many``: several features over files on disk, each into its own table, decoding each file once."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from privis.errors import ParameterError, Problem
from privis.extraction.card import Card
from privis.extraction.contributions import contributions
from privis.extraction.folder import (
    FolderResult,
    MakeExtractor,
    check_engine,
    description_of,
    fingerprint_of,
    forget_key,
    key_of_run,
    made_key,
    mark_of,
    probe_of,
    resumable_run,
)
from privis.extraction.images import check_release, repeatable
from privis.extraction.many import releases_of
from privis.extraction.noise_level import warn_if_nothing_is_left
from privis.features.feature import Feature, is_own
from privis.io.images import image_headers
from privis.io.images.decode import MAX_PIXELS, Decoding
from privis.io.images.depth import DepthWarning
from privis.io.images.dicom.reading import DicomReading
from privis.io.images.image_headers import warn_of_unused_bits
from privis.io.resumable.run import FolderJob, Progress
from privis.io.resumable.span_scheduler import SpanScheduler
from privis.io.resumable.together import run_together
from privis.privacy import Guarantee, Ledger, Release, ReleaseKey
from privis.privacy.ledger.ledger_protocol import WrittenLedger
from privis.privacy.sampling.release_key import KeySource
from privis.privacy.stage import is_on_image
from privis.program.shapes import Shape
from privis.run.clear import Clear
from privis.run.protocol import Executor


@dataclass(frozen=True)
class _Finish:
    """Names, guarantee and card of one table, kept for the result."""

    make: MakeExtractor
    made: list[tuple[Guarantee, Card]] = field(default_factory=list)

    def __call__(self, rows: int, length: int, shapes: Sequence[Shape]) -> tuple[Sequence[str], Mapping[str, str]]:
        names, guarantee, card = description_of(self.make(), shapes, rows, length)
        self.made.append((guarantee, card))
        return names, {"privis.guarantee": json.dumps(guarantee.to_dict()), "privis.card": card.to_json()}


def extract_folder_many(
    features: Sequence[Feature],
    sources: Sequence[str],
    outputs: Sequence[Path],
    *,
    under: Executor | None = None,
    release: Release | Sequence[Release | None] | None = None,
    ledger: Ledger | None = None,
    key: KeySource | None = None,
    subjects: Sequence[str | int] | None = None,
    workers: int = 1,
    chunk: int = 64,
    max_pixels: int = MAX_PIXELS,
    bits: int | None = None,
    dicom: DicomReading | None = None,
    on: SpanScheduler | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> tuple[FolderResult, ...]:
    """Extract several features from the files ``sources``, each into the table of ``outputs`` at its place.

    Every table is the one that `extract_folder` writes with the same key: its own rows, guarantee, card, list of
    failures and unfinished parts. Each file is decoded once for all of them; an executor that computes several images
    at once reads them once for each feature.

    Every release is charged on its own, so a record pays for all of its features; noise on the pixels is one release
    and is charged once for all features that read the image at one size and in the same colours. Where a ledger is
    charged, everything public that speaks against an image for any of the features is found before anything is charged
    for it, and such an image is listed as a failure in all tables. A budget that allows some of an image's releases and
    not all gives rows where it does.

    Args:
        features: what is extracted.
        sources: paths of files, as for `extract_folder`.
        outputs: a table for each feature: .parquet, .npz or .csv.
        under: who computes; None: `Clear`.
        release: what the outputs may say: one release for all features, or one for each; None: everything.
        ledger: budget that is charged before any noise is drawn.
        key: the release key or its file, for all features; without it one is made beside the first output for the run.
        subjects: id of the person in each file, in their order.
        workers: processes; 1: only the calling one.
        chunk: files that an interruption loses at most.
        max_pixels: of an image; larger ones are listed as failures.
        bits: public depth of samples stored in more than 8 bits; None: their type's.
        dicom: windows and overlays of DICOM files; None: as the files say, without overlays.
        on: an engine that reads and computes the files; None: ``workers`` processes.
        on_progress: called with what is done so far.

    Returns:
        For each feature what was written and what failed, the guarantee and the card.

    Raises:
        ParameterError: no feature, outputs that are not one for each, two alike, or what `extract_folder` refuses.
        ImageError: features of which no image gave a row; the tables of the others are written.
        PrivisError: as of `extract_folder`.
    """
    releases = releases_of("extract_folder_many", features, release)
    if len(outputs) != len(features) or len({*outputs}) != len(outputs):
        got = f"{len(outputs)} outputs, {len({*outputs})} different"
        raise ParameterError(Problem("extract_folder_many.outputs", got, f"{len(features)}, one for each feature"))
    under, decoding = under or Clear(), Decoding(max_pixels, bits, dicom or DicomReading())
    check_engine(on, under)
    for feature, wanted in zip(features, releases, strict=True):
        check_release(wanted, ledger, feature)
    warn_of_unused_bits(sources, decoding)
    if any(releases):
        shapes = (image_headers.shape(str(source)) for source in sources)
        first = next((shape for shape in shapes if shape is not None), None)
        for feature, wanted in zip(features, releases, strict=True):
            warn_if_nothing_is_left(feature, wanted, first)
    latest: list[Progress] = []

    def show(progress: Progress) -> None:
        latest[:] = [progress]
        on_progress(progress)

    with_key: AbstractContextManager[Path | None]
    if not any(releases):
        with_key = nullcontext()
    elif key is None:
        with_key = key_of_run(outputs[0], ledger, latest)
    else:
        with_key = nullcontext(key.lent() if isinstance(key, ReleaseKey) else made_key(Path(key)))
    with with_key as path:
        name, mark = "the key" if isinstance(key, ReleaseKey) else str(path), mark_of(path)
        account = ledger if isinstance(ledger, WrittenLedger) else None
        jobs, finishes = [], []
        for feature, wanted, output in zip(features, releases, outputs, strict=True):
            once = repeatable(wanted, under) and (is_on_image(wanted) or is_own((feature, under)))
            whose = contributions(sources, subjects, wanted, ledger, repeatable=once)
            key_path = None if wanted is None else path
            named = (name, "" if wanted is None else mark)
            make = MakeExtractor(feature, under, wanted, ledger, key_path, whose, len(sources), None, *named)
            probe = probe_of(make(), sources, decoding)
            finishes.append(_Finish(replace(make, length=probe.length)))
            own = probe.batch * min(max(chunk // probe.batch, 1), 2) if probe.batch > 1 else chunk
            parts = (workers, own, decoding, account)
            made = fingerprint_of(finishes[-1].make, sources)
            jobs.append(
                FolderJob(sources, output, made, finishes[-1].make, finishes[-1], *parts, fair=probe.batch == 1, on=on)
            )
        charged = next((finish.make for finish in finishes if finish.make.release is not None), finishes[0].make)
        with resumable_run(charged, outputs, account), warnings.catch_warnings():
            warnings.simplefilter("ignore", DepthWarning)  # said above
            outcomes = run_together(jobs, on_progress=show)
        if key is None and not (ledger is not None and any(outcome.failures for outcome in outcomes)):
            forget_key(path)
    return tuple(FolderResult(outcome, *finish.made[0]) for outcome, finish in zip(outcomes, finishes, strict=True))
