"""`privis detect --model FILE.onnx`: what is looked for, heads, names, sizes; `privis.cli.detection.network_words`."""

import json

import numpy as np
import pytest
from PIL import Image

from privis.cli.detection.detect_options import NetworkHead
from privis.estimators.detection.networks.face_outputs import DETECTION_HEADS
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
