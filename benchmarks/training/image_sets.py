"""The sets of images that ``benchmarks.dp_training`` learns from: shared/data, or a file of one's own."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from privis.features.image_ops import resize
from privis.io.images.decode import load

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@dataclass(frozen=True, eq=False)
class Split:
    """Training and test images, uint8 (N, H, W) or (N, H, W, 3), with class numbers; ``people`` of training images."""

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    people: tuple[str, ...] | None = None


def from_npz(path: Path, name: str) -> Split:
    """Images of a file with x_train, y_train, x_test and y_test."""
    with np.load(path) as arrays:
        labels = [arrays[each].astype(np.int64) for each in ("y_train", "y_test")]
        return Split(name, arrays["x_train"], labels[0], arrays["x_test"], labels[1])


def from_zips(train: Path, test: Path, name: str, class_at: int, most: int | None = None) -> Split:
    """Images of two archives, their class being the folder at ``class_at`` of the path; ``most`` per class."""
    parts: list[tuple[NDArray[np.uint8], list[str]]] = []
    for path in (train, test):
        with zipfile.ZipFile(path) as archive:
            names = sorted(n for n in archive.namelist() if n.lower().endswith((".jpg", ".jpeg", ".png")))
            seen: dict[str, int] = {}
            kept = []
            for entry in names:
                label = entry.split("/")[class_at]
                seen[label] = seen.get(label, 0) + 1
                if most is None or seen[label] <= most:
                    kept.append((entry, label))
            parts.append((np.stack([load(opened(archive, entry)) for entry, _ in kept]), [label for _, label in kept]))
    numbers = {label: number for number, label in enumerate(sorted(set(parts[0][1])))}
    (images, labels), (test_images, test_labels) = parts
    order = np.random.default_rng(0).permutation(len(labels))  # a held-out part has every class
    return Split(
        name,
        images[order],
        np.array([numbers[label] for label in labels])[order],
        test_images,
        np.array([numbers[label] for label in test_labels]),
    )


def opened(archive: zipfile.ZipFile, entry: str) -> Image.Image:
    """Read an image of an archive."""
    return Image.open(io.BytesIO(archive.read(entry)))


def chest() -> Split:
    """Sixty radiographs per class, 64x64; made-up people of three images each, as the set names none."""
    images, labels = [], []
    for number, name in enumerate(("Covid-19", "No_findings", "Pneumonia")):
        for path in sorted((SHARED / "medical" / "chest_xray" / name).glob("*.*")):
            image = load(path)
            grey = image if image.ndim == 2 else image.mean(2).astype(np.uint8)
            images.append(resize(grey, (64, 64)))
            labels.append(number)
    order = np.random.default_rng(0).permutation(len(labels))
    x, y = np.stack(images)[order], np.array(labels)[order]
    test = np.arange(len(y)) % 4 == 0
    people = tuple(f"person {row // 3}" for row in range(int((~test).sum())))
    return Split("chest radiographs", x[~test], y[~test], x[test], y[test], people)


def mnist() -> Split:
    """60,000 digits and the first 7,000 official test digits."""
    return from_npz(SHARED / "classification/mnist/mnist.npz", "MNIST")


def cifar10() -> Split:
    """10,000 training and 6,000 test images, JPEG."""
    folder = SHARED / "classification/cifar10"
    train, test = folder / "cifar10_jpeg_train_10000.zip", folder / "cifar10_jpeg_test_6000.zip"
    return from_zips(train, test, "CIFAR-10 (JPEG)", 1)


def medical() -> Split:
    """5,400 training and 1,200 test images of six kinds, 64x64."""
    folder = SHARED / "medical/medical_mnist"
    train, test = folder / "medical_mnist_train_5400.zip", folder / "medical_mnist_test_1200.zip"
    return from_zips(train, test, "Medical-MNIST", 0)


SETS: dict[str, Callable[[], Split]] = {"mnist": mnist, "cifar10": cifar10, "medical": medical, "chest": chest}
