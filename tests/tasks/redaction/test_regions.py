"""`regions`: growth and turns of quadrilaterals."""

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.tasks.redaction import ImageRegion, Margins, RegionKind, painted_mask, turned_back


def test_growth_is_a_share_of_each_side_and_a_pixel():
    grown = ImageRegion.of_box(RegionKind.FACE, 100, 50, 40, 20).grown(0.25)
    assert grown.box == pytest.approx((89, 44, 62, 32))
    tilted = ImageRegion(RegionKind.TEXT, np.array([[0, 0], [30, 40], [24, 44.5], [-6, 4.5]], np.float64)).grown(0.0)
    sides = np.linalg.norm(np.roll(tilted.corners, -1, axis=0) - tilted.corners, axis=1)
    assert sides == pytest.approx([52, 9.5, 52, 9.5])


def test_margins_are_by_kind_and_the_users_boxes_stay():
    regions = [ImageRegion.of_box(kind, 10, 10, 10, 10) for kind in RegionKind]
    widths = {region.kind: region.box[2] for region in Margins(0.5, 0.1, 0.2, 0.0).around(regions)}
    assert widths == pytest.approx({"face": 22, "plate": 14, "mrz": 16, "text": 12, "given": 10, "person": 14})
    with pytest.raises(ParameterError, match=r"Margins.face.*-1(.|\n)*Margins.text.*nan"):
        Margins(face=-1, text=float("nan"))


@pytest.mark.parametrize("quarters", range(4))
def test_what_is_found_in_a_turned_picture_is_there_in_the_picture(quarters):
    picture = np.zeros((30, 50), np.uint8)
    picture[5:9, 20:31] = 255
    turned = np.rot90(picture, quarters)
    rows, columns = np.nonzero(turned)
    found = ImageRegion.of_box(RegionKind.FACE, columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
    back = ImageRegion(RegionKind.FACE, turned_back(found.corners, quarters, picture.shape))
    assert (painted_mask(picture.shape, [back]) == (picture > 0)).all()


def test_regions_of_nothing_are_refused():
    for corners in (np.zeros((3, 2)), np.full((4, 2), np.nan), np.array([["a", "b"]] * 4)):
        with pytest.raises(ParameterError, match=r"ImageRegion\.corners"):
            ImageRegion(RegionKind.FACE, corners)
