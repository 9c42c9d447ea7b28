"""Classifiers trained under differential privacy: accuracy, beside the published figures and beside no privacy.

``python -m benchmarks.dp_training`` prints the table for MNIST, CIFAR-10, Medical-MNIST and chest radiographs of
shared/data; ``--only NAME`` one of them, ``--data FILE.npz`` a set of your own instead (arrays x_train, y_train,
x_test, y_test; x uint8). ``--cache FOLDER`` keeps the features, which take longer than the training.

- The feature is the logarithm of `Scattering(2, 8)` of every colour plane; the head is `LogisticTraining`, with true
  Poisson samples, PLD accounting and a private standardisation that is part of the same epsilon.
- Parameters stand in `SETTINGS`. They were chosen on the last sixth of the *training* images (``--held-out`` shows it),
  which a benchmark may treat as public and a hospital may not; test images were read once, for the table.
- delta is 1e-5. "presence": one image comes or goes, as in all published figures. Means and standard deviations are
  over keys of the noise.
- "no privacy" is the same head on the same features, by scikit-learn's logistic regression.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import statistics
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import privis
from privis.features.owner import resize
from privis.privacy import Dataset, Gaussian, Person, ReleaseKey
from privis.privacy.subsampling import CorpusUnit
from privis.privacy.train import LogisticTraining
from privis.training.fitting import train_head

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
DELTA = 1e-5
CHUNK = 2000

Array = NDArray[np.generic]


@dataclass(frozen=True, eq=False)
class Split:
    """Training and test images, uint8 (N, H, W) or (N, H, W, 3), with class numbers; ``people`` of training images."""

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    people: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Setting:
    """Parameters of a training, fixed before test images are read."""

    epsilon: float
    sampling: float
    steps: int
    rate: float
    clip: float = 0.03
    unit: CorpusUnit = Dataset()
    published: str = ""


SETTINGS = {
    "mnist": (
        Setting(2.93, 0.137, 200, 90.0, published="98.7 from scratch (Tramer and Boneh), 96.8 (Opacus's example)"),
        Setting(1.0, 0.137, 150, 60.0, published="95.0 at 1.19 (TF-Privacy's example)"),
    ),
    "cifar10": (Setting(3.0, 0.137, 200, 90.0, published="67.0 linear, 69.3 CNN, on 50,000 lossless images"),),
    "medical": (
        Setting(1.0, 0.2, 100, 60.0),
        Setting(3.0, 0.2, 100, 60.0),
    ),
    "chest": (
        Setting(3.0, 0.5, 60, 30.0, 0.1),
        Setting(8.0, 0.5, 60, 30.0, 0.1),
        Setting(8.0, 0.5, 60, 30.0, 0.1, Person(3)),
    ),
}


@dataclass(frozen=True)
class Row:
    """One line of the table; accuracies in per cent, seconds of one training with its features at hand."""

    data: str
    unit: str
    images: int
    epsilon: float
    accuracies: tuple[float, ...]
    seconds: float
    processor_seconds: float
    clear: float | None
    published: str

    def __str__(self) -> str:
        mean = statistics.mean(self.accuracies)
        deviation = statistics.stdev(self.accuracies) if len(self.accuracies) > 1 else 0.0
        clear = "" if self.clear is None else f", no privacy {self.clear:.2f}"
        published = f", published {self.published}" if self.published else ""
        return (
            f"{self.data}: {self.images:,} images, {self.unit}, epsilon {self.epsilon:.4g}: "
            f"{mean:.2f} ± {deviation:.2f}{clear}{published} "
            f"({self.seconds:.0f} s, of a processor {self.processor_seconds:.0f} s)"
        )


def features(images: NDArray[np.uint8], cache: Path | None, size: int | None = None) -> NDArray[np.float32]:
    """Logarithms of the scattering transform of every plane; kept under the digest of the images."""
    name = hashlib.sha256(images.tobytes() + repr((images.shape, size)).encode()).hexdigest()[:24]
    kept = None if cache is None else cache / f"{name}.npy"
    if kept is not None and kept.exists():
        return np.load(kept, mmap_mode="r")
    feature = privis.Posted(privis.Scattering(size=None if size is None else (size, size)), (privis.Logarithm(),))
    planes = [images] if images.ndim == 3 else [np.ascontiguousarray(images[..., plane]) for plane in range(3)]
    parts = []
    for start in range(0, len(images), CHUNK):
        each = [privis.extract(feature, list(plane[start : start + CHUNK])).features for plane in planes]
        parts.append(np.concatenate(each, axis=1))
    vectors = np.concatenate(parts)
    if kept is not None:
        np.save(kept, vectors)
    return vectors


def trained(
    setting: Setting, vectors: Array, labels: Array, tests: tuple[Array, Array], key: ReleaseKey, people=None
) -> tuple[float, float, float]:
    """Accuracy on the test vectors in per cent, wall and processor seconds of the training."""
    classes = tuple(map(str, np.unique(labels)))
    members = len(labels) if people is None else len(set(people))
    plan = LogisticTraining(
        len(classes),
        vectors.shape[1],
        members,
        Gaussian(setting.epsilon, DELTA),
        setting.unit,
        sampling=setting.sampling,
        steps=setting.steps,
        rate=setting.rate,
        clip=setting.clip,
        standardise=0.05,
        groups=243 if vectors.shape[1] % 243 == 0 else 81,  # paths, of three planes or one
    )
    wall, processor = time.perf_counter(), time.process_time()
    head = train_head(plan, vectors, labels, classes, corpus="benchmark", key=key, subjects=people)
    took = time.perf_counter() - wall, time.process_time() - processor
    right = np.array(head.predict(tests[0])) == tests[1].astype(str)
    return 100 * float(right.mean()), *took


def clear_accuracy(vectors: Array, labels: Array, tests: tuple[Array, Array]) -> float:
    """The same head without privacy, in per cent."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(vectors)
    model = LogisticRegression(C=0.01, max_iter=60).fit(scaler.transform(vectors), labels)
    return 100 * float((model.predict(scaler.transform(tests[0])) == tests[1]).mean())


