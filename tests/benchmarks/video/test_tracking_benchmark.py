"""The benchmark of tracks on the first seconds of its clip. Answers for `benchmarks.video.tracking`."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.video import tracking
from tests.estimators.video.test_people_tracking import walkers
from tests.tasks.tracking.walking import boxes_at

pytest.importorskip("av")
WALKERS = ((0.0, 25.0, 100.0), (180.0, -22.0, 110.0))
FRAMES = 60


def drawn_clip(folder: Path) -> None:
    """Two drawn walkers with the files that PETS2009 has beside its video."""
    folder.mkdir(parents=True)
    walkers(folder / "clip.mp4", FRAMES).rename(folder / tracking.VIDEO)
    truth, lines = ElementTree.Element("dataset"), []
    for number in range(FRAMES):
        frame = ElementTree.SubElement(truth, "frame", number=str(number))
        for who, box in enumerate(boxes_at(number / tracking.RATE, WALKERS)):
            x, y, w, h = (float(side) / tracking.SCALE for side in box)
            place = {"xc": str(x + w / 2), "yc": str(y + h / 2), "w": str(w), "h": str(h)}
            ElementTree.SubElement(ElementTree.SubElement(frame, "object", id=str(who)), "box", place)
            lines.append(f"{number + 1},-1,{x},{y},{w},{h},1")
    ElementTree.ElementTree(truth).write(folder / tracking.TRUTH)
    (folder / tracking.DETECTIONS).write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("drawn", [True, False], ids=["drawn", "PETS2009"])
def test_figures_stand_beside_bars(
    drawn: bool, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    """On drawn walkers wherever it runs, so that the benchmark cannot rot; on the real clip where that is there."""
    data = tmp_path if drawn else request.getfixturevalue("shared")
    if drawn:
        drawn_clip(data / tracking.FOLDER)
    elif not (data / tracking.FOLDER / tracking.VIDEO).is_file():
        pytest.skip("PETS2009 is not in shared/data: research-only clips are not part of the project")
    tracking.main([str(data), "--tiny"])
    said = capsys.readouterr().out
    for words in ("of 0.60, IDF1", "frames/s of 30", "blobs and the Hungarian method", "mean error"):
        assert words in said
