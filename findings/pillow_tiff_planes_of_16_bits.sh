#!/bin/sh
# Pillow opens a colour TIFF of 16 bits whose planes are stored one after the other, and gives other colours.
#
# TIFF 6.0, section 8 (tag 284, PlanarConfiguration = 2): the red samples come first, then the green, then the blue ones;
# the colours are those of the same image with interleaved samples. At 8 bits Pillow agrees. At 16 bits it takes bytes of
# each plane as if they were samples of 8 bits: no error, no warning, an image of the right size. tifffile reads what was
# written. Writers that store planes: tifffile with planarconfig="separate", many microscopes and scanners.
#
# pillow 13.0.0, tifffile 2026.3.3, numpy 1.26.4, CPython 3.11.
# Privis reads such files through tifffile: src/privis/io/images/tiff.py, tests/io/images/test_layouts.py.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet pillow==13.0.0 tifffile==2026.3.3 numpy==1.26.4
"$folder/environment/bin/python" - "$folder" <<'PY'
import sys

import numpy as np
import tifffile
from PIL import Image

samples = np.arange(4 * 5 * 3, dtype=np.uint16).reshape(4, 5, 3) * 1000
seen = {}
for bits, stored in ((8, (samples >> 8).astype(np.uint8)), (16, samples)):
    for planes in ("contig", "separate"):
        path = f"{sys.argv[1]}/{bits}_{planes}.tif"
        data = np.moveaxis(stored, -1, 0) if planes == "separate" else stored
        tifffile.imwrite(path, data, photometric="rgb", planarconfig=planes)
        read = tifffile.imread(path)
        assert np.array_equal(np.moveaxis(read, 0, -1) if planes == "separate" else read, stored)
        with Image.open(path) as image:
            pixels = np.asarray(image)
        right = int((pixels == samples >> 8).all(axis=-1).sum())
        seen[bits, planes] = right
        print(f"{bits} bits, {planes}: mode {image.mode}, {right} of 20 pixels right, first {pixels[0, 1].tolist()},",
              f"written {(samples[0, 1] >> 8).tolist()}")
as_described = seen[8, "contig"] == seen[8, "separate"] == seen[16, "contig"] == 20 and seen[16, "separate"] < 10
print("as described" if as_described else "changed")
sys.exit(not as_described)
PY
