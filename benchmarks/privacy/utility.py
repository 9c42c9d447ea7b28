"""What each mechanism leaves of a feature: accuracy of a linear classifier at the honest whole-image epsilon.

``python -m benchmarks.utility`` prints the table for MNIST, Fashion-MNIST and Medical-MNIST of shared/data;
``--data FILE.npz`` takes a set of your own instead (arrays x_train, y_train, x_test, y_test; x uint8, (N, H, W)).

- Every private image, for training or as a query, is released once under each key. Labels are not protected.
- Public images are disjoint from the private ones. From them come means, projections and words and, by releasing them
  too, the regularisation of the classifier and the choice of k; never from training or test images.
- The classifier is ridge regression to one-hot labels (classes weighted equally), trained on released vectors.
- "noised queries" are released as the training vectors are; "clean queries" are exact: somebody uses the classifier on
  images of their own.
- Images are brought to 28 x 28 pixels, noise on pixels is put on those, and HOG is ``privis.HOG(cell=4, block=2)``:
  6 x 6 blocks of 2 x 2 cells of 9 orientations, 1,296 components.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import privis
from benchmarks.privacy.utility_routes import Entry, Part, Route, Vectors, entries
from privis.features.image_ops import resize
from privis.privacy import ReleaseKey

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SHRINKAGES = (1e-3, 1e-2, 1e-1, 1.0)  # of the classifier, in mean eigenvalues of the training vectors
SIDE = 28  # of every image, in pixels
MOST_CHOOSING = 4_000  # public images to choose by
LEAST_RELEASED = 12_000  # released so often that the choice does not hang on the luck of their noise


@dataclass(frozen=True)
class Source:
    """Where a set of images lies, and how many of them are trained on, public and queries."""

    name: str
    path: Path
    train: int
    public: int
    test: int
    remark: str = ""


SOURCES = (
    Source("MNIST", SHARED / "classification/mnist/mnist.npz", 20_000, 10_000, 2_500),
    Source(
        "Fashion-MNIST",
        SHARED / "classification/fashion_mnist_900/fashion_700.npz",
        *(300, 200, 200),
        "only 700 images are at hand: figures are good to about 3 points",
    ),
    Source(
        "Medical-MNIST",
        SHARED / "medical/medical_mnist",
        *(3_600, 1_800, 1_200),
        "slices of one patient may lie in all three parts, so the classes are easy",
    ),
)


@dataclass(frozen=True, eq=False)
class Split:
    """Disjoint public, training and test images of a source, and the feature that reads them."""

    feature: privis.HOG
    public: Part
    train: Part
    test: Part


@dataclass(frozen=True)
class Row:
    """One line of the table; accuracies are shares, one per key; epsilons are None for exact features."""

    data: str
    mechanism: str
    unit: str
    epsilon: float | None
    whole_image_epsilon: float | None
    noised: tuple[float, ...]
    clean: tuple[float, ...]

    def __str__(self) -> str:
        cells = (
            self.mechanism,
            _number(self.epsilon),
            self.unit,
            _number(self.whole_image_epsilon),
            _spread(self.noised),
            _spread(self.clean),
        )
        return f"| {' | '.join(cells)} |"


HEADER = """| mechanism | ε | unit | whole-image ε | noised queries, % | clean queries, % |
|---|---:|---|---:|---:|---:|"""


def run(
    sources: Sequence[Source] = SOURCES,
    *,
    images: int | None = None,
    keys: int = 5,
    only: str = "",
    workers: int = 1,
) -> Iterator[Row]:
    """Measure every line whose mechanism contains ``only``, in the order of the table.

    ``images`` bounds the training images (public and test images shrink with them), ``keys`` is the number of fresh
    release keys, ``workers`` that of processes.
    """
    sources = [scaled(source, images) for source in sources]
    tasks = [
        (source, index, keys)
        for source in sources
        for index, entry in enumerate(prepared(source)[1])
        if only in entry.mechanism
    ]
    if workers == 1 or len(tasks) < 2:
        yield from (measured(*task) for task in tasks)
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield from pool.map(measured, *zip(*tasks, strict=True))


def measured(source: Source, index: int, keys: int) -> Row:
    """One line of the table."""
    split, lines = prepared(source)
    entry = lines[index]
    route, shrinkage = chosen(entry, split.public)
    noised, clean = [], []
    for _ in range(keys if route.guarantee(split.train) else 1):
        key = ReleaseKey.generate()
        model = Ridge.fit(route.released(split.train, key), split.train.labels, shrinkage)
        noised.append(model.accuracy(route.released(split.test, key), split.test.labels))
        clean.append(model.accuracy(route.exact(split.test), split.test.labels))
    promise = route.guarantee(split.train)
    length = route.exact(split.test).shape[1]
    mechanism = entry.mechanism.replace("PCA-k", f"PCA-{length}").replace("of k", f"of {length}")
    if promise is None:
        return Row(source.name, mechanism, "none", None, None, tuple(noised), tuple(clean))
    release_unit = promise.relation if promise.unit in ("pixels", "patch") else promise.unit
    return Row(
        source.name, mechanism, release_unit, promise.epsilon, promise.whole_image_epsilon, tuple(noised), tuple(clean)
    )


def chosen(entry: Entry, public: Part) -> tuple[Route, float]:
    """The route and shrinkage that do best on public images: one half released and learned from, the other released."""
    public = Part(public.name, public.images[:MOST_CHOOSING], public.labels[:MOST_CHOOSING])
    half, releases = len(public.labels) // 2, -(-LEAST_RELEASED // len(public.labels))
    keys = [public_key(k) for k in range(releases if entry.routes[0].guarantee(public) else 1)]
    right: dict[tuple[int, float], list[float]] = {}
    for number, route in enumerate(entry.routes):
        for key in keys:
            released = route.released(public, key)
            for shrinkage in SHRINKAGES:
                model = Ridge.fit(released[:half], public.labels[:half], shrinkage)
                accuracy = model.accuracy(released[half:], public.labels[half:])
                right.setdefault((number, shrinkage), []).append(accuracy)
    number, shrinkage = max(right, key=lambda option: statistics.fmean(right[option]))
    return entry.routes[number], shrinkage


def public_key(number: int) -> ReleaseKey:
    """Known to all: releases of public images hide nothing."""
    return ReleaseKey(number.to_bytes(32, "little"))


@dataclass(frozen=True, eq=False)
class Ridge:
    """Least squares to one-hot labels, with a penalty of ``shrinkage`` mean eigenvalues."""

    weights: Vectors
    offset: Vectors

    @classmethod
    def fit(cls, rows: Vectors, labels: NDArray[np.integer], shrinkage: float) -> Ridge:
        """Learn from ``rows`` (N, components) of ``labels`` 0, 1, …"""
        rows = rows.astype(np.float32)
        mean, counts = rows.mean(0), np.maximum(np.bincount(labels), 1)
        balanced = np.eye(len(counts)) * len(labels) / counts  # without it noise favours the larger classes
        targets = balanced[labels].astype(np.float32)
        centred = rows - mean
        gram = (centred.T @ centred).astype(np.float64)
        penalty = shrinkage * max(np.trace(gram) / len(gram), 1e-12)
        weights = np.linalg.solve(gram + penalty * np.eye(len(gram)), centred.T @ (targets - targets.mean(0)))
        return cls(weights, targets.mean(0) - mean @ weights)

    def accuracy(self, rows: Vectors, labels: NDArray[np.integer]) -> float:
        """Share of ``rows`` that get their label."""
        return float(((rows @ self.weights + self.offset).argmax(1) == labels).mean())


@lru_cache(maxsize=2)
def prepared(source: Source) -> tuple[Split, list[Entry]]:
    """The split and its lines, read and learned once per process."""
    parts = split(source)
    return parts, entries(parts.feature, parts.public)


def split(source: Source) -> Split:
    """Training images first, public ones from the end of the training set; test images from the test set."""
    x_train, y_train, x_test, y_test = _read(source)
    x_train, x_test = (np.stack([resize(image, (SIDE, SIDE)) for image in x]) for x in (x_train, x_test))
    train, public, test = source.train, source.public, source.test
    return Split(
        privis.HOG(cell=4, block=2),
        Part("public", x_train[-public:], y_train[-public:]),
        Part("train", x_train[:train], y_train[:train]),
        Part("test", x_test[:test], y_test[:test]),
    )


def _read(source: Source) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    if source.path.is_dir():
        return (
            *_archive(source.path / "medical_mnist_train_5400.zip"),
            *_archive(source.path / "medical_mnist_test_1200.zip"),
        )
    with np.load(source.path) as arrays:
        if "x_train" in arrays:
            return tuple(arrays[name] for name in ("x_train", "y_train", "x_test", "y_test"))
        order = np.arange(len(arrays["y"])).reshape(10, -1).T.ravel()  # sorted by class: one of each in turn
        x, y, train = arrays["x"][order], arrays["y"][order], len(order) - source.test
    return x[:train], y[:train], x[train:], y[train:]


def _archive(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.integer]]:
    """Grey images of a zip of class folders, in a fixed mixed order."""
    from PIL import Image

    with zipfile.ZipFile(path) as archive:
        names = sorted(archive.namelist(), key=lambda name: (name.rsplit("/", 1)[-1], name))
        images = np.stack([np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("L")) for name in names])
    classes = [name.split("/")[-2] for name in names]
    return images, np.unique(classes, return_inverse=True)[1]


def _number(value: float | None) -> str:
    if value is None:
        return "—"
    return f"{value:,.4g}" if value < 10_000 else f"{value:,.0f}"


def _spread(shares: Sequence[float]) -> str:
    mean = f"{100 * statistics.fmean(shares):.1f}"
    return mean if len(shares) == 1 else f"{mean} ± {100 * statistics.stdev(shares):.1f}"


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--data", type=Path, help="a set of your own, .npz")
    words.add_argument("--keys", type=int, default=5, help="release keys per line")
    words.add_argument(
        "--images", type=int, help="at most so many training images; public and test images in proportion"
    )
    words.add_argument("--only", default="", help="lines whose mechanism contains this")
    words.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = words.parse_args()
    sources = SOURCES if given.data is None else (own(given.data),)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # in the processes to come
    for source in sources:
        if not source.path.exists():
            print(f"\n**{source.name}**: skipped, no {source.path}")
            continue
        source = scaled(source, given.images)
        print(
            f"\n**{source.name}**: {source.train:,} training, {source.public:,} public, {source.test:,} test images",
            end="",
        )
        print(f" ({source.remark}).\n\n{HEADER}" if source.remark else f".\n\n{HEADER}", flush=True)
        for row in run([source], keys=given.keys, only=given.only, workers=given.workers):
            print(row, flush=True)


def own(path: Path) -> Source:
    """A set of the user's: sizes as for MNIST, or in those proportions where there is less."""
    with np.load(path) as arrays:
        images, test = len(arrays["y_train"]), len(arrays["y_test"])
    train = min(20_000, 2 * images // 3)
    return Source(path.stem, path, train, min(10_000, images - train), min(2_500, test))


def scaled(source: Source, images: int | None) -> Source:
    """The source with at most ``images`` training images, and public and test images in proportion."""
    share = min(1.0, (images or source.train) / source.train)
    train, public, test = (int(count * share) for count in (source.train, source.public, source.test))
    return replace(source, train=train, public=public, test=test)


if __name__ == "__main__":
    from benchmarks.privacy import utility  # under its own name, so that other processes find what they are to call

    utility.main()
