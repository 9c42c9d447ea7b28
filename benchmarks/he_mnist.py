"""The MNIST network of TenSEAL's tutorials on encrypted digits: one at a time, thousands at once, and TenSEAL's way.

``python -m benchmarks.he_mnist [--runs N] [--images N] [--processes N]``. Three rows, measured in turn in one run: a
digit alone (packed into few ciphertexts), digits that share ciphertexts (per digit), and TenSEAL's own path, written
after its tutorial 4 (windows laid out by the client, ``conv2d_im2col``, ``mm``). Seconds are the server's, medians;
processor seconds are of all processes and threads together: on a busy machine they say more. The network's accuracy is
that of the shared batch, beside the same network in the clear, on all test images in it. Sizes of values were learned
from training images.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.program import Input, Program, Value, ops, trace
from privis.readings import evaluate
from privis.run.he.compiled import Compiled, Options, compiled
from privis.run.he.cost import Machine, predict
from privis.run.he.evaluator import CACHE, Evaluator
from privis.run.he.secret import SecretKeys
from privis.run.he.sharing import Sharing

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
WEIGHTS = DATA / "weights" / "mnist_fhe_convnet" / "tenseal_ConvMNIST-0.1.npz"
MEAN, DEVIATION = 0.1307, 0.3081  # of the training images
PRECISION = 5e-3  # of the largest score: the smallest ring does
JUDGED = 500  # images whose scores are compared

Arrays = Mapping[str, NDArray[Any]]
Took = tuple[float, float]  # wall-clock and processor seconds


@dataclass(frozen=True)
class Digits:
    """Normalised images (count, side, side), labels of the first ones, and public ones to learn sizes from."""

    images: NDArray[np.float64]
    labels: NDArray[np.int64]
    samples: NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """Median seconds of the server for an image (``expected``: predicted), processor seconds, the largest error of a
    score, bytes of a query.

    TenSEAL does not follow the scale of its ciphertexts exactly, so its scores are a few per cent off.
    """

    name: str
    images: int
    seconds: float
    expected: float
    processor: float
    error: float
    query: float
    keys: int
    memory: int
    ring: str
    scores: NDArray[np.float64]


def network(w: Arrays, side: int, stride: int) -> Program:
    """A convolution, a square, a matrix, a square, a matrix."""

    def layers(x: Value) -> Value:
        x = (x >> ops.Conv(w["conv1_weight"][:, None], (stride, stride), (0,) * 4)) + w["conv1_bias"].reshape(-1, 1, 1)
        x = (x * x).reshape(len(w["fc1_weight"]))
        x = (x >> ops.Dense(w["fc1_weight"].T)) + w["fc1_bias"]
        return (x * x >> ops.Dense(w["fc2_weight"].T)) + w["fc2_bias"]

    return trace(layers, Input((1, side, side), -MEAN / DEVIATION, (1 - MEAN) / DEVIATION, None))


def mnist(images: int) -> Digits:
    """Test images first, training images where more are asked for."""
    with np.load(DATA / "classification" / "mnist" / "mnist.npz", allow_pickle=False) as found:
        test, labels, train = found["x_test"], found["y_test"], found["x_train"]
    chosen = np.concatenate([test, train[-max(images - len(test), 1) :]])[:images]
    return Digits(_normalised(chosen), labels[:images].astype(np.int64), _normalised(train[:32]))


def _normalised(pixels: NDArray[Any]) -> NDArray[np.float64]:
    return (pixels / 255.0 - MEAN) / DEVIATION


def random_network(side: int = 8) -> Arrays:
    """Of the same form, with few weights: two filters of 3x3, eight hidden values, three scores."""
    random, hidden = np.random.default_rng(3), 2 * ((side - 3) // 3 + 1) ** 2
    shapes = {"conv1_weight": (2, 3, 3), "fc1_weight": (hidden, 4), "fc2_weight": (4, 3)}
    weights = {name: random.normal(size=shape) / 8 for name, shape in shapes.items()}
    return weights | {"conv1_bias": random.normal(size=2), "fc1_bias": random.normal(size=4), "fc2_bias": np.ones(3)}


class Ours:
    """A program with keys on both sides."""

    def __init__(self, program: Program, digits: Digits, sharing: Sharing, processes: int = 1) -> None:
        samples = [(image[None],) for image in digits.samples]
        options = Options(PRECISION, sharing=sharing, processes=processes)
        self.made: Compiled = compiled(program, options, samples)
        self.owner = SecretKeys.generate(self.made.spec)
        keys = self.owner.evaluation_keys(self.made.spec)
        self.keys, self.server = len(keys), Evaluator.open(self.made, keys)
        self.expected = predict(self.made.spec, self.made.choice.arrangement, CACHE, Machine.of_this_machine()).seconds
        parameters = self.made.spec.parameters
        self.ring = f"2^{parameters.degree.bit_length() - 1}, {'+'.join(map(str, parameters.bits))}"

    def ask(self, images: NDArray[np.float64]) -> tuple[Took, NDArray[np.float64], int]:
        """What the server took, the scores, and the bytes of the query."""
        query = self.owner.encrypt(self.made.spec, [(image[None],) for image in images])
        took, reply = timed(lambda: self.server.run(query.message))
        scores = np.stack([outputs[0] for outputs in self.owner.decrypt(self.made.spec, query, reply)])
        return took, scores, len(query.message)


class TenSEAL:
    """The tutorial's path: its parameters, its layout of windows, its products."""

    ring = "2^13, 31+6x26+31"

    def __init__(self, w: Arrays, stride: int) -> None:
        import tenseal as ts

        self.ts, self.w, self.stride = ts, {name: array.tolist() for name, array in w.items()}, stride
        bits = [31, 26, 26, 26, 26, 26, 26, 31]
        self.context = ts.context(ts.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=bits)
        self.context.global_scale = 2.0**26
        self.context.generate_galois_keys()

    def ask(self, image: NDArray[np.float64]) -> tuple[Took, NDArray[np.float64]]:
        """What the server took, and the scores."""
        w, side = self.w, len(self.w["conv1_weight"][0])
        x, windows = self.ts.im2col_encoding(self.context, image.tolist(), side, side, self.stride)

        def layers() -> Any:
            filters = zip(w["conv1_weight"], w["conv1_bias"], strict=True)
            y = self.ts.CKKSVector.pack_vectors([x.conv2d_im2col(kernel, windows) + bias for kernel, bias in filters])
            y.square_()
            y = y.mm(w["fc1_weight"]) + w["fc1_bias"]
            y.square_()
            return y.mm(w["fc2_weight"]) + w["fc2_bias"]

        took, result = timed(layers)
        return took, np.array(result.decrypt())


