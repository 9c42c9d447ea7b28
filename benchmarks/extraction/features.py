"""Speed of clear extraction on 256x256 images beside the named peers, one thread each, in one run.

``python -m benchmarks.extraction``. Every contestant gets the same decoded RGB image (the peers that read luma are
given luma) and ours runs as ``privis.extract`` runs it: owner's side, core and owner's side again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from skimage import data
from skimage.feature import hog, local_binary_pattern

from benchmarks.timing import medians
from privis import HOG, LBP, Clear, ColourHistogram, DalalTriggsHOG, Patterns
from privis.extraction.extractor import Extractor
from privis.features.feature import Feature
from privis.io.images.record import ImageRecord

SIDE = 256


@dataclass(frozen=True)
class Race:
    """Ours against a peer: ``limit`` is the largest allowed ratio of our time to the peer's."""

    ours: str
    peer: str
    limit: float


RACES = (
    Race("HOG", "cv2.HOGDescriptor", 1.2),
    Race("HOG, OpenCV's layout", "cv2.HOGDescriptor", 1.2),
    Race("LBP", "skimage local_binary_pattern", 0.1),
    Race("LBP, uniform", "skimage local_binary_pattern", 0.1),
    Race("colour histogram", "cv2.calcHist, 3 channels", 1.2),
    Race("colour histogram, joint", "cv2.calcHist, joint", 1.2),
)


def run(repeats: int = 41) -> dict[str, float]:
    """Median milliseconds per image, by contestant."""
    cv2.setNumThreads(1)
    image = np.ascontiguousarray(data.astronaut()[:SIDE, 100 : 100 + SIDE])
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    descriptor = cv2.HOGDescriptor((SIDE, SIDE), (16, 16), (8, 8), (8, 8), 9)
    contestants: dict[str, Callable[[], Any]] = {
        "HOG": _ours(HOG(), image),
        "HOG, OpenCV's layout": _ours(DalalTriggsHOG(size=None, gamma=False), image),
        "LBP": _ours(LBP(), image),
        "LBP, uniform": _ours(LBP(Patterns.UNIFORM), image),
        "colour histogram": _ours(ColourHistogram(), image),
        "colour histogram, joint": _ours(ColourHistogram(bins=8, joint=True), image),
        "cv2.HOGDescriptor": lambda: descriptor.compute(luma),
        "skimage hog": lambda: hog(luma),
        "skimage local_binary_pattern": lambda: local_binary_pattern(luma, 8, 1),
        "cv2.calcHist, 3 channels": lambda: [cv2.calcHist([image], [c], None, [16], [0, 256]) for c in range(3)],
        "cv2.calcHist, joint": lambda: cv2.calcHist([image], [0, 1, 2], None, [8] * 3, [0, 256] * 3),
    }
    return medians(contestants, repeats)


def _ours(feature: Feature, image: np.ndarray) -> Callable[[], Any]:
    extractor = Extractor(feature, Clear(), None, None, None)
    record = ImageRecord(image, "benchmark", is_file=False)
    return lambda: extractor(record)


def main() -> None:
    took = run()
    for name, milliseconds in took.items():
        print(f"{name:32} {milliseconds:8.3f} ms")
    for race in RACES:
        ratio = took[race.ours] / took[race.peer]
        verdict = "ok" if ratio <= race.limit else "TOO SLOW"
        print(f"{race.ours:24} / {race.peer:30} {ratio:6.3f}  (at most {race.limit})  {verdict}")


if __name__ == "__main__":
    main()
