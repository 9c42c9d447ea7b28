"""The background of a long video: the median of samples around the present, renewed as time goes on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privis.tasks.tracking.finding.foreground import FEWEST_SAMPLES, Background

Picture = npt.NDArray[np.uint8]

DENSER = 32
"""Times that samples are nearer to each other at the start; a power of two."""


@dataclass(frozen=True)
class BackgroundPlan:
    """How the background is learned.

    Who stands still for longer than half of ``span`` becomes background.

    Args:
        span: seconds around the present.
        samples: frames in it.
        renewal: share of the samples that are new before the median is taken again.
    """

    span: float = 90.0
    samples: int = 45
    renewal: float = 0.25

    @property
    def interval(self) -> float:
        """Seconds between two samples."""
        return self.span / self.samples


class RollingBackground:
    """Keeps samples and their median; memory holds `BackgroundPlan.samples` frames.

    Samples are dense at first, so that a clip of seconds has enough of them, and thinned out as time goes on.

    Args:
        plan: how it is learned.

    >>> rolling = RollingBackground(BackgroundPlan(span=4.0, samples=4))
    >>> for second in range(4):
    ...     rolling.add(second, np.full((4, 6, 3), 10, np.uint8))
    >>> int(rolling.background.pixels.max())
    10
    """

    def __init__(self, plan: BackgroundPlan = BackgroundPlan()) -> None:
        self._plan = plan
        self._samples: deque[tuple[float, Picture]] = deque(maxlen=plan.samples)
        self._interval = plan.interval / DENSER
        self._new = 0
        self._background: Background | None = None

    @property
    def samples(self) -> tuple[Picture, ...]:
        """Those that the background is made of."""
        return tuple(frame for _, frame in self._samples)

    def wants(self, time: float) -> bool:
        """Say whether a frame would be a sample.

        Args:
            time: seconds from the start of the video, rising.

        Returns:
            Whether it is time for one.
        """
        return not self._samples or time >= self._samples[-1][0] + self._interval * (1 - 1e-6)

    def add(self, time: float, frame: Picture) -> None:
        """Take a frame as a sample, if it is time for one.

        Args:
            time: seconds from the start of the video, rising.
            frame: uint8 (H, W, 3), of one size.
        """
        if not self.wants(time):
            return
        if len(self._samples) == self._plan.samples and self._interval < self._plan.interval:
            self._samples = deque(list(self._samples)[::2], maxlen=self._plan.samples)
            self._interval *= 2
            if not self.wants(time):
                return
        self._samples.append((time, frame))
        self._new += 1

    @property
    def background(self) -> Background | None:
        """The median of the samples; None while there are fewer than three."""
        enough = max(FEWEST_SAMPLES, round(self._plan.samples * self._plan.renewal))
        if len(self._samples) < FEWEST_SAMPLES or (self._background is not None and self._new < enough):
            return self._background
        self._background, self._new = Background.learned(self.samples), 0
        return self._background
