#!/bin/sh
# GDCM decodes RLE colour of 16 bits to other values, and says nothing.
#
# DICOM PS3.5, G.2: an RLE frame is one byte segment after another, for each sample its most significant byte first: six
# for RGB of 16 bits. GDCM reads such a file, returns as many bytes as there should be, and the samples are wrong. RGB
# of 8 bits and grey of 16 bits are right. Whoever has GDCM convert or display deep colour gets other colours.
#
# python-gdcm 3.2.6, pydicom 3.0.2, numpy 1.26.4, CPython 3.11.
# Privis has RLE decoded by pylibjpeg-rle: src/privis/io/images/dicom/frame_samples.py.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet python-gdcm==3.2.6 pydicom==3.0.2 numpy==1.26.4
"$folder/environment/bin/python" - "$folder" <<'PY'
import struct
import sys

import gdcm
import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless, SecondaryCaptureImageStorage, generate_uid

SIDE = 64


def frame(samples: np.ndarray) -> bytes:
    """Segments of literal runs: a count less one, then so many bytes."""
    size = samples.dtype.itemsize
    big = samples.astype(samples.dtype.newbyteorder(">")).tobytes()
    octets = np.frombuffer(big, np.uint8).reshape(-1, samples.shape[2] * size)
    segments = []
    for place in range(octets.shape[1]):
        content = octets[:, place].tobytes()
        runs = b"".join(bytes([SIDE - 1]) + content[at : at + SIDE] for at in range(0, len(content), SIDE))
        segments.append(runs + bytes(len(runs) % 2))
    offsets = [64 + sum(map(len, segments[:number])) for number in range(len(segments))]
    return struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(segments))) + b"".join(segments)


def share_right(samples: np.ndarray, path: str) -> float:
    """How many samples GDCM gives back."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = RLELossless, SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    made = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    made.SOPClassUID, made.SOPInstanceUID = SecondaryCaptureImageStorage, meta.MediaStorageSOPInstanceUID
    made.Rows = made.Columns = SIDE
    made.SamplesPerPixel, bits = samples.shape[2], 8 * samples.dtype.itemsize
    made.PhotometricInterpretation = "RGB" if samples.shape[2] == 3 else "MONOCHROME2"
    if samples.shape[2] == 3:
        made.PlanarConfiguration = 0
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = bits, bits, bits - 1, 0
    made.PixelData = encapsulate([frame(samples)])
    made["PixelData"].VR = "OB"
    made.save_as(path, enforce_file_format=True)
    reader = gdcm.ImageReader()
    reader.SetFileName(path)
    assert reader.Read()
    image = reader.GetImage()
    values = np.frombuffer(image.GetBuffer().encode("utf-8", "surrogateescape"), samples.dtype)
    return max(
        (values.reshape(samples.shape) == samples).mean(),
        (np.moveaxis(values.reshape(samples.shape[2], SIDE, SIDE), 0, -1) == samples).mean(),
    )


random, seen = np.random.default_rng(7), {}
for depth, colours in ((np.uint8, 3), (np.uint16, 1), (np.uint16, 3)):
    samples = random.integers(0, np.iinfo(depth).max, (SIDE, SIDE, colours), dtype=depth)
    seen[depth.__name__, colours] = share_right(samples, f"{sys.argv[1]}/picture.dcm")
    print(f"{depth.__name__}, {colours} samples a pixel: {100 * seen[depth.__name__, colours]:.0f} % of samples right")
described = seen["uint8", 3] == seen["uint16", 1] == 1 and seen["uint16", 3] < 0.5
print("as described" if described else "changed")
sys.exit(not described)
PY
