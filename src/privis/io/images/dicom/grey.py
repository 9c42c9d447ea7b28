"""Grey of a frame: modality LUT or rescale, then a window, then inversion, then 8 or 16 bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, Problem
from privis.io.images.depth import top_bits
from privis.io.images.dicom.header_values import first_number, group_of, lookup_table
from privis.io.images.dicom.reading import FULL, PRESETS, DicomReading

_LUT_BITS = 16  # up to here every stored value is mapped once, and then looked up
_MODALITY, _VOI = "PixelValueTransformationSequence", "FrameVOILUTSequence"
_CT = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
Values = NDArray[np.float64]


@dataclass(frozen=True)
class StoredRange:
    """What samples of a frame can be.

    Args:
        bits: that are stored.
        signed: whether as two's complement.
    """

    bits: int
    signed: bool

    @property
    def lowest(self) -> int:
        """The most negative value that is stored in so many bits, or 0."""
        return -(1 << self.bits - 1) if self.signed else 0

    @property
    def highest(self) -> int:
        """Where white would lie if nothing else were said."""
        return self.lowest + (1 << self.bits) - 1


def grey_levels(
    samples: NDArray[Any],
    stored: StoredRange | None,
    header: Any,
    frame: int,
    reading: DicomReading,
    where: str,
    used_bits: int | None = None,
    wide: bool = False,
) -> NDArray[Any]:
    """Turn stored samples of one channel into grey.

    Args:
        samples: integers or floats (H, W).
        stored: their range; None: floats, which have none.
        header: the data set.
        frame: number, from 0.
        reading: what was said of windows.
        where: the file, in messages.
        used_bits: public depth of samples in more than 8 bits, where no window is; None: all that are stored.
        wide: whether 16 bits are wanted.

    Returns:
        uint8 (H, W), or uint16.

    Raises:
        ImageError: a window that does not fit this file, or none for samples without a range.
    """
    if stored is None or stored.bits > _LUT_BITS or samples.size < 1 << stored.bits >> 1:
        return _mapped(samples, stored, header, frame, reading, where, used_bits, wide)
    if _full(header, frame, reading):  # what warns of unused bits must see the samples
        return _mapped(samples, stored, header, frame, reading, where, used_bits, wide)
    every = np.arange(stored.lowest, stored.highest + 1)
    table = _mapped(every, stored, header, frame, reading, where, used_bits, wide)
    return table.take(samples.astype(np.int32) - stored.lowest, mode="clip")


def _mapped(
    samples: NDArray[Any],
    stored: StoredRange | None,
    header: Any,
    frame: int,
    reading: DicomReading,
    where: str,
    used_bits: int | None,
    wide: bool,
) -> NDArray[Any]:
    modality = _Modality.of(header, frame, stored)
    if _full(header, frame, reading):
        if stored is None:
            remedy = "give --window CENTRE,WIDTH in the units of these values"
            raise ImageError(Problem(where, "samples of floating point without a window", "a window", remedy))
        levels = _full_range(samples, stored, modality, used_bits, wide)
    else:
        values = modality(samples)
        shares = _windowed(values, header, frame, reading, where, modality.signed)
        levels = np.floor(shares * (65535 if wide else 255) + 0.5).astype(np.uint16 if wide else np.uint8)
    inverted = str(header.PhotometricInterpretation).strip() == "MONOCHROME1"
    return (65535 if wide else 255) - levels if inverted else levels


@dataclass(frozen=True)
class _Modality:
    """From stored values to the units of the modality (DICOM PS3.3, C.11.1)."""

    slope: float
    intercept: float
    table: tuple[int, NDArray[np.int64], int] | None
    signed: bool

    @classmethod
    def of(cls, header: Any, frame: int, stored: StoredRange | None) -> _Modality:
        signed = stored is None or stored.signed
        item = group_of(header, _MODALITY, frame)
        if item is header and header.get("ModalityLUTSequence"):
            table = lookup_table(header.ModalityLUTSequence[0], signed, _big_endian(header))
            return cls(1.0, 0.0, table, signed=False)
        slope, intercept = first_number(item, "RescaleSlope"), first_number(item, "RescaleIntercept")
        if slope == 0:
            raise ValueError("RescaleSlope")
        slope, intercept = 1.0 if slope is None else slope, 0.0 if intercept is None else intercept
        lowest = 0 if stored is None else min(slope * stored.lowest, slope * stored.highest) + intercept
        return cls(slope, intercept, None, stored is None or lowest < 0)

    def __call__(self, samples: NDArray[Any]) -> Values:
        if self.table is None:
            return samples.astype(np.float64) * self.slope + self.intercept
        return _looked_up(samples, self.table)


def _looked_up(values: NDArray[Any], table: tuple[int, NDArray[np.int64], int]) -> Values:
    first, entries, _ = table
    places = np.clip(np.floor(values).astype(np.int64) - first, 0, len(entries) - 1)
    return entries[places].astype(np.float64)


def _full_range(
    samples: NDArray[Any], stored: StoredRange, modality: _Modality, used_bits: int | None, wide: bool
) -> NDArray[Any]:
    """Grey over all that can be stored: of 9 bits and more the top 8, as of other files."""
    if modality.table is not None:
        values, bits, lowest = modality(samples).astype(np.int64), modality.table[2], 0
    else:
        values, bits, lowest = samples.astype(np.int64) - stored.lowest, stored.bits, stored.lowest
    if wide:
        bits, values = _of_used(values, bits, lowest, used_bits)
        levels: NDArray[Any] = (values * 65535 // ((1 << bits) - 1)).astype(np.uint16)
    elif bits > 8:
        levels = top_bits(values, bits, lowest, used_bits)
    else:
        levels = (values * 255 // ((1 << bits) - 1)).astype(np.uint8)
    return (65535 if wide else 255) - levels if modality.slope < 0 else levels


def _of_used(values: NDArray[np.int64], bits: int, lowest: int, used: int | None) -> tuple[int, NDArray[np.int64]]:
    if used is None or used >= bits:
        return bits, values
    moved = values + lowest + (1 << used - 1) if lowest else values
    return used, np.clip(moved, 0, (1 << used) - 1)


def _full(header: Any, frame: int, reading: DicomReading) -> bool:
    if reading.fixed is not None:
        return False
    item = group_of(header, _VOI, frame)
    has_window = first_number(item, "WindowCenter") is not None and first_number(item, "WindowWidth") is not None
    return reading.window == FULL or not (has_window or item.get("VOILUTSequence"))


def _windowed(values: Values, header: Any, frame: int, reading: DicomReading, where: str, signed: bool) -> Values:
    """Shares of white, in [0, 1]."""
    if reading.fixed is not None:
        if reading.window in PRESETS and not _is_ct(header):
            got = f"a picture that is no CT, with --window {reading.window}"
            remedy = "presets are in Hounsfield units: say --window file, full, or CENTRE,WIDTH"
            raise ImageError(Problem(where, got, "CT", remedy))
        return _linear(values, *reading.fixed)
    item = group_of(header, _VOI, frame)
    if item.get("VOILUTSequence"):
        table = lookup_table(item.VOILUTSequence[0], signed, _big_endian(header))
        return _looked_up(values, table) / ((1 << table[2]) - 1)
    centre, width = first_number(item, "WindowCenter"), first_number(item, "WindowWidth")
    function = str(item.get("VOILUTFunction") or "LINEAR").strip()
    if centre is None or width is None or width <= 0 or (function == "LINEAR" and width < 1):
        got = "a window without a width, as the file has it"
        raise ImageError(Problem(where, got, "a width of at least 1", "say --window full or CENTRE,WIDTH"))
    if function == "LINEAR":
        return _linear(values, centre, width)
    if function == "LINEAR_EXACT":
        return np.clip((values - centre) / width + 0.5, 0, 1)
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
    got = "a VOI LUT function that the standard does not know"
    expected = "LINEAR, LINEAR_EXACT or SIGMOID"
    raise ImageError(Problem(where, got, expected, "say --window full or CENTRE,WIDTH"))


def _linear(values: Values, centre: float, width: float) -> Values:
    """DICOM PS3.3, C.11.2.1.2.1."""
    if width == 1:
        return (values > centre - 0.5).astype(np.float64)
    return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)


def _is_ct(header: Any) -> bool:
    return str(header.get("Modality", "")).strip() == "CT" or str(header.get("SOPClassUID", "")).strip() in _CT


def _big_endian(header: Any) -> bool:
    return header.original_encoding[1] is False
