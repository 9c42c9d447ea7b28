"""``privis document check``: its JSON, exit codes, drawings and hidden fields.

Answers for `privis.cli.documents.document_check`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.faces import face_words
from privis.cli.main import app
from privis.extraction.documents.zone_reader import ReadZone, ZoneReader
from privis.extraction.faces.face_templates import FaceTemplateExtractor
from privis.run.mpc.executor import MPC
from privis.run.mpc.protocols import MPCProtocol
from privis.tasks.documents import ZoneArea, zone_of_text
from privis.tasks.faces import ARCFACE_LANDMARKS, DetectedFaces, FaceLimits
from tests.estimators.faces.painted_faces import EXTRACTOR, impostors, picture

LINES = ["P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"]
RATE = ("--threshold", "fmr:0.01", "--calibration", "table.json")


class Placed:
    """A detector that finds the painted portrait of a card, and the frame of any other picture."""

    def detect(self, image: np.ndarray) -> DetectedFaces:
        if image.shape[:2] == (480, 300):
            return DetectedFaces.none()
        if image.shape[:2] != (300, 480):
            return EXTRACTOR.detector.detect(image)
        return DetectedFaces(np.array([[70.6, 70.6, 51, 51]]), ARCFACE_LANDMARKS[None] + 40, np.full(1, 0.95))


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A card of person 3, selfies, a table, and a reader that knows what stands on the card."""
    made = FaceTemplateExtractor(Placed(), EXTRACTOR.embedder, limits=FaceLimits.unlimited())
    monkeypatch.setattr(face_words, "extractor_of", lambda words: made)
    area = ZoneArea(np.array([[20, 250], [460, 250], [460, 290], [20, 290]], np.float32))
    monkeypatch.setattr(ZoneReader, "__call__", lambda self, image: ReadZone(zone_of_text(LINES), area))
    page = np.full((300, 480, 3), 235, np.uint8)
    page[40:152, 40:152] = picture(3)
    Image.fromarray(page).save(tmp_path / "id.png")
    Image.fromarray(picture(3, 5)).save(tmp_path / "same.png")
    Image.fromarray(picture(4)).save(tmp_path / "other.png")
    Image.fromarray(np.zeros((112, 112, 3), np.uint8)).save(tmp_path / "dark.png")
    impostors().save(tmp_path / "table.json")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(*words: str) -> tuple[int, Any, str]:
    """Exit code, the JSON document or the text on stdout, and stderr."""
    done = CliRunner().invoke(app, ["document", "check", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return done.exit_code, json.loads(done.stdout) if "--json" in words and done.stdout else done.stdout, done.stderr


def test_a_selfie_of_the_owner_and_of_another(room: Path) -> None:
    code, told, _ = check("id.png", "--selfie", "same.png", *RATE, "--json")
    assert code == 0 and told["match"] is True and told["kind"] == "document" and told["portrait"] == [71, 71, 51, 51]
    assert told["mrz"]["lines"] == LINES and told["mrz"]["check_digits"] == "valid"
    assert told["mrz"]["fields"]["surname"] == "ERIKSSON"
    assert told["mrz"]["unchecked"] == ["document", "issuer", "surname", "given_names", "nationality", "sex"]
    code, told, _ = check("id.png", "--selfie", "other.png", *RATE, "--json")
    assert code == 8 and told["match"] is False
    code, _, said = check("id.png", "--selfie", "dark.png", *RATE)
    assert code == 3 and "dark.png: got no face" in said and "ERIKSSON" not in said


def test_text_and_hidden_fields(room: Path) -> None:
    code, told, _ = check("id.png", "--selfie", "same.png", *RATE)
    assert code == 0 and "surname: ERIKSSON" in told and "selfie: match" in told
    code, told, said = check("id.png", "--selfie", "same.png", *RATE, "--hide-fields", "--json")
    assert code == 0 and told["mrz"]["lines"] == [] and told["mrz"]["fields"] == {}
    assert told["mrz"]["check_digits"] == "valid" and "ERIKSSON" not in json.dumps(told) + said


def test_a_drawing(room: Path) -> None:
    assert check("id.png", "--selfie", "same.png", *RATE, "--draw", "seen.png")[0] == 0
    drawn, before = np.asarray(Image.open("seen.png")), np.asarray(Image.open("id.png"))
    assert (
        drawn.shape == before.shape
        and (drawn[71, 71:122] != before[71, 71:122]).any()
        and (drawn[250, 300] != 235).any()
    )
    code, _, said = check("id.png", "--draw", "seen.gif")
    assert code == 2 and "--draw" in said


def test_who_reads_the_zone(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    before = ZoneReader.__call__
    monkeypatch.setattr(
        ZoneReader, "__call__", lambda self, image: seen.append(self.reader.under) or before(self, image)
    )
    assert check("id.png", "--selfie", "same.png", *RATE, "--under", "aby3")[0] == 0
    assert seen == [MPC(MPCProtocol.ABY3)]
    code, _, said = check("id.png", "--under", "elsewhere")
    assert code == 2 and "--under: got 'elsewhere', expected one of clear, aby3, cheetah, ckks" in said


@pytest.mark.parametrize("rate", ["0.4", "fmr:2", "fmr:x"])
def test_thresholds_are_rates(room: Path, rate: str) -> None:
    code, _, said = check("id.png", "--threshold", rate)
    assert code == 2 and "--threshold" in said


def test_unsure_check_digits_are_said(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [LINES[0], LINES[1].replace("L8", "L7")]
    area = ZoneArea(np.array([[20, 250], [460, 250], [460, 290], [20, 290]], np.float32))
    monkeypatch.setattr(ZoneReader, "__call__", lambda self, image: ReadZone(zone_of_text(wrong), area))
    code, told, said = check("id.png", "--selfie", "same.png", *RATE, "--json")
    assert code == 0 and told["mrz"]["check_digits"] == "unsure" and "check digits do not confirm" in said
