"""Video out: H.264 of pixels and times alone. Nothing of another file, no sound and no metadata can be in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import OutputError, ParameterError, Problem
from privis.extras import optional_import
from privis.io.atomic import check_writable, replacing
from privis.io.video.presentation import MICROSECONDS

SUFFIXES = (".mp4", ".mov", ".mkv")
_BASE = Fraction(1, MICROSECONDS)
_LIMITED, _BT601 = 1, 6


class VideoWriter:
    """Takes one frame after another.

    Args:
        stream: of PyAV, that is open for writing.
        container: of the stream.
        where: the file, in messages.
    """

    def __init__(self, stream: Any, container: Any, where: str) -> None:
        self.frames = 0
        self._stream = stream
        self._container = container
        self._where = where
        self._first = self._last = 0
        self._shape: tuple[int, ...] = ()

    def add(self, time: float, pixels: NDArray[np.uint8]) -> None:
        """Append a frame.

        Args:
            time: at which it is shown, in seconds, after that of the frame before; the first one begins the file.
            pixels: uint8 (height, width, 3) RGB or (height, width) grey, of one size for all; of a side that is odd the
                last line is written twice, as H.264 stores colours in pairs.

        Raises:
            ParameterError: another size, or a time that is not later.
        """
        import av

        stamp = round(time * MICROSECONDS)
        if not self.frames:
            self._first, self._shape = stamp, pixels.shape
            height, width = pixels.shape[:2]
            self._stream.height, self._stream.width = height + height % 2, width + width % 2
        elif pixels.shape != self._shape or stamp <= self._last:
            got = f"{' x '.join(map(str, pixels.shape))} at {time:g} s"
            expected = f"{' x '.join(map(str, self._shape))} after {self._last / MICROSECONDS:g} s"
            raise ParameterError(Problem(f"{self._where}, frame {self.frames + 1}", got, expected))
        height, width = pixels.shape[:2]
        rgb = np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels
        even = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        made = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
        frame = made.reformat(format="yuv420p", dst_colorspace=5, dst_color_range=_LIMITED)
        frame.pts, frame.time_base = stamp - self._first, _BASE
        frame.colorspace, frame.color_range = _BT601, _LIMITED
        self._last = stamp
        self.frames += 1
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def end(self) -> None:
        """Write what is still held back.

        Raises:
            ParameterError: there was no frame.
        """
        if not self.frames:
            raise ParameterError(Problem(self._where, "no frame", "at least one"))
        for packet in self._stream.encode(None):
            self._container.mux(packet)


@contextmanager
def written_video(path: Path | str, *, quality: int = 20) -> Iterator[VideoWriter]:
    """Write a video that appears whole or not at all; the same frames give the same bytes.

    Args:
        path: of the file, which ends in one of `SUFFIXES`.
        quality: of x264, from 0 (best, largest) to 51.

    Yields:
        What takes the frames.

    Raises:
        ParameterError: another ending, another quality, or no frame.
        OutputError: it cannot be written.
        MissingExtraError: PyAV is not installed.
    """
    place = Path(path)
    problems = []
    if place.suffix.lower() not in SUFFIXES:
        problems.append(Problem(str(path), repr(place.suffix), f"a name that ends in {', '.join(SUFFIXES)}"))
    if not 0 <= quality <= 51:
        problems.append(Problem("quality", str(quality), "0 to 51"))
    if problems:
        raise ParameterError(*problems)
    check_writable(place)
    with optional_import("video", f"{path}, a video"):
        import av
        from av.error import FFmpegError
    form = {".mkv": "matroska"}.get(place.suffix.lower(), place.suffix.lower()[1:])
    with replacing(place) as temporary:
        try:
            # bitexact: no name of a program, no time of writing, the same bytes for the same frames
            with av.open(str(temporary), "w", format=form, options={"fflags": "+bitexact"}) as container:
                stream: Any = container.add_stream("libx264", rate=Fraction(30))
                stream.pix_fmt = "yuv420p"
                stream.codec_context.time_base = _BASE
                stream.codec_context.thread_count = 1
                stream.codec_context.colorspace, stream.codec_context.color_range = _BT601, _LIMITED
                stream.codec_context.options = {"crf": str(quality), "bf": "0", "g": "60", "flags": "+bitexact"}
                writer = VideoWriter(stream, container, str(path))
                yield writer
                writer.end()
        except FFmpegError as error:
            raise OutputError(Problem(str(path), f"an error ({error.strerror})", "a video that is written")) from error
