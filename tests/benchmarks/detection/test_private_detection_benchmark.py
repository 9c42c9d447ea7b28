"""The benchmark of hidden detection, tiny: a row is measured, and one that misses its bar says so.

Answers for `benchmarks.detection.private_detection`.
"""

import dataclasses

import numpy as np
import pytest

from benchmarks.detection import private_detection as benchmark
from privis.tasks.detection import DetectedBoxes

ROW = benchmark.Row("hog", "aby3", 2, 9, 1.0, 7.0, 12.0, 18.0, 300.0, 290.0, 360, 357, 900.0)


def test_a_row_is_held_against_its_bars():
    assert ROW.line().endswith("ok")
    for missed in ({"seconds": 16.0}, {"same": 0.94}, {"sent": 401.0}):
        assert dataclasses.replace(ROW, **missed).line().endswith("MISSED")
    assert dataclasses.replace(ROW, name="ckks", under="ckks", sent=401.0, predicted=None).line().endswith("ok")


def test_boxes_have_one_partner_each():
    boxes = DetectedBoxes([[0, 0, 10, 10], [0, 0, 10, 10.5], [40, 0, 10, 10]], [3.0, 2.0, 1.0], "person")
    assert benchmark.partners(boxes, boxes) == (6, 6)
    assert benchmark.partners(boxes[:2], boxes[:1]) == (2, 3)
    assert benchmark.partners(boxes[2:], DetectedBoxes([[43, 0, 10, 10]], [1.0], "person")) == (0, 2)


@pytest.mark.skipif(not benchmark.SHARED.is_dir(), reason="no shared/data beside the checkout: research-only images")
def test_pictures_are_of_the_sizes_that_are_said():
    assert [each.shape for each in benchmark.people(benchmark.SHARED, 2)] == [(240, 320, 3)] * 2
    assert [each.shape for each in benchmark.persons(benchmark.SHARED, 2)] == [(128, 96, 3)] * 2
    assert {max(each.shape) for each in benchmark.faces(benchmark.SHARED, 3)} == {320}


@pytest.mark.long
@pytest.mark.skipif(not benchmark.SHARED.is_dir(), reason="no shared/data beside the checkout: research-only images")
def test_a_row_is_measured(capsys):
    benchmark.main(["--only", "hog", "--images", "1", "--step", "3", "--border", "0"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and all("aby3" in line for line in lines[1:])
    assert np.isfinite(float(lines[1].split()[5]))
