"""Classifiers trained under differential privacy: accuracy, beside the published figures and beside no privacy.

``python -m benchmarks.dp_training`` prints the table for MNIST, CIFAR-10, Medical-MNIST and chest radiographs of
shared/data; ``--only NAME`` one of them, ``--data FILE.npz`` a set of your own instead (arrays x_train, y_train,
x_test, y_test; x uint8) with the parameters of ``--like NAME``. ``--images N ...`` also trains on the first N, and
``--draw FILE.svg`` draws accuracy against their number. ``--cache FOLDER`` keeps the features, which take longer than
the training.

- What is read of an image stands in ``READINGS``: the logarithm of `Scattering(2, 8)` of every colour plane, of
  handwriting made upright first, of photographs averaged with that of their mirror image; for CIFAR-10 also what two
  public networks say, with what those have seen. The head is `LogisticTraining`, with true Poisson samples, PLD
  accounting and a private standardisation that is part of the same epsilon.
- Parameters stand in `SETTINGS`. They were chosen on the last sixth of the *training* images (``--held-out`` shows it),
  which a benchmark may treat as public and a hospital may not; test images were read once, for the table.
- delta is 1e-5. "presence": one image comes or goes, as in all published figures. Means and standard deviations are
  over keys of the noise.
- "no privacy" is the same head on the same features, by scikit-learn's logistic regression.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import privis
from benchmarks.training.image_sets import SETS, SHARED, Split, from_npz
from privis.features.feature import Feature
from privis.privacy import Dataset, Gaussian, Person, ReleaseKey
from privis.privacy.learning.logistic_regression import LogisticTraining
from privis.privacy.learning.subsampling import CorpusUnit
from privis.report.chart import drawn
from privis.report.elements import Chart, Line
from privis.training.fitting import train_head

DELTA = 1e-5
CHUNK = 2000

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Reading:
    """What a head reads of an image; ``seen``: what the numbers in it were learned from, empty for none at all.

    ``by_plane``: of each colour plane on its own. ``mirrored``: the mean with what is read of the mirror image.
    ``groups``: components that share a deviation of the private standardisation, as many runs of them.
    """

    name: str
    feature: Feature
    groups: int
    by_plane: bool = False
    mirrored: bool = False
    seen: str = ""

    def vectors(self, images: NDArray[np.uint8], cache: Path | None) -> NDArray[np.float32]:
        """One row per image; kept in ``cache`` under the digest of the images and of this."""
        name = hashlib.sha256(images.tobytes() + repr((images.shape, self)).encode()).hexdigest()[:24]
        kept = None if cache is None else cache / f"{name}.npy"
        if kept is not None and kept.exists():
            return np.load(kept, mmap_mode="r")
        vectors = np.concatenate([self._chunk(images[k : k + CHUNK]) for k in range(0, len(images), CHUNK)])
        if kept is not None:
            np.save(kept, vectors)
        return vectors

    def _chunk(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        views = [images, images[:, :, ::-1]] if self.mirrored else [images]
        made = [np.concatenate([self._extracted(plane) for plane in self._planes(view)], axis=1) for view in views]
        return np.mean(made, axis=0, dtype=np.float32)

    def _planes(self, images: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        return [images[..., k] for k in range(3)] if self.by_plane and images.ndim == 4 else [images]

    def _extracted(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return privis.extract(self.feature, [np.ascontiguousarray(image) for image in images]).features


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


def _scattering(name: str, groups: int, *, mirrored: bool = False, size: tuple[int, int] | None = None) -> Reading:
    feature = privis.Posted(privis.Scattering(size=size), (privis.Logarithm(),))
    return Reading(name, feature, groups, by_plane=True, mirrored=mirrored)


def _upright() -> Reading:
    feature = privis.Posted(privis.Deskewed(privis.Scattering()), (privis.Logarithm(),))
    return Reading("scattering of the upright digit", feature, 81)


def _squeezenet() -> Reading:
    """The 1,000 scores, as public as its weights; images enlarged to what its last layers need."""
    from tests.reference.onnx.networks import arrays, squeezenet

    side = 131
    network = squeezenet(arrays(SHARED / "weights/imagenet_squeezenet/squeezenet_v1.0_deepcomp.npz"), side)
    mean = (104.0, 117.0, 123.0)
    feature = privis.CNN(network, size=(side, side), mean=mean, divisor=1.0, channels=privis.Channels.BGR)
    return Reading("scores of SqueezeNet", feature, 0, seen="1.28 million ImageNet photographs")


def _mobilefacenet() -> Reading:
    path = SHARED / "weights/face_embedding_mobilefacenet/MobileFaceNet.onnx"
    feature = privis.CNN.from_onnx(path, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    return Reading("embedding of MobileFaceNet", feature, 0, seen="faces of MS-Celeb-1M")


READINGS: dict[str, tuple[Callable[[], Reading], ...]] = {
    "mnist": (_upright,),
    "cifar10": (lambda: _scattering("scattering", 243, mirrored=True), _squeezenet, _mobilefacenet),
    "medical": (lambda: _scattering("scattering", 81, size=(32, 32)),),
    "chest": (lambda: _scattering("scattering", 81, size=(32, 32)),),
}
SETTINGS = {
    "mnist": (
        Setting(
            2.93, 0.137, 200, 90.0, 0.05, published="98.7 from scratch (Tramer and Boneh), 96.8 (Opacus's example)"
        ),
        Setting(1.0, 0.137, 150, 60.0, 0.05, published="95.0 at 1.19 (TF-Privacy's example)"),
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
    reading: str
    seen: str

    def __str__(self) -> str:
        mean = statistics.mean(self.accuracies)
        deviation = statistics.stdev(self.accuracies) if len(self.accuracies) > 1 else 0.0
        clear = "" if self.clear is None else f", no privacy {self.clear:.2f}"
        published = f", published {self.published}" if self.published else ""
        seen = f" (which has seen {self.seen})" if self.seen else ""
        return (
            f"{self.data}, {self.reading}{seen}: {self.images:,} images, {self.unit}, epsilon {self.epsilon:.4g}: "
            f"{mean:.2f} ± {deviation:.2f}{clear}{published} "
            f"({self.seconds:.0f} s, of a processor {self.processor_seconds:.0f} s)"
        )


def trained(
    setting: Setting,
    groups: int,
    vectors: Array,
    labels: Array,
    tests: tuple[Array, Array],
    key: ReleaseKey,
    people: tuple[str, ...] | None = None,
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
        groups=groups,
    )
    wall, processor = time.perf_counter(), time.process_time()
    head = train_head(plan, vectors, labels, classes, corpus="benchmark", key=key, subjects=people)
    took = time.perf_counter() - wall, time.process_time() - processor
    right = np.array(head.predict(tests[0])) == tests[1].astype(str)
    return 100 * float(right.mean()), *took


def clear_accuracy(vectors: Array, labels: Array, tests: tuple[Array, Array]) -> float:
    """The same head without privacy, in per cent; it stops before it has learned its images by heart."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(vectors)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=0.01, max_iter=60).fit(scaler.transform(vectors), labels)
    return 100 * float((model.predict(scaler.transform(tests[0])) == tests[1]).mean())


