"""``Sharing``: which images share ciphertexts."""

from __future__ import annotations

from enum import Enum


class Sharing(Enum):
    """Which images share ciphertexts."""

    ALONE = "alone"  # none: one image at a time is quickest
    SIDE_BY_SIDE = "side-by-side"  # as many as fit into the slots that one would leave empty
    SLOTS = "slots"  # thousands, each in a slot of its own: cheapest for each, but all wait for all
