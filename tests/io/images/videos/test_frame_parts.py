"""Frames among images: names that hold their time, for whatever reads images.

Answers for `privis.io.images.videos.frame_parts` and `privis.io.images.videos.video_files`.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from privis.errors import ImageError
from privis.io.images import image_headers
from privis.io.images.decode import load
from privis.io.images.file_parts import file_part
from privis.io.images.pages import still_format
from privis.io.images.same_files import file_identity
from privis.io.images.sources import find
from privis.io.images.videos.frame_parts import frames_named, frames_of_all
from privis.io.images.videos.video_files import is_video
from privis.io.resumable.contents import content
from privis.io.video.frame_choice import FrameChoice
from privis.io.video.frame_reading import video_frames
from tests.io.video.video_files import cut, number_of, turned, write, write_sound

pytest.importorskip("av")
EVERY = FrameChoice(Fraction(1, 2))


def test_a_frame_is_a_picture_by_its_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", (0, 33, 700, 1234))
    names, people = frames_of_all([str(path)], EVERY, ["ann"], max_pixels=10**6)
    assert names == tuple(f"{path}#time={time}" for time in ("0", "0.7", "1.234")) and people == ("ann",) * 3
    for name, number in zip(names, (0, 2, 3), strict=True):
        assert number_of(load(name)) == number
        assert image_headers.shape(name) == (48, 64, 3) and content(name) == content(str(path))
    assert len({file_identity(name) for name in names}) == 3
    assert find([names[1]]) == (names[1],)


def test_several_frames_are_one_picture_below_each_other(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", tuple(range(0, 1100, 100)))
    names, _ = frames_of_all([str(path)], FrameChoice(Fraction(1, 5)), stack=2, max_pixels=10**6)
    assert names == tuple(f"{path}#time={times}" for times in ("0,0.2", "0.4,0.6", "0.8,1"))
    pixels = load(names[1])
    assert pixels.shape == (96, 64, 3) == image_headers.shape(names[1])
    whole = [frame.pixels for frame in video_frames(path)]
    assert np.array_equal(pixels, np.concatenate([whole[4], whole[6]]))
    with pytest.raises(ImageError, match="frames of 64 x 96 pixels"):
        load(names[1], max_pixels=5000)


@pytest.mark.parametrize(
    "name",
    ["a.mp4#time=1.50", "a.mp4#time=01", "a.mp4#time=-1", "a.mp4#time=1.1234567", "a.mp4#time=1,", "a.mp4#time=1s"],
)
def test_a_time_has_one_spelling(name: str) -> None:
    assert file_part(name).kind == ""


def test_videos_that_give_nothing_cost_their_row(tmp_path: Path) -> None:
    sound, text = str(write_sound(tmp_path / "a.m4a")), str(tmp_path / "text.mp4")
    Path(text).write_text("nothing to see " * 99)
    short = str(write(tmp_path / "short.mp4", (0, 100)))
    names, _ = frames_of_all([sound, text, short], FrameChoice.named("1s", "5s"), max_pixels=10**6)
    for name, said in zip(names, ("sound alone", "of another kind", "no frame from 5 s on"), strict=True):
        with pytest.raises(ImageError, match=said):
            load(name)
        assert image_headers.shape(name) is None
    (few,), _ = frames_of_all([short], EVERY, stack=5, max_pixels=10**6)
    with pytest.raises(ImageError, match="got 1 frames, expected at least the 5 of one picture"):
        load(few)
    with pytest.raises(ImageError, match="expected one of them"):
        load(f"{short}#times=1,0,,1")
    with pytest.raises(ImageError, match="a choice of frames that is none"):
        load(f"{short}#times=0,0")


def test_a_video_among_pictures_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="got a part of a file, expected a whole file"):
        still_format(f"{write(tmp_path / 'a.mp4', (0, 100))}#time=0")
    with pytest.raises(ImageError, match=r"got a video, expected a picture.*--every 1s"):
        load(write(tmp_path / "a.mp4", (0, 100)))


def test_frames_are_upright(tmp_path: Path) -> None:
    path = turned(write(tmp_path / "a.mp4", (0, 100)), "b.mp4", 0, 1, -1, 0)
    assert load(frames_named(str(path), [Fraction(0)])).shape == (64, 48, 3)


def test_what_is_a_video(tmp_path: Path) -> None:
    still, moving = tmp_path / "still.gif", tmp_path / "moving.gif"
    pictures = [Image.new("L", (16, 16), 60 * number) for number in range(4)]
    pictures[0].save(still)
    pictures[0].save(moving, save_all=True, append_images=pictures[1:], duration=[100, 300, 100, 100])
    assert not is_video(str(still)) and is_video(str(moving))
    names, _ = frames_of_all([str(still), str(moving)], FrameChoice(Fraction(1, 10)), max_pixels=10**6)
    assert names == (str(still), *(f"{moving}#time={time}" for time in ("0", "0.1", "0.4", "0.5")))
    assert [int(load(name).mean()) for name in names[1:]] == [0, 60, 120, 180]
    video = write(tmp_path / "a.mkv", (0, 100))
    (tmp_path / "a.bin").write_bytes(video.read_bytes())
    assert is_video(str(tmp_path / "a.bin")) and not is_video(f"{video}#time=0") and not is_video(str(tmp_path))
    assert is_video(str(cut(write(tmp_path / "raw.h264", form="h264"), 0.9, "b.h264")))


def test_folders_give_their_videos_where_frames_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    write(tmp_path / "b" / "a.MP4", (0, 100))
    Image.new("L", (9, 9)).save(tmp_path / "c.png")
    assert find([str(tmp_path)]) == (str(tmp_path / "c.png"),)
    both = (str(tmp_path / "b" / "a.MP4"), str(tmp_path / "c.png"))
    assert set(find([str(tmp_path)], videos=True)) == set(both)
    assert find([str(tmp_path / "**" / "*")], videos=True) == tuple(sorted(both))
