"""``Batching``: which images share ciphertexts."""

from __future__ import annotations

from enum import Enum


class Batching(Enum):
    """Which images share ciphertexts. The values are those of ``--sharing``."""

    NONE = "alone"  # one image at a time: quickest for one
    SIDE_BY_SIDE = "side-by-side"  # as many as fit into the slots that one would leave empty
    SLOT = "slots"  # thousands, one per slot (CryptoNets batching): cheapest for each, but all wait for all
    SLOT_OF_PAIRS = "slots-of-pairs"  # half as many at most, of which half as much is sent
