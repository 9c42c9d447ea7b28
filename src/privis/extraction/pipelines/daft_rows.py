"""``on_daft``: a feature as an expression of Daft."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from privis.errors import ParameterError, Problem
from privis.extraction.pipelines.row_extraction import RowExtraction, refuse_far_file, row_extraction
from privis.extraction.pipelines.row_extractor import RowExtractor
from privis.extraction.pipelines.row_tables import ERROR, FEATURE
from privis.extras import optional_import
from privis.features.feature import Feature
from privis.io.images.decode import MAX_PIXELS, Decoding
from privis.io.images.dicom.reading import DicomReading
from privis.privacy import Ledger, Release
from privis.run.protocol import Executor

if TYPE_CHECKING:
    from daft import Expression


def on_daft(
    images: Expression,
    feature: Feature,
    *,
    record: Expression | None = None,
    subjects: Expression | None = None,
    under: Executor | None = None,
    release: Release | None = None,
    ledger: Ledger | None = None,
    key: str | os.PathLike[str] | None = None,
    max_pixels: int = MAX_PIXELS,
    bits: int | None = None,
    dicom: DicomReading | None = None,
    concurrency: int | None = None,
    batch: int = 64,
) -> Expression:
    """Extract ``feature`` from an expression of encoded images, in processes of Daft's own.

    ``frame.with_column("made", privis.on_daft(frame["bytes"], feature))`` adds a column of structures with two fields,
    ``feature`` and ``error``. All else is as in `privis.on_ray`: decoding is ours, a row that cannot be used has its
    reason and a vector of NaN, noise is a function of key, image and subject, so that what Daft evaluates twice (a call
    in two columns, a frame that is written and shown) is equal and charged once.

    Daft's telemetry is switched off from here on, in this process and its workers; what its import sends, only
    ``DO_NOT_TRACK=1`` in the environment holds back.

    Args:
        images: binary, the bytes of image files, such as ``frame["url"].download()``.
        feature: what is extracted; it has a size where the length of its vector would else depend on the image, and
            with a release.
        record: names of the images, for messages.
        subjects: ids of the people, by the rules of `privis.subjects`.
        under: who computes; None: `Clear`, the only one here.
        release: what the vectors may say; None: everything.
        ledger: charged before noise is drawn; a file only where Daft has one machine.
        key: path of the release key, on every machine; it may begin with an environment variable of the workers.
        max_pixels: of an image.
        bits: depth of samples that are stored in more than 8 bits; None: their type's.
        dicom: windows and overlays of DICOM files.
        concurrency: processes; None: one for each processor of this machine.
        batch: rows that a process takes at once.

    Returns:
        An expression of structures: ``feature``, float32 lists of one length, and ``error``, text (null: none).

    Raises:
        ParameterError: an option is wrong, or cannot be kept.
        UnsupportedError: another executor.
        MissingExtraError: Daft is not installed.
    """
    os.environ["DAFT_ANALYTICS_ENABLED"] = "0"
    with optional_import("daft", "privis.on_daft"):
        import daft
    for name, given in (("images", images), ("record", record), ("subjects", subjects)):
        if not isinstance(given, daft.Expression) and (name == "images" or given is not None):
            got, expected = f"a {type(given).__name__}", "an expression of Daft"
            raise ParameterError(Problem(name, got, expected, 'frame["column"] is one'))
    decoding = Decoding(max_pixels, bits, dicom or DicomReading())
    checked = {"under": under, "release": release, "ledger": ledger, "key": key, "decoding": decoding}
    extraction = row_extraction(feature, subjects=subjects is not None, **checked)
    refuse_far_file(ledger, _machines())
    extract = _daft_class(extraction, concurrency or len(os.sched_getaffinity(0)), batch)
    return extract(images, record, subjects)


def _machines() -> int:
    """How many machines Daft runs on: one, unless it runs on Ray."""
    from daft.runners import get_or_infer_runner_type

    if get_or_infer_runner_type() != "ray":
        return 1
    import ray

    return sum(node["Alive"] for node in ray.nodes()) if ray.is_initialized() else 1


def _for_all(values: list[Any], rows: int) -> list[Any]:
    """Values of every row: of a literal, such as one person for all images, Daft hands over a single one."""
    return values * rows if len(values) == 1 else values


def _daft_class(extraction: RowExtraction, concurrency: int, batch: int) -> Any:
    """The method of a class of Daft, which is made here as its types are: with the length of the vectors."""
    import daft
    from daft import DataType

    vector = DataType.fixed_size_list(DataType.float32(), extraction.length)
    made = DataType.struct({FEATURE: vector, ERROR: DataType.string()})

    @daft.cls(use_process=True, max_concurrency=concurrency)
    class DaftExtractor:
        def __init__(self) -> None:
            self.extract = RowExtractor(extraction, own_process=True)

        @daft.method.batch(return_dtype=made, batch_size=batch)
        def rows(self, images: daft.Series, record: daft.Series | None, subjects: daft.Series | None) -> Any:
            import pyarrow

            named, people = (None if s is None else _for_all(s.to_pylist(), len(images)) for s in (record, subjects))
            return pyarrow.StructArray.from_arrays(self.extract(images.to_arrow(), named, people), [FEATURE, ERROR])

    return DaftExtractor().rows
