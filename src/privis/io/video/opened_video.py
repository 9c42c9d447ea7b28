"""A video that is open: which stream of it is read, and what its header says. Nothing is decoded here.

Files, pipes and addresses of cameras are opened with the demuxers of `_DEMUXERS` alone and with no protocol but the
one that was asked for: playlists and lists of files, which would have other files or addresses read, are none of them.
"""

from __future__ import annotations

import math
import os
import re
import stat
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from privis.errors import ImageError, Problem
from privis.extras import optional_import
from privis.file_formats import FileFormat, format_of
from privis.io.video.timed_stream import TimedStream

MAX_PIXELS = 100_000_000
"""Pixels of a frame, unless the caller says otherwise."""
SILENCE = 10.0
"""Seconds that a pipe or a camera may give nothing, unless the caller says otherwise."""
STANDARD_INPUT = "-"
_VIDEO_DEMUXERS = (
    "apng asf av1 avi dv evc flic flv gif h261 h263 h264 hevc ivf m4v matroska webm mjpeg mov mp4 mpeg mpegts "
    "mpegvideo mpjpeg mxf nut obu ogg rm rtp rtsp vc1 vvc wtv yuv4mpegpipe"
)
_AUDIO_DEMUXERS = "aac ac3 aiff amr au caf flac mp3 wav w64"
"""Known so that a file of sound is said to be one."""
_DEMUXERS = ",".join((_VIDEO_DEMUXERS + " " + _AUDIO_DEMUXERS).split())
_PROTOCOLS = {
    "http": "http,tcp",
    "https": "https,http,tls,tcp",
    "rtp": "rtp,udp",
    "rtsp": "rtsp,rtp,udp,tcp",
    "rtsps": "rtsps,rtsp,rtp,udp,tcp,tls",
    "rtmp": "rtmp,tcp",
    "tcp": "tcp",
    "udp": "udp",
}
_ADDRESS = re.compile(r"([a-z]{3,5})://", re.IGNORECASE)
_SEEKABLE_HEADERS = frozenset({"asf", "avi", "flv", "matroska", "mov", "mp4", "mxf", "webm"})
"""Formats that write down how long they are, so that a shorter one was cut off."""


@dataclass(frozen=True)
class OpenedVideo:
    """A video of which the header was read.

    Args:
        where: what messages call it.
        container: of PyAV.
        stream: of PyAV, the one that is read.
        pipe: where its bytes come from; None: a file or an address.
        is_live: whether more of it may come later, or never.
    """

    where: str
    container: Any
    stream: Any
    pipe: TimedStream | None
    is_live: bool

    @property
    def start(self) -> Fraction | None:
        """Seconds on the container's own clock at which it starts; None: it does not say."""
        found = self.container.start_time
        return None if found is None else Fraction(found, 10**6)

    @property
    def rate(self) -> Fraction | None:
        """Frames a second on average, or as guessed from the first ones; None: neither is known."""
        for rate in (self.stream.average_rate, self.stream.guessed_rate):
            if rate and 0 < rate <= 1000:
                return Fraction(rate)
        return None

    @property
    def declared_seconds(self) -> Fraction | None:
        """For how long the header says that frames are shown; None: it does not, or only guesses."""
        if not _SEEKABLE_HEADERS & set(self.container.format.name.split(",")):
            return None
        if self.container.format.name == "avi" and self.stream.frames and self.rate:  # its duration is made to fit
            return self.stream.frames / self.rate
        if self.stream.duration and self.stream.time_base:
            return self.stream.duration * self.stream.time_base
        if self.container.duration and not self.container.streams.audio:
            return Fraction(self.container.duration, 10**6)
        return None

    def close(self) -> None:
        """Close the file and the pipe."""
        self.container.close()
        if self.pipe is not None:
            self.pipe.close()


