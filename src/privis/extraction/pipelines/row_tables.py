"""Tables of Arrow in and out: the columns that a pipeline names become names, vectors and errors."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from privis.errors import ParameterError, Problem, refuse
from privis.extraction.pipelines.row_extraction import RowExtraction, row_extraction
from privis.extraction.pipelines.row_extractor import RowExtractor
from privis.features.feature import Feature
from privis.io.images.decode import MAX_PIXELS, Decoding
from privis.io.images.dicom.reading import DicomReading
from privis.privacy import Ledger, Release
from privis.run.protocol import Executor

if TYPE_CHECKING:
    import pyarrow

FEATURE, ERROR = "feature", "error"
"""Names of the columns that come out."""


@dataclass(frozen=True)
class PipelineColumns:
    """Which columns of a table are what.

    Args:
        image: encoded images.
        record: names of the images, which come out; None: no column.
        subjects: ids of people; None: no column.
        keep: further columns that come out as they are.
        released: whether vectors are released under differential privacy.

    Raises:
        ParameterError: two columns of one name, or exact images beside their releases.
    """

    image: str
    record: str | None
    subjects: str | None
    keep: tuple[str, ...]
    released: bool

    def __post_init__(self) -> None:
        problems = []
        for name in (FEATURE, ERROR):
            if name in self.kept:
                expected = "another name, as a column that is made here has this one"
                problems.append(Problem("keep", repr(name), expected, "rename it before"))
        if self.released and self.image in self.kept:
            got, expected = f"{self.image!r}, the images themselves", "columns that may lie beside a release"
            problems.append(Problem("keep", got, expected, "join them by record where only their owner sees both"))
        refuse(ParameterError, problems)

    @property
    def kept(self) -> tuple[str, ...]:
        """PipelineColumns that come out as they are, each once."""
        return tuple(dict.fromkeys((*([] if self.record is None else [self.record]), *self.keep)))

    @property
    def needed(self) -> tuple[str, ...]:
        """PipelineColumns that are read, each once."""
        return tuple(dict.fromkeys((self.image, *self.kept, *([] if self.subjects is None else [self.subjects]))))

    def check(self, present: Sequence[str]) -> None:
        """Raise ParameterError for every column that is not there."""
        expected = f"a column of the table ({', '.join(map(repr, present))})"
        refuse(ParameterError, [Problem("column", repr(n), expected) for n in self.needed if n not in present])


class TableExtractor:
    """Extracts from tables of Arrow, in one worker.

    Args:
        extraction: what the pipeline does.
        columns: which column is what.
        own_process: whether this process is the worker's alone.
    """

    def __init__(self, extraction: RowExtraction, columns: PipelineColumns, own_process: bool = True) -> None:
        self._columns = columns
        self._extract = RowExtractor(extraction, own_process)

    def __call__(self, table: pyarrow.Table) -> pyarrow.Table:
        """Extract from the rows of ``table``, in their order.

        Args:
            table: with the columns that were named.

        Returns:
            The columns that are kept, ``feature`` and ``error``.
        """
        import pyarrow

        columns = self._columns
        columns.check(table.column_names)

        def listed(name: str | None) -> list[Any] | None:
            return None if name is None else table.column(name).to_pylist()

        made = self._extract(table.column(columns.image), listed(columns.record), listed(columns.subjects))
        kept = [table.column(name) for name in columns.kept]
        return pyarrow.Table.from_arrays([*kept, *made], names=[*columns.kept, FEATURE, ERROR])


def kept_names(keep: Sequence[str]) -> tuple[str, ...]:
    """Names of columns as they are given, where they are several: the letters of one name are none.

    Args:
        keep: names.

    Returns:
        The names.

    Raises:
        ParameterError: it is one text.
    """
    if isinstance(keep, str):
        raise ParameterError(Problem("keep", repr(keep), "a list of names of columns", f"keep=[{keep!r}]"))
    return tuple(keep)


def on_arrow(
    batches: Iterable[pyarrow.RecordBatch],
    feature: Feature,
    *,
    image: str = "bytes",
    record: str | None = None,
    subjects: str | None = None,
    keep: Sequence[str] = (),
    under: Executor | None = None,
    release: Release | None = None,
    ledger: Ledger | None = None,
    key: str | os.PathLike[str] | None = None,
    max_pixels: int = MAX_PIXELS,
    bits: int | None = None,
    dicom: DicomReading | None = None,
) -> Iterator[pyarrow.RecordBatch]:
    """Extract ``feature`` from record batches of Arrow, such as those that Spark's ``mapInArrow`` hands out.

    Everything is as in `privis.on_ray`, but that nothing is checked before the first batch is asked for, and that the
    libraries of the calling process keep their threads.

    Args:
        batches: with encoded images in the column ``image``.
        feature: what is extracted; it has a size where the length of its vector would else depend on the image.
        image: column of encoded images.
        record: column of the images' names, which come out.
        subjects: column of the people's ids.
        keep: further columns that come out.
        under: who computes; None: `Clear`, the only one here.
        release: what the vectors may say; None: everything.
        ledger: charged before noise is drawn.
        key: path of the release key, as workers find it.
        max_pixels: of an image.
        bits: depth of samples that are stored in more than 8 bits; None: their type's.
        dicom: windows and overlays of DICOM files.

    Yields:
        Batches of the kept columns, ``feature`` (float32 lists of one length, NaN where there is none) and ``error``.

    Raises:
        ParameterError: an option or a column is wrong.
        UnsupportedError: another executor.

    >>> import io, numpy as np, privis, pyarrow
    >>> from PIL import Image
    >>> file = io.BytesIO()
    >>> Image.new("L", (8, 8), 255).save(file, "PNG")
    >>> batch = pyarrow.record_batch({"bytes": [file.getvalue(), b"?"], "id": ["a", "b"]})
    >>> (made,) = on_arrow([batch], privis.ColourHistogram(bins=2), record="id")
    >>> made["feature"].to_pylist()[0], made["error"].null_count
    ([0.0, 64.0, 0.0, 64.0, 0.0, 64.0], 1)
    """
    import pyarrow

    decoding = Decoding(max_pixels, bits, dicom or DicomReading())
    checked = {"under": under, "release": release, "ledger": ledger, "key": key, "decoding": decoding}
    extraction = row_extraction(feature, subjects=subjects is not None, **checked)
    columns = PipelineColumns(image, record, subjects, kept_names(keep), release is not None)
    make = TableExtractor(extraction, columns, False)
    for batch in batches:
        yield from make(pyarrow.Table.from_batches([batch])).combine_chunks().to_batches()
