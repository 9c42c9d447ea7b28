"""Small videos whose frames tell their number: written with PyAV, and then damaged where a test wants that."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 48, 64
STEP = 9
"""Grey levels from one frame to the next."""
MILLISECOND = Fraction(1, 1000)
X264 = {"preset": "ultrafast", "qp": "4"}
B_FRAMES = {"preset": "medium", "qp": "4", "g": "6", "bf": "2", "sc_threshold": "0"}


def picture(number: int, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """A grey of its own, brighter in the upper left quarter, so that a turn shows."""
    pixels = np.full((height, width, 3), 20 + STEP * number, np.uint8)
    pixels[: height // 2, : width // 2] += 20
    return pixels


def number_of(pixels: NDArray[np.uint8]) -> int:
    """Which frame it is, from its lower right quarter."""
    height, width = pixels.shape[:2]
    return round((float(pixels[height // 2 :, width // 2 :].mean()) - 20) / STEP)


def write(
    path: Path,
    times: Sequence[int] = tuple(range(0, 2000, 100)),
    *,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    pixel_format: str = "yuv420p",
    size: tuple[int, int] = (HEIGHT, WIDTH),
    sound: bool = False,
    container: dict[str, str] | None = None,
    frames: Sequence[NDArray[np.uint8]] | None = None,
    form: str | None = None,
    noise: int = 0,
) -> Path:
    """A video with a frame at each of these milliseconds."""
    import av

    with av.open(str(path), "w", format=form, options=container or {}) as file:
        stream: Any = file.add_stream(codec, rate=Fraction(10), options=X264 if options is None else options)
        stream.height, stream.width, stream.pix_fmt = *size, pixel_format
        stream.codec_context.time_base = Fraction(1, 10) if path.suffix == ".avi" else MILLISECOND
        if sound:
            _sound(file, 2.0)
        file.start_encoding()
        random = np.random.default_rng(0)
        for number, time in enumerate(times):
            pixels = picture(number, *size) if frames is None else frames[number]
            if noise:
                pixels = pixels + random.integers(0, noise, pixels.shape, np.uint8) - np.uint8(noise // 2)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = time, MILLISECOND
            for packet in stream.encode(frame):
                file.mux(packet)
        for packet in stream.encode(None):
            file.mux(packet)
    return path


def _sound(file: Any, seconds: float) -> None:
    import av

    stream = file.add_stream("aac", rate=16000)
    stream.layout = "mono"
    silence = av.AudioFrame.from_ndarray(np.zeros((1, int(16000 * seconds)), np.float32), "fltp", "mono")
    silence.sample_rate, silence.pts = 16000, 0
    for packet in [*stream.encode(silence), *stream.encode(None)]:
        file.mux(packet)


def write_sound(path: Path, seconds: float = 0.5) -> Path:
    import av

    with av.open(str(path), "w") as file:
        _sound(file, seconds)
    return path


def changed(path: Path, name: str, before: bytes, after: bytes, start: bytes = b"") -> Path:
    """A copy of a file in which bytes were put in the place of others, the first after ``start``."""
    data = path.read_bytes()
    at = data.index(before, data.index(start))
    made = path.with_name(name)
    made.write_bytes(data[:at] + after + data[at + len(before) :])
    return made


def turned(path: Path, name: str, a: int, b: int, c: int, d: int) -> Path:
    """A copy of an mp4 with another matrix of display in the header of its track."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 4 + 5 * 4 + 8 + 8  # version, times, ids, duration; reserved; layer, volume
    assert struct.unpack(">9i", data[at : at + 36])[0] == 65536
    one = 65536
    data[at : at + 36] = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    made = path.with_name(name)
    made.write_bytes(data)
    return made


def edited(path: Path, name: str, cut_milliseconds: int) -> Path:
    """A copy of an mp4 whose edit list leaves out the beginning of the track."""
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 4 + 4 + 4
    duration, begin = struct.unpack(">Ii", data[at : at + 8])
    scale_at = data.index(b"mdhd") + 4 + 4 + 8
    (scale,) = struct.unpack(">I", data[scale_at : scale_at + 4])
    shifted = begin + cut_milliseconds * scale // 1000
    data[at : at + 8] = struct.pack(">Ii", duration - cut_milliseconds, shifted)
    made = path.with_name(name)
    made.write_bytes(data)
    return made


def cut(path: Path, share: float, name: str = "") -> Path:
    """A copy of the first part of a file."""
    data = path.read_bytes()
    made = path.with_name(name or f"cut{path.suffix}")
    made.write_bytes(data[: int(len(data) * share)])
    return made


def with_cover(path: Path, name: str, jpeg: bytes) -> Path:
    """An mp3 with a picture in front of it (ID3v2.3, APIC)."""
    body = b"\0image/jpeg\0\3\0" + jpeg
    frame = b"APIC" + struct.pack(">I", len(body)) + b"\0\0" + body
    size = len(frame)
    safe = bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
    made = path.with_name(name)
    made.write_bytes(b"ID3\3\0\0" + safe + frame + path.read_bytes())
    return made
