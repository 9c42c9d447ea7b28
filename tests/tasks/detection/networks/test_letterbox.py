"""tasks/detection/networks/letterbox.py: pictures go where the exporters put them, boxes come back."""

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.tasks.detection import DetectedBoxes
from privis.tasks.detection.networks import Fit, Letterbox
from privis.tasks.detection.networks.letterbox import padded_size


@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize("enlarges", [True, False])
@pytest.mark.parametrize("picture", [(64, 128), (131, 77), (500, 333), (1, 900), (20, 20)])
def test_boxes_come_back(picture, enlarges, fit):
    """A mark in the picture is found in the input at the place that comes back as the mark's."""
    box = Letterbox(picture, (96, 160), fit, enlarges)
    whole = DetectedBoxes([[box.offset[1], box.offset[0], box.drawn[1], box.drawn[0]]], [1.0], "all")
    np.testing.assert_allclose(box.to_picture(whole).boxes, [[0, 0, picture[1], picture[0]]], atol=1e-9)
    image = np.full((*picture, 3), 200, np.uint8)
    canvas = box.painted(image, 50)
    assert canvas.shape == (96, 160, 3)
    rows, columns = np.nonzero(canvas[..., 0] > 100)
    (top, left), (height, width) = box.offset, box.drawn
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (top, top + height, left, left + width)
    assert set(np.unique(canvas)) <= {50, 200}
    if not enlarges and fit is not Fit.STRETCHED:
        assert box.drawn[0] <= picture[0]
        assert box.drawn[1] <= picture[1]


def test_the_place_is_that_of_ultralytics():
    """r = min(640 / h, 640 / w); left = round((640 - round(w * r)) / 2 - 0.1), and so the top."""
    for height, width in [(427, 640), (375, 500), (333, 500), (1080, 1921), (101, 99), (640, 481)]:
        scale = min(640 / height, 640 / width)
        drawn = round(height * scale), round(width * scale)
        box = Letterbox((height, width), (640, 640), Fit.CENTRED)
        assert box.drawn == drawn
        assert box.offset == tuple(round((640 - length) / 2 - 0.1) for length in drawn)


def test_boxes_outside_are_cut():
    box = Letterbox((100, 200), (64, 64), Fit.CENTRED)  # drawn 32 rows below row 16
    found = box.to_picture(DetectedBoxes([[0, 0, 64, 10], [-8, 16, 16, 16]], [1.0, 0.5], "x"))
    assert found.boxes.tolist() == [[0.0, 0.0, 25.0, 50.0]]


def test_own_size_is_rounded_up():
    assert padded_size((320, 640), 32, 1280) == (320, 640)
    assert padded_size((321, 1), 32, 1280) == (352, 32)
    assert padded_size((5000, 1000), 32, 1280) == (1280, 256)


def test_what_is_refused():
    with pytest.raises(ParameterError, match=r"Letterbox.picture.*\n.*Letterbox.size"):
        Letterbox((0, 4), (4, 0), Fit.CORNER)
    with pytest.raises(ParameterError, match="pixels, expected"):
        Letterbox((4, 4), (8, 8), Fit.CORNER).painted(np.zeros((5, 4, 3), np.uint8))
