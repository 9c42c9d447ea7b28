"""Detectors: people where there are some, under every executor alike, and copies in other processes.

Answers for `privis.estimators.detection.detector` and `privis.estimators.detection.other_finders`.
"""

import pickle
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest

from privis.errors import ImageError, ParameterError, Problem, UnsupportedError
from privis.estimators.detection import detector as module
from privis.estimators.detection.detector import Detector
from privis.estimators.detection.other_finders import FaceBoxes, RegionBoxes
from privis.extraction.redaction.picture_finders import PlateSearch
from privis.identity import identity
from privis.run.clear import Clear
from privis.tasks.detection import DetectedBoxes, Pyramid, WindowModel, installed_people_weights, window_model_of
from privis.tasks.faces import DetectedFaces


def figure(height=300, width=240):
    """A grey person on a light ground, as far as gradients can tell."""
    image = np.full((height, width), 200, np.uint8)
    cv2.ellipse(image, (120, 70), (18, 22), 0, 0, 360, 60, -1)
    cv2.rectangle(image, (92, 96), (148, 180), 80, -1)
    cv2.rectangle(image, (98, 180), (116, 270), 50, -1)
    cv2.rectangle(image, (124, 180), (142, 270), 50, -1)
    return cv2.GaussianBlur(image, (7, 7), 0)


@pytest.fixture(scope="module")
def people():
    return Detector(window_model_of(installed_people_weights(), pyramid=Pyramid()))


def test_a_figure_is_found_once_and_the_box_is_around_it(people):
    found = people.detect(figure())
    best = found[0]
    x, y, w, h = best.boxes[0]
    assert best.labels == ("person",) and best.scores[0] > 0.5
    assert abs(x + w / 2 - 120) < 12 and abs(y + h / 2 - 160) < 25 and 150 < h < 270
    assert (np.diff(found.scores) <= 0).all()


def test_colours_copies_and_the_definition_itself_give_the_same(people):
    image = figure()
    coloured = np.repeat(image[:, :, None], 3, 2)
    few = Detector(replace(people.model, pyramid=Pyramid(step=1.5), least=-1.0))
    slow = Detector(few.model, under=Clear(native=False))
    copied = pickle.loads(pickle.dumps(few))
    expected = few.detect(image)
    assert len(expected)
    for other in (few.detect(coloured), copied.detect(image), slow.detect(image)):
        assert np.allclose(other.boxes, expected.boxes) and np.allclose(other.scores, expected.scores, atol=1e-4)
    assert identity(few) == identity(copied) != identity(slow)


def test_shared_views_give_the_same_boxes(people):
    model = replace(people.model, pyramid=replace(people.model.pyramid, together=10**9))
    image = figure()
    one, other = people.detect(image), Detector(model).detect(image)
    assert np.allclose(one.boxes, other.boxes) and np.allclose(one.scores, other.scores, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (63, 200), (128, 2, 3), (20, 3000)])
def test_pictures_of_any_shape_end_well(people, shape):
    found = people.detect(np.zeros(shape, np.uint8))
    assert isinstance(found, DetectedBoxes)


def test_prepared_programs_are_few_and_used_again(people, monkeypatch):
    monkeypatch.setattr(module, "MOST_SHAPES", 2)
    made = []

    class Counting(Clear):
        def prepare(self, program):
            made.append(program.inputs[0].shape)
            return super().prepare(program)

    detector = Detector(people.model, under=Counting())
    for _ in range(2):
        detector.detect(np.zeros((128, 64), np.uint8))
    views = people.model.views((128, 64))
    assert len(detector._programs.kept) == 2 < len({view.shape for view in views})
    few = Detector(WindowModel(np.zeros(3780), -1.0, "x", pyramid=Pyramid(step=16.0)), under=Counting())
    made.clear()
    for _ in range(3):
        few.detect(np.zeros((256, 128), np.uint8))
    assert len(made) == 1
    few._programs.process = -1  # as in the child of a fork
    few.detect(np.zeros((256, 128), np.uint8))
    assert len(made) == 2


def test_pictures_that_cannot_be_read_and_options_that_do_not_fit(people, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"a\.png"):
        people.detect(tmp_path / "a.png")
    with pytest.raises(ParameterError) as caught:
        Detector(people.model, overlap=2.0, most=0)
    assert len(caught.value.problems) == 2

    class Refusing(Clear):
        def supports(self, program):
            return [Problem("program", "this one", "another one")]

    with pytest.raises(UnsupportedError, match="another one"):
        Detector(people.model, under=Refusing()).detect(figure())


def test_the_best_are_kept_where_only_some_are_wanted(people):
    model = WindowModel(np.zeros(3780), 1.0, "x")
    assert len(Detector(model, most=3).detect(np.zeros((200, 200), np.uint8))) == 3
    several = list(people.detect_many([figure(), figure()]))
    assert len(several) == 2 and np.array_equal(several[0].boxes, several[1].boxes)


@dataclass(frozen=True)
class OneFace:
    def detect(self, image):
        return DetectedFaces(np.array([[-5.0, 2, 20, 20]]), np.zeros((1, 5, 2)), np.array([0.9]))


def test_faces_and_plates_become_boxes():
    found = FaceBoxes(OneFace()).detect(np.zeros((50, 60, 3), np.uint8))
    assert (found.boxes.tolist(), found.labels, found.scores.tolist()) == ([[0, 2, 15, 20]], ("face",), [0.9])
    plate = np.full((200, 400), 120, np.uint8)
    cv2.rectangle(plate, (100, 80), (300, 125), 245, -1)
    cv2.putText(plate, "AB 12345", (108, 116), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 10, 3, cv2.LINE_AA)
    boxes = RegionBoxes(PlateSearch()).detect(plate)
    assert len(boxes) >= 1 and set(boxes.labels) == {"plate"}
    x, y, w = boxes.boxes[0, :3]
    assert 80 < x < 150 and 60 < y < 110 and 120 < w < 240
