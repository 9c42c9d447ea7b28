"""``RowExtractor``: columns of bytes, names and people to columns of vectors and errors, in one worker."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, PrivisError, Problem
from privis.extraction.contributions import NOBODY, Contributions
from privis.extraction.pipelines.row_extraction import RowExtraction
from privis.io.images.depth import DepthWarning
from privis.io.images.record import ImageRecord
from privis.io.objects.source_bytes import SourceBytes
from privis.io.resumable.processes import ONE_THREAD
from privis.io.resumable.span_vectors import reading, result_of
from privis.subjects import subject_ids

if TYPE_CHECKING:
    import pyarrow

NAMELESS = "image"
"""What messages call an image where no column names them."""


class RowExtractor:
    """Extracts row by row; one that cannot be used has a vector of NaN and its reason.

    A null would say it better than NaN, but pyarrow up to 21 writes a null in a column of fixed-size lists to Parquet
    and then cannot read the file.

    Args:
        extraction: what the pipeline does.
        own_process: whether this process is the worker's alone, so that its libraries may be given one thread each.
    """

    def __init__(self, extraction: RowExtraction, own_process: bool) -> None:
        if own_process:  # before they are loaded
            os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
        self.extraction = extraction
        self.extractor = extraction.extractor()
        self.decode = reading(extraction.decoding, self.extractor.at_least)
        if own_process and "cv2" in sys.modules:
            sys.modules["cv2"].setNumThreads(1)

    def __call__(
        self, images: Any, records: Sequence[Any] | None, subjects: Sequence[Any] | None
    ) -> tuple[pyarrow.FixedSizeListArray, pyarrow.StringArray]:
        """Extract from a batch.

        Args:
            images: Arrow array of encoded images, binary of any kind.
            records: what messages call them; None: nothing. A missing name is a reason against its row.
            subjects: id of the person in each; None: nobody is named.

        Returns:
            Vectors, float32 of the same length each, and reasons, null where there is a vector.

        Raises:
            ParameterError: a column of something else.
            PrivisError: what is no image's fault, such as a damaged ledger.
        """
        import pyarrow

        check_encoded(images.type)
        values = np.full((len(images), self.extraction.length), np.nan, np.float32)
        reasons: list[str | None] = [None] * len(images)
        named: Iterable[Any] = [NAMELESS] * len(images) if records is None else records
        people: Iterable[Any] = [NAMELESS] * len(images) if subjects is None else subjects
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DepthWarning)  # of every image anew
            for row, (image, record, person) in enumerate(zip(images, named, people, strict=True)):
                found = self._row(image.as_py(), record, (person,) if subjects is not None else ())
                if isinstance(found, str):
                    reasons[row] = found.encode("utf-8", "backslashreplace").decode()
                else:
                    values[row] = found
        vectors = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(values.ravel()), self.extraction.length)
        return vectors, pyarrow.array(reasons, pyarrow.string())

    def _row(self, image: bytes | None, record: Any, subject: tuple[Any, ...]) -> NDArray[np.float32] | str:
        """The vector of an image, or what is wrong with it."""
        if record is None or record != record or not str(record).strip():
            return "got no record, expected a name for every image"
        if image is None:
            return "got no bytes, expected those of an image file"
        label = str(record)
        try:
            self.extractor.contributions = self._whose(label, subject)
            try:
                pixels = self.decode(SourceBytes(NAMELESS, image))
            except PrivisError as error:
                return str(result_of(NAMELESS, error))
            found = result_of(label, self.extractor(ImageRecord(pixels, label, is_file=False)))
        except PrivisError as error:
            return str(result_of(label, error))
        except Exception as error:  # one image must never end a query over a million
            return f"{type(error).__name__}: {error}"
        if not isinstance(found, str) and len(found) != self.extraction.length:
            return f"got a feature of {len(found)} components, expected {self.extraction.length}"
        return found

    def _whose(self, label: str, subject: tuple[Any, ...]) -> Contributions:
        if not subject:
            return NOBODY
        (name,) = subject_ids(subject, places=[label])
        return Contributions({label: name}, frozenset(), None)


def check_encoded(kind: Any) -> None:
    """Raise ParameterError unless ``kind`` is an Arrow type of bytes."""
    from pyarrow import types

    tests = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view, types.is_null)
    if any(test(kind) for test in tests):
        return
    remedy = "hand over the bytes of the files: an engine's own decoder gives other pixels"
    if types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        remedy = "take its field 'bytes'"
    raise ParameterError(Problem("images", f"a column of {kind}", "a column of binary: encoded images", remedy))
