#!/bin/sh
# Pillow finds no transparent pixel in a grey PNG of 2 or 4 bits whose transparent grey is not black.
#
# PNG (third edition, section 11.3.1.1, tRNS): for colour type 0 the chunk holds one grey in the range of the image's bit
# depth, and pixels of that value are transparent. Pillow stretches samples of 2 and 4 bits to 0..255 and leaves the
# chunk's value as it is, so that convert("LA") and convert("RGBA") compare 85 * v or 17 * v with v: equal for 0 alone.
# At 1 and 8 bits both are on one scale. What should be see-through (and laid over white, say) stays grey.
#
# pillow 13.0.0, numpy 1.26.4, CPython 3.11.
# Privis scales the chunk's value: src/privis/io/images/decode.py, tests/io/images/test_layouts.py.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet pillow==13.0.0 numpy==1.26.4
"$folder/environment/bin/python" - "$folder" <<'PY'
import struct
import sys
import zlib

import numpy as np
from PIL import Image


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def grey_png(bits: int, transparent: int) -> bytes:
    """One row of eight pixels, all of the grey ``transparent``."""
    row = int("".join(format(transparent, f"0{bits}b") for _ in range(8)), 2).to_bytes(bits, "big")
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 1, bits, 0, 0, 0, 0))
    clear = chunk(b"tRNS", struct.pack(">H", transparent))
    return b"\x89PNG\r\n\x1a\n" + header + clear + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")


seen = {}
for bits in (1, 2, 4, 8):
    for transparent in (0, 1):
        path = f"{sys.argv[1]}/{bits}_{transparent}.png"
        with open(path, "wb") as file:
            file.write(grey_png(bits, transparent))
        with Image.open(path) as image:
            pillow = int((np.asarray(image.convert("LA"))[..., 1] == 0).sum())
        seen[bits, transparent] = pillow
        print(f"{bits} bits, transparent grey {transparent}: of 8 transparent pixels Pillow finds {pillow}")
right = {key: 0 if key in ((2, 1), (4, 1)) else 8 for key in seen}
print("as described" if seen == right else "changed")
sys.exit(seen != right)
PY
