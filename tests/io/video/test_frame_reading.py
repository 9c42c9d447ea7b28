"""Frames and their times, as other players show them, from sound files.

Answers for `privis.io.video.frame_reading`, `privis.io.video.presentation` and `privis.io.video.opened_video`.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from privis.io.video.frame_choice import FrameChoice
from privis.io.video.frame_reading import VideoWarning, video_frames
from privis.io.video.opened_video import address_scheme, without_password
from tests.io.video.video_files import B_FRAMES, edited, number_of, write

pytest.importorskip("av")

UNEVEN = (0, 40, 80, 300, 333, 700, 760, 800, 1400, 1441, 1500, 2600, 2640, 2700, 3000, 3100, 3333, 4000)
"""Milliseconds."""


def seen(path: Path, choice: FrameChoice | None = None) -> list[tuple[int, int]]:
    """Milliseconds and number of every frame."""
    return [(round(frame.time * 1000), number_of(frame.pixels)) for frame in video_frames(path, choice)]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".mov", ".flv"])
def test_times_of_a_variable_rate_and_frames_in_the_order_in_which_they_are_shown(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a{suffix}", UNEVEN, options=B_FRAMES)
    assert seen(path) == [(time, number) for number, time in enumerate(UNEVEN)]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi"])
@pytest.mark.parametrize(("start", "end"), [("0.7s", "1.45s"), ("1.2", None), ("1999ms", None), (None, "0:00.3")])
def test_a_period_holds_the_same_pixels_however_it_is_reached(
    tmp_path: Path, suffix: str, start: str | None, end: str | None
) -> None:
    options = {**B_FRAMES, "bf": "0"} if suffix == ".avi" else B_FRAMES
    path = write(tmp_path / f"a{suffix}", tuple(range(0, 2400, 100)), options=options)
    choice = FrameChoice.named(None, start, end)
    whole = [frame for frame in video_frames(path) if choice.picker().takes(Fraction(round(frame.time * 10**6), 10**6))]
    part = list(video_frames(path, choice))
    assert [frame.time for frame in part] == [frame.time for frame in whole] and part
    assert all(np.array_equal(one.pixels, other.pixels) for one, other in zip(part, whole, strict=True))


def test_one_frame_for_every_interval(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", UNEVEN)
    found = [time for time, _ in seen(path, FrameChoice(Fraction(1, 2)))]
    assert found == [0, 700, 1400, 1500, 2600, 3000, 4000]


def test_edit_lists_and_sound_that_begins_earlier(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.mp4", options=B_FRAMES)
    shown = seen(edited(whole, "b.mp4", 700))
    assert [number for _, number in shown] == list(range(7, 20)) and shown[0][0] == 0
    late = write(tmp_path / "late.mkv", tuple(range(500, 1500, 100)), sound=True)
    assert [time for time, _ in seen(late)] == list(range(500, 1500, 100))


def test_times_are_counted_where_a_stream_has_none(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h264", options={**B_FRAMES, "bf": "0"}, form="h264")
    with pytest.warns(VideoWarning, match="without a time are shown 0.0"):
        found = seen(path)
    steps = {after - before for (before, _), (after, _) in itertools.pairwise(found)}
    assert [number for _, number in found] == list(range(20)) and len(steps) == 1


def test_times_never_go_back(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ts", tuple(range(0, 1000, 100)))
    (tmp_path / "b.ts").write_bytes(path.read_bytes() * 2)
    with pytest.warns(VideoWarning, match=r"times go back after 0\.\d+ s"):
        found = seen(tmp_path / "b.ts")
    times = [time for time, _ in found]
    assert len(found) == 20 and times == sorted(set(times))


def test_a_generator_that_is_left_closes_its_file(tmp_path: Path) -> None:
    frames = video_frames(write(tmp_path / "a.mp4"))
    assert next(frames).time == 0
    frames.close()
    (tmp_path / "a.mp4").unlink()


def test_an_address_is_shown_without_its_secrets() -> None:
    assert address_scheme("HTTPS://camera/live?token=1") == "https"
    assert without_password("https://me:secret@camera:8443/live?token=1#2") == "https://camera:8443/live"
    assert without_password("rtsp://me:a/b?c#d@camera?key=1") == "rtsp://camera"
    assert address_scheme("file:///etc/passwd") is None and address_scheme("concat:a|b") is None
