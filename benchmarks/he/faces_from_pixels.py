"""Two encrypted pictures of faces in, one encrypted decision out: predicted and measured, beside published figures.

``python -m benchmarks.faces_from_pixels [../shared/data] [--network FILE] [--threshold T] [--short] [--tiny]``. A
picture of 64 x 64 pixels is four patches of 32 x 32, each read by a network of its own with quadratic activations; a
linear layer joins them to a template of 64 numbers; two templates give a similarity and its sign. Three processes: the
server compiles and says what keys it needs; the owner makes keys, encrypts both pictures, and at the end decrypts one
number; the server computes, and never has the secret key. **The weights are random** (scaled on public pictures so that
values stay small): the benchmark shows that the path runs, and what it costs, not that it recognises anybody.
``--network`` takes an ONNX file of one picture (1, 3, 64, 64) with values from 0 to 1 that gives a template; its
activations have to be polynomials, and its depth has to fit.

The network is VGG-11 with quadratic activations (AutoFHE, arXiv:2310.08012) without its last two convolutions, which
leaves levels for two polynomials of degree 7 as the sign. ``--short`` has two convolutions.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.he.features import answer
from privis.features.cnn import CNN
from privis.features.image_ops import colour, resize
from privis.io.images.decode import load as load_image
from privis.program import Input, Program, Value, load, ops, save, trace
from privis.readings import evaluate
from privis.run.he.compiler.circuit_cost import CKKSTimings, Prediction, predict
from privis.run.he.compiler.compiled_files import compile_kept
from privis.run.he.compiler.compiler import Options
from privis.run.he.compiler.program_specification import Spec
from privis.run.he.owner.keys import SecretKeys
from privis.tasks.faces import PairDecision

PUBLISHED = """CryptoFace on 64 x 64 pixels, another network and another machine:
  24.6 min for the server's stage of one pair, 28.8 GB of keys, 128 MB of query, 1 MB of reply (AMD EPYC 7502, 1 TB):
  github.com/fhe-benchmarking/face-recognition, results of one pair of 2026-08-05; the stored run of 2026-07-31 says
  25.2 min, 4.2 min of them without loading the network and the keys
  1,364 s for a picture and 269 GB of memory (96 processors): Ao and Boddeti, CVPR 2025, arXiv:2509.00332"""
VGG = ((16, 1), (16, 1), (16, 1), (16, 1), (32, 2), (32, 1), (32, 1), (64, 2))
"""Channels and stride of each convolution."""
CURVE, SLOPE = 0.25, 0.75
"""Of the activation ``CURVE x^2 + SLOPE x``."""
SAMPLES = 8
CACHE = 1 << 30


@dataclass(frozen=True)
class Form:
    """Size of a run: pixels of a patch's side, patches, convolutions, numbers of a template, degrees of the sign."""

    side: int
    patches: int
    layers: tuple[tuple[int, int], ...]
    template: int
    degrees: tuple[int, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a picture."""
        return self.side * 2, self.side * self.patches // 2


WHOLE = Form(32, 4, VGG, 64, (7, 7))
SHORT = Form(32, 4, ((16, 2), (32, 2)), 64, (7, 7))
TINY = Form(8, 2, ((4, 2),), 8, (7,))


def patches(image: np.ndarray, form: Form) -> np.ndarray:
    """A picture as its patches, row by row, (patches, 3, side, side): mean 0, deviation 0.5, from -2 to 2."""
    height, width = (length // form.side for length in form.size)
    planes = np.asarray(resize(colour(image), form.size), float)
    planes = np.clip((planes - planes.mean()) / (2 * planes.std() + 1e-9), -2, 2)
    grid = planes.reshape(height, form.side, width, form.side, 3).transpose(0, 2, 4, 1, 3)
    return grid.reshape(form.patches, 3, form.side, form.side)


def random_network(form: Form, samples: np.ndarray) -> Program:
    """Patch networks with random weights and their linear fusion; every channel has mean 0 and reaches 0.5 on samples.

    Args:
        form: how large.
        samples: (pictures, patches, 3, side, side).

    Returns:
        From (patches, 3, side, side) to (template,).
    """
    random = np.random.default_rng(0)
    layers = [_patch_network(form, samples[:, patch], random) for patch in range(form.patches)]
    width = form.layers[-1][0]
    fusion = random.normal(size=(form.patches, form.template, width)) / np.sqrt(width * form.patches)

    def network(x: Value) -> Value:
        joined = None
        for patch, own in enumerate(layers):
            y = x[patch]
            for kernel, bias, stride in own:
                y = _quadratic((y >> ops.Conv(kernel, (stride, stride), (1, 1, 1, 1))) + bias)
            part = (y.sum(1, 2) * (1 / np.prod(y.shape[1:]))) >> ops.Dense(fusion[patch])
            joined = part if joined is None else joined + part
        assert joined is not None
        return joined

    return trace(network, Input((form.patches, 3, form.side, form.side), -2.0, 2.0, None))


def _quadratic(x: Any) -> Any:
    return (x * CURVE + SLOPE) * x


def _patch_network(form: Form, x: np.ndarray, random: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray, int]]:
    made = []
    for channels, stride in form.layers:
        kernel = random.normal(size=(channels, x.shape[1], 3, 3))
        kernel -= kernel.mean((2, 3), keepdims=True) * (len(made) < 2)  # no brightness, as first layers of others
        conv = trace(lambda v: v >> ops.Conv(kernel, (stride, stride), (1, 1, 1, 1)), Input(x.shape[1:]))  # noqa: B023
        y = np.stack([evaluate(conv, one) for one in x])
        mean = y.mean((0, 2, 3))
        largest = 2 * np.abs(y - mean[:, None, None]).max((0, 2, 3)) + 1e-9
        made.append((kernel / largest[:, None, None, None], (-mean / largest)[:, None, None], stride))
        x = _quadratic((y - mean[:, None, None]) / largest[:, None, None])
    return made


def centred(network: Program, samples: Sequence[np.ndarray]) -> Program:
    """The network with the mean template of public samples taken off, and so scaled that the longest has length 1."""
    found = np.stack([evaluate(network, sample) for sample in samples])
    mean = found.mean(0)
    scale = 1 / np.linalg.norm(found - mean, axis=1).max()
    return network >> trace(lambda t: (t - mean) * scale, Input(network.output_shapes[0]))


def photographs(data: Path | None) -> tuple[list[np.ndarray], str]:
    """Public pictures: the middle of those of LFW, or where there are none, pieces of one that scikit-image carries."""
    paths = sorted((data / "faces" / "lfw10").glob("*/*_000[12].jpg")) if data else []
    if len(paths) > SAMPLES:
        return [load_image(path)[60:190, 60:190] for path in paths[: SAMPLES + 2]], "LFW"
    from skimage import data as pictures

    whole = np.asarray(pictures.astronaut())
    corners = [(40 * k, 37 * k) for k in range(SAMPLES + 2)]
    return [whole[y : y + 128, x : x + 128] for y, x in corners], "pieces of one photograph"


@dataclass(frozen=True)
class Case:
    """What both sides know, and the owner's pairs of pictures as inputs of the program."""

    program: Program
    rule: PairDecision
    samples: list[tuple[np.ndarray, np.ndarray]]
    pairs: tuple[tuple[np.ndarray, np.ndarray], ...]
    network: Program


def case(form: Form, data: Path | None, file: Path | None, threshold: float) -> tuple[Case, str]:
    """The whole program, and in words what it is made of; the pair is one face twice, once darker and with noise."""
    images, source = photographs(data)
    face, public = images[0], images[1:]
    noise = np.random.default_rng(1).normal(0, 4, face.shape)
    again = np.clip(face * 0.85 + noise, 0, 255).astype(np.uint8)
    if file is not None:
        feature = CNN.from_onnx(file, size=form.size)
        inputs = [
            np.asarray(feature.before(resize(colour(image), form.size)), float) for image in (face, again, *public)
        ]
        network, made = feature.program(inputs[0].shape), f"the network of {file.name}"
    else:
        inputs = [patches(image, form) for image in (face, again, *public)]
        network, made = random_network(form, np.stack(inputs[2:])), "a network with random weights"
    network = centred(network, inputs[2:])
    rule = PairDecision(threshold, reach=(1 + threshold) * 0.75, degrees=form.degrees)
    samples = [(inputs[2 + k], inputs[2 + k - k % 2]) for k in range(4)]
    return Case(rule.after(network), rule, samples, ((inputs[0], inputs[1]),), network), f"{made}, pictures: {source}"


@dataclass(frozen=True)
class Measured:
    """Of the first pair seconds on the wall clock and of processors, and bytes; what was decrypted of each."""

    server: tuple[float, float]
    keys_seconds: float
    memory: int
    keys: int
    query: int
    reply: int
    numbers: list[np.ndarray]


def run(given: Case, options: Options, show: Callable[[str], None]) -> tuple[Measured, Spec, Prediction]:
    """Owner here, both stages of the server in processes of their own; ``show`` is told what is known early."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        save(given.program, place / "program.npz")
        np.savez(place / "samples.npz", *[x for own in given.samples for x in own])
        (place / "options.json").write_text(json.dumps([options.precision, options.processes]))
        start, own = time.perf_counter(), _processor(resource.RUSAGE_CHILDREN)
        said = _started("prepare", place)
        compiling = time.perf_counter() - start, _processor(resource.RUSAGE_CHILDREN) - own
        show(f"compiled in {compiling[0]:.0f} s, {compiling[1]:.0f} of a processor; predicted: {Prediction(**said)}")
        spec = Spec.from_json((place / "spec.json").read_text())
        before = _processor()
        secret = SecretKeys.generate(spec)
        keys = secret.evaluation_keys(spec)
        (place / "keys").write_bytes(keys)
        took, size = _processor() - before, len(keys)
        del keys
        queries = [secret.encrypt(spec, [pair]) for pair in given.pairs]
        for number, query in enumerate(queries):
            (place / f"query-{number}").write_bytes(query.message)
        found = _started("serve", place)
        replies = [(place / f"reply-{number}").read_bytes() for number in range(len(queries))]
        opened = [secret.decrypt(spec, q, r)[0][0] for q, r in zip(queries, replies, strict=True)]
        server = found["seconds"][0], found["processor"][0]
        made = Measured(server, took, found["memory"], size, len(queries[0].message), len(replies[0]), opened)
        return made, spec, Prediction(**said)


def _started(what: str, place: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.faces_from_pixels", "--do", what, "--in", str(place)]
    environment = os.environ | {"PRIVIS_CACHE": str(place / "programs")}
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout)


def served(what: str, place: Path) -> dict[str, Any]:
    """The server's processes: compile and say what is needed, or answer."""
    with np.load(place / "samples.npz") as members:
        arrays = [members[name] for name in members.files]
    precision, processes = json.loads((place / "options.json").read_text())
    options = Options(precision, promised=True, stretch=False, processes=processes)
    made = compile_kept(load(place / "program.npz"), options, list(zip(arrays[::2], arrays[1::2], strict=True)))
    if what == "serve":
        return answer(made, CACHE, place)
    (place / "spec.json").write_text(made.spec.to_json())
    return vars(predict(made.spec, made.choice.arrangement, CACHE, CKKSTimings.of_this_machine()))


def _processor(who: int = resource.RUSAGE_SELF) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def lines(given: Case, made: Measured, spec: Spec, expected: Prediction) -> list[str]:
    """The table and the decision."""
    bits = spec.parameters.bits
    rows = [
        f"ring {spec.parameters.degree}, {len(bits) - 2} levels, {sum(bits)} bits, 128-bit security",
        f"{'':26}{'predicted':>12}{'measured':>12}",
        f"{'server, wall s, idle':26}{expected.first_seconds:12.1f}{made.server[0]:12.1f}",
        f"{'server, processor s':26}{'':12}{made.server[1]:12.1f}",
        f"{'server, peak MB':26}{expected.memory / 1e6:12,.0f}{made.memory / 1e6:12,.0f}",
        f"{'keys, MB':26}{expected.keys / 1e6:12,.1f}{made.keys / 1e6:12,.1f}",
        f"{'two pictures, MB':26}{expected.query / 1e6:12,.2f}{made.query / 1e6:12,.2f}",
        f"{'decision, MB':26}{expected.reply / 1e6:12,.2f}{made.reply / 1e6:12,.2f}",
        f"{'owner: keys, processor s':26}{'':12}{made.keys_seconds:12.1f}",
    ]
    for pair, numbers in zip(given.pairs, made.numbers, strict=True):
        clear = evaluate(given.program, *pair)
        difference = given.rule.difference(*(evaluate(given.network, x) for x in pair))
        (here,), (there,) = given.rule.read(numbers), given.rule.read(clear)
        rows += [
            f"difference {difference:+.3f} (decided from {given.rule.gap:.3f} on): the number {numbers[0]:+.4f}, "
            f"in the clear {clear[0]:+.4f}",
            f"decision {here.name.lower()}, in the clear {there.name.lower()}: {'ok' if here is there else 'MISSED'}",
        ]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", nargs="?", type=Path, help="folder with the data sets")
    parser.add_argument("--network", type=Path, help="ONNX file of an own network")
    parser.add_argument("--threshold", type=float, default=0.5, help="of the cosine, 0 to below 1")
    parser.add_argument("--short", action="store_true", help="two convolutions a patch instead of eight")
    parser.add_argument("--tiny", action="store_true", help="a toy network on a small ring")
    parser.add_argument("--do", choices=["prepare", "serve"], help=argparse.SUPPRESS)
    parser.add_argument("--in", dest="place", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.do:
        print(json.dumps(served(chosen.do, chosen.place)))
        return
    start = time.perf_counter()
    form = TINY if chosen.tiny else SHORT if chosen.short else WHOLE
    given, words = case(form, chosen.shared, chosen.network, chosen.threshold)
    print(words, flush=True)
    made, spec, expected = run(given, Options(0.2, processes=1 if chosen.tiny else 2), partial(print, flush=True))
    print("\n".join(lines(given, made, spec, expected)))
    print(f"{time.perf_counter() - start:.0f} s in all\n{PUBLISHED}")


if __name__ == "__main__":
    main()
