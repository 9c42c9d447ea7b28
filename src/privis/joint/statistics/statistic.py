"""What a joint statistic is: what owners share, and what its total means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from privis.joint.statistics.sums import Integers

Labels = Sequence[int] | NDArray[np.integer]


Result = TypeVar("Result", covariant=True)


class Statistic(Protocol[Result]):
    """What owners share, and what its total means; implemented by frozen dataclasses."""

    @property
    def length(self) -> int:
        """Number of integers of a summary."""
        ...

    @property
    def largest(self) -> int:
        """Public bound of the size of one integer of an owner."""
        ...

    @property
    def reveals(self) -> str:
        """What the total reveals, as part of a sentence."""
        ...

    def summary(self, rows: NDArray[Any], labels: Labels | None = None) -> Integers:
        """Add up an owner's rows, at the owner: secret.

        Args:
            rows: feature vectors, (images, components).
            labels: class of every row, integers (images,), where the statistic needs them.

        Returns:
            Exact integers, int64 (length,).

        Raises:
            ParameterError: rows or labels do not fit the statistic.
        """
        ...

    def result(self, total: Integers, revealed: str) -> Result:
        """Read the total over all owners.

        Args:
            total: sum of the owners' summaries, int64 (length,).
            revealed: who learns what, in words.

        Returns:
            The statistic.
        """
        ...
