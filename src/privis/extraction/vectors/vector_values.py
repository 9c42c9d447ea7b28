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
BLOCK_ROWS = 1 << 11
"""Rows that are worked on at a time: what a block needs beside the matrix stays small."""
_ROWS = "one row of real numbers per record"


def vector_values(vectors: object, counts: bool = False) -> npt.NDArray[Any]:
    """Turn vectors into one matrix, the same for every spelling of the same numbers.

    Features are float32, and so are the tables that hold them: a vector in double precision and its copy in a table are
    one vector. -0.0 is 0.0.

    Args:
        vectors: (n, d) numbers of any type: a list of lists or arrays, an array, a data frame.
        counts: they are whole numbers that float32 may not hold, and stay in double precision.

    Returns:
        float32 (n, d), or float64 where ``counts``; the array itself where it is that already, so it is only read.

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
    blocks = [slice(start, start + BLOCK_ROWS) for start in range(0, len(array), BLOCK_ROWS)]
    plain = True  # nothing to change, and so nothing to copy
    missing: list[npt.NDArray[np.int64]] = []
    large: list[npt.NDArray[np.int64]] = []
    for block in blocks:
        values = real_values("vectors", array[block])
        finite = np.isfinite(values).all(1)
        with np.errstate(invalid="ignore"):
            beyond = (np.abs(values) > LARGEST).any(1) & finite
        missing.append(block.start + np.flatnonzero(~finite))
        large.append(block.start + np.flatnonzero(beyond))
        plain = plain and not ((values == 0) & np.signbit(values)).any()
    refuse(ParameterError, _row_problems(np.concatenate(missing), np.concatenate(large)))
    kind = np.dtype(np.float64 if counts else np.float32)
    if plain and array.dtype == kind and array.flags.c_contiguous and type(array) is np.ndarray:
        return array
    result = np.empty(array.shape, kind)
    for block in blocks:
        result[block] = real_values("vectors", array[block]).astype(kind) + 0.0
    return result


def _row_problems(missing: npt.NDArray[np.int64], large: npt.NDArray[np.int64]) -> list[Problem]:
    """Rows that cannot be used; a row without a direction is fine, one without numbers is not."""
    remedy = "put zeros where there is no vector: a row that is left out shows that there was none"
    problems = [Problem(f"vectors[{row}]", "NaN or infinity", "finite numbers", remedy) for row in missing]
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
                    if type(record) is not str  # most are, and asking an abstract class takes long
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
    if len(set(records)) == len(records):
        return []
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
    for number in _repeated(values):
        row = values[number]
        if (row != np.floor(row)).any():
            groups.setdefault(row.tobytes(), set()).add(records[number])
    pairs = sorted(sorted(names) for names in groups.values() if len(names) > 1)
    told = [f"{' and '.join(map(repr, names[:3]))} have one vector" for names in pairs[:MOST_SHOWN]]
    if len(pairs) > MOST_SHOWN:
        told.append(f"and {len(pairs) - MOST_SHOWN:,} more such groups")
    return ", ".join(told)


def _repeated(values: npt.NDArray[Any]) -> list[int]:
    """Rows that may be equal to another one: all that are, and hardly any other."""
    words = np.ascontiguousarray(values).view(np.uint32)
    weights = np.random.default_rng(0).integers(0, 2**64, words.shape[1], np.uint64, endpoint=False) | np.uint64(1)
    sums = np.empty(len(words), np.uint64)
    for start in range(0, len(words), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        mixed = words[block].astype(np.uint64) + np.uint64(1)
        mixed *= weights
        mixed ^= mixed >> np.uint64(29)
        sums[block] = mixed.sum(1)
    order = np.argsort(sums, kind="stable")
    same = sums[order[1:]] == sums[order[:-1]]
    repeated = np.zeros(len(sums), bool)
    repeated[order[1:]] |= same
    repeated[order[:-1]] |= same
    return np.flatnonzero(repeated).tolist()
