"""tasks/detection/networks/{detection_heads,tensor_head,ssd_head,named_heads}.py: shapes, scores, refusals."""

import numpy as np
import pytest

from privis.errors import ParameterError, ProgramError
from privis.tasks.detection.networks import HEADS, BoxEncoding, NetworkReading, SSDHead, TensorHead, recognised_head
from privis.tasks.detection.networks.named_heads import FASTESTDET, SSD, YOLOV5, YOLOV7_END2END, YOLOV8, YOLOV10

SIDE = (640, 640)
CELLS = 80 * 80 + 40 * 40 + 20 * 20


def _zeros(*shapes):
    return {f"output{i}": np.zeros(shape) for i, shape in enumerate(shapes)}


@pytest.mark.parametrize(
    ("shapes", "size", "classes", "name"),
    [
        ([(1, 85, 22, 22)], (352, 352), 80, "fastestdet"),
        ([(1, 3 * CELLS, 85)], SIDE, 80, "yolov5"),
        ([(1, 3 * CELLS, 6)], SIDE, 1, "yolov5"),
        ([(1, 3 * CELLS, 85), (1, 3, 80, 80, 85), (1, 3, 40, 40, 85), (1, 3, 20, 20, 85)], SIDE, None, "yolov5"),
        ([(1, 84, CELLS)], SIDE, None, "yolov8"),
        ([(1, 5, CELLS)], SIDE, 1, "yolov8"),
        ([(1, 6, 80 * 80 + 40 * 40 + 20 * 20 + 10 * 10)], SIDE, None, "yolov8"),
        ([(1, 84, 60 * 80 + 30 * 40 + 15 * 20)], (480, 640), 80, "yolov8"),
        ([(1, 300, 6)], SIDE, 80, "yolov10"),
        ([(0, 7)], SIDE, None, "yolov7-end2end"),
        ([(12, 7)], SIDE, None, "yolov7-end2end"),
        ([(1, 4420, 2), (1, 4420, 4)], (240, 320), None, "ssd"),
    ],
)
def test_a_head_is_told_by_shapes(shapes, size, classes, name):
    assert recognised_head(HEADS.values(), _zeros(*shapes), size, classes).name == name


@pytest.mark.parametrize(
    ("shapes", "size", "classes", "names"),
    [
        ([(1, CELLS, 85)], SIDE, 80, "fit yolov6 and yolox"),
        ([(1, 3000, 4), (1, 3000, 21)], (300, 300), 20, "fit ssd and ssd300-mobilenet"),
        ([(1, 8732, 21), (1, 8732, 4)], (300, 300), None, "fit ssd and ssd300-vgg"),
        ([(1, 100, 92), (1, 100, 4)], SIDE, None, "name one of fastestdet, yolov5"),
        ([(1, 84, CELLS)], SIDE, 3, "and 3 classes.*name one of"),
        ([(1, 116, CELLS), (1, 32, 160, 160)], SIDE, 80, "name one of"),
        ([(1, 1000)], (224, 224), None, "name one of"),
        ([], SIDE, None, "no tensors"),
    ],
)
def test_several_and_none_are_named(shapes, size, classes, names):
    with pytest.raises(ParameterError, match=names):
        recognised_head(HEADS.values(), _zeros(*shapes), size, classes)


def test_scores_are_products_with_powers():
    tensor = np.zeros((7, 4, 4))
    tensor[:, 1, 2] = [0.5, 0, 0, 0, 0, 0.2, 0.8]
    found = FASTESTDET.decode({"out": tensor}, (64, 64), 0.1, ("cat", "dog"))
    assert found.labels == ("dog",)
    np.testing.assert_allclose(found.scores, [0.5**0.6 * 0.8**0.4])
    rows = np.zeros((1, 3 * 84, 7))
    rows[0, 5] = [20, 20, 8, 8, 0.5, 0.2, 0.8]
    found = YOLOV5.decode({"out": rows}, (64, 64), 0.1)
    assert (found.labels, found.scores.tolist(), found.boxes.tolist()) == (("class_1",), [0.4], [[16, 16, 8, 8]])


