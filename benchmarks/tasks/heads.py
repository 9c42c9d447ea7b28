"""``feature >> head`` on hidden images: seconds for an image, and how often the class is the one in the clear.

``python -m benchmarks.heads [--images N] [--train N] [--under ckks,aby3] [--only NAME] [--ciphertext-lbp N]``. Heads
are scikit-learn's: a standardised logistic regression of the feature's vectors of training images. A row is one feature
under one protection: the median seconds of an image from pixels to scores (encryption or sharing, computing,
decryption; keys, compilation and the first image apart), the processor seconds of an image with those of the parties,
the largest error of a score, and the images that get the class that they get in the clear. ``AtOwner`` marks rows in
which the owner extracts the public feature, and the head alone runs on the hidden vector. Local binary patterns on
ciphertexts take ten times the bar and more: ``--ciphertext-lbp`` measures N images of them.

Bars: HE at most 1.5 s, MPC at most 1 s an image, the same class for at least 99.5 % of 200 images.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import privis
from benchmarks.he.mnist import DEVIATION, MEAN, WEIGHTS, Arrays
from privis.program import Input, Program, Value, ops, trace
from privis.run.protocol import Executor
from privis.tasks import Scored, linear_head_of

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
BARS = {"ckks": 1.5, "aby3": 1.0}
SAME = 0.995

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Set:
    """Images with their labels, for training and for the test."""

    train: Sequence[Pixels]
    labels: NDArray[Any]
    test: Sequence[Pixels]
    truth: NDArray[Any]


@dataclass(frozen=True)
class Row:
    """What was measured of one feature under one protection."""

    name: str
    under: str
    images: int
    seconds: float
    processor: float
    error: float
    same: int
    right: float


def medical_mnist(train: int, test: int) -> Set:
    """Grey X-rays of six kinds, 64 x 64 pixels, equally many of each."""
    found = []
    for part, count in (("train_5400", train), ("test_1200", test)):
        with zipfile.ZipFile(DATA / "medical" / "medical_mnist" / f"medical_mnist_{part}.zip") as archive:
            kinds: dict[str, list[str]] = {}
            for name in sorted(archive.namelist()):
                if name.endswith(".jpeg"):
                    kinds.setdefault(name.split("/")[-2], []).append(name)
            each = -(-count // len(kinds))
            chosen = [
                (kind, name) for place in range(each) for kind in sorted(kinds) for name in kinds[kind][place:][:1]
            ]
            images = [np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("L")) for _, name in chosen[:count]]
            found += [images, np.array([kind for kind, _ in chosen[:count]])]
    return Set(*found)


def mnist(train: int, test: int) -> Set:
    """Handwritten digits, 28 x 28 pixels."""
    with np.load(DATA / "classification" / "mnist" / "mnist.npz", allow_pickle=False) as found:
        given = (found["x_train"][:train], found["y_train"][:train], found["x_test"][:test], found["y_test"][:test])
    return Set(list(given[0]), given[1], list(given[2]), given[3])


def quadratic_network(w: Arrays) -> Program:
    """The network of TenSEAL's tutorials up to its last hidden layer: 64 squares, of normalised pixels."""

    def layers(x: Value) -> Value:
        stride = (3, 3)
        x = (x >> ops.Conv(w["conv1_weight"][:, None], stride)) + w["conv1_bias"].reshape(-1, 1, 1)
        x = (x * x).reshape(len(w["fc1_weight"]))
        x = (x >> ops.Dense(w["fc1_weight"].T)) + w["fc1_bias"]
        return x * x

    side = 28
    return trace(layers, Input((1, side, side), -MEAN / DEVIATION, (1 - MEAN) / DEVIATION, None))


def digits() -> privis.CNN:
    """The hidden layer of a quadratic network, of pixels."""
    with np.load(WEIGHTS, allow_pickle=False) as members:
        weights = {name: members[name].astype(np.float64) for name in members.files}
    return privis.CNN(quadratic_network(weights), mean=MEAN, std=DEVIATION)


