"""The MNIST network of TenSEAL's tutorials on encrypted digits: one at a time, thousands at once, and TenSEAL's way.

``python -m benchmarks.he_mnist [--runs N] [--images N] [--judged N] [--processes N]``. Three rows of one run: digits
alone (packed into few ciphertexts), TenSEAL's own path, written after its tutorial 4 (windows laid out by the client,
``conv2d_im2col``, ``mm``), and digits that share ciphertexts (per digit). Owner and server are two processes. Seconds
are the server's, medians, without the first digit, for which weights are encoded; processor seconds are those of all
processes and threads together: on a busy machine they say more. Memory is the server's peak without what compiling
took. One process computes a digit alone, ``--processes`` of them (the cores) a shared batch. The network's accuracy is
that of ``--judged`` digits alone, and of the shared batch, beside the same network in the clear, on all test images
among them. Sizes of values were learned from training images.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.he.features import answer, asked
from privis.program import Input, Program, Value, ops, trace
from privis.readings import evaluate
from privis.run.he.compiler.circuit_cost import CKKSTimings, Prediction, predict
from privis.run.he.compiler.compiler import CompiledProgram, Options, compile_program
from privis.run.he.evaluation.evaluator import CACHE
from privis.run.he.evaluation.forked_map import cores
from privis.run.he.owner.keys import SecretKeys
from privis.run.he.packing.batching import Batching

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
WEIGHTS = DATA / "weights" / "mnist_fhe_convnet" / "tenseal_ConvMNIST-0.1.npz"
MEAN, DEVIATION = 0.1307, 0.3081  # of the training images
PRECISION = 1e-2  # of the largest score: the smallest ring does
JUDGED = 500  # images whose scores are compared, and which are asked alone

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
    """Median seconds of the server for an image, processor seconds, the largest error of a score, and where it is ours
    bytes of keys, of a query for an image and of the server's memory, and what was predicted.

    TenSEAL does not follow the scale of its ciphertexts exactly, so its scores are a few per cent off.
    """

    name: str
    images: int
    seconds: float
    processor: float
    error: float
    ring: str
    scores: NDArray[np.float64]
    keys: int = 0
    query: int = 0
    memory: int = 0
    expected: Prediction | None = None


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


@dataclass(frozen=True)
class Ours:
    """The network as it is asked, by an owner here of a server in a process of its own."""

    w: Arrays
    digits: Digits
    stride: int
    batching: Batching
    processes: int = 1

    def compiled(self) -> CompiledProgram:
        """On either side."""
        program = network(self.w, self.digits.samples.shape[-1], self.stride)
        options = Options(PRECISION, batching=self.batching, processes=self.processes)
        return compile_program(program, options, [(image[None],) for image in self.digits.samples])

    def row(self, name: str, clear: NDArray[np.float64], count: int | None = None) -> Row:
        """Of ``count`` digits, one after the other, or of as many as share ciphertexts."""
        made = self.compiled()
        parameters = made.spec.parameters
        owner = SecretKeys.generate(made.spec)
        images = self.digits.images[: count or made.spec.batch_size]
        asked_at_once = 1 if count else len(images)
        parts = [images[start : start + asked_at_once] for start in range(0, len(images), asked_at_once)]
        queries = [owner.encrypt(made.spec, [(image[None],) for image in part]) for part in parts]
        keys, given = owner.evaluation_keys(made.spec), io.BytesIO()
        np.savez(given, samples=self.digits.samples, stride=self.stride, **self.w)
        command = ["benchmarks.he_mnist", "--sharing", self.batching.value, "--processes", str(self.processes)]
        files = {"keys": keys, "network.npz": given.getvalue()}
        replies, found = asked(command, files, [query.message for query in queries])
        answers = [owner.decrypt(made.spec, q, reply) for q, reply in zip(queries, replies, strict=True)]
        scores = np.stack([outputs[0] for part in answers for outputs in part]).astype(np.float64)
        wall, busy = (
            statistics.median(found[kind][1:] or found[kind]) / asked_at_once for kind in ("seconds", "processor")
        )
        return Row(
            name,
            asked_at_once,
            wall,
            busy,
            _error(scores, clear),
            f"2^{parameters.degree.bit_length() - 1}, {'+'.join(map(str, parameters.bits))}",
            scores,
            len(keys),
            len(queries[0].message),
            found["memory"],
            predict(made.spec, made.choice.arrangement, CACHE, CKKSTimings.of_this_machine()),
        )


def serve(place: Path, batching: Batching, processes: int) -> dict[str, Any]:
    """The server's process."""
    with np.load(place / "network.npz", allow_pickle=False) as given:
        w = {name: given[name] for name in given.files}
    none = np.zeros(0)
    digits = Digits(none, none.astype(np.int64), w.pop("samples"))
    return answer(Ours(w, digits, int(w.pop("stride")), batching, processes).compiled(), CACHE, place)


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


