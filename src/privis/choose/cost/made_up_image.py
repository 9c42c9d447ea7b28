"""``made_up_file``: images for measurements, in files like those of a camera."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def made_up_file(folder: Path, number: int, shape: Sequence[int]) -> str:
    """Write a JPEG file with edges, smooth parts and texture.

    Args:
        folder: that it gets into.
        number: of the file; another one makes another image.
        shape: (H, W), or (H, W, 3) in colour.

    Returns:
        Its path.
    """
    import cv2

    generator = np.random.default_rng(number)
    height, width = shape[:2]
    coarse = generator.integers(0, 256, (max(2, height // 16), max(2, width // 16), 3), np.uint8)
    smooth: NDArray[Any] = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    texture = generator.integers(0, 24, smooth.shape, np.uint8)
    image = cv2.add(smooth, texture)
    path = str(folder / f"image{number}.jpg")
    cv2.imwrite(path, image if len(shape) == 3 else image[:, :, 0], [cv2.IMWRITE_JPEG_QUALITY, 90])
    return path
