"""The benchmark of sliding windows runs, on two pictures: `benchmarks.detection.windows`."""

import pytest

from benchmarks.detection import windows


@pytest.mark.skipif(not (windows.SHARED / windows.PICTURES).is_dir(), reason="no ../shared/data/detection/penn_fudan")
def test_people_are_found_as_opencv_finds_them():
    theirs, ours, product = windows.run(windows.SHARED, every=50)
    assert ours.recall >= theirs.recall > 0 and product.recall > 0
    assert all(row.seconds > 0 and 0 < row.precision <= 1 for row in (theirs, ours, product))
