"""Frames of a video, each with the background around it, which is learned from what comes later, too."""

from __future__ import annotations

import contextlib
import warnings
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from privis.io.video.frame_choice import FrameChoice
from privis.io.video.frame_pixels import FramePixels
from privis.io.video.frame_reading import DecodedFrame, VideoFrame, VideoWarning, chosen_frames, video_frames
from privis.io.video.opened_video import MAX_PIXELS, SILENCE, STANDARD_INPUT, address_scheme
from privis.tasks.tracking.finding.foreground import Background
from privis.tasks.tracking.finding.rolling_background import BackgroundPlan, RollingBackground

Picture = npt.NDArray[np.uint8]
AHEAD_BYTES = 128 << 20
"""Of frames that are held back where a video cannot be read twice: a pipe or a camera."""


class SeenFrame(NamedTuple):
    """A frame with what is behind everything that moves.

    Attributes:
        time: seconds from the start of the video.
        pixels: uint8 (H, W, 3), reduced.
        background: of the same size; None while too little was seen.
        samples: frames that the background was learned from.
        factor: how much larger the video is than ``pixels``.
    """

    time: float
    pixels: Picture
    background: Background | None
    samples: tuple[Picture, ...]
    factor: float


def frames_with_background(
    source: Path | str,
    choice: FrameChoice | None = None,
    plan: BackgroundPlan = BackgroundPlan(),
    side: int = 640,
    max_pixels: int = MAX_PIXELS,
    silence: float = SILENCE,
) -> Iterator[SeenFrame]:
    """Read a video with its background.

    A file is read twice at once, samples half a span ahead of the frames. A pipe and a camera are held back instead, as
    far as memory allows.

    Args:
        source: path, ``-`` for standard input, or an address.
        choice: which frames.
        plan: how the background is learned.
        side: pixels that the longer side is reduced to.
        max_pixels: most pixels of a frame.
        silence: seconds that a pipe or a camera may give nothing.

    Yields:
        Frames.

    Raises:
        ImageError: no video, or one without frames.
        MissingExtraError: PyAV is not installed.
    """
    choice = choice or FrameChoice()
    reduced = _Reduced(side)
    rolling = RollingBackground(plan)
    frames: Any = video_frames(source, choice, max_pixels=max_pixels, silence=silence)
    with contextlib.closing(frames):
        if _once(str(source)):
            yield from _held_back(frames, rolling, plan, reduced)
            return
        samples: Any = chosen_frames(source, choice, max_pixels=max_pixels)
        convert = FramePixels()
        with contextlib.closing(samples):
            ahead = _next(samples)
            for frame in frames:
                while ahead is not None and ahead.time <= frame.time + plan.span / 2:
                    if rolling.wants(float(ahead.time)):
                        rolling.add(float(ahead.time), reduced(convert(ahead.picture)))
                    ahead = _next(samples)
                pixels = reduced(frame.pixels)
                yield SeenFrame(frame.time, pixels, rolling.background, rolling.samples, reduced.factor)


def _next(samples: Iterator[DecodedFrame]) -> DecodedFrame | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VideoWarning)  # the frames themselves say it
        return next(samples, None)


def _held_back(
    frames: Iterator[VideoFrame], rolling: RollingBackground, plan: BackgroundPlan, reduced: _Reduced
) -> Iterator[SeenFrame]:
    waiting: deque[VideoFrame] = deque()
    for frame in frames:
        small = VideoFrame(frame.time, reduced(frame.pixels))
        rolling.add(small.time, small.pixels)
        waiting.append(small)
        while waiting[0].time < small.time - plan.span / 2 or len(waiting) * small.pixels.nbytes > AHEAD_BYTES:
            first = waiting.popleft()
            yield SeenFrame(first.time, first.pixels, rolling.background, rolling.samples, reduced.factor)
    for first in waiting:
        yield SeenFrame(first.time, first.pixels, rolling.background, rolling.samples, reduced.factor)


class _Reduced:
    """Reduces every frame of a video to the size of the first one."""

    def __init__(self, side: int) -> None:
        self._side = side
        self._size: tuple[int, int] | None = None
        self.factor = 1.0

    def __call__(self, pixels: Picture) -> Picture:
        import cv2

        height, width = pixels.shape[:2]
        if self._size is None:
            self.factor = max(1.0, max(height, width) / self._side)
            self._size = max(1, round(width / self.factor)), max(1, round(height / self.factor))
        if (width, height) == self._size:
            return pixels
        return np.asarray(cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA), np.uint8)


def _once(source: str) -> bool:
    """Whether what it gives can be read a single time."""
    return source == STANDARD_INPUT or address_scheme(source) is not None or not Path(source).is_file()
