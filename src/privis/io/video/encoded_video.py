"""Videos of six formats, encoded from pixels and times alone, and, where it is asked for, from one sound.

Nothing of another file can get in: no metadata, cover picture, subtitle, data stream, edit list or packet of it is
handed on; sound is decoded and encoded again, so that parts that a file hides stay behind, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, OutputError, Problem
from privis.extras import optional_import

SOUND_RATE = 48000
_MPEG4 = "mpeg4"
_BT709, _BT601, _LIMITED = 1, 6, 1
"""Numbers of libav: matrices of colours of high and of standard definition, and luma of 16 to 235."""


@dataclass(frozen=True)
class VideoForm:
    """How a video is stored.

    Args:
        suffix: of its file.
        container: libav's name of the format.
        encoders: of pictures, the first that is installed is taken.
        sound: encoder of sound.
        base: shortest step of time that the format knows, in seconds; None: that of the frame rate.
    """

    suffix: str
    container: str
    encoders: tuple[str, ...]
    sound: str
    base: Fraction | None


_FINE, _MILLISECOND = Fraction(1, 90_000), Fraction(1, 1000)
_H264 = ("libx264", "libopenh264", _MPEG4)
FORMS = {
    form.suffix: form
    for form in (
        VideoForm(".mp4", "mp4", _H264, "aac", _FINE),
        VideoForm(".m4v", "mp4", _H264, "aac", _FINE),
        VideoForm(".mov", "mov", _H264, "aac", _FINE),
        VideoForm(".mkv", "matroska", _H264, "aac", _MILLISECOND),
        VideoForm(".webm", "webm", ("libvpx-vp9", "libvpx"), "libopus", _MILLISECOND),
        VideoForm(".avi", "avi", (_MPEG4,), "libmp3lame", None),
    )
}
"""Formats that are written, by the suffix of the file."""
_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"crf": "18", "preset": "veryfast"},
    "libopenh264": {"b": "8000000"},
    "libvpx-vp9": {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "5", "row-mt": "1"},
    "libvpx": {"crf": "10", "b": "8000000", "deadline": "good", "cpu-used": "5"},
    _MPEG4: {"flags": "+qscale+bitexact", "global_quality": "236"},
}


@dataclass(frozen=True, eq=False)
class TimedFrame:
    """One frame to write.

    Args:
        seconds: when it is shown.
        pixels: uint8 (H, W) or (H, W, 3) RGB, upright.
    """

    seconds: Fraction
    pixels: NDArray[np.uint8]


def form_of(name: str) -> VideoForm:
    """Choose the format that a copy of a video is written in.

    Args:
        name: of the video.

    Returns:
        That of its suffix, where such files are written; else MP4.

    >>> form_of("a/b.MOV").container, form_of("camera.ts").container
    ('mov', 'mp4')
    """
    return FORMS.get(Path(name).suffix.lower(), FORMS[".mp4"])


def write_video(
    frames: Iterable[TimedFrame],
    path: Path,
    form: VideoForm,
    rate: Fraction,
    *,
    aspect: Fraction = Fraction(1),
    sound: Path | str | None = None,
) -> int:
    """Write a video.

    Args:
        frames: in the order of their times.
        path: of the file, replaced; its name does not matter.
        form: how it is stored.
        rate: frames a second, about.
        aspect: width of a pixel by its height.
        sound: file whose first sound is written, too, as long as there are frames, and of which their times are those
            of `privis.io.video.presentation`; None: none.

    Returns:
        How many frames were written.

    Raises:
        ImageError: there are no frames, or they change their size.
        OutputError: the format cannot hold such frames.
        MissingExtraError: PyAV is not installed.
    """
    with optional_import("video", "a video"):
        import av
    given = iter(frames)
    first = next(given, None)
    if first is None:
        raise ImageError(Problem(str(path), "no frame", "at least one"))
    try:
        with av.open(str(path), "w", format=form.container, options={"fflags": "+bitexact"}) as output:
            stream = _picture_stream(av, output, form, rate, first.pixels, aspect)
            track = None if sound is None else _SoundTrack(av, sound, output, form)
            count, last, length = 0, -1, 1 / rate
            for frame in _whole(first, given):
                _refuse_another_size(frame, first)
                base = stream.codec_context.time_base
                last = max(last + 1, round(frame.seconds / base))
                if track is not None:
                    output.mux(list(track.until(frame.seconds)))
                output.mux(stream.encode(_encodable(av, frame.pixels, stream, last)))
                count, end = count + 1, frame.seconds + length
            if track is not None:
                output.mux(list(track.until(end)))
                output.mux(track.rest())
            output.mux(stream.encode(None))
    except av.FFmpegError as error:
        shape = " x ".join(map(str, first.pixels.shape[1::-1]))
        got = f"{shape} pixels, {error.strerror or error}"
        raise OutputError(Problem(f"a file of format {form.container}", got, "a video that it can hold")) from error
    return count


def _whole(first: TimedFrame, rest: Iterator[TimedFrame]) -> Iterator[TimedFrame]:
    yield first
    yield from rest


def _refuse_another_size(frame: TimedFrame, first: TimedFrame) -> None:
    if frame.pixels.shape[:2] != first.pixels.shape[:2]:
        before, now = (" x ".join(map(str, each.pixels.shape[1::-1])) for each in (first, frame))
        got = f"{now} pixels at {float(frame.seconds):.3f} s, {before} before"
        raise ImageError(Problem("frames", got, "frames of one size", "cut the video where its size changes"))


def _picture_stream(
    av: Any, output: Any, form: VideoForm, rate: Fraction, pixels: NDArray[np.uint8], aspect: Fraction
) -> Any:
    name = next((each for each in form.encoders if each in av.codecs_available and _encodes(av, each)), _MPEG4)
    even = not (pixels.shape[0] % 2 or pixels.shape[1] % 2)
    base = form.base or 1 / rate
    if name == _MPEG4 and base.denominator > 65_535:  # a limit of MPEG-4
        base = Fraction(1, 60_000)
    stream = output.add_stream(name, rate=rate, options=_OPTIONS[name])
    stream.height, stream.width = pixels.shape[:2]
    stream.pix_fmt = "yuv420p" if even or name == _MPEG4 else "yuv444p"  # whole pairs of pixels, or no pairs
    context = stream.codec_context
    context.time_base, stream.time_base = base, base
    context.sample_aspect_ratio = aspect
    context.color_range, context.colorspace = _LIMITED, _matrix(pixels)
    context.color_primaries = context.color_trc = context.colorspace
    return stream


def _encodes(av: Any, name: str) -> bool:
    try:
        return bool(av.codec.Codec(name, "w").is_encoder)
    except ValueError:  # known for reading only
        return False


def _matrix(pixels: NDArray[np.uint8]) -> int:
    return _BT709 if min(pixels.shape[:2]) >= 720 else _BT601


def _encodable(av: Any, pixels: NDArray[np.uint8], stream: Any, time: int) -> Any:
    rgb = np.ascontiguousarray(pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2))
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(
        format=stream.pix_fmt, dst_colorspace=_matrix(pixels), dst_color_range=_LIMITED
    )
    frame.pts, frame.time_base = time, stream.codec_context.time_base
    return frame


class _SoundTrack:
    """The first sound of a file, decoded and encoded again, a piece at a time."""

    def __init__(self, av: Any, source: Path | str, output: Any, form: VideoForm) -> None:
        self._errors = av.FFmpegError
        self._input = av.open(str(source), metadata_errors="replace")
        streams = self._input.streams.audio
        self._frames = self._input.decode(streams[0]) if streams else iter(())
        self._before = Fraction(self._input.start_time or 0, 10**6)
        self._next = self._decoded()
        if self._next is not None:
            layout = "mono" if streams[0].codec_context.channels == 1 else "stereo"
            self._stream = output.add_stream(form.sound, rate=SOUND_RATE, layout=layout)

    def until(self, seconds: Fraction) -> Iterator[Any]:
        """Give packets of what is heard before a time."""
        while self._next is not None and self._seconds(self._next) < seconds:
            frame, self._next = self._next, self._decoded()
            if (time := self._seconds(frame)) >= 0:
                frame.pts, frame.time_base = round(time * frame.sample_rate), Fraction(1, frame.sample_rate)
                yield from self._stream.encode(frame)

    def rest(self) -> list[Any]:
        """Packets that the encoder holds back, at the end; the file is closed."""
        started = hasattr(self, "_stream")
        self._input.close()
        return list(self._stream.encode(None)) if started else []

    def _seconds(self, frame: Any) -> Fraction:
        return Fraction(frame.pts or 0) * frame.time_base - self._before

    def _decoded(self) -> Any:
        try:
            return next(self._frames, None)
        except self._errors:  # a damaged end: what came before it is kept
            return None
