"""What an image file says of itself before it is decoded."""

from __future__ import annotations

from privis.io.images import tiff
from privis.io.images.decode import FORMATS, is_deep_grey_alpha

_GREY_MODES = {"1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B"}


def shape(path: str) -> tuple[int, ...] | None:
    """Return the shape that decoding ``path`` would give, up to the orientation, or None for no readable header.

    Reads the header only, a tenth of a millisecond. A palette counts as colour.
    """
    from PIL import Image

    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            grey = image.mode in _GREY_MODES or is_deep_grey_alpha(image)
            return (height, width) if grey else (height, width, 3)
    except Image.UnidentifiedImageError:
        return tiff.shape(path)
    except Exception:  # whatever a damaged header does to the decoder: this file gives no row and needs no guarantee
        return None
