"""estimators/detection/networks: onnx_detector, onnxruntime_detector, face_outputs, on graphs of known answers."""

import pickle

import numpy as np
import onnx
import pytest

from privis import MPC, MPCProtocol
from privis.errors import ParameterError, ProgramError, UnsupportedError
from privis.estimators.detection.detector import Detector
from privis.estimators.detection.networks.onnx_detector import network_of, onnx_detector
from privis.estimators.detection.networks.onnxruntime_detector import OnnxruntimeDetector
from privis.privacy import ReleaseKey
from privis.tasks.detection.networks import HEADS, DetectorNetwork
from tests.tasks.detection.networks import detector_graphs as graphs

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0)}


def _file(tmp_path, content):
    path = tmp_path / "network.onnx"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("make", "head", "found_by_shapes", "picture", "square", "expected"),
    [
        # one cell of the finest grid is painted, where the letterbox puts it
        (graphs.yolov8, "yolov8", True, (64, 128), (32, 16, 16, 16), None),
        (graphs.yolov8, "yolov8", True, (256, 128), (64, 96, 32, 32), None),
        (graphs.yolov5, "yolov5", False, (128, 128), (48, 32, 16, 16), None),
        (graphs.yolov6, "yolov6", False, (64, 64), (40, 8, 8, 8), None),
        (graphs.yolox, "yolox", False, (64, 128), (32, 16, 16, 16), None),
        (graphs.fastestdet, "fastestdet", True, (64, 128), (32, 16, 32, 16), None),
        (graphs.yolov10, "yolov10", True, (128, 64), (16, 32, 16, 16), None),
        (graphs.yolov7_end2end, "yolov7-end2end", True, (64, 64), (48, 24, 8, 8), None),
        (graphs.ssd, "ssd", True, (576, 288), (32, 80, 8, 16), None),
        (graphs.ssd300_mobilenet, "ssd300-mobilenet", False, (300, 300), (144, 80, 12, 12), (122, 58, 60, 60)),
    ],
)
def test_every_head_finds_what_is_there(tmp_path, make, head, found_by_shapes, picture, square, expected):
    path = _file(tmp_path, make())
    if not found_by_shapes:
        with pytest.raises(ParameterError, match=f"say which one .*{head}"):
            onnx_detector(path)
    detector = onnx_detector(path, None if found_by_shapes else head, classes=graphs.CLASSES, least=0.6)
    x, y, width, height = square
    for label, colour in COLOURS.items():
        image = np.zeros((*picture, 3), np.uint8)
        image[y : y + height, x : x + width] = colour
        found = detector.detect(image)
        assert found.labels == (label,)
        np.testing.assert_allclose(found.boxes, [expected or square], atol=1e-3)
        np.testing.assert_allclose(found.scores, [1.0], atol=1e-4)
    assert len(detector.detect(np.zeros(picture, np.uint8))) == 0
    original = OnnxruntimeDetector(network_of(detector)).detect(image)  # the file as it is, without a program
    np.testing.assert_allclose(original.boxes, found.boxes, atol=1e-3)
    np.testing.assert_allclose(original.scores, found.scores, atol=1e-4)
    copy = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(copy.detect(image).boxes, found.boxes)


def test_what_a_network_suppressed_is_not_suppressed_again(tmp_path):
    detector = onnx_detector(_file(tmp_path, graphs.yolov10(side=16)), classes=graphs.CLASSES, least=0.6)
    assert isinstance(detector, Detector)
    image = np.zeros((64, 64, 3), np.uint8)
    image[16:24, 16:32, 0] = 255  # two cells, whose boxes of 16 pixels lie on each other by a third
    assert len(detector.detect(image)) == 2


