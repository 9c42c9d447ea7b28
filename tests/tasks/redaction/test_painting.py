"""`painting`: nothing of what was beneath stays."""

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.tasks.redaction import ImageRegion, RegionKind, covered, eight_bit_view, paint, painted_mask


def test_every_touched_pixel_is_painted_and_no_other():
    mask = painted_mask((10, 12), [ImageRegion.of_box(RegionKind.FACE, 2.4, 3, 4.2, 2)])
    assert np.argwhere(mask).min(axis=0).tolist() == [3, 2] and np.argwhere(mask).max(axis=0).tolist() == [4, 6]
    assert mask.sum() == 2 * 5
    tilted = ImageRegion(RegionKind.TEXT, np.array([[2, 2], [9, 4], [8, 8], [1, 6]], np.float64))
    inside = painted_mask((12, 12), [tilted])
    assert inside[5, 5] and inside[4, 2] and not inside[0].any() and not inside[:, 11].any()


def test_regions_may_leave_the_picture():
    far = ImageRegion.of_box(RegionKind.FACE, -1e12, -5, 2e12, 7)
    assert painted_mask((4, 6), [far]).tolist() == [[True] * 6] * 2 + [[False] * 6] * 2
    assert not painted_mask((4, 6), [ImageRegion.of_box(RegionKind.FACE, 9, 9, 5, 5)]).any()


def test_pixels_beneath_decide_nothing():
    rng = np.random.default_rng(0)
    mask = painted_mask((8, 9), [ImageRegion.of_box(RegionKind.FACE, 1, 2, 4, 3)])
    first = rng.integers(0, 256, (8, 9, 3)).astype(np.uint8)
    second = np.where(mask[..., None], rng.integers(0, 256, (8, 9, 3)), first).astype(np.uint8)
    assert (paint(first, mask) == paint(second, mask)).all() and (first != second).any()
    assert (paint(first, mask, (1, 2, 3))[mask] == [1, 2, 3]).all()
    assert (paint(first[..., 0], mask, (255, 255, 255))[mask] == 255).all()
    deep = paint(np.zeros((8, 9), np.uint16), mask, (255, 255, 255))
    assert deep.dtype == np.uint16 and (deep[mask] == 65535).all() and not deep[~mask].any()


def test_what_does_not_fit_is_refused_at_once():
    with pytest.raises(ParameterError, match=r"paint.pixels(.|\n)*paint.mask(.|\n)*paint.colour"):
        paint(np.zeros((2, 2)), np.zeros((3, 3), np.bool_), (0, 0, 256))


def test_shares_that_are_covered():
    mask = np.zeros((10, 10), np.bool_)
    mask[:, :5] = True
    assert covered(ImageRegion.of_box(RegionKind.TEXT, 4, 0, 4, 4), mask) == 0.25
    assert covered(ImageRegion.of_box(RegionKind.TEXT, 20, 0, 4, 4), mask) == 1


def test_detectors_see_deep_pictures_of_any_range():
    deep = np.linspace(1000, 3000, 256).astype(np.uint16).reshape(16, 16)
    view = eight_bit_view(deep)
    assert view.min() == 0 and view.max() == 255 and (np.diff(view.reshape(-1).astype(int)) >= 0).all()
    assert not eight_bit_view(np.full((3, 3), 500, np.uint16)).any()
