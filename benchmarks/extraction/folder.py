"""Speed of a folder run: files per second with one process and with one per core, in one run.

``python -m benchmarks.folder [FILES]``. Real photographs from scikit-image's wheel as JPEG files, copied as hard
links; HOG at 128x128. Both runs include starting processes, reading, decoding and writing the table.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
from PIL import Image
from skimage import data

from privis import HOG
from privis.extraction.folder import extract_folder


@dataclass(frozen=True)
class Rates:
    """Files per second with one process and with ``cores`` processes."""

    one: float
    many: float
    cores: int

    @property
    def efficiency(self) -> float:
        """Share of the ideal: ``many / (cores * one)``."""
        return self.many / self.cores / self.one


def run(files: int = 10_000, cores: int | None = None) -> Rates:
    """Measure on ``files`` files."""
    cores = cores or os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        originals = []
        for photograph in ("astronaut", "coffee", "chelsea", "rocket"):
            path = folder / f"{photograph}.jpg"
            Image.fromarray(getattr(data, photograph)()).save(path, quality=90)
            originals.append(path)
        sources = []
        for index in range(files):
            path = folder / f"{index:06}.jpg"
            os.link(originals[index % 4], path)
            sources.append(str(path))
        cv2.setNumThreads(1)  # one process means one core; worker processes set this themselves
        rates = {}
        for workers in (1, cores):
            start = time.perf_counter()
            extract_folder(HOG(size=(128, 128)), sources, folder / f"hog{workers}.npz", workers=workers)
            rates[workers] = files / (time.perf_counter() - start)
    return Rates(rates[1], rates[cores], cores)


def main() -> None:
    rates = run(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
    print(f"1 process: {rates.one:.0f} files/s; {rates.cores} processes: {rates.many:.0f} files/s")
    print(f"efficiency {rates.efficiency:.2f} (at least 0.8 wanted)")


if __name__ == "__main__":
    main()
