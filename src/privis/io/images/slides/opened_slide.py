"""A whole-slide image that is open: its levels, and pixels of a region. Nothing else of the file is asked for."""

from __future__ import annotations

import functools
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, Problem
from privis.extras import optional_import

_MOST_PIXELS = 1 << 26
"""Of a region that is read at once."""
_MOST_LEVEL = 1 << 42
"""Pixels of a level; more is no slide but a header that was made up."""
WHOLE = "copy it again from where it came from, with the files beside it that belong to it"


@dataclass(frozen=True)
class OpenedSlide:
    """A slide of which the header was read.

    Args:
        where: the file, in messages.
        levels: width and height in pixels, the largest first.
        downsamples: pixels of level 0 to a pixel of each level.
        mpp: microns per pixel of level 0; None: the file does not say.
        series: what the files of one DICOM slide share; None: another format.
        handle: of openslide.
    """

    where: str
    levels: tuple[tuple[int, int], ...]
    downsamples: tuple[float, ...]
    mpp: float | None
    series: str | None
    handle: Any

    def region(self, x: int, y: int, level: int, width: int, height: int) -> NDArray[np.uint8]:
        """Decode a rectangle of one level over white.

        Args:
            x: from the left, in pixels of level 0.
            y: from the top, in pixels of level 0.
            level: from 0.
            width: in pixels of the level.
            height: in pixels of the level.

        Returns:
            uint8 (height, width, 3) RGB; what was not scanned is white.

        Raises:
            ImageError: too large, or the file is damaged there.
        """
        from openslide import OpenSlideError
        from PIL import Image

        if width * height > _MOST_PIXELS:
            remedy = "ask for smaller tiles, or for a scale nearer to a level of the slide"
            got = f"a region of {width} x {height} pixels"
            raise ImageError(Problem(self.where, got, f"at most {_MOST_PIXELS:,} pixels", remedy))
        try:
            found = self.handle.read_region((x, y), level, (width, height))
        except (OpenSlideError, MemoryError, OSError, ValueError) as error:
            _open.cache_clear()  # openslide goes on refusing whatever is asked of a slide that failed once
            place = f"a slide that is damaged at {x},{y} of level {level} ({_reason(error)})"
            raise ImageError(Problem(self.where, place, "a complete slide", WHOLE)) from None
        white = Image.new("RGB", found.size, "white")
        white.paste(found, mask=found.getchannel("A"))
        return np.asarray(white)


def opened_slide(path: Path | str, where: str = "") -> OpenedSlide:
    """Open a whole-slide image; the last ones stay open in a process.

    Args:
        path: of the file.
        where: what messages call it; empty: its path.

    Returns:
        Its levels.

    Raises:
        ImageError: no slide, or one that cannot be read.
        MissingExtraError: openslide is not installed.
    """
    where = where or os.fspath(path)
    with optional_import("slides", f"{where}, a slide"):
        import openslide  # noqa: F401
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        raise ImageError(Problem(where, "no such file", "a slide", "check the path")) from None
    if not os.path.isfile(path):
        raise ImageError(Problem(where, "no file", "a slide", "name the files inside it"))
    try:
        found = _open(os.fspath(path), status.st_size, status.st_mtime_ns, os.getpid())
    except ImageError as error:
        raise ImageError(*(replace(problem, where=where) for problem in error.problems)) from None
    return replace(found, where=where)


@functools.lru_cache(maxsize=2)
def _open(path: str, size: int, changed: int, process: int) -> OpenedSlide:
    """By process, as a file position that is shared after a fork would mix up what is read."""
    import openslide

    where = path
    if size == 0:
        raise ImageError(Problem(where, "an empty file", "a slide", "copy it again"))
    try:
        handle = openslide.OpenSlide(path)
    except openslide.OpenSlideUnsupportedFormatError:
        got = "no whole slide of a known scanner (or one that is cut off)"
        expected = "a slide that OpenSlide reads, as .svs, .ndpi, .mrxs, .scn, .bif, tiled .tif or DICOM"
        raise ImageError(
            Problem(where, got, expected, "leave --tiles out for pictures; copy a damaged file again")
        ) from None
    except (openslide.OpenSlideError, MemoryError, OSError, ValueError) as error:
        raise ImageError(Problem(where, f"a damaged slide ({_reason(error)})", "a complete one", WHOLE)) from None
    levels = tuple((int(width), int(height)) for width, height in handle.level_dimensions)
    if not levels or not all(0 < width * height <= _MOST_LEVEL for width, height in levels):
        raise ImageError(Problem(where, f"levels of {levels} pixels", f"1 to {_MOST_LEVEL:,} pixels", WHOLE))
    properties = handle.properties
    series = properties.get("openslide.quickhash-1") if properties.get("openslide.vendor") == "dicom" else None
    return OpenedSlide(where, levels, tuple(handle.level_downsamples), _microns(properties), series, handle)


def _microns(properties: Any) -> float | None:
    try:
        across, down = (float(properties[f"openslide.mpp-{axis}"]) for axis in "xy")
    except (KeyError, ValueError):
        return None
    mean = (across + down) / 2
    return mean if math.isfinite(mean) and mean > 0 else None


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
