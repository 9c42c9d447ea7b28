"""Slides that tests make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

GLASS, STAIN = (243, 242, 244), (180, 70, 150)


def stained(height: int, width: int, box: tuple[int, int, int, int] | None) -> NDArray[np.uint8]:
    """Glass with a stained rectangle (top, bottom, left, right), and a little noise so that no two tiles are equal."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = GLASS
    if box is not None:
        pixels[box[0] : box[1], box[2] : box[3]] = STAIN
    noise = np.random.default_rng(7).integers(0, 4, (height, width, 1), np.uint8)
    return pixels + noise


def write_pyramid(path: Path, pixels: NDArray[np.uint8], levels: int = 1, **options: Any) -> Path:
    """A tiled TIFF whose further pages halve the picture, half a micron a pixel."""
    import tifffile

    common: dict[str, Any] = {"tile": (128, 128), "photometric": "rgb", "compression": "deflate"} | options
    with tifffile.TiffWriter(path, bigtiff=False) as file:
        for level in range(levels):
            step = 2**level
            resolution = (20000 / step, 20000 / step)
            file.write(
                pixels[::step, ::step], subfiletype=int(level > 0), resolution=resolution,
                resolutionunit="CENTIMETER", metadata=None, **common,
            )  # fmt: skip
    return path


def write_dicom(path: Path, pixels: NDArray[np.uint8], series: str, spacing: float) -> Path:
    """A level of a DICOM slide (PS3.3, A.32.8), in tiles of 128 pixels; ``spacing`` in millimetres."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import generate_uid

    tile, (height, width) = 128, pixels.shape[:2]
    header, meta = Dataset(), FileMetaDataset()
    meta.MediaStorageSOPClassUID = header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.6"
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    header.file_meta = meta
    header.SeriesInstanceUID = header.StudyInstanceUID = series
    header.Modality, header.ImageType = "SM", ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    header.Rows = header.Columns = tile
    header.TotalPixelMatrixColumns, header.TotalPixelMatrixRows = width, height
    header.SamplesPerPixel, header.PhotometricInterpretation, header.PlanarConfiguration = 3, "RGB", 0
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit, header.PixelRepresentation = 7, 0
    header.DimensionOrganizationType = "TILED_FULL"
    header.TotalPixelMatrixFocalPlanes = header.NumberOfOpticalPaths = 1
    measures, shared, optics = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, optics.OpticalPathIdentifier = [spacing, spacing], "0"
    shared.PixelMeasuresSequence = [measures]
    header.SharedFunctionalGroupsSequence, header.OpticalPathSequence = [shared], [optics]
    frames = []
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            cut = pixels[top : top + tile, left : left + tile]
            frame = np.zeros((tile, tile, 3), np.uint8)
            frame[: cut.shape[0], : cut.shape[1]] = cut
            frames.append(frame.tobytes())
    header.NumberOfFrames, header.PixelData = len(frames), b"".join(frames)
    header.save_as(path, enforce_file_format=True)
    return path
