"""The benchmark of tracks on the first seconds of its clip. Answers for `benchmarks.video.tracking`."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.video import tracking


def test_figures_stand_beside_bars(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("av")
    if not (shared / tracking.FOLDER / tracking.VIDEO).is_file():
        pytest.skip("no PETS2009 in shared/data")
    tracking.main([str(shared), "--tiny"])
    said = capsys.readouterr().out
    for words in ("of 0.60, IDF1", "frames/s of 30", "blobs and the Hungarian method", "mean error"):
        assert words in said
