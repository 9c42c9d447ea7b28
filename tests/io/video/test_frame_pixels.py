"""Colours, ranges, fields, transparency and turns. Answers for `privis.io.video.frame_pixels`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from privis.io.video.frame_pixels import upright
from privis.io.video.frame_reading import video_frames
from tests.io.video.video_files import HEIGHT, WIDTH, picture, turned, write

av = pytest.importorskip("av")

ONE = 65536


def first(path: Path) -> np.ndarray:
    return next(video_frames(path)).pixels


@pytest.mark.parametrize(
    ("matrix", "turns", "mirrored"),
    [
        ((1, 0, 0, 1), 0, False),
        ((0, 1, -1, 0), 1, False),
        ((-1, 0, 0, -1), 2, False),
        ((0, -1, 1, 0), 3, False),
        ((-1, 0, 0, 1), 0, True),
    ],
)
def test_frames_are_upright(tmp_path: Path, matrix: tuple[int, int, int, int], turns: int, mirrored: bool) -> None:
    path = turned(write(tmp_path / "a.mp4", (0, 100)), "b.mp4", *matrix)
    expected = picture(0)[:, ::-1] if mirrored else np.rot90(picture(0), -turns)
    found = first(path)
    assert found.shape == expected.shape and found.flags["C_CONTIGUOUS"]
    assert int(np.abs(found.astype(int) - expected).max()) <= 8


def test_all_eight_positions() -> None:
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    positions = set()
    for a, b, c, d in [(1, 0, 0, 1), (-1, 0, 0, 1), (1, 0, 0, -1), (-1, 0, 0, -1)]:
        for swap in (False, True):
            matrix = (b * ONE, a * ONE, d * ONE, c * ONE) if swap else (a * ONE, b * ONE, c * ONE, d * ONE)
            made = upright(pixels, matrix)
            positions.add((made.shape, made.tobytes()))
    assert len(positions) == 8
    assert upright(pixels, (0, 65000, -66000, 300)).tolist() == np.rot90(pixels, -1).tolist()


def raw(path: Path, frame: av.VideoFrame, codec: str = "ffv1", **tags: int) -> Path:
    """One frame, stored without loss in the format it has, with the tags of a stream."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=10)
        stream.height, stream.width, stream.pix_fmt = frame.height, frame.width, frame.format.name
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
            setattr(frame, name, value)
        frame.pts = 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            file.mux(packet)
    return path


def flat(kind: str, *levels: int) -> av.VideoFrame:
    """A frame of one colour."""
    frame = av.VideoFrame(WIDTH, HEIGHT, kind)
    deep = "10le" in kind
    for plane, level in zip(frame.planes, levels, strict=True):
        plane.update(np.full(plane.buffer_size // (2 if deep else 1), level, np.uint16 if deep else np.uint8).tobytes())
    return frame


LIMITED, FULL, BT709, BT601 = 1, 2, 1, 5


@pytest.mark.parametrize(
    ("kind", "levels", "tags", "rgb"),
    [
        ("yuv444p", (235, 128, 128), {"color_range": LIMITED}, (255, 255, 255)),
        ("yuv444p", (16, 128, 128), {"color_range": LIMITED}, (0, 0, 0)),
        ("yuv444p", (235, 128, 128), {"color_range": FULL}, (235, 235, 235)),
        ("yuv444p", (126, 128, 128), {}, (128, 128, 128)),
        ("yuv444p", (63, 102, 240), {"color_range": LIMITED, "colorspace": BT709}, (255, 1, 0)),
        ("yuv444p", (81, 90, 240), {"color_range": LIMITED, "colorspace": BT601}, (254, 0, 0)),
        ("yuv444p", (81, 90, 240), {}, (254, 0, 0)),
        ("yuv444p10le", (940, 512, 512), {"color_range": LIMITED}, (255, 255, 255)),
        ("yuv420p10le", (504, 512, 512), {"color_range": LIMITED}, (128, 128, 128)),
        ("gray", (77,), {}, (77, 77, 77)),
    ],
)
def test_colours_are_what_the_file_says(
    tmp_path: Path, kind: str, levels: tuple[int, ...], tags: dict[str, int], rgb: tuple[int, int, int]
) -> None:
    found = first(raw(tmp_path / "a.mkv", flat(kind, *levels), **tags))
    assert found.shape == (HEIGHT, WIDTH, 3)
    assert int(np.abs(found.reshape(-1, 3).astype(int) - rgb).max()) <= 1


def test_transparency_is_laid_over_white(tmp_path: Path) -> None:
    pixels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    pixels[..., 0], pixels[..., 3] = 200, 128
    found = first(raw(tmp_path / "a.mov", av.VideoFrame.from_ndarray(pixels, "rgba"), "png"))
    assert found[0, 0].tolist() == [227, 127, 127]


def test_frames_of_two_fields_are_made_progressive(tmp_path: Path) -> None:
    combed = []
    for number in range(6):
        pixels = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
        pixels[0::2, 8 * number : 8 * number + 8] = 200
        pixels[1::2, 8 * number + 4 : 8 * number + 12] = 200
        combed.append(pixels)
    options = {"preset": "ultrafast", "qp": "2", "x264-params": "tff=1", "bf": "0"}
    path = write(tmp_path / "a.mp4", tuple(range(0, 600, 100)), frames=combed, options=options)
    with av.open(str(path)) as file:
        stored = [frame for frame in file.decode(video=0)]
    assert all(frame.interlaced_frame for frame in stored)

    def comb(pixels: np.ndarray) -> float:
        grey = pixels[..., 0].astype(float)
        return float(np.abs(grey[1:-1] * 2 - grey[:-2] - grey[2:]).mean())

    frames = [frame.pixels for frame in video_frames(path)]
    assert len(frames) == 6
    for number, (frame, before) in enumerate(zip(frames, stored, strict=True)):
        assert comb(frame) < 0.35 * comb(before.to_ndarray(format="rgb24")), number
        assert frame[HEIGHT // 2, 8 * number + 2, 0] > 150  # of the first field


def test_pixels_of_other_shapes_and_odd_sizes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", (0, 100), codec="ffv1", options={}, size=(31, 45), pixel_format="yuv444p")
    assert first(path).shape == (31, 45, 3)
