"""The feature that images are classified by where none is said."""

from __future__ import annotations

from privis.features.feature import Feature
from privis.features.lbp import LBP, Patterns


def default_feature() -> Feature:
    """Give uniform local binary patterns over 8 x 8 cells of an image of 256 x 256 pixels: 640 shares.

    Returns:
        The feature.

    >>> default_feature().size
    (256, 256)
    """
    return LBP(patterns=Patterns.UNIFORM, grid=(8, 8), density=True, size=(256, 256))
