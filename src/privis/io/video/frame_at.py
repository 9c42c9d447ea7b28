"""One frame of a file, by its time: the file stays open and is read on, or entered at the nearest place before."""

from __future__ import annotations

import bisect
import functools
import os
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from privis.errors import ImageError, Problem
from privis.io.video.frame_pixels import FramePixels, Pixels
from privis.io.video.frame_reading import DecodedFrame, FrameReading, reading_at, without_frames
from privis.io.video.opened_video import MAX_PIXELS, OpenedVideo, opened_video
from privis.io.video.packet_times import PacketTimes, packet_times
from privis.io.video.presentation import MICROSECONDS, microseconds


def frame_at(path: Path | str, time: int, *, where: str = "", max_pixels: int = MAX_PIXELS) -> Pixels:
    """Read the frame that is shown from a time on.

    Frames that are asked for in their order are read in one pass.

    Args:
        path: of the file.
        time: at which it is first shown, in microseconds from the start of the video.
        where: what messages call it; empty: its path.
        max_pixels: most pixels (width x height) of a frame.

    Returns:
        uint8 (height, width, 3) RGB, upright.

    Raises:
        ImageError: no video, or none whose frame begins at this time.
        MissingExtraError: PyAV is not installed.
    """
    where = where or os.fspath(path)
    try:
        status = os.stat(path)
        cursor = _cursor(os.fspath(path), status.st_size, status.st_mtime_ns, max_pixels, os.getpid())
        return cursor.frame(time)
    except FileNotFoundError:
        raise ImageError(Problem(where, "no such file", "a video", "check the path")) from None
    except ImageError as error:
        raise ImageError(*(replace(problem, where=where) for problem in error.problems)) from None


@functools.lru_cache(maxsize=2)
def _cursor(path: str, size: int, changed: int, max_pixels: int, process: int) -> _Cursor:
    """By process, as a file position that is shared after a fork would mix up what is read."""
    return _Cursor(path, max_pixels)


class _Cursor:
    """A place in a file that is open."""

    def __init__(self, path: str, max_pixels: int) -> None:
        self._path = path
        self._max_pixels = max_pixels
        self._known: PacketTimes | None = packet_times(path, max_pixels=max_pixels)
        self._convert = FramePixels()
        self._video: OpenedVideo | None = None
        self._reading: FrameReading | None = None
        self._frames: Iterator[DecodedFrame] = iter(())
        self._current: DecodedFrame | None = None

    def frame(self, time: int) -> Pixels:
        if self._known is not None and not self._knows(time):
            raise self._absent(time, [microseconds(each) for each in self._known.times])
        self._enter(time)
        found = self._read_on(time)
        if found is None and self._known is not None:  # entered where decoding cannot begin: once more from the start
            self._restart()
            found = self._read_on(time)
        if found is None:
            raise self._absent(time, [])
        return self._convert(found.picture)

    def _knows(self, time: int) -> bool:
        assert self._known is not None
        at = bisect.bisect_left(self._known.times, time, key=microseconds)
        return at < len(self._known.times) and microseconds(self._known.times[at]) == time

    def _enter(self, time: int) -> None:
        """Go back, or ahead over what need not be decoded; stay where reading on is as good."""
        here = None if self._current is None else microseconds(self._current.time)
        if self._known is None or self._known.keys == ():
            if here is None or here > time:
                self._restart()
            return
        at = bisect.bisect_right(self._known.keys, time, key=microseconds) - 1
        key = self._known.keys[max(at, 0)]
        if here is not None and here <= time and microseconds(key) <= here:
            return
        if self._video is None:
            self._restart()
        assert self._video is not None
        if at <= 0 and here is None:
            return
        entered = reading_at(self._video, key, self._known.start, self._max_pixels)
        if entered is None:
            self._restart()
        else:
            (self._reading, self._frames), self._current = entered, None

    def _restart(self) -> None:
        if self._video is not None:
            self._video.close()
        self._video = opened_video(self._path, max_pixels=self._max_pixels)
        self._reading = FrameReading(self._video, self._max_pixels)
        self._frames, self._current = iter(self._reading), None

    def _read_on(self, time: int) -> DecodedFrame | None:
        while self._current is None or microseconds(self._current.time) < time:
            following = next(self._frames, None)
            if following is None:
                return None
            self._current = following
        return self._current if microseconds(self._current.time) == time else None

    def _absent(self, time: int, times: list[int]) -> ImageError:
        if self._reading is not None and self._reading.last is None and not times:
            return without_frames(self._reading)
        at = bisect.bisect_left(times, time)
        near = " and ".join(f"{each / MICROSECONDS:g} s" for each in times[max(0, at - 1) : at + 1])
        expected = f"one that is: {near} are the nearest" if near else "a frame that can be decoded"
        got = f"{float(Fraction(time, MICROSECONDS)):g} s, at which no frame is shown first"
        return ImageError(Problem(self._path, got, expected, "choose frames with --every"))
