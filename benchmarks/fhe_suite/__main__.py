"""The MNIST submission in the harness's shape, beside the bars: ``python -m benchmarks.fhe_suite --model net.onnx``.

Without ``--model`` a network is trained first (`python -m benchmarks.fhe_network`). Every stage is a new process, so
a stage's figures count its start; seconds are medians of ``--runs``. Images are the first of the test set. With
``--remote`` a ``privis serve`` on this machine computes, whose processor seconds are not counted: seconds of the wall
clock tell what clients wait for.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.fhe_suite.digit_network import DIGITS, digits, train_network
from benchmarks.fhe_suite.harness_shape import COMPUTE, HarnessRun, as_it_is, run_harness
from benchmarks.fhe_suite.resident_server import running_server
from privis.serve.submission.stage_call import SIZES
from privis.serve.submission.submission_directory import write_submission
from privis.serve.submission.workload import MNIST
from privis.training.polynomial_networks.network_file import load_network
from privis.training.polynomial_networks.network_fitting import NetworkFitting

BARS = {
    0: {"compute": 0.5, "keys": 8e6, "right": 0.985},
    1: {"right": 0.985},
    2: {"compute": 18.0, "upload": 60e6, "right": 0.985},
}
"""Processor seconds of the compute stage, bytes of keys and of uploads, and the share that is right, by size."""


def lines(size: int, runs: list[HarnessRun], labels: np.ndarray) -> list[str]:
    """What one size took, beside its bars."""
    bars, last = BARS.get(size, {}), runs[-1]
    told = [f"{SIZES[size]}, {len(labels):,} images"]
    for stage in [use.stage for use in last.stages]:
        seconds = statistics.median(run.of(stage).processor for run in runs)
        wall = statistics.median(run.of(stage).wall for run in runs)
        memory = max(run.of(stage).memory for run in runs) / 1e6
        bar = f"   (bar {bars['compute']:g})" if stage == COMPUTE and "compute" in bars else ""
        told.append(f"  {stage:30}{seconds:8.2f} processor s{wall:8.2f} s{memory:8.0f} MB{bar}")
    for folder, word in (("public_keys", "keys"), ("ciphertexts_upload", "upload"), ("ciphertexts_download", "")):
        bar = f"   (bar {bars[word] / 1e6:g})" if word in bars else ""
        told.append(f"  {folder:30}{last.folders[folder] / 1e6:8.2f} MB{bar}")
    right = float(np.mean([np.mean(run.classes == labels) for run in runs]))
    bar = f"   (bar {bars['right']:.1%} of the test set)" if "right" in bars else ""
    return [*told, f"  right{'':25}{right:8.1%}{bar}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, default=DIGITS, help="mnist.npz, or the folder of shared data")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--samples", type=int, default=32, help="training images that tell how large values are")
    parser.add_argument("--sizes", default="0,1")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--remote", action="store_true", help="stages that ask a running server")
    options = parser.parse_args()
    given = digits(DIGITS if options.data.is_dir() else options.data)
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        model = options.model or place / "net.onnx"
        if options.model is None:
            train_network(given, model, 5, 64, NetworkFitting())
        network, classes = load_network(model)
        MNIST.require_network(network, classes, str(model))
        submission = place / "submission"
        samples = list(given.train[: options.samples]) or None
        write_submission(submission, MNIST, network, samples=samples, asks_server=options.remote)
        with running_server(submission) if options.remote else as_it_is():
            for size in map(int, options.sizes.split(",")):
                labels = given.test_classes[: MNIST.images[size]]
                images = given.test[: len(labels)]
                runs = [run_harness(submission, place / f"{size} {k}", size, images) for k in range(options.runs)]
                print("\n".join(lines(size, runs, labels)), flush=True)
        whole = np.concatenate([_scores(network, images) for images in np.array_split(given.test, 70)])
        print(f"{len(whole):,} test images in the clear: {np.mean(whole == given.test_classes):.2%}")


def _scores(network, images: np.ndarray) -> np.ndarray:
    import privis

    return privis.extract(network, list(images)).features.argmax(1)


if __name__ == "__main__":
    main()
