"""People counted per window of a recording under differential privacy, beside the bar of the noise.

``python -m benchmarks.released_counts [DATA]``. The error of a window is that of the released count from the exact one
of everybody; the cut-off is what is lost because a person counts in their first m windows alone. The bar is 1.2 m /
epsilon beyond it. Tracks are those of the truth of PETS2009 S2.L1, whose 530 frames are taken as one day, and those of
Privis.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.video.tracking import DATA, FOLDER, RATE, VIDEO, WINDOW, followed, pets_truth
from privis.estimators.video.presence_release import released_counts
from privis.privacy import Laplace, PersonDay
from privis.tasks.tracking import Tracks, presence

FRAMES = 530
EPSILONS = (1.0, 2.0, 4.0)
MOST = (2, 4)
BAR = 1.2


@dataclass(frozen=True)
class CountError:
    """Mean absolute errors of the count of a window, in people, at one epsilon and most windows of a person."""

    epsilon: float
    most: int
    noise: float
    cut_off: float
    both: float

    @property
    def bar(self) -> float:
        """Of the noise."""
        return BAR * self.most / self.epsilon


def count_errors(tracks: Tracks, duration: float, draws: int, window: float = WINDOW) -> Iterator[CountError]:
    """Errors of released counts, each over many draws of noise."""
    exact = presence(tracks, window, duration)
    windows, columns = np.nonzero(exact.present)
    for most in MOST:
        bounded = presence(tracks, window, duration, most).counts
        for epsilon in EPSILONS:
            question = windows, exact.people[columns], len(exact.starts), Laplace(epsilon), PersonDay(most)
            told = np.stack([released_counts(*question, recording="day").counts for _ in range(draws)])
            yield CountError(
                epsilon,
                most,
                float(np.abs(told - bounded).mean()),
                float(np.abs(bounded - exact.counts).mean()),
                float(np.abs(told - exact.counts).mean()),
            )


def main(data: Path = DATA, draws: int = 400) -> None:
    folder = data / FOLDER
    duration = FRAMES / RATE
    for name, tracks in (("truth", pets_truth(folder)), ("tracks of Privis", followed(folder / VIDEO, 53)[0])):
        exact = presence(tracks, WINDOW, duration)
        each = exact.present.sum(axis=0)
        print(f"{name}: {len(exact.people)} ids, {exact.counts.mean():.1f} people a window, an id in {each.mean():.1f}")
        for error in count_errors(tracks, duration, draws):
            met = "met" if error.noise <= error.bar else "missed"
            print(
                f"  epsilon {error.epsilon:g}, at most {error.most} windows: noise {error.noise:.2f} "
                f"(bar {error.bar:.2f}, {met}), cut-off {error.cut_off:.2f}, both {error.both:.2f}"
            )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
