"""`privis detect --model FILE.onnx`: what is looked for, heads, names, sizes; `privis.cli.detection.network_words`."""

import json

import numpy as np
import pytest
from PIL import Image

from privis.cli.detection.detect_options import NetworkHead
from privis.cli.detection.detect_words import DetectWords
from privis.cli.detection.hidden_detection import HiddenDetection
from privis.estimators.detection.detector import Detector
from privis.estimators.detection.hidden_detector import HiddenDetector
from privis.estimators.detection.networks.face_outputs import DETECTION_HEADS
from privis.estimators.detection.networks.kept_labels import KeptLabels
from privis.estimators.detection.other_finders import FaceBoxes
from privis.io.images.decode import Decoding
from tests.cli.detection.test_detect import detect
from tests.tasks.detection.networks import detector_graphs as graphs


@pytest.fixture
def place(tmp_path):
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[16:32, 32:48, 0] = 255
    pixels[32:48, 96:112, 1] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (tmp_path / "yolo.onnx").write_bytes(graphs.yolov8(metadata={"names": "{0: 'person', 1: 'grass'}"}))
    (tmp_path / "plain.onnx").write_bytes(graphs.yolov6())
    (tmp_path / "listed.onnx").write_bytes(graphs.yolov7_end2end())
    (tmp_path / "names.txt").write_text("apple\nleaf\n")
    return tmp_path


def boxes(done):
    assert done.exit_code == 0, done.stderr
    return [(b["label"], b["x"], b["y"], b["w"], b["h"]) for b in json.loads(done.stdout)[0]["boxes"]]


RED, GREEN = (32, 16, 16, 16), (96, 32, 16, 16)


def test_kinds_of_things(place):
    picture, model = place / "a.png", ("--model", place / "yolo.onnx", "--score", "0.6", "--json")
    assert boxes(detect(picture, *model)) == [("person", *RED)]
    assert boxes(detect(picture, "--what", "grass", *model)) == [("grass", *GREEN)]
    assert sorted(boxes(detect(picture, "--what", "all", *model))) == [("grass", *GREEN), ("person", *RED)]
    assert len(boxes(detect(picture, "--what", "all", "--most", "1", *model))) == 1
    listed = ("--model", place / "listed.onnx", "--names", place / "names.txt", "--json")
    assert boxes(detect(picture, "--what", "leaf", *listed)) == [("leaf", *GREEN)]


def test_networks_are_measured_by_names_that_are_given(place):
    (place / "boxes.csv").write_text("path,x,y,w,h,label\na.png,96,32,16,16,leaf\n")
    words = (place / "a.png", "--boxes", place / "boxes.csv", "--model", place / "plain.onnx", "--head", "yolov6")
    done = detect("evaluate", *words, "--names", place / "names.txt", "--what", "leaf", "--json")
    assert done.exit_code == 0 and json.loads(done.stdout)["average_precision"] == 1.0


def test_kinds_of_a_network_are_kept_of_what_parties_find(place):
    finder = DetectWords("grass", place / "yolo.onnx", hidden=True).finder()
    assert isinstance(finder, KeptLabels)
    with HiddenDetection("aby3").opened(finder, [str(place / "a.png")], Decoding()) as asked:
        assert isinstance(asked, KeptLabels) and isinstance(asked.finder, HiddenDetector)
        assert asked.labels == ("grass",)
    done = detect(place / "a.png", "--model", place / "listed.onnx", "--what", "all", "--under", "aby3")
    assert done.exit_code == 2 and "only onnxruntime runs" in done.stderr


def test_faces_run_as_one_program_where_pictures_are_hidden(shared):
    yunet = shared / "weights" / "face_detection" / "yunet_n_320_320.onnx"
    hidden = DetectWords("faces", yunet, hidden=True).finder()
    assert isinstance(hidden, KeptLabels) and isinstance(hidden.finder, Detector) and hidden.labels == ("face",)
    assert isinstance(DetectWords("faces", yunet).finder(), FaceBoxes)


def test_heads_and_names_are_said_where_files_leave_them_open(place):
    picture, model = place / "a.png", ("--model", place / "plain.onnx", "--score", "0.6", "--json")
    done = detect(picture, "--what", "all", *model)
    assert done.exit_code == 2
    said = " ".join(done.stderr.split())
    assert "--head" in said and "yolov6 and yolox" in said
    found = boxes(detect(picture, "--what", "apple", "--head", "yolov6", "--names", place / "names.txt", *model))
    assert found == [("apple", *RED)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--what", "gras"], "--what: got 'gras', expected one of person, grass; did you mean grass?"),
        (["--what", "faces"], "name its classes with --names"),
        (["--what", "all", "--head", "yunet"], "read as yunet"),
        (["--what", "all", "--size", "64"], "HEIGHTxWIDTH"),
        (["--what", "all", "--size", "32x32"], "--size"),
        (["--what", "all", "--score", "2"], "--score: got 2.0"),
        (["--what", "all", "--overlap", "2"], "--overlap"),
        (["--what", "all", "--step", "1.1", "--enlarge", "2"], "--enlarge: got with an ONNX network"),
        (["--what", "all", "--names", "/no/such"], "/no/such"),
        (["--what", "all", "--names", "{place}/a.png"], "got a picture, expected a text with the names of classes"),
        (["--what", "all", "--model", "/no/such.onnx"], "--model /no/such.onnx"),
        (["--what", "all", "--model", "{place}/a.png", "--head", "ssd"], "a.png: got a picture"),
        (["--what", "people", "--head", "ssd"], "--head: got no model"),
    ],
)
def test_words_that_do_not_fit_are_refused(place, words, said):
    words = [word.format(place=place) for word in words]
    model = [] if "--model" in words or "no model" in said else ["--model", place / "yolo.onnx"]
    done = detect(place / "a.png", *words, *model)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())


def test_a_word_for_every_head():
    assert {head.value for head in NetworkHead} == set(DETECTION_HEADS)
