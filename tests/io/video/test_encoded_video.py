"""`encoded_video`: what is written is what is read again, at the same times, and nothing else is in the file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from privis.errors import ImageError, OutputError
from privis.io.video.encoded_video import FORMS, TimedFrame, form_of, write_video
from privis.io.video.frame_reading import video_frames
from tests.io.video.video_files import number_of, picture, write

av = pytest.importorskip("av")

UNEVEN = (0, 1, 2, 5, 6, 13, 14, 20)
"""Times in frames of 25 a second."""


def frames(height: int = 48, width: int = 64) -> list[TimedFrame]:
    return [TimedFrame(Fraction(time, 25), picture(n, height, width)) for n, time in enumerate(UNEVEN)]


@pytest.mark.parametrize("suffix", sorted(FORMS))
def test_frames_come_back_at_their_times(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "without a suffix"
    assert write_video(frames(), path, form_of(f"a{suffix}"), Fraction(25)) == len(UNEVEN)
    read = list(video_frames(path))
    assert [round(frame.time * 25, 2) for frame in read] == list(UNEVEN)
    assert [number_of(frame.pixels) for frame in read] == list(range(len(UNEVEN)))
    with av.open(str(path)) as file:
        assert len(file.streams) == 1 and not set(file.metadata) - {
            "major_brand", "minor_version", "compatible_brands", "encoder", "ENCODER", "software"
        }  # fmt: skip


@pytest.mark.parametrize(("suffix", "height", "width"), [(".mp4", 47, 63), (".webm", 47, 64), (".avi", 47, 63)])
def test_odd_sides_and_grey_frames_stay(tmp_path: Path, suffix: str, height: int, width: int) -> None:
    path = tmp_path / "a"
    write_video(frames(height, width), path, form_of(f"a{suffix}"), Fraction(25))
    (first, *_) = video_frames(path)
    assert first.pixels.shape == (height, width, 3) and number_of(first.pixels) == 0
    write_video([TimedFrame(Fraction(0), picture(7)[..., 0])], path, form_of("a.mp4"), Fraction(25))
    assert [number_of(frame.pixels) for frame in video_frames(path)] == [7]


def test_pixels_that_are_not_square_stay_so(tmp_path: Path) -> None:
    write_video(frames(), tmp_path / "a", form_of("a.mp4"), Fraction(25), aspect=Fraction(16, 11))
    with av.open(str(tmp_path / "a")) as file:
        assert file.streams.video[0].sample_aspect_ratio == Fraction(16, 11)


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".avi", ".mkv"])
def test_sound_is_encoded_again_and_ends_with_the_frames(tmp_path: Path, suffix: str) -> None:
    source = write(tmp_path / "in.mp4", (0, 500), sound=True)  # two seconds of it
    path = tmp_path / f"out{suffix}"
    write_video(frames(), path, form_of(path.name), Fraction(25), sound=source)
    with av.open(str(path)) as file:
        assert len(file.streams.audio) == 1 and len(file.streams.video) == 1
        heard = [frame.time for frame in file.decode(audio=0)]
    assert 0.7 < max(heard) < 1.2 and min(heard) < 0.1
    without = tmp_path / "silent"
    write_video(frames(), without, form_of("a.mp4"), Fraction(25), sound=write(tmp_path / "b.mp4", (0, 500)))
    with av.open(str(without)) as file:
        assert not file.streams.audio


def test_no_frames_another_size_and_what_no_format_holds(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no frame"):
        write_video([], tmp_path / "a", form_of("a.mp4"), Fraction(25))
    changing = [*frames(), TimedFrame(Fraction(2), picture(1, 64, 48))]
    with pytest.raises(ImageError, match=r"48 x 64 pixels at 2\.000 s, 64 x 48 before"):
        write_video(changing, tmp_path / "a", form_of("a.mp4"), Fraction(25))
    with pytest.raises(OutputError, match="webm"):
        write_video(
            [TimedFrame(Fraction(0), np.zeros((1, 70_000, 3), np.uint8))],
            tmp_path / "a",
            form_of("a.webm"),
            Fraction(25),
        )


def test_other_formats_become_mp4() -> None:
    assert form_of("a.ts") is form_of("b.gif") is form_of("c") is FORMS[".mp4"]
