"""``privis face evaluate`` on painted faces, and all commands on photographs where they are.

Answers for `privis.cli.faces.evaluate_faces`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from privis.cli.faces import face_words
from privis.extraction.faces.cascade_detector import CascadeDetector
from privis.extraction.faces.face_networks import dense_sift, face_template_extractor, has_face_networks
from privis.extraction.faces.face_templates import FaceTemplateExtractor
from privis.tasks.verification import CalibrationTable
from tests.cli.faces.test_face_commands import face
from tests.estimators.faces.painted_faces import EXTRACTOR, picture


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(face_words, "extractor_of", lambda words: EXTRACTOR)
    for person in range(5):
        (tmp_path / "people" / f"p{person}").mkdir(parents=True)
        for shot in range(3):
            Image.fromarray(picture(person, shot)).save(tmp_path / "people" / f"p{person}" / f"{shot}.png")
    Image.fromarray(np.zeros((80, 80, 3), np.uint8)).save(tmp_path / "people" / "p1" / "dark.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_of_people_is_measured(room: Path) -> None:
    outputs = ("--plots", "curves", "--calibration-output", "table.json")
    code, told, said = face("evaluate", "people", *outputs, "--threshold", "fmr:0.05", "--json")
    assert code == 0 and told["not_found"] == ["people/p1/dark.png"]
    assert told["pairs"] == {"genuine": 15, "impostor": 90} and told["eer"] == 0 and told["tar"]["1e-3"] == 1
    assert told["too_few_pairs_for"] == ["1e-2", "1e-3", "1e-4"] and told["tar_interval"]["1e-3"][0] < 0.82
    assert (told["images"], told["subjects"], told["at_threshold"]) == (16, 5, None) and "no calibration table" in said
    assert sorted(path.name for path in (room / "curves").iterdir()) == ["curve.csv", "det.svg", "roc.svg"]
    table = CalibrationTable.load("table.json")
    assert table.pairs == 90 and table.people == 5 and table.embedding == EXTRACTOR.embedding_identity
    again = face("evaluate", "people", "--calibration", "table.json", "--threshold", "fmr:0.05", "--json")[1]
    assert again["at_threshold"]["fmr"] == 0.05 and again["at_threshold"]["false_matches"] <= 0.05
    code, text, said = face("evaluate", "people", "--calibration", "table.json", "--threshold", "fmr:0.05")
    assert (
        code == 0
        and "equal error rate" in text
        and "too few impostor pairs" in text
        and "dark.png: got no face" in said
    )


def test_what_is_wrong_with_a_folder(room: Path) -> None:
    (room / "people" / "p2" / "broken.png").write_bytes(b"nothing")
    Image.fromarray(picture(7)).save(room / "people" / "beside.png")
    code, told, said = face("evaluate", "people", "--json")
    assert code == 1 and sorted(told["not_found"]) == ["people/p1/dark.png", "people/p2/broken.png"]
    assert "beside the folders of people" in said
    code, _, said = face("evaluate", "people/p0", "--json")
    assert code == 2 and "take several people" in said
    assert face("evaluate", "none")[0] == 2
    (room / "file").write_text("")
    assert face("evaluate", "people", "--plots", "file")[0] == 4
    assert face("evaluate", "people", "--calibration-output", "none/table.json")[0] == 4


def test_pairs_of_a_list(room: Path) -> None:
    rows = [
        "a,b,same",
        "people/p0/0.png,people/p0/1.png,1",
        "people/p0/0.png,people/p1/1.png,no",
        "people/p1/dark.png,people/p0/1.png,0",
    ]
    Path("pairs.csv").write_text("\n".join(rows))
    code, told, _ = face("evaluate", "pairs.csv", "--json")
    assert code == 0 and told["pairs"] == {"genuine": 1, "impostor": 1} and told["not_found"] == ["people/p1/dark.png"]
    assert told["subjects"] is None
    assert face("evaluate", "pairs.csv", "--calibration-output", "t.json")[0] == 2
    for text in ("a,b\n", "a,b,same\n", "a,b,same\nx,y,perhaps\n", "\0"):
        Path("pairs.csv").write_text(text)
        code, _, said = face("evaluate", "pairs.csv")
        assert code == 2 and "pairs.csv" in said, text


def test_photographs_without_weights(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extractor = FaceTemplateExtractor(CascadeDetector(), dense_sift())
    monkeypatch.setattr(face_words, "extractor_of", lambda words: extractor)
    people = shared / "faces" / "orl"
    gate, shots = str(tmp_path / "gate"), [sorted((people / f"s{n}").iterdir()) for n in range(1, 5)]
    for person in shots[:3]:
        assert face("enrol", gate, *map(str, person[:3]), "--subject-from", "folder")[0] == 0
    probes = [str(person[4]) for person in shots]
    code, found, _ = face("identify", *probes, "--gallery", gate, "--threshold", "fmr:0.05", "--json")
    named = [each["subject"] for each in found]
    assert code == 0 and named[3] is None and all(name in (None, f"s{n}") for n, name in enumerate(named, 1))
    document = shared / "documents" / "id_specimens" / "SOURCE.txt"
    code, _, said = face("verify", probes[0], str(document))
    assert code == 3 and "SOURCE.txt" in said


@pytest.mark.skipif(not has_face_networks(), reason="the extra 'faces' is not installed")
def test_photographs_with_the_networks(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extractor = face_template_extractor()
    monkeypatch.setattr(face_words, "extractor_of", lambda words: extractor)
    lfw, gate = shared / "faces" / "lfw10", str(tmp_path / "gate")
    one, two = (sorted((lfw / name).iterdir()) for name in ("Ariel_Sharon", "Colin_Powell"))
    code, made, _ = face(
        "enrol", gate, *map(str, [*one[:3], *two[:3]]), "--subject-from", "filename:(.+)_[0-9]+", "--json"
    )
    assert code == 0 and (made["subjects"], made["images"]) == (2, 6)
    turned, back = tmp_path / "turned.png", tmp_path / "back.png"
    with Image.open(one[4]) as shot:
        shot.rotate(180).save(turned)
    with Image.open(sorted((shared / "documents" / "receipts_sroie").glob("*.jpg"))[0]) as receipt:
        receipt.save(back)
    stranger = next((lfw / "George_W_Bush").iterdir())
    given = [str(one[5]), str(two[5]), str(stranger), str(turned), str(back)]
    code, found, _ = face("identify", *given, "--gallery", gate, "--json")
    assert code == 1 and [each["subject"] for each in found] == ["Ariel_Sharon", "Colin_Powell", None, None, None]
    assert all(name in json.dumps(found[3:]) for name in ("turned.png", "back.png", "refused"))
    assert face("verify", str(one[0]), str(one[1]))[0] == 0 and face("verify", str(one[0]), str(two[1]))[0] == 8
