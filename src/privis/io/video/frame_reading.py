"""Frames of a video one after another, each with the time at which it is shown; what can be read is given.

A damaged or cut off video gives the frames it has and then warns (`VideoWarning`); one that gives none is an
`ImageError`. A pipe or a camera that falls silent ends after some seconds, with a warning.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import time
import warnings
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from privis.errors import ImageError, Problem
from privis.io.video.frame_choice import FrameChoice
from privis.io.video.frame_pixels import FramePixels, Pixels
from privis.io.video.opened_video import (
    MAX_PIXELS,
    SILENCE,
    OpenedVideo,
    declared_end,
    opened_video,
    too_large,
    without_password,
)
from privis.io.video.presentation import PresentationClock

_MISSING_SECONDS = 0.5
"""A video that ends by more than this, and by more than two frames, before its declared end was cut off."""


class VideoWarning(UserWarning):
    """Some of a video could not be read, or its times had to be mended; what was read is given."""


class VideoFrame(NamedTuple):
    """A frame as it is shown.

    Attributes:
        time: from the start of the video, in seconds.
        pixels: uint8 (height, width, 3) RGB, upright.
    """

    time: float
    pixels: Pixels


class DecodedFrame(NamedTuple):
    """A frame before its colours are converted.

    Attributes:
        time: from the start of the video, in seconds, exactly.
        picture: of PyAV.
    """

    time: Fraction
    picture: Any


class FrameReading:
    """One pass through a video that is open, from where it stands.

    Args:
        video: that is open.
        max_pixels: most pixels of a frame.
        silence: seconds without a frame after which a camera is given up.
        start: of its clock, where another reading knows it; None: the container's.
    """

    def __init__(
        self,
        video: OpenedVideo,
        max_pixels: int = MAX_PIXELS,
        silence: float = SILENCE,
        start: Fraction | None = None,
    ) -> None:
        self.video = video
        self.clock = PresentationClock(video.start if start is None else start, video.rate)
        self.last: Fraction | None = None
        self._damaged = 0
        self._stopped = ""
        self._max_pixels = max_pixels
        self._silence = silence

    def __iter__(self) -> Iterator[DecodedFrame]:
        for packet in self._packets():
            for picture in self._decoded(packet):
                if picture.width * picture.height > self._max_pixels:
                    raise too_large(self.video.where, picture.width, picture.height, self._max_pixels)
                self.last = self.clock.time_of(picture)
                yield DecodedFrame(self.last, picture)

    def _packets(self) -> Iterator[Any]:
        """Packets of the stream; those of a camera's other streams only tell that time goes on."""
        from av.error import ExitError, FFmpegError

        video = self.video
        packets = video.container.demux() if video.is_live else video.container.demux(video.stream)
        silent = f"it gave nothing for {self._silence:g} s"
        heard = time.monotonic()
        while True:
            try:
                packet = next(packets, None)
            except ExitError:
                self._stopped = silent
                return
            except (FFmpegError, OSError) as error:
                self._stopped = f"it cannot be read any further ({type(error).__name__})"
                return
            if packet is None:
                break
            if packet.stream is video.stream:
                yield packet
                heard = time.monotonic()
            elif packet.size and time.monotonic() - heard > self._silence:
                self._stopped = f"it gave no picture for {self._silence:g} s"
                return
        if video.pipe is not None and video.pipe.fell_silent:
            self._stopped = silent

    def _decoded(self, packet: Any) -> list[Any]:
        from av.error import FFmpegError

        try:
            return packet.decode()
        except EOFError:  # asked once more after the end
            return []
        except (FFmpegError, ValueError, MemoryError):
            self._damaged += 1
            return []

    def faults(self, to_the_end: bool) -> list[str]:
        """What is to be said of the video after it was read.

        Args:
            to_the_end: whether all of it was asked for.

        Returns:
            Sentences without a subject; none where all is well.
        """
        told = [self._stopped] if self._stopped else []
        if self._damaged:
            told.append(f"{self._damaged} of its parts cannot be decoded")
        if self.clock.mended:
            told.append(self.clock.mended)
        end = declared_end(self.video)
        if to_the_end and self.last is not None and not self._stopped and not math.isnan(end):
            period = float(1 / self.video.rate) if self.video.rate else 0.0
            missing = end - float(self.last) - period
            if missing > max(_MISSING_SECONDS, 2 * period):
                told.append(f"it ends at {float(self.last) + period:.2f} s of {end:.2f} s: it was cut off")
        return told


