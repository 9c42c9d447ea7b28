"""The benchmark of sliding windows runs, on two pictures: `benchmarks.detection.windows`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.detection import windows


def test_it_runs_on_pictures_of_nobody(tmp_path: Path) -> None:
    """Without the research-only pictures: OpenCV's own weights on noise, so that the benchmark cannot rot."""
    if not hasattr(cv2, "HOGDescriptor_getDefaultPeopleDetector"):
        pytest.skip("OpenCV 5 has no HOGDescriptor, which is what is raced")
    place, weights = tmp_path / windows.PICTURES, tmp_path / windows.WEIGHTS / windows.PEOPLE
    place.mkdir(parents=True)
    weights.parent.mkdir(parents=True)
    np.save(weights, cv2.HOGDescriptor_getDefaultPeopleDetector())
    rng = np.random.default_rng(0)
    for name in ("a.jpg", "b.jpg"):
        cv2.imwrite(str(place / name), rng.integers(0, 256, (160, 120), np.uint8))
    (place / "boxes.csv").write_text("file,xmin,ymin,xmax,ymax\na.jpg,20,10,60,140\nb.jpg,30,10,70,140\n")
    rows = windows.run(tmp_path)
    assert [row.name for row in rows] == ["OpenCV", "Privis", "as set"]
    assert all(row.seconds > 0 and 0 <= row.precision <= 1 for row in rows)


def test_people_are_found_as_opencv_finds_them(shared: Path) -> None:
    theirs, ours, product = windows.run(shared, every=50)
    assert ours.recall >= theirs.recall > 0 and product.recall > 0
    assert all(row.seconds > 0 and 0 < row.precision <= 1 for row in (theirs, ours, product))
