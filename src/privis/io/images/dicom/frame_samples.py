"""Stored samples of one frame: each transfer syntax by one decoder, chosen here and never by what happens to be there.

=============================  ========================================================================================
not compressed, deflated       pydicom; samples are looked at in the file, a frame at a time
RLE                            pylibjpeg-rle
JPEG of 8 bits                 Pillow
JPEG of 12 bits, lossless JPEG imagecodecs (libjpeg-turbo 3)
JPEG-LS                        pyjpegls (CharLS)
JPEG 2000, also HTJ2K          pylibjpeg-openjpeg (OpenJPEG)
video, JPIP, JPEG XL, others   refused
=============================  ========================================================================================
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, Problem
from privis.extras import optional_import
from privis.io.images.dicom.codestreams import Codec, Codestream, codestream_of
from privis.io.images.dicom.grey import StoredRange
from privis.io.images.dicom.header_values import whole_number
from privis.io.images.dicom.opened import WHOLE, OpenedDicom

_J2K = "1.2.840.10008.1.2.4."
_FAMILIES: Mapping[str, tuple[Codec, ...]] = MappingProxyType(
    {
        f"{_J2K}50": (Codec.JPEG,),
        f"{_J2K}51": (Codec.JPEG, Codec.DEEP_JPEG),
        f"{_J2K}57": (Codec.LOSSLESS_JPEG,),
        f"{_J2K}70": (Codec.LOSSLESS_JPEG,),
        f"{_J2K}80": (Codec.JPEG_LS,),
        f"{_J2K}81": (Codec.JPEG_LS,),
        **{f"{_J2K}{number}": (Codec.JPEG_2000,) for number in (90, 91, 92, 93, 201, 202, 203)},
    }
)
_ITEM = b"\xfe\xff\0\xe0"  # frames are in items, also where some give the length of all
_RLE = "1.2.840.10008.1.2.5"
_PLUGINS = {Codec.JPEG: "pillow", Codec.JPEG_LS: "pyjpegls", Codec.JPEG_2000: "pylibjpeg"}
_MODULES = {Codec.JPEG_LS: ("jpeg_ls",), Codec.JPEG_2000: ("pylibjpeg", "openjpeg")}
_WRONG_SYNTAX = "the transfer syntax in the file meta header is not that of the pixels: export it again"
_FLOATS = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}


def check_size(given: OpenedDicom, max_pixels: int) -> tuple[int, int, int]:
    """Give rows, columns and samples per pixel of a frame.

    Args:
        given: the file.
        max_pixels: most rows x columns.

    Raises:
        ImageError: no size, or a larger one.
        ValueError: an element is no number.
    """
    rows, columns = whole_number(given.header, "Rows", 0), whole_number(given.header, "Columns", 0)
    samples = whole_number(given.header, "SamplesPerPixel", 1)
    if rows < 1 or columns < 1:
        raise ImageError(Problem(given.where, f"{columns} x {rows} pixels", "at least 1 x 1", WHOLE))
    if rows * columns > max_pixels:
        remedy = "raise max_pixels if you trust this file"
        raise ImageError(Problem(given.where, f"{columns} x {rows} pixels", f"at most {max_pixels:,} pixels", remedy))
    if samples not in (1, 3):
        raise ImageError(Problem(given.where, f"{samples} samples per pixel", "1 or 3"))
    return rows, columns, samples


def stored_samples(given: OpenedDicom, frame: int, max_pixels: int) -> tuple[NDArray[Any], StoredRange | None]:
    """Decode one frame.

    Args:
        given: the file.
        frame: number, from 0.
        max_pixels: most rows x columns, checked before anything is decoded.

    Returns:
        Integers or floats (H, W), or integers (H, W, 3) RGB; and the range of integers, None for floats.

    Raises:
        ImageError: a frame that is not there, is cut off, is not in the declared transfer syntax or has no decoder.
        MissingExtraError: its decoder is not installed.
        Exception: what a decoder raises.
    """
    shape = check_size(given, max_pixels)
    if not 0 <= frame < given.frames:
        got = "1 frame" if given.frames == 1 else f"{given.frames} frames"
        raise ImageError(Problem(given.where, got, f"at least {frame + 1}", "choose a lower --frames, or all"))
    if given.keyword in _FLOATS:
        return _decoded(given, frame, _native_options(given, frame, shape)), None
    stored = StoredRange(whole_number(given.header, "BitsStored", 0), bool(given.header.get("PixelRepresentation")))
    allocated = whole_number(given.header, "BitsAllocated", 0)
    if not 1 <= stored.bits <= allocated <= 32:
        got = f"{stored.bits} bits stored of {allocated}"
        raise ImageError(Problem(given.where, got, "1 to 32", WHOLE))
    high = whole_number(given.header, "HighBit", stored.bits - 1)
    if given.syntax.is_encapsulated:
        if high != stored.bits - 1:
            raise _high_bit(given, high, stored)
        return _compressed(given, frame, shape, stored), stored
    options = _native_options(given, frame, shape)
    if high == stored.bits - 1:
        return _decoded(given, frame, options), stored
    if shape[2] != 1 or not stored.bits - 1 < high < allocated:
        raise _high_bit(given, high, stored)
    whole = _decoded(given, frame, {**options, "bits_stored": allocated, "pixel_representation": 0})
    values = (whole.astype(np.int64) >> (high + 1 - stored.bits)) & ((1 << stored.bits) - 1)
    return np.where(values > stored.highest, values - (1 << stored.bits), values), stored


def _high_bit(given: OpenedDicom, high: int, stored: StoredRange) -> ImageError:
    return ImageError(Problem(given.where, f"high bit {high} with {stored.bits} bits stored", f"{stored.bits - 1}"))


def _options(given: OpenedDicom) -> dict[str, Any]:
    from pydicom.pixels.utils import as_pixel_options

    options = as_pixel_options(given.header, number_of_frames=given.frames)
    return {**options, "transfer_syntax_uid": given.syntax, "pixel_keyword": given.keyword, "pixel_vr": given.word}


def _native_options(given: OpenedDicom, frame: int, shape: tuple[int, int, int]) -> dict[str, Any]:
    """Options of a frame that is not compressed and all there."""
    if given.syntax.is_encapsulated or given.length is None:
        raise ImageError(Problem(given.where, "compressed pixels", "pixels that are not compressed", _WRONG_SYNTAX))
    rows, columns, samples = shape
    allocated = _FLOATS.get(given.keyword) or whole_number(given.header, "BitsAllocated", 0)
    per_pixel = samples
    if str(given.header.PhotometricInterpretation).strip() == "YBR_FULL_422":
        per_pixel = 2
    needed = (rows * columns * per_pixel * allocated * (frame + 1) + 7) // 8
    there = min(given.length, given.size - given.start)
    if there < needed:
        got = f"{there:,} bytes of pixels"
        raise ImageError(Problem(given.where, got, f"{needed:,} up to frame {frame + 1}", WHOLE))
    return _options(given)


def _decoded(given: OpenedDicom, frame: int, options: dict[str, Any], plugin: str = "") -> NDArray[Any]:
    from pydicom.pixels import get_decoder

    given.source.seek(given.start)
    decoder = get_decoder(given.syntax)
    samples, told = decoder.as_array(given.source, index=frame, decoding_plugin=plugin, **options)
    _check_colour(given, str(told["photometric_interpretation"]), samples.ndim == 3)
    return samples


def _check_colour(given: OpenedDicom, colours: str, several: bool) -> None:
    known = ("RGB", "YBR_RCT", "YBR_ICT") if several else ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
    if colours.strip() not in known:
        got = f"{3 if several else 1} samples per pixel in a colour space that is not read"
        expected = "MONOCHROME1, MONOCHROME2, PALETTE COLOR, RGB, YBR_FULL, YBR_FULL_422, YBR_RCT or YBR_ICT"
        raise ImageError(Problem(given.where, got, expected, "export it as RGB"))


def _compressed(given: OpenedDicom, frame: int, shape: tuple[int, int, int], stored: StoredRange) -> NDArray[Any]:
    given.source.seek(given.start)
    if given.length is not None and given.source.read(4) != _ITEM:
        raise ImageError(Problem(given.where, "pixels that are not compressed", "compressed pixels", _WRONG_SYNTAX))
    options = _options(given)
    if given.syntax == _RLE:
        with optional_import("dicom", f"{given.where}, RLE in DICOM"):
            import pylibjpeg  # noqa: F401
            import rle  # noqa: F401
        return _decoded(given, frame, options, "pylibjpeg")
    if given.syntax not in _FAMILIES:
        got = f"the transfer syntax {given.syntax.name}"
        expected = "RLE, JPEG, JPEG-LS, JPEG 2000 or none"
        raise ImageError(Problem(given.where, got, expected, "export it in one of these"))
    content = _frame(given, frame, options)
    codestream = codestream_of(content)
    if codestream is None or codestream.codec not in _FAMILIES[given.syntax]:
        found = "something else" if codestream is None else str(codestream.codec)
        raise ImageError(Problem(given.where, found, str(_FAMILIES[given.syntax][0]), _WRONG_SYNTAX))
    _check_codestream(given, codestream, shape)
    if codestream.codec in (Codec.DEEP_JPEG, Codec.LOSSLESS_JPEG):
        return _by_imagecodecs(given, content, shape, stored)
    if codestream.codec is not Codec.JPEG:
        with optional_import("dicom", f"{given.where}, {codestream.codec} in DICOM"):
            for module in _MODULES[codestream.codec]:
                importlib.import_module(module)
    return _decoded(given, frame, options, _PLUGINS[codestream.codec])


def _frame(given: OpenedDicom, frame: int, options: dict[str, Any]) -> bytes:
    from pydicom.encaps import get_frame

    given.source.seek(given.start)
    offsets = options.get("extended_offsets")
    return get_frame(given.source, frame, number_of_frames=given.frames, extended_offsets=offsets)  # type: ignore[arg-type]


def _check_codestream(given: OpenedDicom, found: Codestream, shape: tuple[int, int, int]) -> None:
    rows, columns, samples = shape
    if (found.height, found.width, found.components) != shape:
        got = f"{found.width} x {found.height} pixels of {found.components} samples in the compressed frame"
        expected = f"{columns} x {rows} of {samples}, as the header says"
        raise ImageError(Problem(given.where, got, expected, WHOLE))
    if not found.whole:
        raise ImageError(Problem(given.where, f"a cut off {found.codec} frame", "its end", WHOLE))


def _by_imagecodecs(
    given: OpenedDicom, content: bytes, shape: tuple[int, int, int], stored: StoredRange
) -> NDArray[Any]:
    with optional_import("dicom", f"{given.where}, JPEG of 12 bits or without loss in DICOM"):
        import imagecodecs
    colours = str(given.header.PhotometricInterpretation).strip()
    kept = {"colorspace": "RGB", "outcolorspace": "RGB"} if shape[2] == 3 else {}  # as they are stored
    samples = np.asarray(imagecodecs.jpeg8_decode(content, **kept))
    if shape[2] == 3 and colours == "YBR_FULL":
        from pydicom.pixels import convert_color_space

        samples, colours = convert_color_space(samples, "YBR_FULL", "RGB"), "RGB"
    _check_colour(given, colours, shape[2] == 3)
    if stored.signed:
        values = samples.astype(np.int64) & ((1 << stored.bits) - 1)
        return np.where(values > stored.highest, values - (1 << stored.bits), values)
    return samples
