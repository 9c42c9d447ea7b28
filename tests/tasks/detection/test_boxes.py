"""Boxes: what they hold, how they overlap, what suppression keeps. `privis.tasks.detection.boxes`."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from privis.errors import ParameterError
from privis.tasks.detection import DetectedBoxes, greedy_suppression, overlaps

BOXES = st.integers(0, 30).flatmap(
    lambda n: st.tuples(
        arrays(np.int64, (n, 4), elements=st.integers(0, 20)), arrays(np.int64, n, elements=st.integers(-3, 3))
    )
)


def counted(left, right):
    """Intersection over union by counting unit squares."""
    squares = [{(x, y) for x in range(b[0], b[0] + b[2]) for y in range(b[1], b[1] + b[3])} for b in (left, right)]
    both, either = squares[0] & squares[1], squares[0] | squares[1]
    return len(both) / len(either) if either else 0.0


@settings(max_examples=30, deadline=None)
@given(BOXES)
def test_overlaps_are_counts_of_shared_squares(found):
    boxes, _ = found
    few = boxes[:6]
    expected = [[counted(a, b) for b in few.tolist()] for a in few.tolist()]
    assert np.allclose(overlaps(few, few), np.array(expected).reshape(len(few), len(few)))


@settings(max_examples=50, deadline=None)
@given(BOXES, st.sampled_from([0.0, 0.3, 0.45, 1.0]))
def test_suppression_keeps_the_best_and_nothing_that_lies_on_what_it_keeps(found, overlap):
    boxes, scores = found
    kept = greedy_suppression(boxes, scores, overlap)
    shared = overlaps(boxes, boxes)
    assert (np.diff(scores[kept]) <= 0).all()
    for place, number in enumerate(kept):
        assert (shared[number, kept[:place]] <= overlap).all()
    for number in set(range(len(boxes))) - set(kept.tolist()):  # something at least as good lies on it
        assert ((shared[number, kept] > overlap) & (scores[kept] >= scores[number])).any()


def test_suppression_equals_opencv():
    cv2 = pytest.importorskip("cv2")
    rng = np.random.default_rng(1)
    boxes = np.concatenate([rng.uniform(0, 60, (200, 2)), rng.uniform(5, 30, (200, 2))], 1)
    scores = rng.uniform(0.1, 1, 200)
    expected = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), 0.0, 0.45)
    assert greedy_suppression(boxes, scores, 0.45).tolist() == np.ravel(expected).tolist()


def test_labels_do_not_suppress_each_other():
    found = DetectedBoxes([[0, 0, 9, 9]] * 3, [1.0, 3.0, 2.0], ["cat", "dog", "cat"]).suppressed()
    assert (found.labels, found.scores.tolist()) == (("dog", "cat"), [3.0, 2.0])


def test_scores_of_any_sign_and_equal_ones_keep_their_order():
    assert greedy_suppression([[0, 0, 1, 1], [5, 0, 1, 1], [5, 0, 1, 1]], [-1, -1, -1], 0.5).tolist() == [0, 1]


def test_no_boxes_are_no_boxes_however_they_are_written():
    for nothing in (DetectedBoxes.none(), DetectedBoxes([], [], "car"), DetectedBoxes.joined([])):
        assert len(nothing) == 0 and nothing.boxes.shape == (0, 4) and len(nothing.suppressed()) == 0
        assert overlaps(nothing.boxes, [[0, 0, 1, 1]]).shape == (0, 1)


@pytest.mark.parametrize(
    ("boxes", "scores", "labels"),
    [
        ([[0, 0, 1]], [1.0], "car"),
        ([[0, 0, 1, np.nan]], [1.0], "car"),
        ([[0, 0, -1, 1]], [1.0], "car"),
        ([[0, 0, 1, 1]], [np.inf], "car"),
        ([[0, 0, 1, 1]], [1.0], ["car", "car"]),
        ([[0, 0, 1, 1]], [1.0], ()),
    ],
)
def test_what_is_no_box_is_refused(boxes, scores, labels):
    with pytest.raises(ParameterError, match="DetectedBoxes"):
        DetectedBoxes(boxes, scores, labels)


def test_boxes_are_moved_scaled_cut_joined_and_chosen():
    found = DetectedBoxes([[-4, 2, 8, 8], [50, 50, 2, 2]], [1, 2], ["a", "b"])
    assert found.scaled((2, 0.5)).boxes[0].tolist() == [-8, 1, 16, 4]
    assert found.moved(4, -2).boxes[0].tolist() == [0, 0, 8, 8]
    inside = found.within((10, 10, 3))
    assert (inside.boxes.tolist(), inside.labels) == ([[0, 2, 4, 8]], ("a",))
    assert DetectedBoxes.joined([found, DetectedBoxes.none(), inside]).labels == ("a", "b", "a")
    assert found[found.scores > 1].labels == found[1].labels == ("b",)
    assert DetectedBoxes.of_corners(found.corners, found.scores, found.labels).boxes.tolist() == found.boxes.tolist()
