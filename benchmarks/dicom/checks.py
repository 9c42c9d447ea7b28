"""DICOM files read beside an independent reading, and images per second.

``python -m benchmarks.dicom [DATA]``. Stored samples come from GDCM, which reads headers, frames and colours by code of
its own; windows, rescale and inversion are written down here by hand, from the files' headers, and worked out by the
sentences of the standard one value at a time. Bars: every file of ``medical/dicom`` and ``medical/dicom_more`` equal in
every pixel; every file of pydicom's wheel is read or ends in an error of Privis; 40 pictures of 512 x 512 pixels a
second on two cores.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from math import floor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privis.errors import PrivisError
from privis.io.images.decode import load

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
Pixels = NDArray[np.uint8]
CT, BAR = "dicom/693_UNCR.dcm", 40


@dataclass(frozen=True)
class Grey:
    """Header values of a grey file, as they were read by eye.

    Args:
        slope: of the rescale.
        intercept: of the rescale.
        centre: of the first window; None: there is none.
        width: of it.
        inverted: MONOCHROME1.
        top: for a file without a window, how far samples are shifted, and their lowest value.
    """

    slope: float = 1.0
    intercept: float = 0.0
    centre: float | None = None
    width: float = 0.0
    inverted: bool = False
    top: tuple[int, int] = (0, 0)

    def grey(self, stored: int) -> int:
        """Grey of one stored value: rescale, window (PS3.3, C.11.2.1.2.1), inversion, 8 bits."""
        if self.centre is None:
            level = (stored - self.top[1]) >> self.top[0]
        else:
            value = stored * self.slope + self.intercept
            if value <= self.centre - 0.5 - (self.width - 1) / 2:
                level = 0
            elif value > self.centre - 0.5 + (self.width - 1) / 2:
                level = 255
            else:
                level = floor(((value - (self.centre - 0.5)) / (self.width - 1) + 0.5) * 255 + 0.5)
        return 255 - level if self.inverted else level


LIVER = 3.48449328449328
FILES: dict[str, Grey | None] = {
    CT: Grey(1, -1024, 40, 100),
    "dicom/MR2_UNCR.dcm": Grey(3.774114, 0.000061, 1000, 2000),
    "dicom/OBXXXX1A.dcm": None,
    "dicom/RG3_J2KR.dcm": Grey(centre=550, width=1024, inverted=True),
    "dicom/US1_J2KR.dcm": None,
    "dicom/eCT_Supplemental.dcm": Grey(1, -1024, 49, 102),
    "dicom/eCT_Supplemental.dcm#frame=2": Grey(1, -1024, 49, 102),
    "dicom_more/CT1_J2KI": Grey(top=(8, -32768)),
    "dicom_more/OT-MONO2-8-colon.dcm": Grey(),
    "dicom_more/US-RGB-8-epicard": None,
    **{
        f"dicom_more/gsps_liver_mr1101/IM_0{number}": Grey(LIVER, 0, centre, width)
        for number, centre, width in (
            (156, 1070, 1860),
            (157, 1038, 1805),
            (158, 1057, 1837),
            (159, 1090, 1894),
            (160, 1138, 1979),
            (161, 1139, 1980),
            (162, 1090, 1894),
            (163, 1029, 1788),
        )
    },
}
"""Files, and what their headers say; None: colour."""


def by_gdcm(path: Path, frame: int = 1) -> tuple[NDArray[np.integer], NDArray[np.uint8] | None]:
    """Stored samples of a frame, and its palette (256, 3), by GDCM."""
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    if not reader.Read():
        raise ValueError(path)
    image = reader.GetImage()
    kind = image.GetPixelFormat()
    width, height = image.GetDimensions()[:2]
    samples, size = kind.GetSamplesPerPixel(), kind.GetBitsAllocated() // 8
    content = image.GetBuffer().encode("utf-8", "surrogateescape")
    letter = "i" if kind.GetPixelRepresentation() else "u"
    values = np.frombuffer(content, f"{letter}{size}").reshape(-1, height * width * samples)[frame - 1]
    if samples == 1:
        palette = image.GetLUT() if "PALETTE" in str(image.GetPhotometricInterpretation()) else None
        return values.reshape(height, width), None if palette is None else colours_of(path)
    if image.GetPlanarConfiguration():
        return np.moveaxis(values.reshape(3, height, width), 0, -1), None
    return values.reshape(height, width, 3), None


def colours_of(path: Path) -> NDArray[np.uint8]:
    """The palette of a file, read from its elements by GDCM: 8 of 16 bits."""
    import gdcm

    reader = gdcm.Reader()
    reader.SetFileName(str(path))
    reader.Read()
    columns = []
    for element in (0x1201, 0x1202, 0x1203):
        value = reader.GetFile().GetDataSet().GetDataElement(gdcm.Tag(0x0028, element)).GetByteValue()
        content = value.GetBuffer().encode("utf-8", "surrogateescape")
        columns.append(np.frombuffer(content[:512], "<u2") >> 8)
    return np.stack(columns, 1).astype(np.uint8)


def expected(folder: Path, name: str) -> Pixels:
    """Pixels by GDCM and by hand."""
    path, _, frame = name.partition("#frame=")
    stored, palette = by_gdcm(folder / path, int(frame or 1))
    grey = FILES[name]
    if grey is None:
        return stored.astype(np.uint8) if palette is None else palette[stored]
    values, places = np.unique(stored, return_inverse=True)
    return np.array([grey.grey(int(value)) for value in values], np.uint8)[places].reshape(stored.shape)


def compared(data: Path) -> Iterator[tuple[str, int]]:
    """Every file, and how many of its pixels differ."""
    for name in FILES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found, wanted = load(data / "medical" / name), expected(data / "medical", name)
        yield name, int((found != wanted).sum()) if found.shape == wanted.shape else -1


def bundled() -> tuple[int, int, list[str]]:
    """Files of pydicom's wheel: read, refused by an error of Privis, and what ended in any other way."""
    import pydicom

    read, refused, other = 0, 0, []
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                load(path)
            read += 1
        except PrivisError:
            refused += 1
        except Exception as error:
            other.append(f"{path.name}: {type(error).__name__}")
    return read, refused, other


def rate(path: Path, images: int, processes: int) -> tuple[float, float]:
    """Pictures a second, and processor seconds of each."""
    with ProcessPoolExecutor(processes) as pool:
        list(pool.map(_many, [path] * processes, [1] * processes))  # started, and everything imported
        started = time.perf_counter()
        spent = sum(pool.map(_many, [path] * processes, [images // processes] * processes))
        took = time.perf_counter() - started
    return images / took, spent / images


def _many(path: Path, times: int) -> float:
    started = time.process_time()
    for _ in range(times):
        load(path)
    return time.process_time() - started


def main(told: Callable[[str], None] = print) -> None:
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    right = 0
    for name, different in compared(data):
        right += different == 0
        told(f"{name:45} {'equal' if different == 0 else f'{different:,} values differ'}")
    told(f"{'files equal in every pixel':45} {right} of {len(FILES)} (bar: all)")
    read, refused, other = bundled()
    told(f"{'files of the wheel of pydicom':45} {read} read, {refused} refused, {len(other)} otherwise (bar: 0)")
    cores = min(2, os.cpu_count() or 1)
    pictures, seconds = rate(data / "medical" / CT, 400, cores)
    found = f"{pictures:.0f} a second on {cores} cores (bar: {BAR}); {seconds * 1e3:.1f} ms of a processor each"
    told(f"{'CT of 512 x 512 pixels':45} {found}")
