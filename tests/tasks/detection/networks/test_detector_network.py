"""tasks/detection/networks/{detector_network,network_model}.py: sizes, views, and what a copy is."""

import pickle

import numpy as np
import pytest

from privis.errors import ParameterError, UnsupportedError
from privis.identity import identity
from privis.readings import evaluate
from privis.tasks.detection.networks import HEADS, DetectorNetwork, NetworkModel
from tests.tasks.detection.networks import detector_graphs as graphs


def test_the_view_is_the_letterboxed_picture():
    model = NetworkModel(DetectorNetwork(graphs.yolov8(), HEADS["yolov8"], graphs.CLASSES, least=0.6))
    (view,) = model.views((64, 128, 3))
    (copy,) = view.copies
    assert (view.shape, copy.top, copy.left, copy.height, copy.width) == ((3, 64, 64), 16, 0, 32, 64)
    image = np.zeros((64, 128, 3), np.uint8)
    image[16:32, 32:48, 1] = 255
    values = evaluate(model.program(view.shape), model.before(image, view))
    found = model.decode(np.asarray(values), view)
    assert found.labels == ("green",)
    np.testing.assert_allclose(found.boxes, [[32, 16, 16, 16]], atol=1e-3)
    assert pickle.loads(pickle.dumps(model)) == model
    with pytest.raises(ParameterError, match="an input of"):
        model.decode(np.asarray(values), model.views((64, 128))[0].__class__((3, 8, 8), (64, 128), ()))


def test_identities_are_of_the_network_and_its_head():
    first = NetworkModel(DetectorNetwork(graphs.yolov6(), HEADS["yolov6"], graphs.CLASSES))
    again = NetworkModel(DetectorNetwork(graphs.yolov6(), HEADS["yolov6"], graphs.CLASSES))
    other = NetworkModel(DetectorNetwork(graphs.yolov6(), HEADS["yolox"], graphs.CLASSES))
    larger = NetworkModel(DetectorNetwork(graphs.yolov6((64, 96)), HEADS["yolov6"], graphs.CLASSES))
    assert identity(first) == identity(again)
    assert len({identity(each) for each in (first, other, larger)}) == 3
    assert first != larger


def test_suppression_inside_is_no_program():
    with pytest.raises(UnsupportedError, match="NonMaxSuppression"):
        NetworkModel(DetectorNetwork(graphs.yolov7_end2end(), HEADS["yolov7-end2end"], graphs.CLASSES))
