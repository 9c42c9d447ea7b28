"""One frame of a file, by its time: the file stays open and is read on, or entered at the nearest place before."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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
        cursor = _cursor(
            os.fspath(path), status.st_size, status.st_mtime_ns, max_pixels, os.getpid(), threading.get_ident()
        )
        return cursor.frame(time)
    except FileNotFoundError:
        raise ImageError(Problem(where, "no such file", "a video", "check the path")) from None
    except ImageError as error:
        raise ImageError(*(replace(problem, where=where) for problem in error.problems)) from None


@functools.lru_cache(maxsize=4)
def _cursor(path: str, size: int, changed: int, max_pixels: int, process: int, thread: int) -> _Cursor:
    """By process and thread, as a file position that is shared would mix up what is read."""
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
        known = self._known
        if known is None:
            if self._current is None or microseconds(self._current.time) > time:
                self._restart()
            found = self._read_on(time)
        else:
            place = int(np.searchsorted(known.microseconds, time))
            if place == len(known.stamps) or int(known.microseconds[place]) != time:
                raise self._absent(time, known.microseconds)
            key = int(np.searchsorted(known.keys, place, "right")) - 1
            self._enter(known, key, time)
            found = self._read_on(time)
            if found is None and key > 0:  # a key frame that is none: from the one before it
                self._current = None
                self._enter(known, key - 1, time)
                found = self._read_on(time)
        if found is None:
            raise self._absent(time, np.empty(0, np.int64))
        return self._convert(found.picture)

    def _enter(self, known: PacketTimes, key: int, time: int) -> None:
        """Go back, or ahead over what need not be decoded; stay where reading on is as good."""
        here = None if self._current is None else microseconds(self._current.time)
        place = int(known.keys[key]) if key >= 0 else 0
        if here is not None and int(known.microseconds[place]) <= here <= time:
            return
        video = self._video or self._restart()
        entered = reading_at(video, known.at(place), known.start, self._max_pixels) if place else None
        if entered is None:
            self._restart()
        else:
            (self._reading, self._frames), self._current = entered, None

    def _restart(self) -> OpenedVideo:
        if self._video is not None:
            self._video.close()
        self._video = opened_video(self._path, max_pixels=self._max_pixels)
        self._reading = FrameReading(self._video, self._max_pixels)
        self._frames, self._current = iter(self._reading), None
        return self._video

    def _read_on(self, time: int) -> DecodedFrame | None:
        while self._current is None or microseconds(self._current.time) < time:
            following = next(self._frames, None)
            if following is None:
                return None
            self._current = following
        return self._current if microseconds(self._current.time) == time else None

    def _absent(self, time: int, times: NDArray[np.int64]) -> ImageError:
        if self._reading is not None and self._reading.last is None and not len(times):
            return without_frames(self._reading)
        at = int(np.searchsorted(times, time))
        near = " and ".join(f"{each / MICROSECONDS:g} s" for each in times[max(0, at - 1) : at + 1])
        expected = f"one that is: {near} are the nearest" if near else "a frame that can be decoded"
        got = f"{float(Fraction(time, MICROSECONDS)):g} s, at which no frame is shown first"
        return ImageError(Problem(self._path, got, expected, "choose frames with --every"))
