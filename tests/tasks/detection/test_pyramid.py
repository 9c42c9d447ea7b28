"""Pyramids: which copies lie where, and that a shared view says what its copies say alone.

Answers for `privis.tasks.detection.pyramid` and `privis.tasks.detection.detection_model`.
"""

from dataclasses import replace

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.run.clear import Clear
from privis.tasks.detection import DetectedBoxes, PictureView, PlacedCopy, Pyramid, WindowModel

WINDOW = (128, 64)


def frames(view):
    """Top, left, bottom and right of every copy with its border."""
    return [
        (c.top - c.border, c.left - c.border, c.top + c.height + c.border, c.left + c.width + c.border)
        for c in view.copies
    ]


@pytest.mark.parametrize("shape", [(128, 64), (373, 411), (200, 900, 3), (1000, 130)])
@pytest.mark.parametrize("together", [0, 60_000, 10**9])
def test_copies_shrink_by_the_step_lie_on_the_grid_and_never_on_each_other(shape, together):
    pyramid = Pyramid(together=together)
    views = pyramid.views(shape, WINDOW)
    sizes = sorted(((c.height, c.width) for view in views for c in view.copies), reverse=True)
    assert sizes == [tuple(round(side / 1.1**k) for side in shape[:2]) for k in range(len(sizes))]
    smallest = [side / 1.1 ** len(sizes) + 64 for side in shape[:2]]
    assert smallest[0] < 128.5 or smallest[1] < 64.5  # the next one would be too small
    for view in views:
        taken = np.zeros(view.shape, int)
        for top, left, bottom, right in frames(view):
            assert top % 8 == left % 8 == 0 <= min(top, left) and bottom <= view.shape[0] and right <= view.shape[1]
            taken[top:bottom, left:right] += 1
        assert taken.max() == 1


def test_shared_views_give_every_window_the_score_that_it_has_alone():
    rng = np.random.default_rng(3)
    image = np.asarray(rng.integers(0, 255, (144, 197), np.uint8))  # with their border, copies of all remainders of 8
    model = WindowModel(rng.normal(0, 0.1, 3780), -0.1, "thing", pyramid=Pyramid(step=1.07), least=-99.0)
    shared = replace(model, pyramid=replace(model.pyramid, together=10**9))
    found = []
    for each in (model, shared):
        views = each.views(image.shape)
        boxes = DetectedBoxes.joined(
            each.decode(Clear().prepare(each.program(view.shape))(each.before(image, view)), view) for view in views
        )
        order = np.lexsort((*boxes.boxes.T, boxes.boxes[:, 2]))
        found.append((len(views), boxes.boxes[order], boxes.scores[order]))
    assert found[0][0] > 3 and found[1][0] == 1 and len(found[0][1]) > 20
    assert np.allclose(found[0][1], found[1][1]) and np.allclose(found[0][2], found[1][2], atol=1e-4)


def test_a_picture_that_is_smaller_than_a_window_has_no_views():
    assert Pyramid(border=0).views((127, 64), WINDOW) == ()
    assert len(Pyramid(border=32).views((64, 2), WINDOW)) == 1


def test_a_larger_first_copy_finds_smaller_things():
    (first, *_), doubled = Pyramid().views((200, 100), WINDOW), Pyramid(largest=2.0).views((200, 100), WINDOW)
    assert (first.copies[0].height, doubled[0].copies[0].height) == (200, 400)


def test_boxes_go_back_to_the_picture_from_every_place_of_a_view():
    view = PictureView((200, 200), (50, 40), (PlacedCopy(32, 64, 100, 80, 8),))
    found = view.to_picture(DetectedBoxes([[64, 32, 80, 100]], [1.0], "all"), view.copies[0])
    assert found.boxes.tolist() == [[0, 0, 40, 50]]


@pytest.mark.parametrize(
    "wrong", [{"step": 1.0}, {"step": np.inf}, {"border": 12}, {"border": -8}, {"largest": 0}, {"together": -1}]
)
def test_wrong_pyramids_are_refused(wrong):
    with pytest.raises(ParameterError, match=f"Pyramid.{next(iter(wrong))}"):
        Pyramid(**wrong)
