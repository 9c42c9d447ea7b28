"""Images that were dropped on the page: in memory, bounded, gone with the process; never on a disk."""

from __future__ import annotations

import io
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, Problem
from privis.io.images import decode

MOST_BYTES = 128 << 20
"""Of all files that are kept; the oldest ones make room."""
MOST_BYTES_OF_ONE = 64 << 20
MOST_PIXELS = 50_000_000
_MOST_IMAGES = 2000
_LONGEST_NAME = 120


@dataclass(frozen=True)
class Upload:
    """A dropped file.

    Args:
        name: as the browser gave it; shown, never opened.
        content: the bytes.
        shape: of its pixels, (H, W) or (H, W, 3).
    """

    name: str
    content: bytes = field(repr=False)
    shape: tuple[int, ...]


class Uploads:
    """Keeps dropped files by keys that cannot be guessed, at most ``most`` bytes of them.

    Args:
        most: bytes of all files together.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most, self._lock = most, threading.Lock()
        self._kept: OrderedDict[str, Upload] = OrderedDict()
        self._decoded: tuple[str, NDArray[np.uint8]] | None = None

    def add(self, name: str, content: bytes) -> tuple[str, Upload]:
        """Keep a file.

        Args:
            name: what it is called.
            content: its bytes.

        Returns:
            Its key, and the file.

        Raises:
            ImageError: it is no picture that can be read.
        """
        name = "".join(c if c.isprintable() else "·" for c in name)[-_LONGEST_NAME:] or "image"
        pixels = _decoded(name, content)
        upload = Upload(name, content, pixels.shape)
        key = secrets.token_urlsafe(12)
        with self._lock:
            self._kept[key], self._decoded = upload, (key, pixels)
            size = sum(len(each.content) for each in self._kept.values())
            while (size > self._most or len(self._kept) > _MOST_IMAGES) and len(self._kept) > 1:
                size -= len(self._kept.popitem(last=False)[1].content)
        return key, upload

    def get(self, key: str) -> Upload:
        """Give a kept file; ImageError: it made room for later ones."""
        with self._lock:
            if key not in self._kept:
                raise ImageError(Problem("image", "one that is no longer kept", "a dropped image", "drop it again"))
            return self._kept[key]

    def pixels(self, key: str) -> NDArray[np.uint8]:
        """Give the pixels of a kept file, uint8 (H, W) or (H, W, 3), read-only; the last one stays decoded."""
        upload = self.get(key)
        with self._lock:
            if self._decoded is not None and self._decoded[0] == key:
                return self._decoded[1]
        pixels = _decoded(upload.name, upload.content)
        with self._lock:
            self._decoded = (key, pixels)
        return pixels

    def remove(self, key: str) -> None:
        """Forget a file, if it is still there."""
        with self._lock:
            self._kept.pop(key, None)
            if self._decoded is not None and self._decoded[0] == key:
                self._decoded = None

    def listed(self) -> list[dict[str, Any]]:
        """Key, name, width and height of every kept file, the oldest first."""
        with self._lock:
            return [described(key, upload) for key, upload in self._kept.items()]


def described(key: str, upload: Upload) -> dict[str, Any]:
    """Give what the page shows of a file."""
    return {"key": key, "name": upload.name, "height": upload.shape[0], "width": upload.shape[1]}


def _decoded(name: str, content: bytes) -> NDArray[np.uint8]:
    from PIL import Image

    if len(content) > MOST_BYTES_OF_ONE:
        got = f"{len(content) >> 20} MiB"
        raise ImageError(Problem(name, got, f"at most {MOST_BYTES_OF_ONE >> 20} MiB", "use the command for it"))
    try:
        with Image.open(io.BytesIO(content), formats=decode.FORMATS) as image:
            pixels = decode.load(image, max_pixels=MOST_PIXELS)
    except ImageError as error:
        raise ImageError(
            *(Problem(name, p.got, p.expected, "use the command for it") for p in error.problems)
        ) from None
    except Image.DecompressionBombError:
        expected = f"at most {MOST_PIXELS:,} pixels"
        raise ImageError(Problem(name, "far more pixels", expected, "use the command for it")) from None
    except Exception:  # decoders meet hostile bytes
        expected = f"a picture: one of {', '.join(decode.FORMATS)}"
        raise ImageError(Problem(name, "bytes of no picture that can be read", expected)) from None
    pixels.setflags(write=False)
    return pixels