def measure(
    w: Arrays, digits: Digits, stride: int = 3, runs: int = 5, judged: int = JUDGED, processes: int = 1
) -> list[Row]:
    """Digits alone, TenSEAL's way, and digits that share ciphertexts, one after the other."""
    program = network(w, digits.images.shape[-1], stride)
    clear = np.stack([evaluate(program, image[None]) for image in digits.images[: max(runs, judged)]])
    alone = Ours(w, digits, stride, Batching.NONE).row("alone", clear, judged)
    theirs = TenSEAL(w, stride)
    other = [theirs.ask(image) for image in digits.images[:runs]]
    wall, busy = (statistics.median(column) for column in zip(*(took for took, _ in other), strict=True))
    scores = np.stack([scores for _, scores in other])
    peer = Row("TenSEAL, tutorial 4", 1, wall, busy, _error(scores, clear), theirs.ring, scores)
    return [alone, peer, Ours(w, digits, stride, Batching.SLOT, processes).row("together", clear)]


def _error(scores: NDArray[np.float64], clear: NDArray[np.float64]) -> float:
    count = min(len(scores), len(clear))
    return float(np.abs(scores[:count] - clear[:count]).max())


HEAD = (
    f"{'':20}{'images':>7}{'ms/image':>9}{'pred':>8}{'CPU ms':>8}{'error':>8}"
    f"{'kB/image':>9}{'pred':>7}{'keys MB':>8}{'pred':>6}{'MiB':>6}{'pred':>6}  ring"
)


def line(row: Row) -> str:
    """One row of the table."""
    took, busy = f"{1e3 * row.seconds:9.2f}", f"{1e3 * row.processor:8.2f}{row.error:8.1e}"
    start = f"{row.name:20}{row.images:7,}{took}"
    if row.expected is None:
        return f"{start}{'-':>8}{busy}{'-':>9}{'-':>7}{'-':>8}{'-':>6}{'-':>6}{'-':>6}  {row.ring}"
    found = row.expected
    return (
        f"{start}{1e3 * found.seconds / row.images:8.2f}{busy}"
        f"{row.query / row.images / 1e3:9.1f}{found.query / row.images / 1e3:7.1f}"
        f"{row.keys / 1e6:8.1f}{found.keys / 1e6:6.1f}{row.memory / 2**20:6.0f}{found.memory / 2**20:6.0f}  {row.ring}"
    )


def accuracy(row: Row, digits: Digits, w: Arrays, stride: int = 3) -> str:
    """How often the encrypted and the clear network are right, how often they agree, and how far scores are off."""
    program, count = network(w, digits.images.shape[-1], stride), min(len(row.scores), len(digits.labels))
    exact = np.stack([evaluate(program, image[None]) for image in digits.images[:count]])
    clear = exact.argmax(1)
    ours, labels = row.scores[:count].argmax(1), digits.labels[:count]
    off = np.abs(row.scores[:count] - exact).max(1) / np.abs(exact).max(1)
    return (
        f"{row.name}, {count} test images: {np.mean(ours == labels):.1%} right encrypted, "
        f"{np.mean(clear == labels):.1%} in the clear, the same class for {np.sum(ours == clear)}; scores off by "
        f"{np.median(off):.1e} of the largest (median), {off.max():.1e} (most)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", help="ignored: `python -m benchmarks` names the folder it looked for")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--images", type=int, default=8192)
    parser.add_argument("--judged", type=int, default=JUDGED)
    parser.add_argument("--processes", type=int, default=cores())
    parser.add_argument("--in", dest="place", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--sharing", type=Batching, default=Batching.NONE, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.place:
        print(json.dumps(serve(options.place, options.sharing, options.processes)))
        return
    with np.load(WEIGHTS, allow_pickle=False) as members:
        w = {name: members[name].astype(np.float64) for name in members.files}
    digits = mnist(options.images)
    rows = measure(w, digits, runs=options.runs, judged=options.judged, processes=options.processes)
    print(HEAD)
    for row in rows:
        print(line(row))
    for row in (rows[0], rows[-1]):
        print(accuracy(row, digits, w))


if __name__ == "__main__":
    main()
