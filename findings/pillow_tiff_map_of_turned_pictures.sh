#!/bin/sh
# Pillow scrambles an uncompressed grey TIFF that is stored lying, when it is opened by its path.
#
# TIFF 6.0, tag 274 (Orientation): at the values 5 to 8 the stored rows are the columns of the picture. Pillow swaps width
# and height when it opens such a file and turns the pixels when it loads them. Opened by its path, an uncompressed file
# of one strip and one plane is mapped into memory instead of decoded, with the swapped size: rows are cut at the length of
# columns, and the result is turned once more. No error, no warning: scrambled pixels, and a width and height that are
# not those that size told before. The same bytes from a file object are read right, and so is a colour picture of 24
# bits, which is never mapped. Writers: scanners and microscopes that turn a picture by its tag, Pillow itself (exif=).
#
# pillow 13.0.0, numpy 1.26.4, CPython 3.11.
# Privis has such files decoded, not mapped: src/privis/io/images/decode.py, tests/io/images/test_decode.py.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet pillow==13.0.0 numpy==1.26.4
"$folder/environment/bin/python" - "$folder" <<'PY'
import io
import sys

import numpy as np
from PIL import Image

rows, columns = np.mgrid[:40, :64]
stored = {
    "L": Image.fromarray((3 * rows + columns).astype(np.uint8)),
    "I;16": Image.fromarray((300 * rows + 7 * columns).astype(np.uint16)),
    "RGB": Image.fromarray(np.stack([rows, columns, rows + columns], -1).astype(np.uint8)),
}
seen = {}
for mode, picture in stored.items():
    for orientation in (1, 3, 6, 8):
        exif = Image.Exif()
        exif[274] = orientation
        path = f"{sys.argv[1]}/{mode.replace(';', '')}_{orientation}.tif"
        picture.save(path, exif=exif)
        with open(path, "rb") as file:
            data = file.read()
        with Image.open(path) as mapped, Image.open(io.BytesIO(data)) as decoded:
            by_path, by_bytes = np.asarray(mapped), np.asarray(decoded)
        turned = {1: 0, 3: 2, 6: 3, 8: 1}[orientation]
        right = np.rot90(np.asarray(picture), turned)
        cut = np.rot90(np.asarray(picture).reshape(64, 40, -1).squeeze(), turned)
        kind = "right" if np.array_equal(by_path, right) else "scrambled" if np.array_equal(by_path, cut) else "other"
        seen[mode, orientation] = (kind, np.array_equal(by_bytes, right))
        print(f"{mode:5} orientation {orientation}: by path {kind}, shape {by_path.shape}; from bytes right: "
              f"{seen[mode, orientation][1]}, shape {by_bytes.shape}")
expected = {(mode, turn): ("right" if mode == "RGB" or turn < 5 else "scrambled", True) for mode, turn in seen}
print("as described" if seen == expected else "changed")
sys.exit(seen != expected)
PY
