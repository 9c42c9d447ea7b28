"""The few seconds of a video in which most moves, as one picture of frames below each other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError
from privis.io.images.file_parts import TIMES, FilePart
from privis.io.images.videos.frame_parts import frames_named
from privis.io.video.frame_choice import FrameChoice
from privis.io.video.frame_pixels import FramePixels
from privis.io.video.frame_reading import chosen_frames

_SMALL = (80, 60)
"""Width and height at which motion is looked for."""
_NOISE = 8
"""Grey levels of a difference that are taken for noise of the camera."""


def busiest_frames(path: str, frames: int, rate: int, *, max_pixels: int) -> str:
    """Name the frames of the period in which most moves, as one picture.

    A video that is shorter than the period is filled up with its last frame. One that gives no frame keeps a name of
    its own, which is refused with the reason when it is read.

    Args:
        path: of a video.
        frames: of the picture.
        rate: frames a second, by the times at which they are shown.
        max_pixels: most pixels of a frame.

    Returns:
        What stands for the picture wherever a path does.

    Raises:
        MissingExtraError: PyAV is not installed.

    Warns:
        VideoWarning: the video was cut off, or its times had to be mended.
    """
    choice = FrameChoice(every=Fraction(1, rate))
    try:
        times, motion = _motion(path, choice, max_pixels)
    except ImageError:
        times, motion = [], []
    if not times:
        return FilePart(path, TIMES, f"{choice.words},{frames}").name
    return frames_named(path, busiest_times(times, motion, frames))


def busiest_times(times: Sequence[Fraction], motion: Sequence[float], frames: int) -> list[Fraction]:
    """Choose a period by the motion in it.

    Args:
        times: of all frames, at least one.
        motion: of each since the one before; of the first it does not count.
        frames: that are wanted.

    Returns:
        As many times, of frames one after another; the last of all is repeated where there are too few.

    >>> busiest_times([Fraction(n) for n in range(6)], [0, 0, 0, 5, 5, 0], 3)
    [Fraction(2, 1), Fraction(3, 1), Fraction(4, 1)]
    >>> busiest_times([Fraction(0)], [0], 2)
    [Fraction(0, 1), Fraction(0, 1)]
    """
    if len(times) <= frames:
        return [*times, *[times[-1]] * (frames - len(times))]
    until = np.concatenate([[0.0], np.cumsum(np.asarray(motion, np.float64)[1:])])
    first = int(np.argmax(until[frames - 1 :] - until[: len(until) - frames + 1]))
    return list(times[first : first + frames])


def _motion(path: str, choice: FrameChoice, max_pixels: int) -> tuple[list[Fraction], list[float]]:
    import cv2

    convert = FramePixels()
    times: list[Fraction] = []
    motion: list[float] = []
    before: NDArray[np.int16] | None = None
    for frame in chosen_frames(os.fspath(path), choice, max_pixels=max_pixels):
        grey = cv2.cvtColor(convert(frame.picture), cv2.COLOR_RGB2GRAY)
        small = cv2.resize(grey, _SMALL, interpolation=cv2.INTER_AREA).astype(np.int16)
        strong = 0.0 if before is None else float(np.maximum(np.abs(small - before) - _NOISE, 0).mean())
        times.append(frame.time)
        motion.append(strong)
        before = small
    return times, motion
