"""Many small JPEG files and photographs of 12 megapixels, made from a few photographs, no two with the same bytes."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SMALL, LARGE = (256, 256), (3000, 4000)
"""Heights and widths in pixels."""
_PER_FOLDER = 1000
_LOT = 50

Photograph = NDArray[np.uint8]


@dataclass(frozen=True)
class ImageSet:
    """Images that are all made alike.

    Args:
        name: of its folder.
        shape: height and width in pixels.
        count: how many.
    """

    name: str
    shape: tuple[int, int]
    count: int

    def path(self, work: Path, number: int) -> Path:
        """Where image ``number`` lies below ``work``."""
        return work / self.name / f"{number // _PER_FOLDER:04d}" / f"{number:07d}.jpg"


def crop(photograph: Photograph, shape: tuple[int, int], random: np.random.Generator) -> Photograph:
    """Cut a piece out of a photograph, turn it over, change its light, and scale it; sensor noise on large ones.

    Args:
        photograph: uint8 (H, W, 3).
        shape: height and width of the result in pixels.
        random: decides everything.

    Returns:
        uint8 (height, width, 3).
    """
    height, width = photograph.shape[:2]
    side = random.uniform(0.35, 1.0)
    scale = side * min(height / shape[0], width / shape[1])
    high, wide = max(8, int(shape[0] * scale)), max(8, int(shape[1] * scale))
    top, left = random.integers(0, height - high + 1), random.integers(0, width - wide + 1)
    piece = photograph[top : top + high, left : left + wide]
    if random.random() < 0.5:
        piece = piece[:, ::-1]
    larger = shape[0] > high
    made = cv2.resize(piece, shape[::-1], interpolation=cv2.INTER_CUBIC if larger else cv2.INTER_AREA)
    light = random.uniform(0.8, 1.2), random.uniform(-12, 12)
    if shape[0] * shape[1] > 1_000_000:  # enlarged photographs are smooth, and decode faster than real ones
        grain = random.integers(-6, 7, (256, 256, 3), dtype=np.int8)
        tiled = np.tile(grain, (shape[0] // 256 + 1, shape[1] // 256 + 1, 1))[: shape[0], : shape[1]]
        made = cv2.add(made, tiled, dtype=cv2.CV_8U)
    return cv2.convertScaleAbs(made, alpha=light[0], beta=light[1])


def make(images: ImageSet, photographs: Path, work: Path, told: Callable[[str], None], workers: int = 2) -> list[str]:
    """Make the images that are not there yet; what was begun goes on.

    Args:
        images: which.
        photographs: folder of PNG files.
        work: where they are kept.
        told: is given a line every few seconds.
        workers: processes.

    Returns:
        All paths, in order.
    """
    paths = [images.path(work, number) for number in range(images.count)]
    missing = [number for number, path in enumerate(paths) if not path.exists()]
    for folder in {paths[number].parent for number in missing}:
        folder.mkdir(parents=True, exist_ok=True)
    lots = [missing[start : start + _LOT] for start in range(0, len(missing), _LOT)]
    originals = tuple(sorted(map(str, photographs.glob("*.png"))))
    if missing and not originals:
        raise FileNotFoundError(f"no PNG photograph in {photographs}")
    started = last = time.monotonic()
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for done, _ in enumerate(pool.map(partial(_make_lot, images, originals, work), lots), start=1):
            now = time.monotonic()
            if now - last > 5 or done == len(lots):
                left = (now - started) * (len(lots) - done) / done
                told(f"{images.name}: {min(done * _LOT, len(missing)):,} of {len(missing):,} made, {left:.0f} s left")
                last = now
    return list(map(str, paths))


def _make_lot(images: ImageSet, originals: Sequence[str], work: Path, numbers: Sequence[int]) -> None:
    cv2.setNumThreads(1)
    for number in numbers:
        random = np.random.default_rng([images.shape[0], number])  # of its own, so that no order matters
        photograph = _opened(originals[random.integers(len(originals))])
        quality = int(random.integers(85, 96))
        made, encoded = cv2.imencode(
            ".jpg", crop(photograph, images.shape, random), [cv2.IMWRITE_JPEG_QUALITY, quality]
        )
        assert made
        path = images.path(work, number)
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_bytes(encoded.tobytes())
        os.replace(unfinished, path)


@lru_cache(maxsize=32)
def _opened(path: str) -> Any:
    return cv2.imread(path, cv2.IMREAD_COLOR)


def different(paths: Sequence[str]) -> tuple[int, int]:
    """How many files have bytes of their own, and how many bytes there are in all."""
    digests, total = set(), 0
    for path in paths:
        content = Path(path).read_bytes()
        digests.add(hashlib.sha256(content).digest()[:16])
        total += len(content)
    return len(digests), total
