"""A clip made here, read both ways. Answers for `benchmarks.video.decoding`."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.video.decoding import measured
from tests.io.video.video_files import B_FRAMES, write

pytest.importorskip("av")


def test_frames_are_those_of_pyav_and_times_are_even(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", tuple(range(0, 1000, 100)), options=B_FRAMES)
    found = measured(path, repeats=1, seeks=5)
    assert (found.frames, found.by_hand, found.own_uneven, found.wrong) == (10, 10, 0, 0)
    assert found.difference < 3 and found.own_rate > 0
