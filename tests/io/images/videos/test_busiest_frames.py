"""Where most moves in a video. Answers for `privis.io.images.videos.busiest_frames`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from privis.io.images.decode import MAX_PIXELS, Decoding
from privis.io.images.file_parts import file_part
from privis.io.images.videos.busiest_frames import busiest_frames
from tests.io.video.video_files import write, write_sound

pytest.importorskip("av")


def moving(when: range, count: int = 40) -> list[np.ndarray]:
    """Something bright moves in some of the frames, and stands in the others."""
    made, place = [], 0
    for number in range(count):
        place += 3 * (number in when)
        frame = np.full((48, 64, 3), 60, np.uint8)
        frame[10:30, place : place + 10] = 230
        made.append(frame)
    return made


def test_the_period_in_which_most_moves_is_one_picture(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", tuple(range(0, 4000, 100)), frames=moving(range(20, 30)), size=(48, 64))
    name = busiest_frames(str(path), 10, 10, max_pixels=MAX_PIXELS)
    times = [number / 1e6 for number in file_part(name).numbers]
    assert len(times) == 10 and times == sorted(times) and 1.9 <= times[0] <= 2.1 and times[-1] <= 3.0
    assert Decoding()(name).shape == (480, 64, 3)
    half = file_part(busiest_frames(str(path), 5, 5, max_pixels=MAX_PIXELS)).numbers
    assert np.diff(half).tolist() == [200_000] * 4


def test_a_short_video_is_filled_up_with_its_last_frame(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", (0, 100, 200), frames=moving(range(3)), size=(48, 64))
    name = busiest_frames(str(path), 6, 10, max_pixels=MAX_PIXELS)
    assert name.endswith("#time=0,0.1,0.2,0.2,0.2,0.2")
    picture = Decoding()(name)
    assert (picture[-48:] == picture[-96:-48]).all() and not (picture[:48] == picture[48:96]).all()


def test_a_video_without_frames_says_so_when_it_is_read(tmp_path: Path) -> None:
    name = busiest_frames(str(write_sound(tmp_path / "a.m4a")), 6, 10, max_pixels=MAX_PIXELS)
    with pytest.raises(Exception, match="sound alone"):
        Decoding()(name)
    small = busiest_frames(str(write(tmp_path / "b.mp4", (0, 100))), 6, 10, max_pixels=100)
    with pytest.raises(Exception, match="pixels"):
        Decoding(100)(small)
