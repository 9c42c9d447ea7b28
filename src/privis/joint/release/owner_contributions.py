"""What owners bring to a joint release, and what its receivers get."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.joint.statistics.sums import Integers
from privis.privacy.guarantee import Guarantee


@dataclass(frozen=True)
class Contribution:
    """What one owner brings to a release.

    Args:
        owner: name of the owner.
        tag: tells its contents apart without giving them away; told to everybody.
        images: how many, told to everybody; None where their number is private.
        steps: the exact integers, as secret as its images.
    """

    owner: str
    tag: str
    images: int | None
    steps: tuple[int, ...] = field(repr=False)

    @property
    def summand(self) -> Integers:
        """The integers as the array to be shared; secret."""
        return np.array(self.steps, np.int64)


@dataclass(frozen=True)
class JointResult:
    """A released aggregate.

    Args:
        values: as the same release gives in the clear.
        guarantee: what they guarantee.
        revealed: to whom they say what, in words.
    """

    values: NDArray[Any]
    guarantee: Guarantee
    revealed: str
