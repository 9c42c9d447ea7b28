"""The sliding window as a program: OpenCV's scores, boxes without margins, and weights as OpenCV publishes them.

Answers for `privis.tasks.detection.window_model` and `privis.tasks.detection.opencv_weights`.
"""

import cv2
import numpy as np
import pytest

from privis.errors import MissingExtraError, ParameterError
from privis.run.clear import Clear
from privis.tasks.detection import (
    DetectedBoxes,
    Pyramid,
    WindowMargins,
    WindowModel,
    installed_people_weights,
    opencv_weights,
    window_model_of,
)

NO_MARGINS = WindowMargins(0, 0, 0, 0)
PEOPLE = np.asarray(cv2.HOGDescriptor_getDefaultPeopleDetector(), np.float64).ravel()


def test_scores_are_those_of_opencv_everywhere(camera):
    image = np.ascontiguousarray(camera[:160, :200])
    model = WindowModel(PEOPLE[:-1], PEOPLE[-1], "person", pyramid=Pyramid(border=0), margins=NO_MARGINS)
    view = model.views(image.shape)[0]
    scores = Clear().prepare(model.program(view.shape))(model.before(image, view))
    (placed,) = model.places(scores.shape, view)
    own = scores[placed.rows, placed.columns]
    descriptor = cv2.HOGDescriptor()
    descriptor.setSVMDetector(PEOPLE.astype(np.float32))
    theirs = [
        descriptor.compute(np.ascontiguousarray(image[y : y + 128, x : x + 64])).ravel() @ PEOPLE[:-1] + PEOPLE[-1]
        for y in range(0, 33, 8)
        for x in range(0, 137, 8)
    ]
    inside = own[1:-1, 1:-1].ravel()  # at the sides of a window alone, gradients are 0
    expected = np.reshape(theirs, own.shape)[1:-1, 1:-1].ravel()
    assert np.corrcoef(inside, expected)[0, 1] > 0.98 and np.abs(inside - expected).max() < 0.5
    points, weights = descriptor.detect(image, -100.0, (8, 8), (0, 0))
    at = {(int(x), int(y)): float(w) for (x, y), w in zip(points, np.ravel(weights), strict=True)}
    differences = [abs(own[y // 8, x // 8] - score) for (x, y), score in at.items()]
    assert len(differences) == own.size and max(differences) < 0.02


def test_boxes_stand_where_windows_score_without_their_margins(camera):
    image = camera[:256, :256]
    model = WindowModel(PEOPLE[:-1], PEOPLE[-1] + 100, "person", pyramid=Pyramid(border=8), margins=NO_MARGINS)
    view = model.views(image.shape)[0]
    scores = np.full(tuple(side // 8 - n for side, n in zip(view.shape, model.blocks, strict=True)), -1.0)
    scores[2, 3] = 1.5
    found = model.decode(scores, view)
    assert found.boxes.tolist() == [[3 * 8 - 8, 2 * 8 - 8, 64, 128]] and found.scores.tolist() == [1.5]
    inside = WindowMargins(0.25, 0.125, 0.25, 0.0).inside(found)
    assert inside.boxes.tolist() == [[32, 24, 32, 112]] and inside.labels == ("person",)
    with pytest.raises(ParameterError, match="shape"):
        model.decode(scores[1:], view)


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"weights": np.zeros(3779)}, "weights"),
        ({"weights": np.full(3780, np.nan)}, "weights"),
        ({"window": (120, 60)}, "window"),
        ({"label": ""}, "label"),
        ({"bias": np.inf}, "bias"),
        ({"pyramid": Pyramid(border=4, grid=4)}, "grid"),
    ],
)
def test_what_fits_no_window_is_refused(given, where):
    with pytest.raises(ParameterError, match=where):
        WindowModel(**({"weights": np.zeros(3780), "bias": 0.0, "label": "thing"} | given))


@pytest.mark.parametrize("shares", [(0.6, 0, 0.4, 0), (0, 0, 0, 1.0), (0, np.nan, 0, 0)])
def test_margins_leave_something(shares):
    with pytest.raises(ParameterError, match="WindowMargins"):
        WindowMargins(*shares)


@pytest.mark.parametrize("form", ["npy", "column", "python", "commas"])
def test_weights_are_read_as_opencv_publishes_them(tmp_path, form):
    path, values = tmp_path / "weights", PEOPLE.astype(np.float32)
    if form == "npy":
        with open(path, "wb") as file:
            np.save(file, values.reshape(-1, 1))
    else:
        words = [repr(float(value)) for value in values]
        text = {"column": "\n".join(words), "python": f"[[{'], ['.join(words)}]]", "commas": ",\n".join(words)}
        path.write_text(text[form])
    assert np.array_equal(opencv_weights(path), values.astype(np.float64))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "numbers|empty"),
        (b"1 2 3", "3 numbers"),
        (b"1 two 3", "two"),
        ("personne à".encode(), "no list of numbers"),
        (b"nan " * 3781, "not finite"),
        (b"1 " * 3781 * 200, "larger"),
        (b"\x93NUMPY\x01\x00broken", "OpenCV's people detector"),
    ],
)
def test_what_holds_no_weights_is_refused(tmp_path, content, said):
    (tmp_path / "weights").write_bytes(content)
    with pytest.raises(ParameterError, match=said):
        opencv_weights(tmp_path / "weights")


def test_objects_in_a_npy_file_are_never_unpickled(tmp_path):
    np.save(tmp_path / "weights.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(ParameterError, match="people detector"):
        opencv_weights(tmp_path / "weights.npy")


def test_weights_of_the_installed_opencv_and_of_one_without(monkeypatch):
    assert np.array_equal(installed_people_weights(), PEOPLE)
    assert window_model_of(PEOPLE).window == (128, 64)
    monkeypatch.delattr(cv2, "HOGDescriptor_getDefaultPeopleDetector")
    with pytest.raises(MissingExtraError, match="OpenCV 4"):
        installed_people_weights()
    with pytest.raises(ParameterError, match="3780 numbers"):
        window_model_of(PEOPLE[1:])


def test_a_model_of_many_windows_names_none_twice():
    model = WindowModel(np.zeros(3780), 1.0, "thing", pyramid=Pyramid(step=2.0, border=8), margins=NO_MARGINS)
    view = model.views((140, 100))[0]
    (placed,) = model.places(tuple(side // 8 - n for side, n in zip(view.shape, model.blocks, strict=True)), view)
    everything = placed.windows
    assert isinstance(everything, DetectedBoxes) and len(set(map(tuple, everything.boxes.tolist()))) == len(everything)
    assert everything.boxes[:, :2].max(0).tolist() <= [100 + 16 - 64, 140 + 16 - 128]