def rows_of(
    split: Split,
    settings: Sequence[Setting],
    seeds: int,
    cache: Path | None,
    *,
    clear: bool = False,
    size: int | None = None,
    held_out: bool = False,
    images: int | None = None,
) -> list[Row]:
    """All rows of one set of images, or of its first ``images``; prints each as it comes."""
    vectors, labels, name = features(split.images, cache, size), split.labels, split.name
    first = len(labels) * 5 // 6 if held_out else images or len(labels)
    if held_out:
        tests, name = (vectors[first:], labels[first:]), f"{name}, held-out training images"
    else:
        tests = features(split.test_images, cache, size), split.test_labels
    vectors, labels = vectors[:first], labels[:first]
    without = clear_accuracy(vectors, labels, tests) if clear else None
    made = []
    for setting in settings:
        people = split.people[:first] if split.people and isinstance(setting.unit, Person) else None
        keys = [ReleaseKey(hashlib.sha256(f"seed {seed}".encode()).digest()) for seed in range(seeds)]
        runs = [trained(setting, vectors, labels, tests, key, people) for key in keys]
        unit = "presence" if isinstance(setting.unit, Dataset) else f"people of up to {setting.unit.images} images"
        row = Row(
            name,
            unit,
            len(labels),
            setting.epsilon,
            tuple(run[0] for run in runs),
            statistics.median(run[1] for run in runs),
            statistics.median(run[2] for run in runs),
            without,
            setting.published,
        )
        print(row, flush=True)
        made.append(row)
    return made


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
            from privis.io.images import load

            parts.append((np.stack([load(_open(archive, entry)) for entry, _ in kept]), [label for _, label in kept]))
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


def _open(archive: zipfile.ZipFile, entry: str):
    from PIL import Image

    return Image.open(io.BytesIO(archive.read(entry)))


def chest() -> Split:
    """Sixty radiographs per class, 64x64; made-up people of three images each, as the set names none."""
    from privis.io.images import load

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


SETS: dict[str, tuple[Callable[[], Split], int | None]] = {
    "mnist": (lambda: from_npz(SHARED / "classification/mnist/mnist.npz", "MNIST"), None),
    "cifar10": (
        lambda: from_zips(
            SHARED / "classification/cifar10/cifar10_jpeg_train_10000.zip",
            SHARED / "classification/cifar10/cifar10_jpeg_test_6000.zip",
            "CIFAR-10 (JPEG)",
            1,
        ),
        None,
    ),
    "medical": (
        lambda: from_zips(
            SHARED / "medical/medical_mnist/medical_mnist_train_5400.zip",
            SHARED / "medical/medical_mnist/medical_mnist_test_1200.zip",
            "Medical-MNIST",
            0,
        ),
        32,
    ),
    "chest": (chest, 32),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", nargs="?", help="ignored: `python -m benchmarks` names the folder it looked for")
    parser.add_argument("--only", choices=SETS, help="one set of images")
    parser.add_argument("--data", type=Path, help="an .npz of your own, with MNIST's parameters")
    parser.add_argument("--images", type=int, nargs="*", help="also with so many of the training images")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cache", type=Path, help="folder that keeps features")
    parser.add_argument("--held-out", action="store_true", help="on held-out training images instead")
    parser.add_argument("--no-clear", action="store_true", help="leave out the row without privacy")
    words = parser.parse_args()
    if words.cache is not None:
        words.cache.mkdir(exist_ok=True)
    chosen = [words.only] if words.only else list(SETS)
    for name in ["mnist"] if words.data else chosen:
        load, size = SETS[name]
        split = from_npz(words.data, words.data.stem) if words.data else load()
        for images in [*(words.images or []), None]:
            rows_of(
                split,
                SETTINGS[name],
                words.seeds,
                words.cache,
                clear=not words.no_clear,
                size=size,
                held_out=words.held_out,
                images=images,
            )


if __name__ == "__main__":
    main()
