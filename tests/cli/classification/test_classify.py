"""`privis classify` trains, predicts and measures; what does not fit is listed, and nothing else is lost.

It answers for `privis.cli.classification.classify`, `privis.cli.classification.train_classifier`,
`privis.cli.classification.predict_classes`, `privis.cli.classification.evaluate_classifier`,
`privis.cli.classification.classify_words`, `privis.cli.classification.classify_options`,
`privis.cli.classification.labelled_words` and `privis.cli.files.classifier_facts`.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from typer.testing import CliRunner

from privis.cli.classification.labelled_words import labelled_images
from privis.cli.main import app
from privis.errors import ParameterError
from privis.estimators.classification.split_record import SplitRecord, record_place

FAST = ["-f", "colour", "-p", "bins=4", "--workers", "1"]


def run(*words: object, code: int = 0):
    done = CliRunner().invoke(app, ["classify", *map(str, words)])
    assert done.exit_code == code, done.output + repr(done.exception)
    return done


def told(*words: object, code: int = 0):
    return json.loads(run(*words, "--json", code=code).stdout)


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> Path:
    """Two classes of six patients with two images each."""
    root, rng = tmp_path_factory.mktemp("scans"), np.random.default_rng(0)
    for name, shade in (("ill", 90), ("well", 150)):
        (root / name).mkdir()
        for number in range(12):
            pixels = rng.normal(shade, 30, (8, 8)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{name[0]}{number // 2}-{number % 2}.png")
    return root


@pytest.fixture(scope="module")
def model(scans, tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("model") / "scans.model"
    run("train", scans, "-o", place, "--subject-from", "filename:(.+)-", "--folds", 3, *FAST)
    return place


def test_folds_are_measured_with_intervals(scans):
    found = told("evaluate", scans, "--folds", 3, "--subject-from", "filename:(.+)-", *FAST)
    assert found["accuracy"] > 0.9 and found["interval"][0] < found["accuracy"] <= found["interval"][1]
    assert (found["images"], found["patients"], found["interval_method"]) == (24, 12, "wilson by patient")
    assert (
        set(found["per_class"]) == set(found["confusion"]) == {"ill", "well"} and len(found["folds"]["accuracy"]) == 3
    )
    assert "sensitivity" in run("evaluate", scans, "--folds", 3, *FAST).stdout


def test_a_table_has_a_row_for_each_image(scans, model, tmp_path):
    run("predict", scans, "--model", model, "-o", tmp_path / "t.csv", "--workers", 1)
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    assert list(rows[0]) == ["path", "class", "probability"] and len(rows) == 24
    assert sum(Path(row["path"]).parent.name == row["class"] for row in rows) > 21
    run("predict", scans, "--model", model, "-o", tmp_path / "t.parquet", "--every-class", "--workers", 1)
    table = pyarrow.parquet.read_table(tmp_path / "t.parquet").to_pylist()
    assert [row["class"] for row in table] == [row["class"] for row in rows]
    assert table[0]["probability of ill"] + table[0]["probability of well"] == pytest.approx(1)
    assert {each.name for each in tmp_path.iterdir()} == {"t.csv", "t.parquet"}


def test_nothing_is_named_below_a_probability(scans, model):
    found = told("predict", scans, "--model", model, "--abstain-below", 1, "--workers", 1)
    assert len(found) == 24 and all(row["class"] is None and row["probability"] < 1 for row in found)


def test_unreadable_images_are_listed_and_the_run_goes_on(scans, model, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "cut.png").write_bytes((scans / "ill" / "i0-0.png").read_bytes()[:50])
    found = told("predict", scans, tmp_path, "--model", model, "-o", tmp_path / "t.csv", "--workers", 1, code=1)
    assert {Path(row["path"]).name for row in found if "why" in row} == {"bad.png", "cut.png"}
    assert (tmp_path / "t.csv.failures.csv").read_text().count(".png") >= 2
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 25
    (tmp_path / "ill").mkdir()
    bad.rename(tmp_path / "ill" / "bad.png")
    found = told("train", scans, tmp_path / "ill", "-o", tmp_path / "m", "--folds", 2, *FAST, code=1)
    assert [Path(each["path"]).name for each in found["refused"]] == ["bad.png"] and found["split"]["images"] == 24


def test_only_unreadable_images_are_an_error(model, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert "bad.png" in run("predict", tmp_path, "--model", model, code=3).output


def test_images_that_were_trained_on_are_left_out_of_the_figures(scans, model, tmp_path):
    assert "as in the training" in run("evaluate", scans, "--model", model, "--workers", 1, code=2).output
    (tmp_path / "ill").mkdir()
    rng = np.random.default_rng(9)
    Image.fromarray(rng.normal(90, 30, (8, 8)).clip(0, 255).astype(np.uint8)).save(tmp_path / "ill" / "new-0.png")
    Image.open(scans / "ill" / "i0-0.png").save(tmp_path / "ill" / "copy-0.bmp")
    Image.fromarray(rng.normal(90, 30, (8, 8)).clip(0, 255).astype(np.uint8)).save(tmp_path / "ill" / "i3-9.png")
    words = ("evaluate", tmp_path, "--model", model, "--subject-from", "filename:(.+)-", "--workers", 1)
    found = told(*words)
    assert found["images"] == 1 and found["leaks_checked"]
    leaks = {Path(each["path"]).name: each["why"] for each in found["leaks"]}
    assert leaks == {"copy-0.bmp": "the same pixels", "i3-9.png": "the same patient"}
    assert told(*words, "--on-leak", "count")["images"] == 3
    refused = run(*words, "--on-leak", "refuse", code=2).output
    assert "copy-0.bmp" in refused and "i3-9.png" in refused
    lonely = tmp_path / "lonely.model"
    lonely.write_bytes(model.read_bytes())
    done = run("evaluate", tmp_path, "--model", lonely, "--json", "--workers", 1)
    assert not json.loads(done.stdout)["leaks_checked"] and "is not there: nobody checked" in done.stderr
    SplitRecord.of(None, []).save(record_place(lonely))
    done = run("evaluate", tmp_path, "--model", lonely, "--json", "--workers", 1)
    assert not json.loads(done.stdout)["leaks_checked"] and "is of another training" in done.stderr


def test_a_leak_is_refused_before_training(scans, tmp_path):
    (tmp_path / "well").mkdir()
    Image.open(scans / "well" / "w1-1.png").save(tmp_path / "well" / "other.png")
    words = ("train", scans, "-o", tmp_path / "m", "--test", tmp_path, "--folds", 2, *FAST)
    done = run(*words, code=2)
    assert "other.png" in done.output and "the same pixels" in done.output and not (tmp_path / "m").exists()
    assert told(*words, "--on-leak", "count")["test"]["images"] == 1


def test_equal_pixels_of_two_classes_are_said(scans, tmp_path):
    (tmp_path / "well").mkdir()
    Image.open(scans / "ill" / "i1-1.png").save(tmp_path / "well" / "x-0.png")
    done = run("evaluate", scans, tmp_path / "well", "--folds", 2, *FAST)
    assert "have the same pixels, but are ill and well" in " ".join(done.stderr.split())


def test_a_class_of_one_image_is_left_out_and_listed(scans, tmp_path):
    (tmp_path / "rare").mkdir()
    Image.new("L", (8, 8), 3).save(tmp_path / "rare" / "only.png")
    found = told("train", scans, tmp_path / "rare", "-o", tmp_path / "m", "--folds", 2, *FAST, code=1)
    assert (
        found["classes"] == ["ill", "well"] and found["refused"][0]["why"] == "the class 'rare' has 1 image and needs 2"
    )


def test_labels_of_patients_come_from_a_list(scans, tmp_path):
    rows = [
        (f"{name[0]}{number}", name, "old" if number % 2 else "new") for name in ("ill", "well") for number in range(5)
    ]
    rows += [("i5", "", "old"), ("nobody", "ill", "old")]
    with open(tmp_path / "list.csv", "w", newline="") as file:
        csv.writer(file).writerows([("subject", "finding", "scanner"), *rows])
    words = (
        "evaluate",
        scans,
        "--labels-from",
        "column:finding",
        "--metadata",
        tmp_path / "list.csv",
        "--folds",
        2,
        *FAST,
    )
    assert "--subject-from" in run(*words, code=2).output
    parts = ("--subject-from", "filename:(.+)-", "--subgroup-from", "column:scanner")
    done = run(*words, *parts, "--json", code=1)
    found = json.loads(done.stdout)
    assert found["images"] == 20 and set(found["subgroups"]) == {"new", "old"}
    why = {Path(each["path"]).name: each["why"] for each in found["refused"]}
    assert why["i5-0.png"].startswith("no finding") and why["w5-1.png"].startswith("no row of its patient")
    assert "1 patients of whom there is no image (line 13)" in done.stderr and "nobody" not in done.output


def test_lists_of_images_are_images(scans, tmp_path):
    paths = sorted(scans.rglob("*.png"))
    with open(tmp_path / "images.csv", "w", newline="") as file:
        csv.writer(file).writerows([("path", "class"), *((path, path.parent.name) for path in paths)])
    found = labelled_images([str(tmp_path / "images.csv")], "column:class", "filename:(.+)-").images
    assert len(found) == 24 and found.classes == ("ill", "well") and len(set(found.patients or ())) == 12
    with pytest.raises(ParameterError, match="also diagnosis"):
        labelled_images([str(tmp_path / "images.csv")], "column:diagnosis")
    with pytest.raises(ParameterError, match="--metadata"):
        labelled_images([str(scans)], "folder", metadata=tmp_path / "images.csv")
    with pytest.raises(ParameterError, match="--labels-from"):
        labelled_images([str(scans)], "column:")


def test_a_network_whose_outputs_are_scores_is_kept_in_the_model(scans, tmp_path):
    """Means of the columns of an image: the left one is large, whatever is on it, and nothing but that is learned."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["means"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Sub", ["means", "dark"], ["centred"]),
        helper.make_node("Reshape", ["centred", "one"], ["column"]),
        helper.make_node("MatMul", ["column", "signs"], ["scores"]),
    ]
    constants = [
        numpy_helper.from_array(np.array(120 / 255, np.float32), "dark"),
        numpy_helper.from_array(np.array([-1, 1]), "one"),
        numpy_helper.from_array(np.array([[-20.0, 20.0]], np.float32), "signs"),
    ]
    reads = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])
    gives = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 2])
    graph = helper.make_graph(nodes, "shade", [reads], [gives], constants)
    network = tmp_path / "network.onnx"
    network.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
    )
    words = ("train", scans, "-o", tmp_path / "m", "-f", "cnn", "-p", f"path={network}", "--workers", 1)
    run(*words, "--network-scores", "ill,well")
    assert str(tmp_path).encode() not in (tmp_path / "m").read_bytes()
    network.unlink()
    found = told("predict", scans, "--model", tmp_path / "m", "--workers", 1)
    assert sum(Path(row["path"]).parent.name == row["class"] for row in found) > 21
    run("train", scans, "-o", tmp_path / "n", *FAST, "--network-scores", "ill,well", code=2)


