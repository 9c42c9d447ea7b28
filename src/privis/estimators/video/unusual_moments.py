"""Which moments and places of a recording are unusual, in two passes over what is kept of it: motion in cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import ImageError, Problem
from privis.features.image_ops import grey
from privis.tasks.behaviour.unusual_motion import (
    UnusualMotionPlan,
    UnusualRegion,
    most_unusual_region,
    motion_in_cells,
    unusualness,
    usual_motion,
)

Pixels = npt.NDArray[np.uint8]
_RED, _HOTTEST = np.array([255.0, 32.0, 16.0]), 0.75
_FEWEST = 2


@dataclass(frozen=True, eq=False)
class UnusualMoments:
    """The most unusual region of every frame.

    Args:
        times: seconds (frames,), as frames are shown.
        regions: one for each frame, in pixels of it.
        heat: float32 (rows, columns): of each cell the most unusual moment.
        scene: uint8 (H, W, 3) RGB: a frame from the middle, with the people in it.
    """

    times: npt.NDArray[np.float64]
    regions: tuple[UnusualRegion, ...] = field(repr=False)
    heat: npt.NDArray[np.float32] = field(repr=False)
    scene: Pixels = field(repr=False)

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """How unusual each frame is: that of its region, (frames,)."""
        return np.array([each.score for each in self.regions])

    def top(self, count: int, apart: float = 1.0) -> tuple[int, ...]:
        """Find the most unusual frames.

        Args:
            count: how many at most.
            apart: seconds between two of them, at least.

        Returns:
            Their places, the most unusual first.
        """
        chosen: list[int] = []
        for place in np.argsort(-self.scores, kind="stable"):
            if len(chosen) == count or self.scores[place] <= 0:
                break
            if all(abs(self.times[place] - self.times[other]) >= apart for other in chosen):
                chosen.append(int(place))
        return tuple(chosen)

    def picture(self) -> Pixels:
        """Draw the heat over the scene in grey: red where something unusual was seen.

        Returns:
            Uint8 (H, W, 3) RGB.
        """
        import cv2

        height, width = self.scene.shape[:2]
        heat = cv2.resize(self.heat, (width, height), interpolation=cv2.INTER_LINEAR)
        most = float(heat.max())
        share = (_HOTTEST * np.clip(heat / most, 0, 1) if most > 0 else np.zeros_like(heat))[..., None]
        return np.asarray(np.rint(grey(self.scene)[..., None] * (1 - share) + _RED * share), np.uint8)


def unusual_moments(
    frames: Iterable[tuple[float, Pixels]],
    plan: UnusualMotionPlan = UnusualMotionPlan(),
    where: str = "video",
    on_progress: Callable[[float], Any] = lambda seconds: None,
) -> UnusualMoments:
    """Look for what is unusual in one recording of a fixed camera, without examples.

    Two bytes are kept of each cell and frame: about 10 MB for an hour at one frame a second, and ten times as much at
    ten. The first frame has the motion of the second one.

    Args:
        frames: time in seconds and pixels, uint8 (H, W) or (H, W, 3) RGB, of each, all of one size.
        plan: how unusual motion is measured.
        where: the recording, in messages.
        on_progress: is told the time of frames that are read.

    Returns:
        The moments.

    Raises:
        ImageError: fewer than two frames, or frames of several sizes.

    >>> still = np.zeros((40, 40, 3), np.uint8)
    >>> moved = still.copy()
    >>> moved[:10, :10] = 80
    >>> found = unusual_moments([(0.0, still), (0.1, still), (0.2, moved)])
    >>> found.scores.argmax(), found.top(1)
    (2, (2,))
    """
    times: list[float] = []
    motion: list[npt.NDArray[np.float16]] = []
    before: Pixels | None = None
    scene, next_scene = None, 1
    for time, pixels in frames:
        luma = grey(np.asarray(pixels, np.uint8))
        if before is not None:
            if luma.shape != before.shape:
                got = f"frames of {before.shape[1]} x {before.shape[0]} and {luma.shape[1]} x {luma.shape[0]} pixels"
                raise ImageError(Problem(where, got, "frames of one size", "choose a period of one size"))
            motion.append(motion_in_cells(before, luma, plan).astype(np.float16))
        times.append(float(time))
        if len(times) == next_scene:  # about the middle, whenever the recording ends
            scene, next_scene = np.array(pixels), 2 * next_scene
        before = luma
        on_progress(float(time))
    if before is None or scene is None or len(times) < _FEWEST:
        got = f"{len(times)} frame{'s' if len(times) != 1 else ''}"
        raise ImageError(Problem(where, got, "at least two, between which something moves"))
    moved = np.stack([motion[0], *motion])
    usual = usual_motion(moved, plan)
    heat = np.zeros(moved.shape[1:], np.float32)
    regions = []
    for each in moved:
        found = unusualness(each.astype(np.float32), usual, plan)
        heat = np.maximum(heat, found)
        regions.append(most_unusual_region(found, (before.shape[0], before.shape[1])))
    shown = scene if scene.ndim == 3 else np.dstack([scene] * 3)
    return UnusualMoments(np.array(times), tuple(regions), heat, shown)
