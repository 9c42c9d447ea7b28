"""The MNIST submission in the harness's shape, beside the bars: ``python -m benchmarks.fhe_suite --model net.onnx``.

Without ``--model`` a network is trained first (`python -m benchmarks.fhe_network`). Every stage is a new process, so
a stage's figures count its start; a run that is not counted lets Python compile modules, as installers do. Seconds are
medians of ``--runs``. Images are the first of the test set. With ``--remote`` a ``privis serve`` on this machine
computes, whose processor seconds are not counted: seconds of the wall clock tell what clients wait for.
``--baseline WORKTREE`` lets a checkout of an older commit (``git worktree add``) make a submission of the same network
and take turns with this one; its figures stand in brackets.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.fhe_suite.digit_network import BORDER, DIGITS, HIDDEN, PLAN, digits, train_network
from benchmarks.fhe_suite.harness_shape import AS_HERE, COMPUTE, HarnessRun, StageCode, as_it_is, run_harness
from benchmarks.fhe_suite.resident_server import running_server
from privis.features.cnn import CNN
from privis.serve.submission.stage_call import SIZES
from privis.serve.submission.workload import MNIST
from privis.training.polynomial_networks.network_file import load_network

BARS = {
    0: {"compute": 0.5, "keys": 8e6, "right": 0.985},
    1: {"right": 0.985},
    2: {"compute": 18.0, "upload": 60e6, "right": 0.985},
}
"""Processor seconds of the compute stage, bytes of keys and of uploads, and the share that is right, by size."""


def make_submission(
    directory: Path, model: Path, samples: Path | None, code: StageCode = AS_HERE, *, remote: bool
) -> None:
    """Let ``privis stage init`` make one."""
    words = ["stage", "init", str(directory), "--workload", MNIST.name, "--model", str(model)]
    words += [*([] if samples is None else ["--samples", str(samples)]), *["--remote"] * remote]
    command = [sys.executable, "-m", "privis", *words]
    subprocess.run(command, env=code.environment(), check=True, stdout=subprocess.DEVNULL)


def lines(
    size: int, runs: Sequence[HarnessRun], labels: NDArray[np.int64], before: Sequence[HarnessRun] = ()
) -> list[str]:
    """What one size took, beside its bars and what it took a baseline."""
    bars, last = BARS.get(size, {}), runs[-1]
    told = [f"{SIZES[size]}, {len(labels):,} images"]
    for stage in [use.stage for use in last.stages]:
        seconds = _seconds(runs, stage)
        wall = statistics.median(run.of(stage).wall for run in runs)
        memory = max(run.of(stage).memory for run in runs) / 1e6
        was = f" [{_seconds(before, stage):8.2f}]" if before else ""
        bar = f"   (bar {bars['compute']:g})" if stage == COMPUTE and "compute" in bars else ""
        told.append(f"  {stage:30}{seconds:8.2f}{was} processor s{wall:8.2f} s{memory:8.0f} MB{bar}")
    for folder, word in (("public_keys", "keys"), ("ciphertexts_upload", "upload"), ("ciphertexts_download", "")):
        bar = f"   (bar {bars[word] / 1e6:g})" if word in bars else ""
        was = f" [{before[-1].folders[folder] / 1e6:8.2f}]" if before else ""
        told.append(f"  {folder:30}{last.folders[folder] / 1e6:8.2f}{was} MB{bar}")
    right = float(np.mean([np.mean(run.classes == labels) for run in runs]))
    bar = f"   (bar {bars['right']:.1%} of the test set)" if "right" in bars else ""
    return [*told, f"  right{'':25}{right:8.1%}{bar}"]


def _seconds(runs: Sequence[HarnessRun], stage: str) -> float:
    return statistics.median(run.of(stage).processor for run in runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, default=DIGITS, help="mnist.npz, or the folder of shared data")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--samples", type=int, default=32, help="training images that tell how large values are")
    parser.add_argument("--sizes", default="0,1")
    parser.add_argument("--runs", type=int, default=3)
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--remote", action="store_true", help="stages that ask a running server")
    way.add_argument("--baseline", type=Path, help="checkout of an older commit")
    options = parser.parse_args()
    given = digits(DIGITS if options.data.is_dir() else options.data)
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        model = options.model or place / "net.onnx"
        if options.model is None:
            train_network(given, model, HIDDEN, BORDER, PLAN)
        network, classes = load_network(model)
        MNIST.require_network(network, classes, str(model))
        packages = {"now": None} | ({"baseline": options.baseline.resolve() / "src"} if options.baseline else {})
        submissions = {whose: StageCode(package, place / "bytecode") for whose, package in packages.items()}
        samples = _written(given.train[: options.samples], place / "samples")
        for whose, code in submissions.items():
            make_submission(place / whose, model, samples, code, remote=options.remote)
        with running_server(place / "now") if options.remote else as_it_is():
            for whose, code in submissions.items():
                run_harness(place / whose, place / f"{whose} uncounted", 0, given.test[:1], code)
            for size in map(int, options.sizes.split(",")):
                labels = given.test_classes[: MNIST.images[size]]
                images = given.test[: len(labels)]
                runs: dict[str, list[HarnessRun]] = {whose: [] for whose in submissions}
                for turn in range(options.runs):
                    for whose, code in submissions.items():
                        root = place / f"{whose} {size} {turn}"
                        runs[whose].append(run_harness(place / whose, root, size, images, code))
                print("\n".join(lines(size, runs["now"], labels, runs.get("baseline", ()))), flush=True)
        whole = np.concatenate([_scores(network, images) for images in np.array_split(given.test, 70)])
        print(f"{len(whole):,} test images in the clear: {np.mean(whole == given.test_classes):.2%}")


def _written(images: NDArray[np.uint8], folder: Path) -> Path | None:
    """Images as files in a folder; None for none."""
    folder.mkdir(exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number}.png")
    return folder if len(images) else None


def _scores(network: CNN, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    import privis

    return privis.extract(network, list(images)).features.argmax(1)


if __name__ == "__main__":
    main()
