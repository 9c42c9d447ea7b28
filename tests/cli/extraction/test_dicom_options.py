"""``privis extract`` of folders of DICOM files: windows, frames, patients, and what is wrong with some of them.

Answers for `privis.cli.extraction.dicom_options`, `privis.io.images.dicom.origins`.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from privis.cli.main import app
from privis.io import tables
from privis.io.images.dicom.origins import origin_of, subjects_of
from privis.io.images.dicom.reading import DicomReading
from privis.io.resumable.run import Progress
from privis.privacy.ledger.file import FileLedger
from privis.privacy.pseudonyms.site_key import SiteKey
from tests.io.images.dicom.dicom_files import NAME, NUMBER, data_set, write

PIXELS = (np.add.outer(np.arange(16), np.arange(16)) * 8).astype(np.int16)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two pictures of one patient, one of three frames of another, one of nobody, and four that are none."""
    folder = tmp_path / "scans"
    folder.mkdir()
    uids = {"StudyInstanceUID": "1.2.3.4711", "SeriesInstanceUID": "1.2.3.4711.1"}
    write(folder / "IM_0001", PIXELS, **uids, WindowCenter=100, WindowWidth=200)
    write(folder / "b.dcm", PIXELS.T.copy() + 1, **uids)
    write(folder / "many.dcm", np.stack([PIXELS, PIXELS + 1, PIXELS + 2]), PatientID="other")
    write(folder / "nobody.dcm", PIXELS + 3, PatientID="")
    write(folder / "report.dcm", None)
    cut = write(folder / "cut.dcm", PIXELS)
    cut.write_bytes(cut.read_bytes()[:-9])
    Image.fromarray(PIXELS.astype(np.uint8)).save(folder / "c.png")
    (folder / "empty.dcm").write_bytes(b"")
    return folder


def extract(where: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["extract", str(where), "-f", "colour", "-p", "size=8x8", "-p", "bins=4", *words])


def rows(output: Path) -> dict[str, np.ndarray]:
    table = tables.read(output)
    return dict(zip(map(os.path.basename, table.paths), table.features, strict=True))


def test_a_folder_is_read_and_what_is_wrong_costs_only_itself(scans: Path, tmp_path: Path) -> None:
    done = extract(scans, "-o", str(tmp_path / "t.npz"), "--frames", "all", "--window", "100,200")
    assert done.exit_code == 1, done.output
    assert set(rows(tmp_path / "t.npz")) == {
        "IM_0001", "b.dcm", "c.png", "nobody.dcm", *(f"many.dcm#frame={number}" for number in (1, 2, 3)),
    }  # fmt: skip
    said = " ".join(done.output.split())
    assert "no pixel data (CT Image Storage)" in said and "503 bytes of pixels" in said and "an empty file" in said
    for path in tmp_path.iterdir():
        content = path.read_bytes() if path.is_file() else b""
        assert not any(secret.encode() in content for secret in (NAME, NUMBER, "1.2.3.4711"))
    assert not any(secret in done.output for secret in (NAME, NUMBER, "1.2.3.4711"))


def test_windows_change_what_is_read_and_other_frames_are_failures(scans: Path, tmp_path: Path) -> None:
    vectors = []
    for number, words in enumerate((["--window", "full"], ["--window", "100,200"], [])):
        done = extract(scans / "IM_0001", "-o", str(tmp_path / f"{number}.npz"), *words)
        assert done.exit_code == 0, done.output
        vectors.append(rows(tmp_path / f"{number}.npz")["IM_0001"])
    assert (vectors[1] == vectors[2]).all() and (vectors[0] != vectors[1]).any()
    done = extract(scans, "-o", str(tmp_path / "t.npz"), "--frames", "3", "--window", "full")
    assert set(rows(tmp_path / "t.npz")) == {"many.dcm#frame=3", "c.png"}
    assert "b.dcm#frame=3: got 1 frame, expected at least 3" in " ".join(done.output.split())


