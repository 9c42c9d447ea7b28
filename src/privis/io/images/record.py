"""``ImageRecord``: a decoded image on its way to a feature, with what messages and ledgers know it by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ImageRecord:
    """One image with all that is known of it.

    Attributes:
        pixels: uint8 ``(H, W)`` or ``(H, W, 3)`` RGB.
        label: what messages call it.
        is_file: whether the label is the path of its file.
    """

    pixels: NDArray[np.uint8]
    label: str
    is_file: bool = True


Source = Callable[[], ImageRecord]
"""Reads an image when its turn comes, so that memory holds one."""