def opened_video(
    source: Path | str, *, where: str = "", max_pixels: int = MAX_PIXELS, silence: float = SILENCE, threads: int = 1
) -> OpenedVideo:
    """Open a video; whoever calls closes it.

    Args:
        source: path of a file or a named pipe, ``-`` for standard input, or an address (rtsp, http, udp, …).
        where: what messages call it; empty: its path, or its address without a password.
        max_pixels: most pixels (width x height) of a frame.
        silence: seconds that a pipe or an address may give nothing.
        threads: that decode.

    Returns:
        The video, at its beginning.

    Raises:
        ImageError: no video, one that cannot be read, without pictures that move, or with frames that are too large.
        MissingExtraError: PyAV is not installed.

    >>> opened_video("/no/such.mp4")
    Traceback (most recent call last):
    privis.errors.ImageError: /no/such.mp4: got no such file, expected a video; check the path
    """
    name = os.fspath(source)
    where = where or without_password(name)
    with optional_import("video", f"{where}, a video"):
        import av
        from av.container.core import Flags
        from av.error import FFmpegError
        from av.stream import Discard
    options = {"format_whitelist": _DEMUXERS, "max_pixels": str(max_pixels)}
    pipe: TimedStream | None = None
    if (scheme := address_scheme(name)) is not None:
        place, protocols = name, _PROTOCOLS[scheme]
    else:
        pipe = _pipe(name, where, silence)
        place, protocols = pipe or f"file:{name}", "file"
    options["protocol_whitelist"] = protocols
    is_live = pipe is not None or scheme is not None
    try:
        container = av.open(
            place,
            mode="r",
            options=options,
            metadata_errors="replace",
            timeout=silence if scheme is not None else None,
        )
    except (FFmpegError, ValueError, MemoryError, OSError) as error:
        silent = pipe is not None and pipe.fell_silent
        if pipe is not None:
            pipe.close()
        raise _unopened(name, where, error, silence if silent or _is_timeout(error) else None) from None
    container.flags &= ~Flags.gen_pts.value  # PyAV asks for it: in AVI files it makes up wrong times
    try:
        stream = _chosen_stream(container, where, max_pixels)
        stream.codec_context.thread_count = threads
        stream.codec_context.thread_type = "AUTO"
        stream.codec_context.options = {"max_pixels": str(max_pixels)}
        for other in container.streams:
            if other is not stream:
                other.discard = Discard.all
    except BaseException:
        container.close()
        if pipe is not None:
            pipe.close()
        raise
    return OpenedVideo(where, container, stream, pipe, is_live)


def address_scheme(name: str) -> str | None:
    """Say by which protocol an address is reached.

    Args:
        name: a path or an address.

    Returns:
        One of the protocols of `_PROTOCOLS`; None: it is a path.

    >>> address_scheme("rtsp://camera/1"), address_scheme("clip.mp4")
    ('rtsp', None)
    """
    found = _ADDRESS.match(name)
    return found[1].lower() if found is not None and found[1].lower() in _PROTOCOLS else None


def without_password(name: str) -> str:
    """Give a path or an address as messages may show it.

    Args:
        name: a path or an address.

    Returns:
        The same without user, password and query, which may hold a token.

    >>> without_password("rtsp://admin:secret@camera/1?key=2")
    'rtsp://camera/1'
    """
    if address_scheme(name) is None:
        return name
    scheme, _, rest = name.partition("://")
    return f"{scheme}://{re.split('[?#]', rest.rpartition('@')[2])[0]}"  # whatever a password is made of


def _pipe(name: str, where: str, silence: float) -> TimedStream | None:
    """The bytes of a pipe; None for a regular file."""
    if name == STANDARD_INPUT:
        return TimedStream(0, silence)
    try:
        status = os.stat(name)
    except (FileNotFoundError, NotADirectoryError):
        raise _refusal(where, "no such file", "a video", "check the path") from None
    except (OSError, ValueError) as error:
        raise _refusal(where, f"a path that cannot be read ({error})", "a video", "check the path") from None
    if stat.S_ISFIFO(status.st_mode):
        return TimedStream(name, silence)
    if not stat.S_ISREG(status.st_mode):
        found = format_of(name)
        remedy = "name the files inside it" if found is FileFormat.FOLDER else ""
        raise _refusal(where, str(found), "a video file, a pipe or an address", remedy)
    if status.st_size == 0:
        raise _refusal(where, "an empty file", "a video", "copy or download it again")
    if not os.access(name, os.R_OK):
        raise _refusal(where, "no permission to read it", "a readable file", f"chmod u+r {where}")
    return None


