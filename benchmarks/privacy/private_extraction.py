"""What a release adds to the time of HOG: from JPEG files, as users run it, and from decoded images.

``python -m benchmarks.private_extraction [FOLDER]``. FOLDER holds JPEG photographs; by default ImageNet's where they
are at hand, else four of scikit-image's. One process, one thread, processor time; the contestants take turns.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
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
    extract,
    extract_folder,
)
from privis.extraction.extractor import Extractor
from privis.features.feature import Feature
from privis.io.images.decode import load
from privis.io.images.record import ImageRecord
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


PHOTOGRAPHS = Path(__file__).resolve().parents[3] / "shared" / "data" / "photos" / "imagenet_samples"
MOST_PHOTOGRAPHS = 64
NOISES: dict[str, Release | None] = {
    CLEAR: None,
    "Laplace on the feature": FeatureRelease(Laplace(4.0), clip=14.0),
    "Gaussian on the feature": FeatureRelease(Gaussian(4.0, 1e-6), clip=14.0),
}


def run(repeats: int = 41) -> dict[str, dict[str, float]]:
    """Milliseconds per image by contestant, for one image at a time, from a file and from memory."""
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
                files[name] = lambda e=extractor: e(ImageRecord(load(path), str(path)))
                memory[name] = lambda e=extractor: e(ImageRecord(image, str(path)))
            measured[f"{title}, one 512x512 JPEG file"] = medians(files, repeats, time.process_time)
            measured[f"{title}, one 512x512 image in memory"] = medians(memory, repeats, time.process_time)
        return measured


def run_many(photographs: Sequence[Path], repeats: int = 5) -> dict[str, dict[str, float]]:
    """Milliseconds per image by contestant, through ``extract`` and ``extract_folder``."""
    cv2.setNumThreads(1)
    sources = [str(path) for path in photographs]
    decoded = [np.asarray(Image.fromarray(load(path)).resize((128, 128))) for path in photographs]
    measured = {f"HOG, {len(decoded)} images of 128x128 in memory, extract": _each(HOG(), decoded, repeats)}
    for side in (128, 256):
        feature = HOG(size=(side, side))
        title = f"HOG of {side}x{side}, {len(sources)} JPEG photographs"
        measured[f"{title}, extract"] = _each(feature, sources, repeats)
        with tempfile.TemporaryDirectory() as folder:
            tables = {
                name: lambda f=feature, n=noise, at=folder: extract_folder(
                    f, sources, Path(at) / "t.parquet", release=n
                )
                for name, noise in NOISES.items()
            }
            measured[f"{title}, extract_folder into .parquet"] = _per_image(tables, len(sources), repeats)
    return measured


def _each(feature: Feature, sources: Sequence[object], repeats: int) -> dict[str, float]:
    contestants = {name: lambda n=noise: extract(feature, sources, release=n) for name, noise in NOISES.items()}
    return _per_image(contestants, len(sources), repeats)


def _per_image(contestants: dict[str, Callable[[], object]], images: int, repeats: int) -> dict[str, float]:
    took = medians(contestants, repeats, time.process_time)
    return {name: milliseconds / images for name, milliseconds in took.items()}


def photographs_at(folder: Path, into: Path) -> list[Path]:
    """JPEG files of ``folder``, or written to ``into`` from scikit-image's photographs if there are none."""
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    if not found:
        for name in ("astronaut", "coffee", "chelsea", "rocket"):
            found.append(into / f"{name}.jpg")
            Image.fromarray(getattr(data, name)()).save(found[-1], quality=90)
    return found[:MOST_PHOTOGRAPHS]


def main() -> None:
    show(run())
    with tempfile.TemporaryDirectory() as into:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else PHOTOGRAPHS
        show(run_many(photographs_at(folder, Path(into))))


def show(measured: dict[str, dict[str, float]]) -> None:
    for title, took in measured.items():
        print(title)
        for name, milliseconds in took.items():
            print(f"  {name:26} {milliseconds:7.2f} ms   {milliseconds / took[CLEAR]:5.2f} times clear", flush=True)


if __name__ == "__main__":
    main()
