"""When the frames of a file are shown, told from its packets where that is certain, and from decoding it otherwise."""

from __future__ import annotations

import warnings
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privis.io.video.frame_choice import FrameChoice
from privis.io.video.frame_reading import FrameReading, VideoWarning, chosen_frames, without_chosen
from privis.io.video.opened_video import MAX_PIXELS, OpenedVideo, opened_video
from privis.io.video.presentation import MICROSECONDS, microseconds

_LOOKS = 12
"""Frames that are decoded, to see whether packets say the same."""


@dataclass(frozen=True, eq=False)
class PacketTimes:
    """What the packets of a file say; a day of video is a few dozen megabytes.

    Args:
        stamps: of its frames in the order in which they are shown, int64 (frames,), in units of ``base``.
        microseconds: the same from the start of the file, int64 (frames,).
        keys: places among these of frames at which decoding can begin, int64.
        base: unit of stamps in seconds.
        start: of the clock, on the container's own, in seconds.
    """

    stamps: NDArray[np.int64]
    microseconds: NDArray[np.int64]
    keys: NDArray[np.int64]
    base: Fraction
    start: Fraction

    def __iter__(self) -> Iterator[Fraction]:
        """Seconds from the start of the file, exactly."""
        return (self.at(place) for place in range(len(self.stamps)))

    def at(self, place: int) -> Fraction:
        """When a frame is first shown.

        Args:
            place: of the frame, from 0, or from the end below that.

        Returns:
            Seconds from the start of the file, exactly.
        """
        return int(self.stamps[place]) * self.base - self.start


def packet_times(path: Path | str, where: str = "", max_pixels: int = MAX_PIXELS) -> PacketTimes | None:
    """Read the times of all frames of a file, and decode a dozen of them to see whether they agree.

    Args:
        path: of the file.
        where: what messages call it; empty: its path.
        max_pixels: most pixels of a frame.

    Returns:
        The times; None: packets do not tell them, as where they have none, have gaps in their order, or are fields.

    Raises:
        ImageError: no video.
        MissingExtraError: PyAV is not installed.
    """
    video = opened_video(path, where=where, max_pixels=max_pixels)
    try:
        found = _of_packets(video)
    finally:
        video.close()
    if found is None:
        return None
    video = opened_video(path, where=where, max_pixels=max_pixels)
    try:
        reading = FrameReading(video, max_pixels)
        first = [microseconds(frame.time) for frame, _ in zip(reading, range(_LOOKS), strict=False)]
    finally:
        video.close()
    agree = first == found.microseconds[: len(first)].tolist() and len(first) >= min(_LOOKS, len(found.stamps))
    return found if agree and reading.clock.start == found.start else None


def _of_packets(video: OpenedVideo) -> PacketTimes | None:
    from av.error import FFmpegError

    start, base = video.start, video.stream.time_base
    if start is None or base is None or video.is_live:
        return None
    stamps, keys, last = array("q"), array("b"), None
    try:
        for packet in video.container.demux(video.stream):
            if packet.size == 0 or packet.is_discard:
                continue
            if packet.pts is None or (last is not None and packet.dts is not None and packet.dts <= last):
                return None
            last = packet.dts if packet.dts is not None else last
            stamps.append(packet.pts)
            keys.append(packet.is_keyframe)
    except (FFmpegError, OSError):
        return None
    if not stamps:
        return None
    order = np.argsort(np.asarray(stamps), kind="stable")
    shown = np.asarray(stamps)[order]
    scale, offset = base * MICROSECONDS, start * MICROSECONDS
    known = np.fromiter((round(int(stamp) * scale - offset) for stamp in shown), np.int64, len(shown))
    if known[0] < 0 or (np.diff(known) <= 0).any():
        return None
    return PacketTimes(shown, known, np.flatnonzero(np.asarray(keys)[order]), base, start)


def chosen_times(
    path: Path | str, choice: FrameChoice, *, where: str = "", max_pixels: int = MAX_PIXELS
) -> tuple[Fraction, ...]:
    """Say when the chosen frames of a file are shown.

    Args:
        path: of the file.
        choice: which frames.
        where: what messages call it; empty: its path.
        max_pixels: most pixels of a frame.

    Returns:
        Seconds from its start, in order, at least one.

    Raises:
        ImageError: no video, or no frame in the period.
        MissingExtraError: PyAV is not installed.

    Warns:
        VideoWarning: the file was cut off, or its times had to be mended.
    """
    known = packet_times(path, where, max_pixels)
    if known is None:
        frames = chosen_frames(path, choice, where=where, max_pixels=max_pixels)
        times = tuple(frame.time for frame in frames)
    else:
        picker = choice.picker()
        times = tuple(time for time in known if picker.takes(time))
        if choice.end is None or known.at(-1) < choice.end:
            _warn_of_the_end(path, where, known.at(-1))
    if not times:
        raise without_chosen(where or str(path), choice)
    return times


def _warn_of_the_end(path: Path | str, where: str, last: Fraction) -> None:
    video = opened_video(path, where=where)
    try:
        reading = FrameReading(video)
        reading.last = last
        told = reading.faults(to_the_end=True)
    finally:
        video.close()
    if told:
        warnings.warn(f"{video.where}: {'; '.join(told)}", VideoWarning, stacklevel=3)