def _chosen_stream(container: Any, where: str, max_pixels: int) -> Any:
    """The stream of the most pixels whose pictures move; the first of several of one size."""
    from av.stream import Disposition

    moving = [each for each in container.streams.video if not each.disposition & Disposition.attached_pic]
    if not moving:
        cover = " with a still picture as its cover" if container.streams.video else ""
        if container.streams.audio:
            raise _refusal(where, f"sound alone{cover}", "a video", "name the file that has the pictures")
        raise _refusal(where, f"a file without moving pictures{cover}", "a video")
    readable = [each for each in moving if each.codec_context is not None]
    if not readable:
        raise _refusal(where, "a video of a codec that is not known here", "one of another codec", "convert it first")
    stream = max(readable, key=lambda each: each.codec_context.width * each.codec_context.height)
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > max_pixels:
        raise too_large(where, width, height, max_pixels)
    return stream


def too_large(where: str, width: int, height: int, max_pixels: int) -> ImageError:
    """Refuse frames of too many pixels.

    Args:
        where: the file, in messages.
        width: of a frame.
        height: of a frame.
        max_pixels: that are allowed.

    Returns:
        The error, to be raised by the caller.
    """
    got, remedy = f"frames of {width} x {height} pixels", "raise max_pixels (--max-pixels) if you trust this file"
    return _refusal(where, got, f"at most {max_pixels:,} pixels", remedy)


def reason_of(error: BaseException) -> str:
    """Say in a few words what a library met.

    Args:
        error: of PyAV or of the system.

    Returns:
        Words without a path or an address.
    """
    told = getattr(error, "strerror", None) or str(error)
    return " ".join(str(told).split())[:160] or type(error).__name__


def _is_timeout(error: BaseException) -> bool:
    from av.error import ExitError

    return isinstance(error, ExitError | TimeoutError)


def _unopened(name: str, where: str, error: BaseException, silence: float | None) -> ImageError:
    if silence is not None:
        got = f"nothing for {silence:g} s"
        return _refusal(where, got, "a video that begins", "check that the camera, or what writes the pipe, is running")
    if isinstance(error, EOFError):
        return _refusal(where, "a video of 0 frames", "at least one frame")
    if address_scheme(name) is not None:
        return _refusal(where, f"no video ({reason_of(error)})", "a camera's stream", "check the address")
    found = format_of(name) if name != STANDARD_INPUT else FileFormat.UNKNOWN
    if found not in (FileFormat.VIDEO, FileFormat.UNKNOWN, FileFormat.DEVICE):
        return _refusal(where, str(found), "a video")
    if found is FileFormat.VIDEO and _is_unfinished(name):
        got = "a damaged video without its table of frames (moov), as of a recording that was not ended"
        return _refusal(where, got, "a complete video", "copy it again, or repair it with the recorder's own program")
    got = f"a damaged video, or a file of another kind ({reason_of(error)})"
    return _refusal(where, got, "a complete video", "copy or download it again")


def _is_unfinished(name: str) -> bool:
    """Whether a file is an MP4 or QuickTime without its table of frames, which is written last."""
    try:
        size, at = os.path.getsize(name), 0
        with open(name, "rb") as file:
            for _ in range(1000):
                file.seek(at)
                head = file.read(16)
                if len(head) < 8 or at >= size or head[4:8] == b"moov":
                    return at > 0 and head[4:8] != b"moov"
                length = int.from_bytes(head[:4])
                at += int.from_bytes(head[8:16]) if length == 1 else length or size
                if at == 0 or (head[4:8] != b"ftyp" and length and length < 8 and length != 1):
                    return False
    except OSError:
        pass
    return False


def _refusal(where: str, got: str, expected: str, remedy: str = "") -> ImageError:
    return ImageError(Problem(where, got, expected, remedy))


def declared_end(video: OpenedVideo) -> float:
    """Seconds from the start at which the header lets the video end.

    Args:
        video: that is open.

    Returns:
        Seconds; NaN: the header does not say.
    """
    declared = video.declared_seconds
    if declared is None:
        return math.nan
    begins = video.stream.start_time
    offset = Fraction(0)
    if begins is not None and video.stream.time_base and video.start is not None:
        offset = max(Fraction(0), begins * video.stream.time_base - video.start)
    return float(offset + declared)
