"""DICOM files that tests make: a picture, and whatever else is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRBigEndian, ExplicitVRLittleEndian, generate_uid

NAME, NUMBER = "Secret^Person", "ID-4711"


def data_set(pixels: np.ndarray | None, **elements: Any) -> FileDataset:
    """A CT picture (H, W), of frames (N, H, W) or of colours (H, W, 3), in explicit little endian."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["privis"])
    made = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    made.Modality, made.PatientName, made.PatientID = "CT", NAME, NUMBER
    if pixels is not None:
        bits = 8 * pixels.dtype.itemsize
        colour = pixels.ndim == 3 and pixels.shape[2] == 3
        made.Rows, made.Columns = pixels.shape[:2] if colour or pixels.ndim == 2 else pixels.shape[1:3]
        if pixels.ndim == 3 and not colour:
            made.NumberOfFrames = len(pixels)
        made.SamplesPerPixel = 3 if colour else 1
        if colour:
            made.PlanarConfiguration = 0
        made.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
        made.BitsAllocated, made.BitsStored, made.HighBit = bits, bits, bits - 1
        made.PixelRepresentation = int(pixels.dtype.kind == "i")
        content = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
        made.PixelData = content + bytes(len(content) % 2)
        made["PixelData"].VR = "OB" if bits == 8 else "OW"
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def write(path: Path, pixels: np.ndarray | None, **elements: Any) -> Path:
    """Write `data_set` to a file."""
    data_set(pixels, **elements).save_as(path, enforce_file_format=True)
    return path


def write_big_endian(path: Path, pixels: np.ndarray) -> Path:
    """The same in explicit big endian, 16 bits."""
    made = data_set(pixels)
    made.PixelData = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
    made["PixelData"].VR = "OW"
    made.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dcmwrite(path, made, enforce_file_format=True, implicit_vr=False, little_endian=False)
    return path


def group(keyword: str, **elements: Any) -> Dataset:
    """A functional group: a data set with a sequence of one item."""
    item, outer = Dataset(), Dataset()
    for name, value in elements.items():
        setattr(item, name, value)
    setattr(outer, keyword, Sequence([item]))
    return outer


def table(first: int, bits: int, entries: list[int]) -> Sequence:
    """A Modality or VOI LUT."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first & 0xFFFF, bits])
    item.add_new("LUTData", "US", entries)
    return Sequence([item])