def test_patients_of_dicom_files_are_pseudonyms_of_the_site(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    source = pydicom.dcmread(pydicom.data.get_testdata_file("CT_small.dcm", download=False))
    rng = np.random.default_rng(0)
    for name, shift in (("ill", 0), ("well", 400)):
        (tmp_path / name).mkdir()
        for number in range(6):
            pixels = (source.pixel_array + shift + rng.integers(0, 50, source.pixel_array.shape)).astype(np.int16)
            source.PixelData, source.PatientID = pixels.tobytes(), f"Doe-{name}-{number // 2}"
            source.save_as(tmp_path / name / f"{number}.dcm")
    source.PatientID = ""
    source.save_as(tmp_path / "well" / "nobody.dcm")
    key = tmp_path / "site.key"
    assert CliRunner().invoke(app, ["keygen", str(key), "--for", "site"]).exit_code == 0
    words = (
        "train",
        tmp_path / "ill",
        tmp_path / "well",
        "-o",
        tmp_path / "m",
        "--folds",
        2,
        *FAST,
        "--window",
        "40,400",
    )
    assert "--site-key" in run(*words, "--subject-from", "dicom", code=2).output
    done = run(*words, "--subject-from", "dicom", "--site-key", key, "--json", code=1)
    found = json.loads(done.stdout)
    assert found["split"]["patients"] == 6 and found["split"]["images"] == 12 and "Doe" not in done.output
    assert [Path(each["path"]).name for each in found["refused"]] == ["nobody.dcm"]
    words = (
        "evaluate",
        tmp_path / "ill",
        tmp_path / "well",
        "--model",
        tmp_path / "m",
        "--on-leak",
        "count",
        "--workers",
        1,
    )
    assert told(*words)["accuracy"] > 0.9 and "--window" in run(*words, "--window", "full", code=2).output


def test_a_sensitivity_decides_the_threshold(scans, tmp_path):
    words = ("train", scans, "-o", tmp_path / "m", "--folds", 3, *FAST)
    found = told(*words, "--sensitivity", 1, "--for", "ill")
    assert found["rule"]["for"] == "ill" and 0 < found["rule"]["threshold"] < 1
    for wrong in (("--sensitivity", 0.9), ("--sensitivity", 0.9, "--for", "dead"), ("--calibration", "nothing")):
        run(*words, *wrong, code=2)


def test_too_little_accuracy_is_a_no(scans, model, tmp_path):
    run("evaluate", scans, "--folds", 2, "--at-least", 0.5, *FAST)
    Image.new("L", (8, 8), 90).save(tmp_path / "well.png")
    done = run("evaluate", tmp_path, "--labels-from", "filename:(.+)", "--model", model, "--at-least", 1, code=8)
    assert "no: the accuracy" in done.stderr


def test_what_the_training_decided_is_not_said_again(scans, model):
    done = run("evaluate", scans, "--model", model, "--folds", 3, "-f", "lbp", code=2)
    assert "--folds" in done.output and "-f" in done.output


def test_info_tells_of_classes_and_of_nobody(model):
    done = CliRunner().invoke(app, ["info", str(model)])
    assert "classes ill, well" in done.output and "no guarantee" in done.output
    done = CliRunner().invoke(app, ["info", f"{model}.split"])
    assert "24 images and 12 patients" in " ".join(done.output.split()) and "i0" not in done.output


def test_a_stopped_extraction_goes_on(scans, tmp_path, monkeypatch):
    from privis.io import tables

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    words = ("train", scans, "-o", tmp_path / "m", "--folds", 2, *FAST)
    with monkeypatch.context() as patched:
        patched.setattr(tables, "write", stop)
        run(*words, code=130)
    assert [each.name for each in tmp_path.iterdir()] == ["m.features.parquet.partial"]
    run(*words)
    assert {each.name for each in tmp_path.iterdir()} == {"m", "m.split"}
