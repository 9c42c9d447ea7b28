"""Which files are videos."""

from __future__ import annotations

import os

from privis.file_formats import FileFormat, format_of
from privis.io.images.file_parts import file_part

VIDEO_SUFFIXES = frozenset(
    (
        ".3g2 .3gp .asf .avi .divx .dv .flv .h264 .h265 .hevc .ivf .m2ts .m4v .mjpeg .mkv .mov .mp4 .mpeg .mpg "
        ".mts .mxf .ogv .ts .vob .webm .wmv .y4m"
    ).split()
)
"""Lower-case file name endings by which a folder's videos are known, where frames are asked for."""
_ANIMATED = (b"GIF8", b"\x89PNG\r\n")
"""How pictures begin that may hold several frames with times."""


def is_video(path: str) -> bool:
    """Whether frames of a file are to be chosen by their times.

    Args:
        path: of a file, or the name of a part, which is none.

    Returns:
        Whether it is a video by its content, one by its name that no other format claims, or an animated GIF or PNG.

    >>> is_video("photo.png")
    False
    """
    part = file_part(path)
    if part.kind or not os.path.isfile(part.path):
        return False
    found = format_of(part.path)
    if found in (FileFormat.VIDEO, FileFormat.PICTURE):
        return found is FileFormat.VIDEO or _is_animated(part.path)
    return found is FileFormat.UNKNOWN and os.path.splitext(part.path)[1].lower() in VIDEO_SUFFIXES


def _is_animated(path: str) -> bool:
    from PIL import Image

    try:
        with open(path, "rb") as file:
            if not file.read(8).startswith(_ANIMATED):
                return False
        with Image.open(path, formats=("GIF", "PNG")) as image:
            return getattr(image, "n_frames", 1) > 1
    except Exception:  # whatever a damaged header does to a decoder: decoding says what is wrong
        return False
