#!/bin/sh
# cv2.HOGDescriptor of a mirrored picture is not the mirrored descriptor.
#
# Dalal and Triggs (2005) weight a block by a Gaussian around its middle, which of 16 pixels is at 7.5. Cells, blocks and
# unsigned orientations mirror onto each other, so the descriptor of a mirrored picture should be a permutation of that of
# the picture, and people permute weights or descriptors instead of computing them twice. OpenCV puts the Gaussian around
# pixel 8: the permuted descriptor differs by up to a fifth of its largest value on noise (correlation 0.9), left and
# right as well as up and down. A detector trained on descriptors that were mirrored by permutation sees others at work.
#
# opencv-python-headless 4.11.0.86, numpy 1.26.4, CPython 3.11.
# Privis keeps OpenCV's centre so that published weights fit, and mirrors pictures, not descriptors:
# src/privis/features/dalal_triggs.py, src/privis/estimators/detection/training.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet opencv-python-headless==4.11.0.86 numpy==1.26.4
"$folder/environment/bin/python" - <<'PY'
import sys

import cv2
import numpy as np

hog = cv2.HOGDescriptor()
picture = np.random.default_rng(0).integers(0, 256, (128, 64), np.uint8)


def descriptor(pixels: np.ndarray) -> np.ndarray:
    """Block columns, block rows, cell columns, cell rows, orientations."""
    return hog.compute(np.ascontiguousarray(pixels)).reshape(7, 15, 2, 2, 9)


own = descriptor(picture)
found = []
for name, mirrored, back in (
    ("left and right", picture[:, ::-1], lambda d: d[::-1, :, ::-1, :, ::-1]),
    ("up and down", picture[::-1], lambda d: d[:, ::-1, :, ::-1, ::-1]),
    ("both, a half turn", picture[::-1, ::-1], lambda d: d[::-1, ::-1, ::-1, ::-1]),
):
    other = back(descriptor(mirrored))
    found.append(np.corrcoef(own.ravel(), other.ravel())[0, 1])
    print(f"{name}: correlation {found[-1]:.3f}, largest difference {np.abs(own - other).max():.3f} of {own.max():.3f}")
as_described = all(0.7 < each < 0.95 for each in found)
print("as described" if as_described else "changed")
sys.exit(not as_described)
PY
