"""What a release adds to the time of HOG: from JPEG files, as users run it, and from decoded images.

``python -m benchmarks.private_extraction``. One process, one thread; the contestants take turns.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
from PIL import Image
from skimage import data

from benchmarks.timing import medians
from privis import (
    HOG,
    L2,
    Clear,
    DirectionRelease,
    FeatureRelease,
    Gaussian,
    Laplace,
    PixelRelease,
    Pixels,
    Posted,
    PrivUnit,
    RandomProjection,
    ReleaseKey,
)
from privis.features.feature import Feature
from privis.io.images import load
from privis.plan import Extractor
from privis.privacy import Release

HOG_128 = HOG(size=(128, 128))  # 15,876 components, as many as pixels: noise on them costs as much as on pixels
PROJECTED = Posted(HOG_128, (RandomProjection(64), L2()))  # what a release should be: few components, little noise
CLEAR = "clear"
CONTESTANTS: dict[str, dict[str, tuple[Feature, Release | None]]] = {
    "HOG, all components": {
        CLEAR: (HOG_128, None),
        "Laplace on the feature": (HOG_128, FeatureRelease(Laplace(4.0), clip=14.0)),
        "Gaussian on the feature": (HOG_128, FeatureRelease(Gaussian(4.0, 1e-6), clip=14.0)),
        "Laplace on pixels": (HOG_128, PixelRelease(Laplace(4.0), Pixels(16))),
        "Gaussian on pixels": (HOG_128, PixelRelease(Gaussian(4.0, 1e-6), Pixels(16))),
    },
    "HOG, 64 public components": {
        CLEAR: (PROJECTED, None),
        "Gaussian on the feature": (PROJECTED, FeatureRelease(Gaussian(4.0, 1e-6), clip=1.0)),
        "PrivUnit on the feature": (PROJECTED, DirectionRelease(PrivUnit(4.0))),
    },
}


def run(repeats: int = 41) -> dict[str, dict[str, float]]:
    """Milliseconds per image by contestant, for each feature from a file and from memory."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photograph.jpg"
        Image.fromarray(data.astronaut()).save(path, quality=90)
        image = load(path)
        measured = {}
        for title, contestants in CONTESTANTS.items():
            files: dict[str, Callable[[], object]] = {}
            memory: dict[str, Callable[[], object]] = {}
            for name, (feature, release) in contestants.items():
                extractor = Extractor(feature, Clear(), release, ReleaseKey.generate(), None)
                files[name] = lambda e=extractor: e(load(path), str(path))
                memory[name] = lambda e=extractor: e(image, str(path))
            measured[f"{title}, from a 512x512 JPEG file"] = medians(files, repeats)
            measured[f"{title}, from memory"] = medians(memory, repeats)
        return measured


def main() -> None:
    for title, took in run().items():
        print(title)
        for name, milliseconds in took.items():
            print(f"  {name:26} {milliseconds:7.2f} ms   {milliseconds / took[CLEAR]:5.2f} times clear")


if __name__ == "__main__":
    main()