def test_suppression_inside_is_run_by_onnxruntime_and_by_nobody_else(tmp_path):
    path = _file(tmp_path, graphs.yolov7_end2end())
    assert isinstance(onnx_detector(path), OnnxruntimeDetector)
    with pytest.raises(UnsupportedError, match="NonMaxSuppression"):
        onnx_detector(path, under=MPC(MPCProtocol.ABY3))
    assert isinstance(onnx_detector(_file(tmp_path, graphs.yolov8())), Detector)


def test_names_are_those_of_the_file_or_of_its_metadata(tmp_path):
    path = _file(tmp_path, graphs.yolov8(metadata={"names": "{0: 'apple', 1: 'leaf'}", "task": "detect"}))
    assert onnx_detector(path).labels == ("apple", "leaf")
    names = tmp_path / "data.yaml"
    names.write_text("names:\n  0: ball\n  1: lawn\n")
    assert onnx_detector(path, classes=names).labels == ("ball", "lawn")
    assert onnx_detector(_file(tmp_path, graphs.yolov8())).labels == ("class_0", "class_1")
    names.write_text("one\ntwo\nthree\n")
    with pytest.raises(ParameterError, match=r"and 3 classes, expected"):
        onnx_detector(path, classes=names)
    with pytest.raises(ProgramError, match="3 classes, read as yolov8"):
        onnx_detector(path, "yolov8", classes=names)
    names.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ParameterError, match="no UTF-8 text"):
        onnx_detector(path, classes=names)
    with pytest.raises(ParameterError, match=r"none\.txt: got no such file"):
        onnx_detector(path, classes=tmp_path / "none.txt")
    ReleaseKey.generate().save(tmp_path / "release.key")
    with pytest.raises(ParameterError, match="got a release key, expected a text"):  # which would be two labels
        onnx_detector(path, classes=tmp_path / "release.key")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"head": "yolo"}, "expected one of yunet, scrfd, retinaface, fastestdet"),
        ({"size": (32, 32)}, r"size"),
        ({"least": 0.0}, r"least: got 0.0"),
        ({"least": float("nan")}, r"least"),
        ({"overlap": 1.5}, r"overlap: got 1.5"),
        ({"classes": ("a", "a")}, "2 names, 1 of them different"),
        ({"longest": 0}, "longest"),
        ({"size": (64, 99999)}, r"\(64, 99999\) pixels, expected at most 8192"),
        ({"head": "yunet"}, "read as yunet"),
        ({"head": "yolov10"}, "read as yolov10"),
    ],
)
def test_wrong_options_are_refused_before_a_picture(tmp_path, options, match):
    with pytest.raises((ParameterError, ProgramError), match=match):
        onnx_detector(_file(tmp_path, graphs.yolov8()), **options)


def test_a_file_that_declares_a_huge_input_fills_no_memory(tmp_path):
    model = onnx.load_model_from_string(graphs.yolov8())
    for axis in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        axis.dim_value = 200_000
    with pytest.raises(ParameterError, match="at most 8192"):
        onnx_detector(_file(tmp_path, model.SerializeToString()))
    with pytest.raises(ParameterError, match="at most 8192"):
        DetectorNetwork(model.SerializeToString(), HEADS["yolov8"], graphs.CLASSES)


def test_files_that_are_no_networks(tmp_path):
    for content in (b"", b"\x08\x08nonsense", b"\xff\xd8\xff\xe0" + bytes(99)):
        with pytest.raises((ParameterError, ProgramError)):
            onnx_detector(_file(tmp_path, content))
    with pytest.raises(ParameterError, match=r"absent\.onnx"):
        onnx_detector(tmp_path / "absent.onnx")


def test_small_and_grey_and_thin_pictures(tmp_path):
    detector = onnx_detector(_file(tmp_path, graphs.yolov8()), least=0.6)
    for shape in [(1, 1), (1, 500), (500, 1, 3), (7, 3)]:
        found = detector.detect(np.full(shape, 255, np.uint8))
        assert np.isfinite(found.boxes).all()
        assert (found.corners[:, 2:] <= [shape[1], shape[0]]).all()
