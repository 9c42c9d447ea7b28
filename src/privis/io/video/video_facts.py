"""What is to be known of a video before work on it: size, times, and what reading it would mend."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from privis.io.video.frame_choice import FrameChoice
from privis.io.video.frame_pixels import display_matrix, upright
from privis.io.video.frame_reading import VideoWarning, chosen_frames
from privis.io.video.opened_video import MAX_PIXELS, opened_video
from privis.io.video.packet_times import chosen_times

_SAME = Fraction(1, 500)
"""Seconds by which intervals differ where times are rounded, as to milliseconds."""


@dataclass(frozen=True)
class VideoFacts:
    """What a video is.

    Args:
        width: of its frames as they are shown, in pixels.
        height: of its frames as they are shown, in pixels.
        frames: how many can be read.
        first: time at which the first is shown, in seconds from the start.
        last: time at which the last is first shown.
        shortest: interval between two frames in seconds; 0 for one frame.
        longest: interval between two frames in seconds; 0 for one frame.
        container: names of its format.
        codec: of its pictures.
        pixel_format: ffmpeg's name.
        is_turned: whether frames are stored in another position than they are shown.
        is_interlaced: whether its first frame is.
        sounds: how many streams of sound it has; they are never read.
        tags: names of its metadata, such as location or creation_time; what they say is not shown.
        faults: what reading it would warn of.
    """

    width: int
    height: int
    frames: int
    first: float
    last: float
    shortest: float
    longest: float
    container: str
    codec: str
    pixel_format: str
    is_turned: bool
    is_interlaced: bool
    sounds: int
    tags: tuple[str, ...]
    faults: tuple[str, ...]

    @property
    def rate(self) -> float | None:
        """Frames a second on average; None: fewer than two frames."""
        return (self.frames - 1) / (self.last - self.first) if self.frames > 1 else None

    @property
    def is_variable(self) -> bool:
        """Whether intervals between frames differ by more than times are rounded."""
        return self.longest - self.shortest > float(_SAME)


def video_facts(path: Path | str, *, max_pixels: int = MAX_PIXELS) -> VideoFacts:
    """Look at a video: its packets, and one frame.

    Args:
        path: of the file.
        max_pixels: most pixels of a frame.

    Returns:
        What it is.

    Raises:
        ImageError: no video, or one without a frame that can be read.
        MissingExtraError: PyAV is not installed.
    """
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", VideoWarning)
        times = chosen_times(path, FrameChoice(), max_pixels=max_pixels)
        frame = next(chosen_frames(path, FrameChoice(), max_pixels=max_pixels)).picture
    video = opened_video(path, max_pixels=max_pixels)
    try:
        matrix = display_matrix(frame)
        height, width = _shown(frame.height, frame.width, matrix)
        steps = [float(after - before) for before, after in itertools.pairwise(times)] or [0.0]
        return VideoFacts(
            width,
            height,
            len(times),
            float(times[0]),
            float(times[-1]),
            min(steps),
            max(steps),
            video.container.format.name,
            video.stream.codec_context.name,
            frame.format.name,
            matrix is not None and matrix[:4] != (65536, 0, 0, 65536),
            bool(frame.interlaced_frame),
            len(video.container.streams.audio),
            _tags([video.container.metadata, *(stream.metadata for stream in video.container.streams)]),
            tuple(str(each.message) for each in said if issubclass(each.category, VideoWarning)),
        )
    finally:
        video.close()


def _shown(height: int, width: int, matrix: tuple[int, int, int, int] | None) -> tuple[int, int]:
    import numpy as np

    shape = upright(np.broadcast_to(np.uint8(0), (height, width)), matrix).shape
    return int(shape[0]), int(shape[1])


def _tags(found: Sequence[dict[str, str]]) -> tuple[str, ...]:
    return tuple(sorted({name for tags in found for name in tags}))
