"""What an image is called towards noise and ledgers: by its content, never by a path or a place in a list."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import numpy.typing as npt

_FORMAT = b"privis image 1"
_FIRST_OF_EQUALS = " #1"


def record_of_pixels(image: npt.NDArray[np.uint8]) -> str:
    """Name a decoded image by its content: equal pixels are one image, whatever file, link, mount or array holds them.

    Grey pixels that are stored in three equal channels are the grey image. Anything that changes a pixel (an edit, a
    lossy copy, another size) makes another image.

    Args:
        image: uint8, (H, W) or (H, W, 3), as `privis.io.images.decode.load` gives it.

    >>> grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    >>> len({record_of_pixels(each) for each in (grey, np.dstack([grey] * 3), grey.T)})
    2
    """
    if image.ndim == 3 and (image == image[:, :, :1]).all():
        image = image[:, :, 0]
    content = hashlib.sha256(_FORMAT + repr(tuple(map(int, image.shape))).encode())
    content.update(np.ascontiguousarray(image).data)
    return f"image {content.hexdigest()}"


def former_records(image: npt.NDArray[np.uint8], path: str | None, subject: str | None) -> tuple[str, ...]:
    """Names under which a ledger of format 1 may hold charges of this image: see `is_counted`."""
    if path is not None:
        own = os.path.abspath(path)
    else:
        own = f"sha256 {hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()}{_FIRST_OF_EQUALS}"
    return (own,) if subject is None else (own, subject)


def equals_of(former: str) -> str | None:
    """The pattern of further names for one that counts equal images, with ``{}`` for the number; None for others."""
    return former.removesuffix(_FIRST_OF_EQUALS) + " #{}" if former.endswith(_FIRST_OF_EQUALS) else None
