"""Pictures and reports that the page shows, encoded once and kept for as long as they are looked at."""

from __future__ import annotations

import hashlib
import math
import threading
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from privis import draw

LONGEST = 1024
"""Pixels of the long side of a picture on the page."""
_MOST_BYTES = 48 << 20


class RenderedPictures:
    """Keeps encoded pictures by a key that follows from their content; the oldest make room.

    Args:
        most: bytes of all pictures together.
    """

    def __init__(self, most: int = _MOST_BYTES) -> None:
        self._most, self._lock = most, threading.Lock()
        self._kept: OrderedDict[str, tuple[str, bytes]] = OrderedDict()

    def add(self, picture: NDArray[np.uint8], kind: str = "JPEG") -> str:
        """Encode a picture, smaller where it is large.

        Every n-th pixel is shown of a large one: a mean of neighbours would hide the noise that is on each of them.

        Args:
            picture: uint8 (H, W) or (H, W, 3).
            kind: JPEG or PNG.

        Returns:
            Its key.
        """
        step = math.ceil(max(picture.shape[:2]) / LONGEST)
        return self.keep(f"image/{kind.lower()}", draw.encoded(np.ascontiguousarray(picture[::step, ::step]), kind))

    def keep(self, media_type: str, content: bytes) -> str:
        """Keep what is encoded already.

        Args:
            media_type: of the content.
            content: bytes that a browser is sent.

        Returns:
            Its key.
        """
        key = hashlib.sha256(content).hexdigest()[:32]
        with self._lock:
            self._kept[key] = (media_type, content)
            self._kept.move_to_end(key)
            while sum(len(content) for _, content in self._kept.values()) > self._most and len(self._kept) > 1:
                self._kept.popitem(last=False)
        return key

    def get(self, key: str) -> tuple[str, bytes] | None:
        """Give media type and bytes; None: they made room for later ones."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def clear(self) -> None:
        """Forget every picture and report, also what is looked at."""
        with self._lock:
            self._kept.clear()
