"""Slanted writing made upright before a feature is extracted from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from privis.errors import ParameterError, Problem, refuse
from privis.features.feature import Image, core_shape
from privis.features.image_ops import grey, luma_shape
from privis.features.preprocessing.preprocessed import Preprocessed
from privis.program.shapes import Shape

STEEPEST = 1.0  # columns per row: slants beyond 45 degrees are strokes, not handwriting


@dataclass(frozen=True)
class Deskewed(Preprocessed):
    """``feature`` of an image of one character or word, sheared until it stands upright and moved to the middle.

    The shear, of 45 degrees at most, takes away the covariance of column and row, weighted by ink: grey levels, or 255
    less them with ``dark_ink`` (ink on paper). Ink stays in its row but for the move; what comes in from outside is
    without ink. Images are brought to the feature's size and to luma first. One image decides about itself alone, at
    its owner, so a release, a clip or a training stays what it is. An image without ink stays as it is.

    ``name``, ``size`` and the core are the feature's own.

    Deviation: columns are not cut to the width of the ink afterwards, as the authors do, since images have one size.
    Reference: LeCun, Bottou, Bengio and Haffner, 1998, doi:10.1109/5.726791, section III.

    Args:
        feature: what is extracted afterwards.
        dark_ink: ink is dark on light paper.

    Raises:
        ParameterError: ``feature`` is none.

    >>> import numpy as np
    >>> from privis.features.hog import HOG
    >>> slanted = np.fliplr(np.eye(28, dtype=np.uint8)) * 255
    >>> upright = Deskewed(HOG()).prepare(slanted)
    >>> int(upright[:, 13:15].sum() * 100 / upright.sum())
    100
    """

    identifier: ClassVar[str] = "privis.deskewed/1"

    dark_ink: bool = False

    luma_only: ClassVar[bool] = True

    def __post_init__(self) -> None:
        problems = self.feature_problems()
        if not isinstance(self.dark_ink, bool):
            problems.append(Problem("Deskewed.dark_ink", repr(self.dark_ink), "True or False"))
        refuse(ParameterError, problems)

    def prepare(self, image: Image) -> Image:
        """The luma image, uint8 (H, W), without its slant and with its ink in the middle."""
        import cv2

        plane = grey(image)
        ink = ~plane if self.dark_ink else plane  # 255 less the grey level
        sums = cv2.moments(ink)
        if not sums["m00"]:
            return plane
        covariance, variance = sums["mu11"], sums["mu02"]
        slant = math.copysign(min(abs(covariance), STEEPEST * variance) / max(variance, 1e-9), covariance)
        column, row = sums["m10"] / sums["m00"], sums["m01"] / sums["m00"]
        height, width = plane.shape
        across, down = (width - 1) / 2, (height - 1) / 2
        back = np.array([[1.0, slant, column - across - slant * down], [0.0, 1.0, row - down]])
        how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        moved = np.asarray(cv2.warpAffine(ink, back, (width, height), flags=how), np.uint8)
        return ~moved if self.dark_ink else moved

    def core_shape(self, image_shape: Shape) -> Shape:
        """What the feature makes of the luma, which keeps its dimensions."""
        return core_shape(self.feature, luma_shape(image_shape, self.size))
