"""Vectors and the ids of their records as they come, in the one form that noise hangs on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.subjects import MOST_SHOWN, shortened, subject_ids
from privis.validation import real_values

LARGEST = float(np.finfo(np.float32).max)
_ROWS = "one row of real numbers per record"


def vector_values(vectors: object, counts: bool = False) -> npt.NDArray[Any]:
    """Turn vectors into one matrix, the same for every spelling of the same numbers.

    Features are float32, and so are the tables that hold them: a vector in double precision and its copy in a table are
    one vector. -0.0 is 0.0.

    Args:
        vectors: (n, d) numbers of any type: a list of lists or arrays, an array, a data frame.
        counts: they are whole numbers that float32 may not hold, and stay in double precision.

    Returns:
        float32 (n, d), or float64 where ``counts``.

    Raises:
        ParameterError: no matrix of real numbers, or naming every row with NaN, infinity, a masked value or a number
            that float32 does not hold.

    >>> vector_values([[1, -0.0], [0.1, 2]]).tolist()
    [[1.0, 0.0], [0.10000000149011612, 2.0]]
    """
    if isinstance(vectors, np.ma.MaskedArray):
        vectors = np.ma.filled(vectors.astype(np.float64), np.nan)
    try:
        array = np.asarray(vectors)
    except (ValueError, TypeError) as error:  # rows of several lengths
        raise ParameterError(Problem("vectors", str(error).partition(".")[0], _ROWS)) from None
    if array.ndim != 2 or not array.size:
        remedy = "wrap it in a list: [vector]" if array.ndim == 1 and array.size else ""
        raise ParameterError(Problem("vectors", f"shape {array.shape}", _ROWS, remedy))
    values = real_values("vectors", array)
    refuse(ParameterError, _row_problems(values))
    return (values if counts else values.astype(np.float32)) + 0.0


def _row_problems(values: npt.NDArray[np.float64]) -> list[Problem]:
    """Rows that cannot be used; a row without a direction is fine, one without numbers is not."""
    missing = np.flatnonzero(~np.isfinite(values).all(1))
    remedy = "put zeros where there is no vector: a row that is left out shows that there was none"
    problems = [Problem(f"vectors[{row}]", "NaN or infinity", "finite numbers", remedy) for row in missing]
    with np.errstate(invalid="ignore"):
        large = np.flatnonzero((np.abs(values) > LARGEST).any(1) & np.isfinite(values).all(1))
    problems += [Problem(f"vectors[{row}]", "a number beyond float32", f"at most {LARGEST:.3g}") for row in large]
    return shortened(problems, "vectors")


def record_ids(records: object, rows: int) -> tuple[str, ...]:
    """Give an id for every row, by the rules of `privis.subjects`; 7, 7.0 and "7" are one record.

    Args:
        records: ids of the inputs that the rows were computed from; `privis.image_record` names an image.
        rows: how many there must be.

    Returns:
        One per row.

    Raises:
        ParameterError: values that are no ids, or not one per row.
    """
    if isinstance(records, Sequence) and not isinstance(records, str | bytes):
        remedy = "privis.image_record(image) names an image by its content, a path does not"
        refuse(
            ParameterError,
            shortened(
                [
                    Problem(f"records[{row}]", f"a {type(record).__name__}", "text or a whole number", remedy)
                    for row, record in enumerate(records)
                    if isinstance(record, os.PathLike) or hasattr(record, "__array_interface__")
                    if not isinstance(record, np.generic)
                ],
                "records",
            ),
        )
    names = subject_ids(records, "records")
    if len(names) != rows:
        raise ParameterError(Problem("records", f"{len(names)} ids", f"{rows}, one per row of vectors"))
    return names


def different_vectors(records: Sequence[str], values: npt.NDArray[Any]) -> list[Problem]:
    """Records with two vectors that are not equal: a release hides one vector of a record."""
    first: dict[str, int] = {}
    problems: dict[str, Problem] = {}
    for row, record in enumerate(records):
        other = first.setdefault(record, row)
        if record not in problems and not np.array_equal(values[other], values[row]):
            got = f"{record!r} with the vectors of rows {other} and {row}, which differ"
            remedy = "append them to one vector, or release them in two calls, each with a feature= of its own"
            problems[record] = Problem("records", got, "one vector per record", remedy)
    return shortened(list(problems.values()), "records")


def alike(records: Sequence[str], values: npt.NDArray[Any]) -> str:
    """What looks like one record under two ids: equal vectors of numbers that are not whole; empty where nothing."""
    groups: dict[bytes, set[str]] = {}
    for record, row in zip(records, values, strict=True):
        if (row != np.floor(row)).any():
            groups.setdefault(row.tobytes(), set()).add(record)
    pairs = sorted(sorted(names) for names in groups.values() if len(names) > 1)
    told = [f"{' and '.join(map(repr, names[:3]))} have one vector" for names in pairs[:MOST_SHOWN]]
    if len(pairs) > MOST_SHOWN:
        told.append(f"and {len(pairs) - MOST_SHOWN:,} more such groups")
    return ", ".join(told)
