#!/bin/sh
# FFmpeg's "accurate rounding" makes a flat grey of 4:2:0 video darker than the fast conversion does, by two levels.
#
# The flags accurate_rnd and bitexact are what one asks for to have exact and reproducible RGB. Y = 126 with neutral chroma
# is (126 - 16) * 255 / 219 = 128, and the default conversion gives 128. With accurate_rnd it becomes 126 in every pixel,
# white 235 becomes 253 instead of 255. With full_chroma_int beside it the result is right. Pictures that go through
# such a pipeline differ from those of other readers by a constant, which thresholds and networks see.
#
# av 18.1.0 (its FFmpeg), numpy 1.26.4, CPython 3.11.
# Privis adds the third flag: src/privis/io/video/frame_pixels.py, tests/io/video.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet av==18.1.0 numpy==1.26.4
"$folder/environment/bin/python" - <<'PY'
import sys

import av
import numpy as np
from av.video.reformatter import Interpolation

FLAGS = {
    "bilinear": Interpolation.BILINEAR,
    "and accurate_rnd": Interpolation.BILINEAR | Interpolation.ACCURATE_RND,
    "and full_chroma_int": Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT,
}
LEVELS = {16: 0, 81: 76, 126: 128, 180: 191, 235: 255}
worst = {}
for name, flags in FLAGS.items():
    off = []
    for luma, grey in LEVELS.items():
        frame = av.VideoFrame(64, 64, "yuv420p")
        for plane, value in zip(frame.planes, (luma, 128, 128)):
            plane.update(np.full(plane.buffer_size, value, np.uint8).tobytes())
        made = frame.reformat(format="rgb24", interpolation=int(flags)).to_ndarray()
        assert np.unique(made).size == 1
        off.append(int(made[0, 0, 0]) - grey)
    worst[name] = min(off)
    print(f"{name}: off by {dict(zip(LEVELS, off))}")
as_described = worst == {"bilinear": -1, "and accurate_rnd": -2, "and full_chroma_int": 0}
print("as described" if as_described else "changed")
sys.exit(not as_described)
PY