def rows_of(
    split: Split,
    reading: Reading,
    settings: Sequence[Setting],
    seeds: int,
    cache: Path | None,
    *,
    clear: bool = False,
    held_out: bool = False,
    counts: Sequence[int] = (),
) -> list[Row]:
    """All rows of one reading of a set, for its first ``counts`` images and for all; prints each as it comes."""
    vectors, labels, name = reading.vectors(split.images, cache), split.labels, split.name
    most = len(labels) * 5 // 6 if held_out else len(labels)
    if held_out:
        tests, name = (vectors[most:], labels[most:]), f"{name}, held-out training images"
    else:
        tests = reading.vectors(split.test_images, cache), split.test_labels
    keys = [ReleaseKey(hashlib.sha256(f"seed {seed}".encode()).digest()) for seed in range(seeds)]
    made = []
    for first in [*counts, most]:
        own, own_labels = vectors[:first], labels[:first]
        without = clear_accuracy(own, own_labels, tests) if clear else None
        for setting in settings:
            people = split.people[:first] if split.people and isinstance(setting.unit, Person) else None
            runs = [trained(setting, reading.groups, own, own_labels, tests, key, people) for key in keys]
            unit = "presence" if isinstance(setting.unit, Dataset) else f"people of up to {setting.unit.images} images"
            row = Row(
                name,
                unit,
                len(own_labels),
                setting.epsilon,
                tuple(run[0] for run in runs),
                statistics.median(run[1] for run in runs),
                statistics.median(run[2] for run in runs),
                without,
                setting.published if first == most else "",
                reading.name,
                reading.seen,
            )
            print(row, flush=True)
            made.append(row)
    return made


def draw(rows: Sequence[Row], path: Path) -> None:
    """Accuracy against the number of images, a line per reading and epsilon, and one without privacy; as SVG."""
    points: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        points.setdefault(f"{row.reading}, ε {row.epsilon:g}", []).append(
            (row.images, statistics.mean(row.accuracies) / 100)
        )
        if row.clear is not None:
            exact = points.setdefault(f"{row.reading}, no privacy", [])
            if (row.images, row.clear / 100) not in exact:
                exact.append((row.images, row.clear / 100))
    lines = tuple(Line(name, tuple(sorted(own))) for name, own in points.items())
    chart = Chart(rows[0].data, "", "training images", "test accuracy", lines)
    style = resources.files("privis.report").joinpath("style.css").read_text(encoding="utf-8")
    size = 'xmlns="http://www.w3.org/2000/svg"'
    svg = drawn(chart).replace("<svg", f"<svg {size}", 1).replace(">", f"><style>{style}</style>", 1)
    path.write_text(svg, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", nargs="?", help="ignored: `python -m benchmarks` names the folder it looked for")
    parser.add_argument("--only", choices=SETS, help="one set of images")
    parser.add_argument("--data", type=Path, help="an .npz of your own")
    parser.add_argument("--like", choices=SETS, default="mnist", help="whose features and parameters --data has")
    parser.add_argument("--reading", default="", help="readings whose name holds this")
    parser.add_argument("--images", type=int, nargs="*", default=[], help="also with so many of the training images")
    parser.add_argument("--draw", type=Path, help="an SVG of accuracy against the number of images; with --only")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cache", type=Path, help="folder that keeps features")
    parser.add_argument("--held-out", action="store_true", help="on held-out training images instead")
    parser.add_argument("--no-clear", action="store_true", help="leave out the row without privacy")
    words = parser.parse_args()
    if words.draw and not (words.only or words.data):
        parser.error("--draw draws one set: name it with --only or --data")
    if words.cache is not None:
        words.cache.mkdir(exist_ok=True)
    chosen = [words.only] if words.only else list(SETS)
    for name in [words.like] if words.data else chosen:
        split = from_npz(words.data, words.data.stem) if words.data else SETS[name]()
        readings = [made for make in READINGS[name] if words.reading in (made := make()).name]
        rows = [
            row
            for reading in readings
            for row in rows_of(
                split,
                reading,
                SETTINGS[name],
                words.seeds,
                words.cache,
                clear=not words.no_clear,
                held_out=words.held_out,
                counts=words.images,
            )
        ]
        if words.draw:
            draw(rows, words.draw)


if __name__ == "__main__":
    main()
