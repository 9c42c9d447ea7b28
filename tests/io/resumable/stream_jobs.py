"""Extractors for the tests of folder runs: in a module of their own, because worker processes import them."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from privis.errors import ImageError, MissingExtraError, Problem
from privis.io.images.record import ImageRecord
from privis.io.resumable.run import FolderJob, Progress, run

Vector = Any


def moments(image: ImageRecord) -> Vector:
    return np.array([image.pixels.mean(), image.pixels.std(), image.pixels.max()], np.float32)


def make_moments() -> Callable[[ImageRecord], Vector]:
    return moments


def names_and_metadata(
    rows: int, length: int, shapes: Sequence[tuple[int, ...]]
) -> tuple[Sequence[str], Mapping[str, str]]:
    return [f"moment {index}" for index in range(length)], {"privis.guarantee": "none"}


@dataclass(frozen=True)
class Slow:
    """Takes ``seconds`` a picture; if that is long, leaves a sign that it has begun."""

    seconds: float

    def __call__(self) -> Callable[[ImageRecord], Vector]:
        return self.extract

    def extract(self, image: ImageRecord) -> Vector:
        if self.seconds > 1:
            Path(image.label).with_suffix(".begun").touch()
        time.sleep(self.seconds)
        return moments(image)


@dataclass(frozen=True)
class Deadly:
    """Kills its process at the pictures whose names contain ``word``; ``at_most`` times if that is not 0."""

    word: str
    log: Path
    at_most: int = 0

    def __call__(self) -> Callable[[ImageRecord], Vector]:
        return self.extract

    def extract(self, image: ImageRecord) -> Vector:
        deaths = len(self.log.read_text()) if self.log.exists() else 0
        if self.word in Path(image.label).name and (not self.at_most or deaths < self.at_most):
            with open(self.log, "a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGKILL)
        return moments(image)


def rows_and_columns(image: ImageRecord) -> Vector:
    """A vector as long as the picture is wide, as features without a fixed size give."""
    return image.pixels.reshape(*image.pixels.shape[:2], -1).mean(axis=(0, 2)).astype(np.float32)


def make_rows_and_columns() -> Callable[[ImageRecord], Vector]:
    return rows_and_columns


def raising(image: ImageRecord) -> Vector:
    if "odd" in image.label:
        raise ImageError(Problem(image.label, "an odd picture", "an even one", "try another"))
    if "bug" in image.label:
        raise ZeroDivisionError("division by zero")
    if "flat" in image.label:
        return np.zeros((2, 2), np.float32)
    if "none" in image.label:
        return np.zeros(0, np.float32)
    return moments(image)


def make_raising() -> Callable[[ImageRecord], Vector]:
    return raising


def make_nothing() -> Callable[[ImageRecord], Vector]:
    raise MissingExtraError.of("onnxruntime", "cnn", "CNN")


def make_exit() -> Callable[[ImageRecord], Vector]:
    sys.exit(3)


def environment(image: ImageRecord) -> Vector:
    """Threads that libraries may use in this process, and 1 if interrupts do not reach it."""
    import cv2

    deaf = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    return np.array([cv2.getNumThreads(), int(os.environ["OMP_NUM_THREADS"]), deaf], np.float32)


def make_environment() -> Callable[[ImageRecord], Vector]:
    return environment


def say(progress: Progress) -> None:
    sys.stdout.write(f"{progress.done}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    folder, output, workers, seconds = sys.argv[1:]
    paths = sorted(str(path) for path in Path(folder).iterdir())
    slow = Slow(float(seconds))
    job = FolderJob(paths, Path(output), {"feature": "slow"}, slow, names_and_metadata, workers=int(workers), chunk=8)
    try:
        outcome = run(job, on_progress=say)
    except KeyboardInterrupt as interrupt:
        sys.stderr.write(f"{interrupt}\n")
        raise SystemExit(130) from None
    sys.stdout.write(f"{outcome.rows} rows, {outcome.resumed} resumed\n")
