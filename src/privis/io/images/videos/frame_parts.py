"""Frames of videos as parts of files: which there are, and the pixels of each, or of several below each other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, Problem
from privis.io.images.file_parts import TIME, TIMES, FilePart
from privis.io.images.videos.video_files import is_video
from privis.io.video.frame_at import frame_at
from privis.io.video.frame_choice import FrameChoice
from privis.io.video.opened_video import opened_video, too_large
from privis.io.video.packet_times import chosen_times
from privis.io.video.presentation import MICROSECONDS, microseconds


def frames_named(path: str, times: Sequence[Fraction]) -> str:
    """Name one frame of a video, or several that are one picture, below each other.

    Args:
        path: of the video.
        times: at which each is first shown, in seconds from the start.

    Returns:
        What stands for the picture wherever a path does.

    >>> frames_named("clip.mp4", [Fraction(1001, 30000)]), frames_named("clip.mp4", [Fraction(2), Fraction(5, 2)])
    ('clip.mp4#time=0.033367', 'clip.mp4#time=2,2.5')
    """
    return FilePart(path, TIME, ",".join(map(_decimal, times))).name


def _decimal(time: Fraction) -> str:
    whole, rest = divmod(microseconds(time), MICROSECONDS)
    return str(whole) + (f".{rest:06d}".rstrip("0") if rest else "")


def frames_of_all(
    paths: Sequence[str],
    choice: FrameChoice,
    subjects: Sequence[str] | None = None,
    *,
    stack: int = 1,
    max_pixels: int,
) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """Name the chosen frames of several videos, in their order.

    Pictures keep their names. A video that gives no frame keeps a name of its own, which is refused with the reason
    when it is read: it costs its row and not the run. What is named as a part already stays so.

    Args:
        paths: of files.
        choice: which frames.
        subjects: whose each is; None: not known.
        stack: how many chosen frames, one after another, are one picture; no frame is in two, and the last ones, which
            are too few, are in none.
        max_pixels: most pixels of a frame.

    Returns:
        Names, and the subject of each.

    Raises:
        MissingExtraError: PyAV is not installed.

    Warns:
        VideoWarning: a video was cut off, or its times had to be mended.
    """
    found = [_frames_or_name(os.fspath(path), choice, stack, max_pixels) for path in paths]
    named = tuple(name for names in found for name in names)
    if subjects is None:
        return named, None
    return named, tuple(subject for names, subject in zip(found, subjects, strict=True) for _ in names)


def _frames_or_name(path: str, choice: FrameChoice, stack: int, max_pixels: int) -> list[str]:
    if not is_video(path):
        return [path]
    try:
        return [frames_named(path, times) for times in _stacks(path, path, choice, stack, max_pixels)]
    except ImageError:
        return [FilePart(path, TIMES, f"{choice.words},{stack}").name]


def _stacks(path: str, where: str, choice: FrameChoice, stack: int, max_pixels: int) -> list[Sequence[Fraction]]:
    times = chosen_times(path, choice, where=where, max_pixels=max_pixels)
    if len(times) < stack:
        remedy = "choose frames closer together, or fewer at a time"
        raise ImageError(Problem(where, f"{len(times)} frames", f"at least the {stack} of one picture", remedy))
    return [times[first : first + stack] for first in range(0, len(times) - stack + 1, stack)]


def video_picture(part: FilePart, where: str, max_pixels: int) -> NDArray[np.uint8]:
    """Read a frame, or several below each other.

    Args:
        part: of kind ``time``; one of kind ``times`` is a video that gave none, and is refused for the same reason.
        where: what messages call it.
        max_pixels: most pixels of the picture.

    Returns:
        uint8 (height, width, 3) RGB, upright.

    Raises:
        ImageError: it cannot be read.
        MissingExtraError: PyAV is not installed.
    """
    if part.kind == TIMES:
        raise _choice_named(part, where, max_pixels)
    frames: list[NDArray[np.uint8]] = []
    for time in part.numbers:
        frames.append(frame_at(part.path, time, where=where, max_pixels=max_pixels))
        height, width = frames[0].shape[:2]
        if frames[-1].shape != frames[0].shape:
            got = f"frames of {width} x {height} and {frames[-1].shape[1]} x {frames[-1].shape[0]} pixels"
            raise ImageError(Problem(where, got, "frames of one size in one picture", "choose a period of one size"))
        if len(frames) * height * width > max_pixels:
            raise too_large(where, width, len(part.numbers) * height, max_pixels)
    return frames[0] if len(frames) == 1 else np.concatenate(frames)


def _choice_named(part: FilePart, where: str, max_pixels: int) -> ImageError:
    """Why a video gave no frame; raised as well where looking again says it."""
    words, _, stack = part.words.rpartition(",")
    try:
        choice, size = FrameChoice.of_words(words), max(1, int(stack))
    except ValueError:  # a ParameterError is one, too
        return ImageError(Problem(where, "a choice of frames that is none", "a video and --every", "give the video"))
    found = len(_stacks(part.path, where, choice, size, max_pixels))
    return ImageError(Problem(where, f"a video ({found:,} pictures)", "one of them", "give the video and --every"))


def frame_shape(part: FilePart) -> tuple[int, ...]:
    """Say how large a picture of frames is, from the header of the video.

    Args:
        part: of kind ``time``.

    Returns:
        (height, width, 3), before frames are turned upright.

    Raises:
        ImageError: no video.
        MissingExtraError: PyAV is not installed.
    """
    video = opened_video(part.path)
    try:
        context = video.stream.codec_context
        return len(part.numbers) * context.height, context.width, 3
    finally:
        video.close()
