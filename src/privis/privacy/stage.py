"""``Stage``: where on the way from an image to its feature a release puts its noise."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar, Protocol


class Stage(Enum):
    """What the noise of a release is added to.

    ``IMAGE``: the pixels that the feature reads, so that all that follows is post-processing and the image's dimensions
    decide the guarantee. ``FEATURE``: the vector, whose length decides it.
    """

    IMAGE = "image"
    FEATURE = "feature"


class Staged(Protocol):
    """Anything that says where its noise goes: every release of one image does."""

    stage: ClassVar[Stage]


def is_on_image(release: Staged | None) -> bool:
    """Whether ``release`` puts its noise on pixels; without a release there is none.

    >>> from privis.privacy import FeatureRelease, Laplace, PixelRelease
    >>> is_on_image(PixelRelease(Laplace(1.0))), is_on_image(FeatureRelease(Laplace(1.0), clip=1.0)), is_on_image(None)
    (True, False, False)
    """
    return release is not None and release.stage is Stage.IMAGE
