"""One frame by its time is the frame that reading everything gives. Answers for `privis.io.video.frame_at`."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path

import numpy as np
import pytest

from privis.errors import ImageError
from privis.io.video.frame_at import frame_at
from privis.io.video.frame_choice import FrameChoice
from privis.io.video.frame_reading import VideoWarning, video_frames
from privis.io.video.packet_times import chosen_times, packet_times
from privis.io.video.presentation import microseconds
from tests.io.video.test_frame_reading import UNEVEN
from tests.io.video.video_files import B_FRAMES, write

pytest.importorskip("av")
OPEN_GROUPS = {"preset": "medium", "qp": "20", "x264-params": "open-gop=1:keyint=8:bframes=3:scenecut=0"}
"""Key frames before which frames are shown that need what came earlier."""
INTRA_REFRESH = {"preset": "medium", "qp": "20", "x264-params": "intra-refresh=1:keyint=10:bframes=0"}
"""Only the first frame is a whole picture: others are marked as keys, and are not."""


@pytest.mark.parametrize(
    ("name", "options", "known"),
    [
        ("a.mp4", B_FRAMES, True),
        ("a.mkv", B_FRAMES, True),
        ("a.ts", OPEN_GROUPS, True),
        ("refresh.mp4", INTRA_REFRESH, True),
        ("a.h264", B_FRAMES, False),
        ("packed.avi", {"g": "8", "bf": "2"}, False),
    ],
)
def test_in_any_order(tmp_path: Path, name: str, options: dict[str, str], known: bool) -> None:
    packed = name.endswith(".avi")
    times_written = tuple(range(0, 3000, 100)) if packed else UNEVEN
    path = write(tmp_path / name, times_written, options=options, codec="mpeg4" if packed else "libx264", noise=30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VideoWarning)
        whole = [(microseconds_of(frame.time), frame.pixels) for frame in video_frames(path)]
        times = [microseconds(time) for time in chosen_times(path, FrameChoice())]
    assert times == [time for time, _ in whole]
    assert (packet_times(path) is not None) is known
    order = np.random.default_rng(1).permutation(len(whole))
    for at in [*range(len(whole)), *order]:
        assert np.array_equal(frame_at(path, whole[at][0]), whole[at][1]), at


def microseconds_of(time: float) -> int:
    return round(time * 1e6)


def test_a_time_at_which_no_frame_begins(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", UNEVEN)
    with pytest.raises(ImageError, match=r"got 0.1 s, at which no frame is shown first.*0.08 s and 0.3 s"):
        frame_at(path, 100_000)
    with pytest.raises(ImageError, match="no such file"):
        frame_at(tmp_path / "none.mp4", 0)
    with pytest.raises(ImageError, match="max_pixels"):
        frame_at(path, 0, max_pixels=100)


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", (0, 100, 200))
    before = frame_at(path, 100_000)
    write(path, (0, 100, 200), frames=[np.full((48, 64, 3), 99, np.uint8)] * 3)
    assert not np.array_equal(frame_at(path, 100_000), before)


def test_threads_have_a_place_each(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", UNEVEN, options=B_FRAMES)
    whole = {microseconds_of(frame.time): frame.pixels for frame in video_frames(path)}
    wrong = []

    def read(order: list[int]) -> None:
        wrong.extend(time for time in order * 3 if not np.array_equal(frame_at(path, time), whole[time]))

    threads = [threading.Thread(target=read, args=(list(whole)[:: 1 - 2 * (number % 2)],)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
