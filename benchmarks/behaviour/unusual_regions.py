"""The most unusual region of every frame of UCSD Ped2 against masks of what is unusual.

Nearly all frames of these clips are abnormal, so that the area under a curve by frame says nothing: asked is whether
the region is where the anomaly is. Chance is the share of the picture that masks cover, about 1.2 %, for a pixel.
"""

from __future__ import annotations

import csv
import io
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.behaviour.commands_run import privis

CLIPS, BAR, RATE = ("03", "05"), 0.60, 10


@dataclass(frozen=True)
class Overlap:
    """Of one clip: frames in which something is abnormal, and shares of them."""

    frames: int
    overlapping: float
    fifth: float
    union: float
    seconds: float


def masks(archive: Path) -> NDArray[np.bool_]:
    """What is unusual in every frame, (frames, H, W)."""
    with zipfile.ZipFile(archive) as members:
        names = sorted(name for name in members.namelist() if name.lower().endswith(".bmp"))
        return np.stack([np.asarray(Image.open(io.BytesIO(members.read(name)))) > 127 for name in names])


def clip_overlap(data: Path, clip: str) -> Overlap:
    """Run ``privis video anomalies`` on a clip, and look at where its regions are."""
    folder = data / "video" / "ucsd_ped2"
    with tempfile.TemporaryDirectory() as place:
        scores = Path(place) / "scores.csv"
        _, seconds = privis("anomalies", folder / clip, "--rate", str(RATE), "-o", scores)
        with open(scores, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    found = []
    for row, mask in zip(rows, masks(folder / f"Test0{clip}_gt_masks.zip"), strict=True):
        if not mask.any():
            continue
        x, y, w, h = (float(row[name]) for name in "xywh")
        region = np.zeros_like(mask)
        region[int(y) : int(np.ceil(y + h)), int(x) : int(np.ceil(x + w))] = True
        both = (region & mask).sum()
        found.append((both > 0, both >= region.sum() / 5 and both > 0, both >= 0.2 * (region | mask).sum()))
    shares = np.mean(found, 0)
    return Overlap(len(found), *map(float, shares), seconds)


def main(data: Path) -> None:
    """Print a line for each clip."""
    for clip in CLIPS:
        each = clip_overlap(data, clip)
        print(
            f"UCSD Ped2, clip {clip}, nothing trained: the most unusual region overlaps the mask in "
            f"{100 * each.overlapping:.1f} % of {each.frames} abnormal frames (bar {100 * BAR:.0f} %); a fifth in "
            f"it: {100 * each.fifth:.1f} %; IoU of 0.2: {100 * each.union:.1f} %; {each.seconds:.1f} processor s "
            f"{'ok' if each.overlapping >= BAR else 'MISSED'}",
            flush=True,
        )
