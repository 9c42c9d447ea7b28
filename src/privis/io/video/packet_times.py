"""When the frames of a file are shown, told from its packets where that is certain, and from decoding it otherwise."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from privis.io.video.frame_choice import FrameChoice
from privis.io.video.frame_reading import FrameReading, VideoWarning, chosen_frames, without_chosen
from privis.io.video.opened_video import MAX_PIXELS, OpenedVideo, opened_video
from privis.io.video.presentation import microseconds

_LOOKS = 12
"""Frames that are decoded, to see whether packets say the same."""


@dataclass(frozen=True)
class PacketTimes:
    """What the packets of a file say.

    Args:
        times: of its frames in seconds, from its start, in order.
        keys: of these, the times of frames at which decoding can begin.
        start: of the clock, on the container's own.
    """

    times: tuple[Fraction, ...]
    keys: tuple[Fraction, ...]
    start: Fraction


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
        first = [frame.time for frame, _ in zip(reading, range(_LOOKS), strict=False)]
    finally:
        video.close()
    agree = tuple(first) == found.times[: len(first)] and len(first) >= min(_LOOKS, len(found.times))
    return found if agree and first and reading.clock.start == found.start else None


def _of_packets(video: OpenedVideo) -> PacketTimes | None:
    import av

    start, base = video.start, video.stream.time_base
    if start is None or base is None or video.is_live:
        return None
    stamps: list[tuple[int, bool]] = []
    last = None
    try:
        for packet in video.container.demux(video.stream):
            if packet.size == 0 or packet.is_discard:
                continue
            if packet.pts is None or (last is not None and packet.dts is not None and packet.dts <= last):
                return None
            last = packet.dts if packet.dts is not None else last
            stamps.append((packet.pts, packet.is_keyframe))
    except (av.FFmpegError, OSError):
        return None
    stamps.sort()
    times = tuple(stamp * base - start for stamp, _ in stamps)
    known = [microseconds(time) for time in times]
    if not times or known[0] < 0 or any(after <= before for before, after in itertools.pairwise(known)):
        return None
    return PacketTimes(times, tuple(time for time, (_, key) in zip(times, stamps, strict=True) if key), start)


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
        times = tuple(time for time in known.times if picker.takes(time))
        if choice.end is None or known.times[-1] < choice.end:
            _warn_of_the_end(path, where, known.times[-1])
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