def timed(run: Callable[[], Any]) -> tuple[Took, Any]:
    """Wall-clock and processor seconds of a call, with the processes it waited for, and its result."""
    start, before = time.perf_counter(), processor()
    result = run()
    return (time.perf_counter() - start, processor() - before), result


def processor() -> float:
    """Processor seconds of this process and of those it has waited for."""
    found = os.times()
    return found.user + found.system + found.children_user + found.children_system


def measure(w: Arrays, digits: Digits, stride: int = 3, runs: int = 5, processes: int = 1) -> list[Row]:
    """One at a time and TenSEAL's way take turns; the images that share ciphertexts come after them."""
    program = network(w, digits.images.shape[-1], stride)
    clear = np.stack([evaluate(program, image[None]) for image in digits.images[: max(runs, JUDGED)]])
    alone, theirs = Ours(program, digits, Sharing.ALONE), TenSEAL(w, stride)
    alone.ask(digits.images[:1])  # encodes the weights
    one, other = [], []
    for image in digits.images[:runs]:
        one.append(alone.ask(image[None]))
        other.append(theirs.ask(image))
    rows = [
        _row("alone", 1, [took for took, *_ in one], np.concatenate([s for _, s, _ in one]), clear, one[0][2], alone),
        _row("TenSEAL, tutorial 4", 1, [t for t, _ in other], np.stack([s for _, s in other]), clear, 0, theirs),
    ]
    del alone, theirs
    together = Ours(program, digits, Sharing.SLOTS, processes)
    images = digits.images[: together.made.spec.together]
    took, scores, size = together.ask(images)
    return [*rows, _row("together", len(images), [took], scores, clear, size, together)]


def _row(
    name: str, images: int, times: list[Took], scores: NDArray[Any], clear: NDArray[Any], query: int, by: Ours | TenSEAL
) -> Row:
    wall, busy = (statistics.median(column) / images for column in zip(*times, strict=True))
    count = min(len(scores), len(clear))
    error = float(np.abs(scores[:count] - clear[:count]).max())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    keys, expected = (by.keys, by.expected / images) if isinstance(by, Ours) else (0, 0.0)
    return Row(name, images, wall, expected, busy, error, query / images, keys, memory, by.ring, scores)


HEAD = (
    f"{'':22}{'images':>7}{'ms/image':>10}{'pred':>9}{'CPU ms':>9}{'error':>9}"
    f"{'kB/image':>10}{'keys MB':>9}{'peak MB':>9}  ring"
)


def line(row: Row) -> str:
    """One row of the table."""
    sent = f"{row.query / 1e3:10.1f}{row.keys / 1e6:9.1f}" if row.query else f"{'-':>10}{'-':>9}"
    expected = f"{1e3 * row.expected:9.2f}" if row.expected else f"{'-':>9}"
    return (
        f"{row.name:22}{row.images:7,}{1e3 * row.seconds:10.2f}{expected}{1e3 * row.processor:9.2f}{row.error:9.1e}"
        f"{sent}{row.memory / 1e6:9.0f}  {row.ring}"
    )


def accuracy(row: Row, digits: Digits, w: Arrays, stride: int = 3) -> str:
    """How often the encrypted and the clear network are right, and how often they agree."""
    program, count = network(w, digits.images.shape[-1], stride), min(len(row.scores), len(digits.labels))
    clear = np.array([evaluate(program, image[None]).argmax() for image in digits.images[:count]])
    ours, labels = row.scores[:count].argmax(1), digits.labels[:count]
    return (
        f"{count} test images: {np.mean(ours == labels):.1%} right encrypted, {np.mean(clear == labels):.1%} in the "
        f"clear, the same class for {np.sum(ours == clear)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", help="ignored: `python -m benchmarks` names the folder it looked for")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--images", type=int, default=8192)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    with np.load(WEIGHTS, allow_pickle=False) as members:
        w = {name: members[name].astype(np.float64) for name in members.files}
    digits = mnist(options.images)
    rows = measure(w, digits, runs=options.runs, processes=options.processes)
    print(HEAD)
    for row in rows:
        print(line(row))
    print(accuracy(rows[-1], digits, w))


if __name__ == "__main__":
    main()
