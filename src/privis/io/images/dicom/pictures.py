"""Frames of DICOM files as pictures, in a fixed order: palette, modality, window, inversion, bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, MissingExtraError, Problem
from privis.io.images.depth import DepthWarning
from privis.io.images.dicom.frame_samples import check_size, stored_samples
from privis.io.images.dicom.grey import StoredRange, grey_levels
from privis.io.images.dicom.opened import WHOLE, OpenedDicom, opened
from privis.io.images.dicom.patients import refuse_without_patient
from privis.io.images.dicom.reading import DicomReading

_PALETTE = "PALETTE COLOR"
_COLOURS = ("MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT", _PALETTE)


def picture(
    path: Path | str,
    frame: int = 1,
    reading: DicomReading | None = None,
    *,
    max_pixels: int,
    bits: int | None = None,
    wide: bool = False,
    where: str = "",
) -> NDArray[Any]:
    """Read one frame.

    Args:
        path: of a DICOM file.
        frame: its number, from 1.
        reading: windows and overlays; None: as the file says, without overlays.
        max_pixels: most rows x columns.
        bits: public depth of samples in more than 8 bits, where there is no window; None: all that are stored.
        wide: whether 16 bits are wanted instead of 8.
        where: what messages call it; empty: its path.

    Returns:
        uint8 (H, W) or (H, W, 3) RGB; uint16 with ``wide``.

    Raises:
        ImageError: it cannot be read; the message has nothing of the header that tells of a person.
        MissingExtraError: what decodes it is not installed.
    """
    where, reading = where or str(path), reading or DicomReading()
    with opened(path, where) as given:
        try:
            if reading.patient:
                refuse_without_patient(given.header, where)
            samples, stored = stored_samples(given, frame - 1, max_pixels)
            pixels = _rendered(given, samples, stored, frame - 1, reading, bits, wide)
            if reading.overlays:
                _draw_overlays(pixels, given.header, frame - 1, where)
        except (ImageError, MissingExtraError, DepthWarning):
            raise
        except Exception as error:  # decoders and headers, hostile ones too; what they say may name a person
            got = f"DICOM pixels that cannot be decoded ({type(error).__name__})"
            raise ImageError(Problem(where, got, "a complete DICOM picture", WHOLE)) from None
    return np.ascontiguousarray(pixels)


def picture_shape(path: Path | str) -> tuple[int, ...]:
    """Give the shape of a frame from the header alone.

    Args:
        path: of a DICOM file.

    Raises:
        ImageError: it has none.
        MissingExtraError: pydicom is not installed.
    """
    with opened(path, str(path)) as given:
        rows, columns, samples = check_size(given, 1 << 62)
        colour = samples == 3 or _colours(given.header) == _PALETTE
        return (rows, columns, 3) if colour else (rows, columns)


def frame_count(path: Path | str) -> int:
    """Give the number of frames of a DICOM file.

    Args:
        path: of the file.

    Raises:
        ImageError: its header cannot be read, or it has no pixels.
        MissingExtraError: pydicom is not installed.
    """
    with opened(path, str(path)) as given:
        try:
            return given.frames
        except Exception:
            got = "a number of frames that is none"
            raise ImageError(Problem(str(path), got, "a whole number", WHOLE)) from None


def stored_as(path: Path | str) -> str:
    """Say how pixels of a DICOM file are stored, in words: nothing of a person, study or series.

    Args:
        path: of the file.

    Returns:
        Bits, colours as the standard names them, and the transfer syntax.

    Raises:
        ImageError: its header cannot be read, or it has no pixels.
        MissingExtraError: pydicom is not installed.
    """
    with opened(path, str(path)) as given:
        colours = _colours(given.header)
        known = colours if colours in _COLOURS else "a colour space that is not read"
        bits = given.header.get("BitsStored", "?")
        bits = f"{bits} bits" if isinstance(bits, int) else "floating point"
        return f"{bits}, {known}, {given.syntax.name if given.syntax.is_transfer_syntax else 'unknown encoding'}"


def _colours(header: Any) -> str:
    return str(header.get("PhotometricInterpretation", "")).strip()


def _rendered(
    given: OpenedDicom,
    samples: NDArray[Any],
    stored: StoredRange | None,
    frame: int,
    reading: DicomReading,
    bits: int | None,
    wide: bool,
) -> NDArray[Any]:
    if samples.ndim == 2 and _colours(given.header) != _PALETTE:
        return grey_levels(samples, stored, given.header, frame, reading, given.where, bits, wide)
    depth = 8 if stored is None else stored.bits
    if samples.ndim == 2:
        from pydicom.pixels import apply_color_lut

        samples, depth = (
            apply_color_lut(samples, given.header),
            int(given.header.RedPaletteColorLookupTableDescriptor[2]),
        )
    values = samples.astype(np.int64)
    if wide:
        return (values * 65535 // ((1 << depth) - 1)).astype(np.uint16)
    return (values >> (depth - 8) if depth >= 8 else values * 255 // ((1 << depth) - 1)).astype(np.uint8)


def _draw_overlays(pixels: NDArray[Any], header: Any, frame: int, where: str) -> None:
    """Paint overlay planes in white (DICOM PS3.3, C.9.2)."""
    white = np.iinfo(pixels.dtype).max
    for group in range(0x6000, 0x6020, 2):
        if (group, 0x0010) not in header:
            continue
        if (group, 0x3000) not in header:
            got = "an overlay in unused bits of the pixels, as older files have it"
            raise ImageError(Problem(where, got, "an overlay plane of its own", "read it without overlays"))
        plane = header.overlay_array(group)
        first = int(header[group, 0x0051].value) - 1 if (group, 0x0051) in header else 0
        if plane.ndim == 3:
            if not first <= frame < first + len(plane):
                continue
            plane = plane[frame - first]
        top, left = (int(value) - 1 for value in header[group, 0x0050].value)
        rows, columns = np.nonzero(plane)
        rows, columns = rows + top, columns + left
        inside = (rows >= 0) & (columns >= 0) & (rows < pixels.shape[0]) & (columns < pixels.shape[1])
        pixels[rows[inside], columns[inside]] = white
