"""What an image file says of itself before it is decoded."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

from privis.errors import ImageError, MissingExtraError
from privis.io.images import tiff
from privis.io.images.decode import FORMATS, Decoding
from privis.io.images.depth import DepthWarning, is_deep_grey_alpha
from privis.io.images.dicom.pictures import picture_shape
from privis.io.images.dicom.recognition import is_dicom
from privis.io.images.file_parts import PAGE, TILE, TILES, TIME, TIMES, FilePart, file_part, part_of_source
from privis.io.images.videos.frame_parts import frame_shape
from privis.io.objects.any_source import AnySource
from privis.io.objects.source_names import is_elsewhere

_GREY_MODES = {"1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B"}


def shape(path: str) -> tuple[int, ...] | None:
    """Return the shape that decoding ``path`` would give, up to the orientation, or None for no readable header.

    Reads the header only, a tenth of a millisecond; of what is in a store or a shard, everything. A palette counts as
    colour.
    """
    if not is_elsewhere(path):
        return _shape(file_part(path))
    part = part_of_source(path)
    try:
        with AnySource().read(part.path).as_file() as file:
            return _shape(replace(part, path=file))
    except ImageError:
        return None


def _shape(part: FilePart) -> tuple[int, ...] | None:
    from PIL import Image

    path = part.path
    if part.kind in (TILES, TIMES):
        return None
    if part.kind == TILE:
        return (part.numbers[3], part.numbers[3], 3)
    page = part.numbers[0] - 1 if part.kind == PAGE else 0
    try:
        if part.kind == TIME:
            return frame_shape(part)
        if is_dicom(path):
            return picture_shape(path)
        with Image.open(path, formats=FORMATS) as image:
            if page:
                image.seek(page)
            width, height = image.size
            grey = image.mode in _GREY_MODES or is_deep_grey_alpha(image)
            return (height, width) if grey else (height, width, 3)
    except Image.UnidentifiedImageError:
        return tiff.shape(path, page)
    except MissingExtraError:
        raise
    except Exception:  # whatever a damaged header does to the decoder: this file gives no row and needs no guarantee
        return None


def warn_of_unused_bits(paths: Sequence[str], decode: Decoding, looks: int = 16) -> None:
    """Warn (`DepthWarning`) of the first image that leaves the top bits of its type unused, among the first ``looks``.

    To be called where somebody reads warnings: processes that share out a run do not repeat it.
    """
    from PIL import Image

    if decode.bits is not None:
        return
    for path in paths[:looks]:
        try:
            if is_elsewhere(path):  # not read twice for a warning
                continue
            part = file_part(path)
            if part.kind in (TILE, TILES, TIME, TIMES):  # 8 bits, always
                continue
            deep = is_dicom(part.path)
            if not deep:
                with Image.open(part.path, formats=FORMATS) as image:
                    deep = image.mode.startswith("I")
            with warnings.catch_warnings(record=True) as found:
                warnings.simplefilter("always", DepthWarning)
                if deep:
                    decode(path)
        except (ImageError, OSError, ValueError, SyntaxError):
            continue  # listed as a failure by the run itself
        if found:
            warnings.warn(f"{path}: {found[0].message}", DepthWarning, stacklevel=3)
            return
