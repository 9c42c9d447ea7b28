"""What compressed frames say of themselves, read before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Codec(StrEnum):
    """How a frame is compressed, as sentences name it."""

    JPEG = "JPEG"
    DEEP_JPEG = "JPEG of more than 8 bits"
    LOSSLESS_JPEG = "lossless JPEG"
    JPEG_LS = "JPEG-LS"
    JPEG_2000 = "JPEG 2000"


@dataclass(frozen=True)
class Codestream:
    """The beginning of a compressed frame.

    Args:
        codec: that made it.
        height: in pixels.
        width: in pixels.
        components: colours.
        whole: whether its end is there.
    """

    codec: Codec
    height: int
    width: int
    components: int
    whole: bool


_JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"
_END = b"\xff\xd9"
_PADDING = 64  # bytes behind the end; encoders pad to an even length, some to more


def codestream_of(frame: bytes) -> Codestream | None:
    """Read the size of a JPEG, JPEG-LS or JPEG 2000 frame.

    Args:
        frame: all its bytes.

    Returns:
        What it says, or None for a frame that is none of these.
    """
    if frame.startswith(_JP2):  # a file of its own, which the standard does not want and some have
        _, _, frame = frame.partition(b"jp2c")
    return _jpeg_2000(frame) if frame.startswith(b"\xff\x4f\xff\x51") else _jpeg(frame)


def _whole(frame: bytes) -> bool:
    return _END in frame[-_PADDING:]


def _jpeg_2000(frame: bytes) -> Codestream | None:
    """ISO/IEC 15444-1, A.5.1: the SIZ marker segment comes first."""
    if len(frame) < 42:
        return None
    right, lower, left, upper = (int.from_bytes(frame[at : at + 4]) for at in (8, 12, 16, 20))
    return Codestream(Codec.JPEG_2000, lower - upper, right - left, int.from_bytes(frame[40:42]), _whole(frame))


def _jpeg(frame: bytes) -> Codestream | None:
    """ITU-T T.81, B.2.2, and T.87: marker segments up to the frame header."""
    if not frame.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 10 <= len(frame):
        if frame[at] != 0xFF:
            return None
        marker = frame[at + 1]
        if marker == 0xFF:  # filled up
            at += 1
            continue
        if (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            deep = frame[at + 4] > 8
            codec = Codec.DEEP_JPEG if deep else Codec.JPEG
            codec = Codec.LOSSLESS_JPEG if marker == 0xC3 else Codec.JPEG_LS if marker == 0xF7 else codec
            height, width = (int.from_bytes(frame[at + place : at + place + 2]) for place in (5, 7))
            return Codestream(codec, height, width, frame[at + 9], _whole(frame))
        at += 2 + int.from_bytes(frame[at + 2 : at + 4])
    return None