def video_frames(
    source: Path | str,
    choice: FrameChoice | None = None,
    *,
    max_pixels: int = MAX_PIXELS,
    silence: float = SILENCE,
    threads: int = 1,
) -> Iterator[VideoFrame]:
    """Read frames of a video in the order in which they are shown; memory holds a few of them.

    Args:
        source: path of a file or a named pipe, ``-`` for standard input, or an address (rtsp, http, udp, …).
        choice: which frames; None: all.
        max_pixels: most pixels (width x height) of a frame.
        silence: seconds that a pipe or an address may give nothing.
        threads: that decode; pixels are the same for any number of them, except where a video is damaged.

    Yields:
        Frames with the time of each.

    Raises:
        ImageError: no video, one that gives no frame at all or none in the period, or frames that are too large.
        MissingExtraError: PyAV is not installed.

    Warns:
        VideoWarning: what could not be read, or had to be mended, once, after the last frame.
    """
    choice = choice or FrameChoice()
    frames, some = chosen_frames(source, choice, max_pixels=max_pixels, silence=silence, threads=threads), False
    convert = FramePixels()
    with contextlib.closing(frames):
        for frame in frames:
            some = True
            yield VideoFrame(float(frame.time), convert(frame.picture))
    if not some:
        raise without_chosen(without_password(str(source)), choice)


def chosen_frames(
    source: Path | str,
    choice: FrameChoice,
    *,
    where: str = "",
    max_pixels: int = MAX_PIXELS,
    silence: float = SILENCE,
    threads: int = 1,
) -> Generator[DecodedFrame]:
    """As `video_frames`, without converting colours, and without an error where no frame is in the period.

    Args:
        source: as of `video_frames`.
        choice: which frames.
        where: what messages call it; empty: its path.
        max_pixels: most pixels of a frame.
        silence: seconds that a pipe or an address may give nothing.
        threads: that decode.

    Yields:
        Frames with the exact time of each.

    Raises:
        ImageError: no video, or one that gives no frame at all.
        MissingExtraError: PyAV is not installed.
    """

    def opened() -> OpenedVideo:
        return opened_video(source, where=where, max_pixels=max_pixels, silence=silence, threads=threads)

    video = opened()
    try:
        reading = FrameReading(video, max_pixels, silence)
        frames = iter(reading)
        if choice.start and not video.is_live:
            first = next(frames, None)
            frames = itertools.chain([] if first is None else [first], frames)
            if first is not None and first.time < choice.start:
                found = reading_at(video, choice.start, reading.clock.start, max_pixels)
                if found is None:  # it cannot be entered in the middle
                    video.close()
                    video = opened()
                    reading = FrameReading(video, max_pixels, silence)
                    frames = iter(reading)
                else:
                    reading, frames = found
        picker, past = choice.picker(), False
        for frame in frames:
            if past := picker.is_past(frame.time):
                break
            if picker.takes(frame.time):
                yield frame
        if reading.last is None:
            raise without_frames(reading)
        if told := reading.faults(to_the_end=not past):
            warnings.warn(f"{video.where}: {'; '.join(told)}", VideoWarning, stacklevel=3)
    finally:
        video.close()


def reading_at(
    video: OpenedVideo, time: Fraction, start: Fraction | None, max_pixels: int = MAX_PIXELS
) -> tuple[FrameReading, Iterator[DecodedFrame]] | None:
    """Go to the last frame at or before a time from which what follows can be decoded.

    Args:
        video: that is open, of a file.
        time: in seconds from its start.
        start: of its clock, from a reading that began at its beginning.
        max_pixels: most pixels of a frame.

    Returns:
        The reading, and its frames from there; None: the file landed somewhere else, as with a broken index, and is to
        be read from its beginning.
    """
    from av.error import FFmpegError

    base = video.stream.time_base
    if base is None or start is None:
        return None
    try:
        video.container.seek(math.floor((start + time) / base), stream=video.stream)
        reading = FrameReading(video, max_pixels, start=start)
        frames = iter(reading)
        first = next(frames, None)
    except (FFmpegError, ValueError, OverflowError):
        return None
    if first is None or first.picture.pts is None or first.time > time:
        return None
    return reading, itertools.chain([first], frames)


def without_frames(reading: FrameReading) -> ImageError:
    """Say of a video that was read that there was nothing.

    Args:
        reading: that gave no frame.

    Returns:
        The error, to be raised by the caller.
    """
    if faults := reading.faults(to_the_end=False):
        got, remedy = f"a video without a frame that can be read ({'; '.join(faults)})", "copy or record it again"
    else:
        got, remedy = "a video of 0 frames", ""
    return ImageError(Problem(reading.video.where, got, "at least one frame", remedy))


def without_chosen(where: str, choice: FrameChoice) -> ImageError:
    """Say that a video shows nothing in the period that was asked for.

    Args:
        where: the video, in messages.
        choice: what was asked for.

    Returns:
        The error, to be raised by the caller.
    """
    start = f"{float(choice.start):g} s"
    period = f"from {start} on" if choice.end is None else f"between {start} and {float(choice.end):g} s"
    return ImageError(Problem(where, f"no frame {period}", "a frame there", "choose another period"))
