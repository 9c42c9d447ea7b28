"""Pictures in and out for painting over: all pages at their own depth, and files that hold pixels and nothing else.

What is written is made from an array alone. So no EXIF, XMP or IPTC block, comment, thumbnail, preview, colour profile,
second picture, alpha channel or byte after the end can come from the file that was read: none of it is kept in the
first place. Orientation is applied; transparency is laid over white; colour profiles are not applied.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, Problem
from privis.io.images import tiff
from privis.io.images.decode import FORMATS, MAX_PIXELS, load, read_pixels
from privis.io.images.dicom.pictures import frame_count
from privis.io.images.dicom.recognition import is_dicom
from privis.io.images.file_parts import file_part, part_named
from privis.io.images.slides.slide_pages import is_slide_page

LOSSY = frozenset({"JPEG", "WEBP", "AVIF", "GIF"})
"""Formats that change pixels when they are written; a GIF has 256 colours."""
DEEP = frozenset({"PNG", "TIFF", "PPM", "JPEG2000"})
"""Formats that keep grey pictures of 16 bits."""
_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
    "AVIF": {"quality": 95},
    "TIFF": {"compression": "tiff_deflate"},
}
_PHOTOMETRIC, _SAMPLE_FORMAT, _SIGNED = 262, 339, 2


def still_format(path: Path | str) -> str:
    """Say in which format a picture is stored, from its content.

    Args:
        path: of the file.

    Returns:
        Pillow's name, one of `FORMATS`; of DICOM what its frames are written as: PNG, or TIFF where there are several.

    Raises:
        ImageError: no picture, or an animation.
    """
    from PIL import Image

    where = str(path)
    if not os.path.isfile(path):
        load(path)  # says what it is: opening a pipe could wait for ever
    if is_dicom(path):  # first: its preamble may make it a TIFF as well
        return "PNG" if frame_count(path) == 1 else "TIFF"
    try:
        with Image.open(path, formats=FORMATS) as image:
            stored = {"MPO": "JPEG", "DIB": "BMP"}.get(image.format or "", image.format or "")
            frames = getattr(image, "n_frames", 1)
    except Image.UnidentifiedImageError:
        stored, frames = ("TIFF", 1) if tiff.is_tiff(path) else ("", 1)
    except Exception:  # whatever a damaged header does to a decoder: `load` says what is wrong
        stored, frames = "", 1
    if not stored:
        load(path)
        if file_part(path).kind:
            raise ImageError(Problem(where, "a part of a file", "a whole file", "name the file itself"))
        raise ImageError(Problem(where, "a picture of no known format", f"one of {', '.join(FORMATS)}"))
    if frames > 1 and stored not in ("TIFF", "JPEG"):
        remedy = "take it apart into pictures first: its frames would need a detector that follows what moves"
        raise ImageError(Problem(where, f"an animation of {frames} frames", "a still picture", remedy))
    return stored


def pages(path: Path | str, *, max_pixels: int = MAX_PIXELS) -> Iterator[NDArray[Any]]:
    """Decode all pages of a TIFF, all frames of a DICOM file, or the one picture of another file, one after another.

    Args:
        path: of the file.
        max_pixels: most pixels (width x height) of a page.

    Yields:
        uint8 (H, W) or (H, W, 3) RGB, or uint16 (H, W) for grey of more than 8 bits, values as they are stored;
        upright.

    Raises:
        ImageError: a page cannot be read.
    """
    from PIL import Image

    where, count = str(path), 1
    if not os.path.isfile(path):
        load(path)
    if is_dicom(path):
        for number in range(1, frame_count(path) + 1):
            yield load(part_named(path, number), max_pixels=max_pixels)
        return
    try:
        with Image.open(path, formats=FORMATS) as image:
            count = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
            slide = image.format == "TIFF" and is_slide_page(getattr(image, "tag_v2", {}))
            deep = image.mode.startswith("I")
    except Exception:  # `load` below says what is wrong, or knows the layout
        deep = slide = False
    if slide:
        remedy = "its pages are levels and photographs of the glass, with its label; tiles of it hold tissue alone"
        raise ImageError(Problem(where, "a whole slide", "a picture, or a TIFF of pages", remedy))
    if count == 1 and not deep:
        yield load(path, max_pixels=max_pixels)
        return
    try:
        with Image.open(path, formats=FORMATS) as image:
            for number in range(count):
                image.seek(number)
                yield _page(image, f"{where} page {number + 1}" if count > 1 else where, max_pixels)
    except (ImageError, GeneratorExit):
        raise
    except Exception as error:  # decoders meet hostile bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        got = f"a damaged image ({reason})"
        raise ImageError(Problem(where, got, "a complete image file", "copy or download it again")) from error


def _page(image: Any, where: str, max_pixels: int) -> NDArray[Any]:
    from PIL import ImageOps

    if not image.mode.startswith("I"):
        return load(image, max_pixels=max_pixels)
    if image.width * image.height > max_pixels:
        raise ImageError(Problem(where, f"{image.width} x {image.height} pixels", f"at most {max_pixels:,} pixels"))
    tags = getattr(image, "tag_v2", {})
    inverted, transparent = tags.get(_PHOTOMETRIC) == 0, image.info.get("transparency")
    wide = image.mode == "I" and image.format not in DEEP - {"TIFF"}
    signs = tags.get(_SAMPLE_FORMAT, 1)
    if wide or (signs[0] if isinstance(signs, tuple) else signs) == _SIGNED:
        remedy = "convert it to unsigned samples of 16 bits"
        raise ImageError(Problem(where, "grey samples of 32 bits or with a sign", "at most 16 bits, unsigned", remedy))
    read_pixels(image)
    try:
        upright = ImageOps.exif_transpose(image)
    except Exception:  # a damaged EXIF block must not cost a sound picture
        upright = image
    values = np.asarray(upright).astype(np.uint16)
    if transparent is not None:
        values[values == transparent] = 65535
    return 65535 - values if inverted else values


def encoded(pixels: NDArray[Any], stored: str) -> bytes:
    """Write one picture from its pixels alone.

    Args:
        pixels: uint8 (H, W) or (H, W, 3) RGB, or uint16 (H, W) where the format is in `DEEP`.
        stored: Pillow's name of the format.

    Returns:
        The file: the format's own header and these pixels.

    Raises:
        ImageError: the format cannot hold such a picture.
    """
    from PIL import Image

    picture = Image.fromarray(pixels)
    if stored == "GIF" and picture.mode == "RGB":
        picture = picture.quantize(256, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    try:
        picture.save(buffer, format=stored, **_OPTIONS.get(stored, {}))
    except (OSError, ValueError, OverflowError, KeyError) as error:
        shape = " x ".join(map(str, pixels.shape[1::-1]))
        got = f"{shape} pixels of {pixels.dtype} ({' '.join(str(error).split())})"
        raise ImageError(Problem(f"a file of format {stored}", got, "a picture that it can hold")) from error
    return buffer.getvalue()


def as_written(pixels: NDArray[Any], stored: str) -> NDArray[Any]:
    """Give what a reader of the written file will see.

    Args:
        pixels: as of `encoded`.
        stored: Pillow's name of the format.

    Returns:
        Pixels of the same shape; the same ones where the format keeps them.

    Raises:
        ImageError: the format cannot hold such a picture.
    """
    if stored not in LOSSY:
        return pixels
    from PIL import Image

    with Image.open(io.BytesIO(encoded(pixels, stored)), formats=FORMATS) as image:
        return np.asarray(image.convert("L" if pixels.ndim == 2 else "RGB"))


def write_pages(pictures: Iterable[NDArray[Any]], stored: str, file: IO[bytes]) -> None:
    """Write a picture, or all pages of a TIFF one after another, from pixels alone.

    Args:
        pictures: as of `encoded`; several only for TIFF.
        stored: Pillow's name of the format.
        file: to write and read, empty.

    Raises:
        ImageError: the format cannot hold such pictures.
    """
    given = iter(pictures)
    if stored != "TIFF":
        (only,) = given
        file.write(encoded(only, stored))
        return
    from PIL.TiffImagePlugin import AppendingTiffWriter

    writer = AppendingTiffWriter(file, new=True)
    for pixels in given:
        writer.write(encoded(pixels, stored))
        writer.newFrame()
