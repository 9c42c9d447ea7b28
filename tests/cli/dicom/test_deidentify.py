"""``privis dicom deidentify``.

Answers for `privis.cli.dicom.dicom_group`, `privis.cli.dicom.deidentify`, `privis.cli.dicom.deidentify_options`,
`privis.cli.dicom.deidentify_inputs`, `privis.cli.dicom.deidentify_report`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from typer.testing import CliRunner

from privis.cli.main import app
from tests.io.images.dicom.dicom_files import write

FLAT = np.full((64, 64), 7, np.uint16)


def run(*words: Any) -> Any:
    return CliRunner().invoke(app, ["dicom", "deidentify", *map(str, words)])


@pytest.fixture
def study(tmp_path) -> Path:
    folder = tmp_path / "Vantongeren"
    (folder / "deep").mkdir(parents=True)
    write(folder / "one.dcm", FLAT, PatientName="Vantongeren^Y", PatientID="N 17", PatientBirthDate="19500101")
    write(folder / "deep" / "two", FLAT, PatientName="Vantongeren^Y", PatientID="n17", PatientBirthDate="19500101")
    return folder


def test_a_folder_its_log_and_a_run_that_is_repeated(tmp_path, study):
    done = run(study, "-o", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert len({row["patient"] for row in rows}) == 1 and all(Path(row["output"]).is_file() for row in rows)
    assert "Vantongeren" not in " ".join(str(path.relative_to(tmp_path)) for path in (tmp_path / "out").rglob("*"))
    lines = (tmp_path / "out.deidentification.jsonl").read_text().splitlines()
    actions = json.loads(lines[1])["actions"]
    assert any(action["place"] == "(0010,0020)" for action in actions) and "N 17" not in "".join(lines)
    assert not (tmp_path / "out.deidentification.key").exists()  # drawn and dropped
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.dcm")}
    assert json.loads(run(study, "-o", tmp_path / "out", "--json").stdout) == rows
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.dcm")}


def test_a_killed_run_goes_on_under_its_key(tmp_path, study, monkeypatch):
    import privis.cli.dicom.deidentify_run as module

    whole, calls = module._one, []

    def killed(run: Any, file: Any) -> Any:
        if calls:
            raise KeyboardInterrupt
        calls.append(file)
        return whole(run, file)

    monkeypatch.setattr(module, "_one", killed)
    assert run(study, "-o", tmp_path / "out").exit_code == 130
    assert (tmp_path / "out.deidentification.key").stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(module, "_one", whole)
    assert run(study, "-o", tmp_path / "out").exit_code == 0
    made = [pydicom.dcmread(path) for path in (tmp_path / "out").rglob("*.dcm")]
    assert len(made) == 2 and made[0].PatientID == made[1].PatientID
    assert not (tmp_path / "out.deidentification.key").exists()


def test_a_bad_file_does_not_stop_a_run(tmp_path, study):
    (study / "a.txt").write_text("no DICOM")
    (study / "cut.dcm").write_bytes((study / "one.dcm").read_bytes()[:-400])
    done = run(study, "-o", tmp_path / "out")
    assert done.exit_code == 1 and len(list((tmp_path / "out").rglob("*.dcm"))) == 2
    assert "a.txt" in done.output and "cut.dcm" in done.output
    later = run(study, "-o", tmp_path / "out")
    assert later.exit_code == 1 and "key was dropped" in later.output


def test_what_is_left_is_held_back(tmp_path, study, monkeypatch):
    import privis.extraction.deidentification.deidentified_file as module

    monkeypatch.setattr(module, "leftovers", lambda *given: ["(0010,0010): a name"])
    done = run(study, "-o", tmp_path / "out")
    assert done.exit_code == 8 and "held back" in done.output and not list((tmp_path / "out").rglob("*.dcm"))


def test_a_dry_run_writes_nothing(tmp_path, study):
    before = sorted(tmp_path.rglob("*"))
    done = run(study, "-o", tmp_path / "out", "--dry-run", "--json", "--key", tmp_path / "key")
    assert done.exit_code == 0 and sorted(tmp_path.rglob("*")) == before
    assert json.loads(done.stdout)[0]["actions"]


def test_a_key_links_exports_and_another_one_is_refused(tmp_path, study):
    for name in ("a", "b"):
        assert run(study, "-o", tmp_path / name, "--key", tmp_path / "key").exit_code == 0
    ids = [{pydicom.dcmread(path).PatientID for path in (tmp_path / name).rglob("*.dcm")} for name in ("a", "b")]
    assert ids[0] == ids[1]
    assert run(study, "-o", tmp_path / "a", "--key", tmp_path / "other").exit_code == 4
    assert run(study, "-o", tmp_path / "a", "--retain", "device").exit_code == 4


def test_originals_are_never_replaced(tmp_path, study):
    assert run(study, "-o", study / "out").exit_code == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.dcm").write_bytes(b"a")
    assert run(study, "-o", tmp_path / "mine").exit_code == 4
    assert run(study / "one.dcm", "-o", study / "one.dcm").exit_code == 2
    (tmp_path / "new").mkdir()
    assert run(study, "-o", tmp_path / "new", "--key", tmp_path / "new" / "key").exit_code == 2
    assert not any((tmp_path / "new").iterdir())


def test_people_that_look_wrong_are_said(tmp_path, study):
    write(study / "three", FLAT, PatientName="Vantongeren^Y", PatientID="18", PatientBirthDate="19500101")
    write(study / "four", FLAT, PatientName="Other^Name", PatientID="18", PatientBirthDate="19500101")
    said = run(study, "-o", tmp_path / "out", "--review", tmp_path / "check").output
    assert "one Patient ID, several people" in said and "one person with several Patient IDs" in said
    assert list((tmp_path / "check").rglob("*.jpg"))
