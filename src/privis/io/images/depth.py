"""Which bits of deep samples become the eight of a pixel; PNGs of 16 bits that Pillow cuts to 8 by itself."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, Problem

_COLOUR, _GREY_ALPHA, _COLOUR_ALPHA = "RGB;16B", "LA;16B", "RGBA;16B"


class DepthWarning(UserWarning):
    """An image whose values leave the top bits of their type unused: it comes out dark unless its depth is said."""


def top_bits(values: NDArray[np.int64], bits: int, lowest: int, depth: int | None) -> NDArray[np.uint8]:
    """Keep the top 8 bits of samples, or of the ``depth`` bits that are said to be used.

    Args:
        values: samples, counted from the lowest value of their type, in [0, 2**bits).
        bits: of the type, more than 8.
        lowest: value of the type at which 0 stands.
        depth: bits that are used, public; None: all.
    """
    if depth is None or depth >= bits:
        if depth is None:
            _warn_of_unused(values, bits, lowest)
        return (values >> (bits - 8)).astype(np.uint8)
    if lowest:
        values = values + lowest + (1 << depth - 1)
    return np.clip(values >> (depth - 8), 0, 255).astype(np.uint8)


def _warn_of_unused(values: NDArray[np.int64], bits: int, lowest: int) -> None:
    """Warn at the owner's console of top bits that nothing uses; the pixels stay what the type says."""
    if not values.size:
        return
    low, high = int(values.min()) + lowest, int(values.max()) + lowest
    used = max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + (1 if lowest else 0)
    if (high or low) and used <= bits - 2:
        text = f"{bits}-bit samples of which {used} bits are used: the image comes out dark; say bits={max(used, 8)}"
        warnings.warn(f"{text} (--bits {max(used, 8)}) if that is its depth", DepthWarning, stacklevel=2)


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
    shown = top_bits(samples, 16, 0, depth or 16)
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