def test_an_unfinished_run_does_not_go_on_with_another_window(scans: Path, tmp_path: Path) -> None:
    from privis import ColourHistogram, extract_folder
    from privis.errors import PrivisError

    def stop(progress: Progress) -> None:
        if progress.done:
            raise KeyboardInterrupt

    sources, output = [str(scans / "IM_0001"), str(scans / "b.dcm")], tmp_path / "t.npz"
    with pytest.raises(KeyboardInterrupt):
        extract_folder(ColourHistogram(), sources, output, chunk=1, dicom=DicomReading("lung"), on_progress=stop)
    with pytest.raises(PrivisError, match="dicom"):
        extract_folder(ColourHistogram(), sources, output, chunk=1, dicom=DicomReading("bone"))
    done = extract_folder(ColourHistogram(), sources, output, chunk=1, dicom=DicomReading("lung"))
    assert done.outcome.rows == 2 and done.outcome.resumed


def test_people_come_from_patient_ids_under_the_key_of_the_site(scans: Path, tmp_path: Path) -> None:
    key, ledger, output = tmp_path / "site.key", tmp_path / "ledger", tmp_path / "t.npz"
    made = CliRunner().invoke(app, ["keygen", str(key), "--for", "site"])
    assert made.exit_code == 0 and "keep it inside" in made.output
    made = CliRunner().invoke(
        app,
        ["ledger", "init", str(ledger), "--epsilon=9", "--delta=1e-6", "--per=subject", "--unit=person"],
    )
    assert made.exit_code == 0, made.output
    done = extract(
        scans, "-o", str(output), "--subject-from", "dicom", "--site-key", str(key), "--release", "laplace", "--unit",
        "person:1", "--epsilon", "2", "--clip", "1", "--ledger", str(ledger), "--yes", "--window", "full",
    )  # fmt: skip
    assert done.exit_code == 1, done.output
    assert set(rows(output)) == {"IM_0001", "many.dcm"}, "one picture of each patient"
    said = " ".join(done.output.split())
    assert "nobody.dcm: got no Patient ID" in said and "c.png: got a picture, expected a DICOM file" in said
    other, one = (SiteKey.load(key).pseudonym(name) for name in ("other", NUMBER))
    book = FileLedger(ledger)
    assert [book.spent(subject).charges for subject in (one, other, SiteKey.load(key).pseudonym("x"))] == [1, 1, 0]
    told = ledger.read_text() + done.output + output.read_bytes().decode("latin-1")
    assert NUMBER not in told and NAME not in told and "other" not in ledger.read_text().split('"')


def test_pseudonyms(scans: Path) -> None:
    pseudonym = SiteKey(bytes(32)).pseudonym
    names = ("IM_0001", "b.dcm", "many.dcm#frame=2", "nobody.dcm", "c.png", "cut.dcm")
    first, same, other, nobody, picture, cut = subjects_of([str(scans / name) for name in names], pseudonym)
    assert first == same == cut == pseudonym(NUMBER) and other == pseudonym("other") and nobody == picture
    origin = origin_of(scans / "b.dcm")
    assert (origin.patient, origin.study, origin.series) == (NUMBER, "1.2.3.4711", "1.2.3.4711.1")
    assert repr(origin) == "DicomOrigin()"
    padded = data_set(PIXELS, PatientID=f" {NUMBER} ")
    padded.save_as(scans / "padded.dcm", enforce_file_format=True)
    assert origin_of(scans / "padded.dcm").patient == NUMBER


@pytest.mark.parametrize(
    "words, said",
    [
        (["--window", "lungs"], "window: got 'lungs', expected file, full, CENTRE,WIDTH"),
        (["--frames", "0"], "frames: got 0, expected a number from 1, or all"),
        (["--subject-from", "dicom"], "no --site-key, expected both or neither; privis keygen FILE --for site"),
        (["--site-key", "k"], "--site-key without --subject-from dicom"),
        (["--subject-from", "folder", "--site-key", "k"], "got 'folder', expected dicom"),
        (["--subject-from", "dicom", "--site-key", "k", "--subject-column", "x"], "with --subject-column"),
    ],
)
def test_words_that_do_not_fit(words: list[str], said: str, scans: Path, tmp_path: Path) -> None:
    done = extract(scans, "-o", str(tmp_path / "t.npz"), *words)
    assert done.exit_code == 2 and said in " ".join(done.output.split()), done.output
    assert not (tmp_path / "t.npz").exists()
