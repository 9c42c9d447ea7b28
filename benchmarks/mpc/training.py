"""Joint training under ABY3 beside the same programs in the clear: accuracy, seconds and bytes.

Run ``python -m benchmarks.mpc_training [folder of mnist.npz] [--tiny]``: two owners hold half of the training images
each, the third owner's test images are scored, and only loss and accuracy are revealed. All parties are processes of
this machine. Hyper-parameters were fixed in the clear on the last 10,000 training images; the last row gives their
accuracy there, after training on the other 50,000.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.joint.runners import Arrays, InTheClear, Runner
from privis.joint.statistics.sums import Committee
from privis.joint.training.network_programs import Network
from privis.joint.training.schedule import Training
from privis.joint.training.simulate import JointTrainingProgress, Labelled, Score, fit, score
from privis.run.mpc.job import Job
from privis.run.mpc.runtime.local_parties import LocalParties
from privis.run.mpc.runtime.shares import wire_bytes

MNIST = Path(__file__).resolve().parents[3] / "shared" / "data" / "classification" / "mnist"
COMMITTEE = Committee(("alice", "bob", "carol"))
RATES = {"784-128-10": ((0.35, 0.7, 0.7, 0.7), (0.7, 0.35, 0.175, 0.07)), "784-10": ((0.25, 0.12),)}
SIZES = {"784-128-10": (784, 128, 10), "784-10": (784, 10)}


@dataclass
class Metered:
    """Runs jobs on local parties and adds up what they take."""

    parties: LocalParties
    seconds: float = 0.0  # inside steps
    sent: int = 0  # bytes by rank 0
    uploaded: int = 0  # bytes of shares that owners send to all parties
    messages: int = 0
    steps: list[float] = field(default_factory=list)

    def __call__(self, job: Job, arrays: Arrays) -> Arrays:
        """Run ``job``; see `Runner`."""
        revealed = self.parties.run(job, arrays)
        for run in self.parties.measured:
            self.seconds += run.seconds
            self.sent += run.sent
            self.messages += run.messages
            self.steps.append(run.seconds)
        for source in job.sources.values():
            self.uploaded += job.preset.parties * wire_bytes(source.declared.shape, job.preset, job.fixed)
        return revealed


@dataclass(frozen=True)
class Row:
    """One training: the score on the third owner's images, wall-clock seconds, and bytes where there are any."""

    score: Score
    train_seconds: float
    score_seconds: float
    step_seconds: float = 0.0
    sent: int = 0
    uploaded: int = 0
    messages: int = 0


def run(
    images: NDArray[np.uint8],
    classes: NDArray[np.integer[Any]],
    test: Labelled,
    name: str,
    progress: Callable[[JointTrainingProgress], None] | None = None,
) -> tuple[Row, Row]:
    """Train network ``name`` on halves of ``images`` in the clear and under ABY3 with equal batches; score ``test``."""
    half = len(images) // 2
    data = {"bob": Labelled.of_bytes(images[:half], classes[:half])}
    data["carol"] = Labelled.of_bytes(images[half : 2 * half], classes[half : 2 * half])
    owners = (("bob", half), ("carol", half))
    training = Training(Network(SIZES[name]), owners, COMMITTEE, rates=RATES[name])
    clear = _row(training, InTheClear(), data, test, None)
    with LocalParties(COMMITTEE.preset, training.fixed_point) as parties:
        metered = Metered(parties)
        mpc = _row(training, metered, data, test, progress)
    steps = float(np.median(metered.steps))
    measured = {"sent": metered.sent, "uploaded": metered.uploaded, "messages": metered.messages}
    return clear, replace(mpc, step_seconds=steps, **measured)


def validate(images: NDArray[np.uint8], classes: NDArray[np.integer[Any]], name: str) -> float:
    """Accuracy on the last sixth of the training images after training on the others, in the clear."""
    rest = len(images) * 5 // 6
    owners = (("bob", rest // 2), ("carol", rest // 2))
    training = Training(Network(SIZES[name]), owners, COMMITTEE, rates=RATES[name])
    parts = {"bob": slice(0, rest // 2), "carol": slice(rest // 2, 2 * (rest // 2))}
    runner = InTheClear()
    fit(training, runner, {k: Labelled.of_bytes(images[v], classes[v]) for k, v in parts.items()}, seed=0)
    return score(training, runner, "alice", Labelled.of_bytes(images[rest:], classes[rest:])).accuracy


def _row(
    training: Training,
    runner: Runner,
    data: dict[str, Labelled],
    test: Labelled,
    progress: Callable[[JointTrainingProgress], None] | None,
) -> Row:
    started = time.perf_counter()
    fit(training, runner, data, progress=progress, seed=0)
    trained = time.perf_counter()
    found = score(training, runner, "alice", test)
    return Row(found, trained - started, time.perf_counter() - trained)


def load(folder: Path, tiny: bool) -> tuple[NDArray[np.uint8], NDArray[np.int64], Labelled]:
    """Training images, their classes, and the third owner's images."""
    with np.load(folder / "mnist.npz") as arrays:
        rows, tests = (1024, 200) if tiny else (len(arrays["x_train"]), len(arrays["x_test"]))
        test = Labelled.of_bytes(arrays["x_test"][:tests], arrays["y_test"][:tests].astype(np.int64))
        return arrays["x_train"][:rows], arrays["y_train"][:rows].astype(np.int64), test


def _show(progress: JointTrainingProgress) -> None:
    text = f"job {progress.jobs_done} of {progress.jobs}, about {progress.seconds_left:.0f} s left"
    print(f"\r{text:50}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    tiny = "--tiny" in sys.argv
    named = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    x, y, held = load(Path(named[0]) if named else MNIST, tiny)
    heads = ("accuracy", "loss", "train s", "step s", "score s", "sent MB", "shares MB")
    print(f"{'':24}", *(f"{head:>9}" for head in heads))
    for network in ("784-10",) if tiny else ("784-10", "784-128-10"):
        for how, row in zip(("clear", "ABY3"), run(x, y, held, network, _show), strict=True):
            quality = f"{100 * row.score.accuracy:8.2f}% {row.score.loss:9.4f}"
            seconds = f"{row.train_seconds:9.1f} {row.step_seconds:9.3f} {row.score_seconds:9.1f}"
            print(
                f"{network:12} {how:11}",
                quality,
                seconds,
                f"{row.sent / 1e6:9.0f} {row.uploaded / 1e6:9.0f}",
                flush=True,
            )
        print(f"{network:12} {'validation':11} {100 * validate(x, y, network):8.2f}%")
