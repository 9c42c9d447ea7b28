"""Pixels of a DICOM file as they are stored, to be looked at, painted and written again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import ImageError, MissingExtraError, Problem
from privis.io.images.decode import MAX_PIXELS
from privis.io.images.dicom.frame_samples import check_size, stored_samples
from privis.io.images.dicom.header_values import whole_number
from privis.io.images.dicom.opened import WHOLE, OpenedDicom

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
_MOST_BYTES = 2 << 30
_FLOATS = {"FloatPixelData": "f4", "DoubleFloatPixelData": "f8"}
_LOSSY = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 81, 91, 93, 203))
_MEASURED = frozenset({"CT", "MR", "CR", "DX", "MG", "IO", "PX", "PT", "NM", "RG", "RTIMAGE", "SEG"})


@dataclass(eq=False)
class StoredPixels:
    """All frames of one file.

    Args:
        frames: (frames, rows, columns, samples) in the order of a picture, a view into ``raw``.
        raw: in the order of the file.
        photometric: how samples are to be read.
        header: what else says so.
        keyword: of the element.
        packed: whether eight pixels stand in a byte.
        unpacked: whether the input was compressed or its colours at half resolution, so that it is written otherwise.
        lossy: whether it was ever compressed with loss.
    """

    frames: Array = field(repr=False)
    raw: Array = field(repr=False)
    photometric: str
    header: Any = field(repr=False)
    keyword: str
    packed: bool
    unpacked: bool
    lossy: bool

    @classmethod
    def read(cls, given: OpenedDicom) -> StoredPixels:
        """Read all frames.

        Args:
            given: an open file.

        Returns:
            The pixels, writable.

        Raises:
            ImageError: they cannot be decoded, are cut off, or are too many for memory.
            MissingExtraError: what decodes them is not installed.
        """
        try:
            return cls._read(given)
        except (ImageError, MissingExtraError):
            raise
        except Exception as error:  # decoders and headers; what they say may name a person
            got = f"DICOM pixels that cannot be decoded ({type(error).__name__})"
            raise ImageError(Problem(given.where, got, "a complete DICOM picture", WHOLE)) from None

    @classmethod
    def _read(cls, given: OpenedDicom) -> StoredPixels:
        rows, columns, samples = check_size(given, MAX_PIXELS)
        header, count = given.header, given.frames
        bits = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(given.keyword)
        bits = bits or whole_number(header, "BitsAllocated", 0)
        if count * rows * columns * samples * max(bits, 8) // 8 > _MOST_BYTES:
            got = f"{count:,} frames of {columns} x {rows} pixels"
            raise ImageError(Problem(given.where, got, f"at most {_MOST_BYTES >> 30} GiB of pixels", "split the file"))
        photometric = str(header.PhotometricInterpretation).strip()
        lossy = str(given.syntax) in _LOSSY or str(header.get("LossyImageCompression") or "") == "01"
        native = not given.syntax.is_encapsulated and given.length is not None and photometric != "YBR_FULL_422"
        if not native:
            frames = np.stack([stored_samples(given, number, MAX_PIXELS)[0] for number in range(count)])
            frames = frames.reshape(count, rows, columns, samples).astype(_dtype(header, given.keyword, bits))
            colours = photometric if samples == 1 else "RGB"
            return cls(frames, frames, colours, header, given.keyword, packed=False, unpacked=True, lossy=lossy)
        pixels = count * rows * columns * samples
        content = _content(given, (pixels * bits + 7) // 8)
        if bits == 1:
            raw = np.unpackbits(np.frombuffer(content, np.uint8), count=pixels, bitorder="little")
            raw = raw.reshape(count, rows, columns, samples)
            return cls(raw, raw, photometric, header, given.keyword, packed=True, unpacked=False, lossy=False)
        little = given.header.original_encoding[1] is not False
        stored = np.dtype(_dtype(header, given.keyword, bits)).newbyteorder("<" if little else ">")
        raw = np.frombuffer(content, stored).astype(stored.newbyteorder("<"))
        planes = samples == 3 and whole_number(header, "PlanarConfiguration", 0) == 1
        raw = raw.reshape((count, samples, rows, columns) if planes else (count, rows, columns, samples))
        frames = np.moveaxis(raw, 1, 3) if planes else raw
        return cls(frames, raw, photometric, header, given.keyword, packed=False, unpacked=False, lossy=lossy)

    def clear_unused_bits(self) -> bool:
        """Set bits of pixels that hold no pixel as a sign has them: older files hide overlays there.

        Returns:
            Whether there was something.
        """
        bits, stored = 8 * self.raw.dtype.itemsize, int(self.header.get("BitsStored", 0) or 0)
        high = int(self.header.get("HighBit", stored - 1) or 0)
        if self.keyword != "PixelData" or self.packed or not 0 < stored < bits or high != stored - 1:
            return False
        if self.raw.dtype.kind == "i":
            clean = (self.raw << (bits - stored)) >> (bits - stored)
        else:
            clean = self.raw & self.raw.dtype.type((1 << stored) - 1)
        changed = bool((clean != self.raw).any())
        if changed:
            self.raw[...] = clean
        return changed

    @property
    def measured(self) -> bool:
        """Whether values are a scanner's own and not those of a screen."""
        modality = str(self.header.get("Modality") or "").strip()
        return self.frames.shape[3] == 1 and self.photometric != "PALETTE COLOR" and modality in _MEASURED

    def grey(self, number: int) -> npt.NDArray[np.float32]:
        """Give one frame in grey of its own range, palettes applied.

        Args:
            number: of the frame, from 0.

        Returns:
            float32 (rows, columns).
        """
        frame = self.frames[number]
        if self.photometric == "PALETTE COLOR":
            from pydicom.pixels import apply_color_lut

            frame = apply_color_lut(np.ascontiguousarray(frame[..., 0]), self.header)[..., :3]
        if frame.shape[-1] == 1:
            return np.nan_to_num(frame[..., 0].astype(np.float32))
        if self.photometric.startswith("YBR"):
            return frame[..., 0].astype(np.float32)
        return (frame.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.float32)

    def view(self, grey: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """Stretch a frame to 8 bits, from the darkest to the brightest per mille; for finding at its owner alone.

        Args:
            grey: as `grey` gives it.

        Returns:
            uint8 (rows, columns).
        """
        low, high = (float(value) for value in np.percentile(grey[::2, ::2], (0.1, 99.9)))
        if high <= low:
            low, high = float(grey.min()), float(grey.max())
        if not self.measured and self.raw.dtype == np.uint8 and float(grey.max()) <= 255:
            low, high = 0.0, 255.0
        scaled = (grey - np.float32(low)) * np.float32(255 / max(high - low, 1e-30))
        return np.clip(scaled, 0, 255).round().astype(np.uint8)

    def paint(self, number: int, mask: Mask) -> None:
        """Give all pixels of a mask one value: black, or in grey the darkest of what is not painted.

        Args:
            number: of the frame, from 0.
            mask: bool (rows, columns).
        """
        frame = self.frames[number]
        if self.photometric == "PALETTE COLOR":
            grey = self.grey(number)
            at = np.unravel_index(int(np.where(mask, np.inf, grey).argmin()), grey.shape)
            frame[mask] = frame[at]
        elif frame.shape[-1] == 1:
            rest = frame[~mask]
            rest = rest if rest.size else np.zeros(1, frame.dtype)
            frame[mask] = rest.max() if self.photometric == "MONOCHROME1" else rest.min()
        elif self.photometric.startswith("YBR"):
            stored = int(self.header.get("BitsStored", 8))
            frame[mask] = np.array([0, 1 << stored - 1, 1 << stored - 1], frame.dtype)
        else:
            frame[mask] = 0

    def element(self) -> bytes:
        """Give the value of the element, little endian, of even length."""
        content = np.packbits(self.raw.reshape(-1), bitorder="little").tobytes() if self.packed else self.raw.tobytes()
        return content + b"\0" * (len(content) % 2)


def _content(given: OpenedDicom, needed: int) -> bytes:
    given.source.seek(given.start)
    content = given.source.read(needed)
    if len(content) < needed or (given.length is not None and given.length < needed):
        there = min(len(content), given.length or 0)
        raise ImageError(Problem(given.where, f"{there:,} bytes of pixels", f"{needed:,}", WHOLE))
    return content


def _dtype(header: Any, keyword: str, bits: int) -> str:
    if keyword in _FLOATS:
        return _FLOATS[keyword]
    if bits not in (1, 8, 16, 32):
        raise ValueError("BitsAllocated")
    return f"{'i' if header.get('PixelRepresentation') else 'u'}{max(bits // 8, 1)}"