def test_what_is_no_box_is_left_out():
    listed = np.array(
        [
            [0, 10, 10, 20, 20, 1, 0.9],
            [1, 10, 10, 20, 20, 1, 0.9],  # of another picture of the batch
            [0, 10, 10, 10, 20, 1, 0.9],  # empty
            [0, 10, np.nan, 20, 20, 1, 0.9],
            [0, 10, 10, 20, 20, 1, np.nan],
            [0, 10, 10, 20, 20, 1, 0.1],
        ]
    )
    assert YOLOV7_END2END.decode({"out": listed}, SIDE, 0.25).scores.tolist() == [0.9]
    assert len(YOLOV7_END2END.decode({"out": np.zeros((0, 7))}, SIDE, 0.25)) == 0


def test_logits_of_an_ssd_become_probabilities():
    boxes, logits = np.tile([0.1, 0.1, 0.2, 0.2], (1001, 1)), np.zeros((1001, 3))
    logits[7] = [0, 1, 4]
    found = SSD.decode({"a": logits, "b": boxes}, (100, 100), 0.5, ("cat", "dog"))
    assert found.labels == ("dog",)
    np.testing.assert_allclose(found.scores, np.exp(4) / (1 + np.e + np.exp(4)))


def test_three_classes_and_a_background_are_told_by_names():
    boxes, said = np.tile([0.1, 0.1, 0.2, 0.2], (1001, 1)), np.tile([1.0, 0, 0, 0], (1001, 1))
    said[3] = [0.1, 0.9, 0, 0]
    for tensors in ({"scores": said, "boxes": boxes}, {"loc": boxes, "conf": said}, {"0": boxes, "1": said}):
        assert SSD.decode(tensors, (100, 100), 0.5).labels == ("class_0",)


@pytest.mark.parametrize(
    ("head", "tensors", "classes", "match"),
    [
        (YOLOV8, {"out": np.full((1, 6, 84), 3.0)}, (), "scores from 3 to 3, expected probabilities"),
        (YOLOV8, {"out": np.zeros((1, 6, 86))}, (), r"out \(1, 6, 86\).*84 or 85 boxes"),
        (YOLOV8, {"out": np.zeros((1, 6, 84))}, ("a", "b", "c"), "7 columns"),
        (YOLOV10, {"out": np.array([[0, 0, 9, 9, 0.9, 5]])}, ("a", "b"), "class 5 to 5, expected a class of 0 to 1"),
        (YOLOV10, {"out": np.array([[0, 0, 9, 9, 0.9, -1]])}, (), "class -1"),
        (SSD, {"a": np.zeros((1001, 4)), "b": np.zeros((1000, 3))}, (), "over 1000 boxes"),
    ],
)
def test_foreign_outputs_are_refused(head, tensors, classes, match):
    with pytest.raises(ProgramError, match=match):
        head.decode(tensors, (64, 64), 0.5, classes)


def test_many_boxes_are_cut_to_the_best():
    rows = np.zeros((1, 5, CELLS))
    rows[0, :4] = 8
    rows[0, 4] = np.linspace(0.3, 0.9, CELLS)
    found = YOLOV8.decode({"out": rows}, SIDE, 0.25)
    assert len(found) == 3000
    assert found.scores[0] == pytest.approx(0.9)
    assert (np.diff(found.scores) <= 0).all()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: TensorHead("x", ("box", "box"), BoxEncoding.CENTRE), '"box" once'),
        (lambda: TensorHead("x", ("box", "class"), BoxEncoding.CENTRE), "together or neither"),
        (lambda: TensorHead("x", ("box",), BoxEncoding.CELL_OFFSETS), "strides for boxes in cells"),
        (lambda: TensorHead("x", ("box",), BoxEncoding.CENTRE, strides=((0,),)), "at least 1"),
        (lambda: SSDHead("x", BoxEncoding.PRIOR_OFFSETS), "PRIOR_OFFSETS with them"),
        (lambda: SSDHead("x", BoxEncoding.CENTRE), "CORNER_SHARES without"),
        (lambda: NetworkReading(fill=300), "0 to 255"),
        (lambda: NetworkReading(mean=(1.0, 2.0)), "1 or 3 numbers"),
    ],
)
def test_impossible_heads(make, match):
    with pytest.raises(ParameterError, match=match):
        make()