def fitted(feature: privis.Feature, given: Set, strength: float) -> tuple[Any, Callable[[Any], Scored]]:
    """A standardised logistic regression of the training images' vectors, and what puts it behind a feature."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
    model.fit(privis.extract(feature, list(given.train)).features, given.labels)
    head = linear_head_of(model)
    return model, lambda before: before >> head


def measure(
    name: str, scored: Scored, model: Any, vectors: NDArray[Any], given: Set, under: Executor, word: str, images: int
) -> Row:
    """Ask for the first ``images`` of the test set, one after the other."""
    cores = [scored.before(image) for image in given.test[:images]]
    program = scored.program(cores[0].shape)
    problems = under.supports(program)
    if problems:
        raise SystemExit("\n".join(map(str, problems)))
    run = under.prepare(program)
    run(cores[0])
    took, answers, busy = [], [], processor()
    for core in cores:
        start = time.perf_counter()
        answers.append(np.ravel(run(core)))
        took.append(time.perf_counter() - start)
    busy = processor() - busy
    scores = np.stack(answers)
    clear = model.decision_function(vectors[: len(scores)])
    labels = np.array(scored.decide(scores).labels)
    own = model.predict(vectors[: len(scores)]).astype(str)
    error = float(np.abs(scores - clear.reshape(scores.shape)).max())
    same, right = int((labels == own).sum()), float((labels == given.truth[: len(scores)].astype(str)).mean())
    return Row(name, word, len(scores), statistics.median(took), busy / len(scores), error, same, right)


def processor() -> float:
    """Processor seconds of this process, of its threads, and of the processes that it has started and that live."""
    ticks = os.sysconf("SC_CLK_TCK")
    found = os.times()
    total = found.user + found.system + found.children_user + found.children_system
    for task in Path("/proc/self/task").glob("*/children"):
        total += sum(_of_tree(int(child), ticks) for child in task.read_text().split())
    return total


def _of_tree(process: int, ticks: int) -> float:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / ticks + sum(_of_tree(int(child), ticks) for child in children)


HEAD = (
    f"{'feature >> head':34}{'under':>7}{'images':>7}{'s/image':>9}{'bar':>5}{'CPU s':>8}{'error':>9}{'same':>9}"
    f"{'right':>8}"
)


def line(row: Row) -> str:
    """One row of the table, beside its bar."""
    bar = BARS[row.under]
    good = row.seconds <= bar and row.same >= SAME * row.images
    return (
        f"{row.name:34}{row.under:>7}{row.images:7}{row.seconds:9.3f}{bar:5.1f}{row.processor:8.3f}{row.error:9.1e}"
        f"{row.same:5}/{row.images:<3}{row.right:8.1%}  {'ok' if good else 'MISSED'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", help="ignored: `python -m benchmarks` names the folder it looked for")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--train", type=int, default=1800)
    parser.add_argument("--under", default="ckks,aby3")
    parser.add_argument("--only", default="", help="part of the name of a row")
    parser.add_argument("--ciphertext-lbp", type=int, default=0, metavar="N")
    options = parser.parse_args()
    print(HEAD)
    for row in rows(options):
        print(line(row), flush=True)


def rows(options: argparse.Namespace) -> Any:
    """Every row that was asked for, as it is measured."""
    size = (64, 64)
    lbp = privis.LBP(privis.Patterns.UNIFORM, grid=(4, 4), size=size)
    x_rays = medical_mnist(options.train, options.images)
    cases: list[tuple[str, privis.Feature, Set, float]] = [
        ("colour histogram, 48 bins", privis.ColourHistogram(bins=16, size=size), x_rays, 0.1),
        ("LBP, uniform, 4x4 cells", lbp, x_rays, 0.1),
        ("quadratic network, 64 values", digits(), mnist(2 * options.train, options.images), 0.1),
    ]
    for name, feature, given, strength in cases:
        if options.only not in name:
            continue
        model, behind = fitted(feature, given, strength)
        vectors = privis.extract(feature, list(given.test)).features
        for word in options.under.split(","):
            at_owner = feature is lbp and word == "ckks"
            scored = behind(privis.AtOwner(feature) if at_owner else feature)
            title = f"AtOwner({name})" if at_owner else name
            yield _row(title, scored, model, vectors, given, word, options.images)
            if at_owner and options.ciphertext_lbp:
                whole, coarse = behind(feature), privis.CKKS(precision=1e-3)
                yield _row(name, whole, model, vectors, given, word, options.ciphertext_lbp, coarse)


def _row(
    name: str,
    scored: Scored,
    model: Any,
    vectors: NDArray[Any],
    given: Set,
    word: str,
    images: int,
    ciphertexts: Executor | None = None,
) -> Row:
    if word == "ckks":
        return measure(name, scored, model, vectors, given, ciphertexts or privis.CKKS(), word, images)
    with privis.MPC() as parties:
        return measure(name, scored, model, vectors, given, parties, word, images)


if __name__ == "__main__":
    main()
