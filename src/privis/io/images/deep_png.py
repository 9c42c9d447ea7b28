"""PNGs of 16 bits whose colours or transparency Pillow cuts to 8 bits before anybody can say which 8."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, Problem
from privis.io.images.depth import top_bits

_COLOUR, _GREY_ALPHA, _COLOUR_ALPHA = "RGB;16B", "LA;16B", "RGBA;16B"


def is_deep_grey_alpha(image: Any) -> bool:
    """Whether this is a PNG of grey and alpha in 16 bits, which Pillow opens as colour."""
    return _layout(image) == _GREY_ALPHA


def deep_pixels(image: Any, where: str, depth: int | None) -> NDArray[np.uint8] | None:
    """Decode what Pillow would cut: colour where a depth is said or one colour is transparent, and alpha with a depth.

    Colour has the ``depth`` bits that are said to be used, of which the top 8 stay; larger values become white. Alpha
    always has all 16, of which the top 8 stay.

    Args:
        image: a PIL image of a file, not loaded.
        where: what messages call it.
        depth: bits of a sample that are used, public; None: all.

    Returns:
        uint8 (H, W) or (H, W, 3) RGB over white, before its orientation is undone; None for all other images.

    Raises:
        ImageError: damaged.
    """
    layout = _layout(image)
    colour = layout == _COLOUR and (depth is not None or "transparency" in image.info)
    if not colour and not (depth is not None and layout in (_GREY_ALPHA, _COLOUR_ALPHA)):
        return None
    transparent = image.info.get("transparency") if layout == _COLOUR else None
    stored = _stored(image, where)
    samples = stored[..., 2::-1].astype(np.int64)  # OpenCV has blue first
    shown = top_bits(samples, 16, 0, depth)
    if transparent is not None:
        shown[(samples == np.array(transparent)).all(axis=2)] = 255
        return shown
    if layout == _COLOUR:
        return shown
    alpha = stored[..., 3] >> 8
    from PIL import Image

    picture = Image.fromarray(shown[..., 0] if layout == _GREY_ALPHA else shown)
    white = Image.new(picture.mode, picture.size, "white")
    return np.array(Image.composite(picture, white, Image.fromarray(alpha.astype(np.uint8))))


def _layout(image: Any) -> str:
    layout = image.tile[0].args if image.format == "PNG" and image.tile else ""
    return layout if isinstance(layout, str) else ""


def _stored(image: Any, where: str) -> NDArray[np.uint16]:
    import cv2

    file: Any = image.fp
    file.seek(0)
    content = np.frombuffer(file.read(), np.uint8)
    image.load()  # what follows the pixels, as EXIF may; Pillow closes the file
    stored: Any = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
    if stored is None or stored.ndim != 3 or stored.dtype != np.uint16:
        raise ImageError(Problem(where, "a damaged PNG", "a complete image file", "copy or download it again"))
    return stored
