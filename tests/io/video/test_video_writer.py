"""What is written is pixels and times. Answers for `privis.io.video.video_writer`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.io.video.frame_reading import video_frames
from privis.io.video.video_facts import video_facts
from privis.io.video.video_writer import written_video
from tests.io.video.video_files import number_of, picture, write

av = pytest.importorskip("av")
TIMES = (12.5, 12.533367, 13.0, 17.25)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_times_and_pixels_come_back(tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        with written_video(tmp_path / f"{name}{suffix}") as writer:
            for number, time in enumerate(TIMES):
                writer.add(time, picture(number, 45, 31))
    found = list(video_frames(tmp_path / f"a{suffix}"))
    rounded = 1e-3 if suffix == ".mkv" else 1e-6
    assert np.allclose([frame.time for frame in found], np.subtract(TIMES, TIMES[0]), atol=rounded)
    for number, frame in enumerate(found):
        assert number_of(frame.pixels) == number and frame.pixels.shape == (46, 32, 3)
        assert int(np.abs(frame.pixels[:20, :14].astype(int) - picture(number, 45, 31)[0, 0]).max()) <= 4
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_colours_come_back(tmp_path: Path) -> None:
    colours = [(200, 30, 40), (20, 180, 60), (30, 60, 220), (255, 255, 255), (0, 0, 0)]
    with written_video(tmp_path / "a.mp4", quality=5) as writer:
        for number, colour in enumerate(colours):
            writer.add(number, np.full((720, 16, 3), colour, np.uint8))
    for frame, colour in zip(video_frames(tmp_path / "a.mp4"), colours, strict=True):
        assert int(np.abs(frame.pixels.astype(int) - colour).max()) <= 3


def test_nothing_of_another_file_is_in_it(tmp_path: Path) -> None:
    source = write(tmp_path / "a.mp4", sound=True)
    with written_video(tmp_path / "b.mp4") as writer:
        for time, pixels in video_frames(source):
            writer.add(time, 255 - pixels)
    with av.open(str(tmp_path / "b.mp4")) as file:
        assert len(file.streams) == 1
        assert set(file.metadata) <= {"major_brand", "minor_version", "compatible_brands"}
    assert video_facts(tmp_path / "b.mp4").frames == 20


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"frame 2: got 48 x 64 x 3 at 0 s, expected 48 x 64 x 3 after 0 s"):
        with written_video(tmp_path / "a.mp4") as writer:
            writer.add(0.0, picture(0))
            writer.add(0.0, picture(1))
    with pytest.raises(ParameterError, match="no frame"), written_video(tmp_path / "a.mp4"):
        pass
    with pytest.raises(ParameterError, match=r"ends in .mp4"), written_video(tmp_path / "a.avi"):
        pass
    assert list(tmp_path.iterdir()) == []
