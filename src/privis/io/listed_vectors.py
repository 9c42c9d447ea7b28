"""Numbers of Arrow columns as arrays, and lists of numbers, batch after batch, as one matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem

_PRIMITIVE = (
    "halffloat",
    "float",
    "double",
    "bool",
    *(f"{sign}int{bits}" for sign in "u " for bits in (8, 16, 32, 64)),
)
_KINDS = frozenset(kind.strip() for kind in _PRIMITIVE)


def numbers(column: Any) -> NDArray[Any]:
    """The numbers of a column without lists; where some are missing in double precision, with NaN for them.

    Args:
        column: a ``pyarrow.Array`` of integers, floats or truth values.

    Returns:
        (n,), of the column's type.
    """
    if not column.null_count or "float" in str(column.type) or str(column.type) == "double":
        values: NDArray[Any] = column.to_numpy(zero_copy_only=False)  # which gives NaN for floats that are missing
        return values
    zero: Any = False if str(column.type) == "bool" else 0
    filled: NDArray[np.float64] = column.fill_null(zero).to_numpy(zero_copy_only=False).astype(np.float64)
    filled[column.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return filled


class ListedVectors:
    """A matrix that grows by batches of lists of one length; memory holds it and one batch.

    Args:
        where: what messages call the column.
        rows: how many there will be.
    """

    def __init__(self, where: str, rows: int) -> None:
        self._where, self._rows, self._filled = where, rows, 0
        self._lengths: set[int] = set()
        self._values: NDArray[Any] | None = None
        self._others: list[Any] = []

    def add(self, column: Any) -> None:
        """Take the next rows.

        Args:
            column: a ``pyarrow.Array`` of lists, of fixed size or not.
        """
        lengths = column.value_lengths().to_numpy(zero_copy_only=False)
        missing = column.is_null().to_numpy(zero_copy_only=False)
        self._lengths |= set(np.unique(np.where(missing, -1, lengths)).astype(int).tolist())
        if len(self._lengths) != 1 or -1 in self._lengths:
            return  # refused at the end, when all lengths are known
        if str(column.type.value_type) not in _KINDS:
            self._others += column.to_pylist()
            return
        (width,) = self._lengths
        block = numbers(column.flatten()).reshape(len(column), width)
        if self._values is None:
            self._values = np.empty((self._rows, width), block.dtype)
        elif np.result_type(self._values, block) != self._values.dtype:
            self._values = self._values.astype(np.float64)  # whole numbers of which some are missing
        rows = self._values[self._filled : self._filled + len(block)]
        rows[:] = block
        if rows.dtype.kind == "f":
            rows += 0.0  # -0.0 becomes 0.0, as in all vectors that are released, which need not be copied for it then
        self._filled += len(block)

    def matrix(self) -> NDArray[Any]:
        """What was added, a row for each list.

        Returns:
            (rows, d) in the type of the lists; (0,) without rows.

        Raises:
            ParameterError: rows without a vector, or vectors of several lengths.
        """
        found = sorted(self._lengths)
        if len(found) > 1 or found == [-1]:
            got = "rows without a vector" if found[0] == -1 else f"vectors of {found[0]} to {found[-1]} numbers"
            raise ParameterError(Problem(self._where, got, "vectors of one length"))
        if self._values is not None:
            return self._values
        return np.array([[np.nan if number is None else number for number in row] for row in self._others])
