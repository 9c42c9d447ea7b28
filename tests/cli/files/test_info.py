"""``privis info`` says of every file of Privis what it is and holds, and never a secret.

Answers for `privis.cli.files.info`, `privis.cli.files.face_facts`, `privis.cli.files.index_facts` and
`privis.cli.files.key_facts`.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from privis.cli.files.info import _FACTS
from privis.cli.main import app
from privis.file_formats import FileFormat
from privis.io.face_gallery import FaceGallery
from tests.cli.files.every_file import every_file, stored_table

GUARANTEE = {"sentence": "epsilon 16 for each"}
SAID = {
    FileFormat.TABLE: ("2 rows of 6 components", "Laplace(epsilon=4.0)", "epsilon 4", "images: 1"),
    FileFormat.HEAD: ("2 classes: a, b", "No differential privacy"),
    FileFormat.LINEAR_HEAD: ("2 scores: a, b; vectors of 7 components, brought to length 1", "softmax"),
    FileFormat.CALIBRATION: ("1 pairs of two of 2 people, from axes", "from 0.95 on"),
    FileFormat.FACE_GALLERY: ("2 people, templates of 4 components from 3 images", "99,998 more", "are exact"),
    FileFormat.SEARCH_INDEX: ("1 images of 1 subjects", "recipe colour, 512 components", "store parquet", "are exact"),
    FileFormat.INDEX_FILE: ("recipe colour, store parquet",),
    FileFormat.REDACTION_LOG: ("pictures: 1, painted regions: 1", "keep it inside"),
    FileFormat.DEIDENTIFICATION_LOG: ("pictures: 1", "keep it inside"),
    FileFormat.DEIDENTIFICATION_KEY: ("not shown",),
    FileFormat.PROGRAM: ("input 0: (4, 4, 3)", "Histogram 1", "digest "),
    FileFormat.COMPILED: ("code of the program 0000", "costs time"),
    FileFormat.CHECKPOINT: ("step 0",),
    FileFormat.PROJECTION: ("6 to 2",),
    FileFormat.CODEBOOK: ("2 words of 4 components", "two words"),
    FileFormat.LEDGER: ("keeps epsilon 4", "charges: 0", "intact"),
    FileFormat.ANSWER_LEDGER: ("lines: 0", "intact"),
    FileFormat.ERASURE_RECEIPT: ("gone: 1 rows of 1 people", "(gallery), signed by"),
    FileFormat.RECEIPTS: ("receipts: 1 of store", "intact"),
    FileFormat.RECEIPT_KEY: ("signs as", "not shown"),
    FileFormat.CARD_KEY: ("signs as", "not shown"),
    FileFormat.SITE_KEY: ("whole, and readable by you alone", "not shown"),
    FileFormat.TOKENS: ("alice",),
    FileFormat.CARD: ("ColourHistogram(", "PixelRelease("),
    FileFormat.RUN: ("ColourHistogram(",),
    FileFormat.JOB: ("joint-lbp: extract", "photos of hospital"),
    FileFormat.TERMS: ("hog of pictures",),
    FileFormat.CERTIFICATE: ("CN=a", "good until"),
    FileFormat.PICTURE: ("4 x 4 pixels, RGB",),
    FileFormat.DICOM: ("8 bits, MONOCHROME2, Explicit VR Little Endian; 1 frame", "4 x 4 pixels, grey"),
    FileFormat.VIDEO: ("32 x 16 pixels; mjpeg", "4 frames, shown from 0 s to 0.3 s, 10 a second, even"),
    FileFormat.LIST: ("columns: path, label",),
    FileFormat.LEDGER_HEAD: ("budget",),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[FileFormat, Path]:
    return every_file(tmp_path_factory.mktemp("files"))


def told(*paths: Path) -> Any:
    return CliRunner().invoke(app, ["info", *map(str, paths)])


def test_every_file_of_privis_says_what_it_is(files):
    for form, path in files.items():
        done = told(path)
        assert done.exception is None or isinstance(done.exception, SystemExit), (form, done.exception)
        assert done.exit_code == (0 if form in _FACTS else 2), (form, done.output)
        assert str(path) in done.output and str(form) in done.output
        for words in SAID.get(form, ()):
            assert words in done.output, (form, done.output)


def test_no_secret_is_ever_shown(files):
    secrets = {files[FileFormat.TOKEN].read_text().strip(), "content", bytes(range(32)).hex(), "BEGIN"}
    secrets |= {line for line in files[FileFormat.PRIVATE_KEY].read_text().splitlines() if len(line) > 20}
    secrets |= {line.partition("sha256:")[2] for line in files[FileFormat.TOKENS].read_text().splitlines()}
    for form in (
        FileFormat.TOKEN,
        FileFormat.TOKENS,
        FileFormat.RELEASE_KEY,
        FileFormat.SECRET_KEY,
        FileFormat.PRIVATE_KEY,
    ):
        output = told(files[form]).output
        assert not [secret for secret in secrets if secret in output], form


def test_nobody_in_a_gallery_is_named(files, tmp_path):
    path = files[FileFormat.FACE_GALLERY]
    output = told(path).output.replace(str(path), "")
    for hidden in ("ann", "bob", "a1", "0.5", "2026", "2020"):
        assert hidden not in output, output
    assert "1 past their date of retention; at most 99,999 people" in output
    released = FaceGallery(bytes(32), "n").with_released(["eve"], [3], np.eye(1, 4), GUARANTEE, date(2026, 1, 1))
    (tmp_path / "released").write_bytes(released.to_bytes())
    assert "epsilon 16 for each" in told(tmp_path / "released").output


def test_a_key_that_others_may_read_is_said(files):
    files[FileFormat.RELEASE_KEY].chmod(0o644)
    done = told(files[FileFormat.RELEASE_KEY])
    files[FileFormat.RELEASE_KEY].chmod(0o600)
    assert done.exit_code == 2 and "mode 0644" in done.output


def test_damaged_files_are_said_to_be(files, tmp_path):
    for form in (FileFormat.TABLE, FileFormat.HEAD, FileFormat.PROGRAM, FileFormat.CARD, FileFormat.EVALUATION_KEY):
        cut = tmp_path / f"cut-{files[form].name}"
        cut.write_bytes(files[form].read_bytes()[:-20])
        done = told(cut)
        assert done.exit_code in (2, 7) and isinstance(done.exception, SystemExit), (form, done.output)


def test_several_files_in_one_call(files, tmp_path):
    done = told(stored_table(tmp_path / "t.parquet"), files[FileFormat.HEAD])
    assert done.exit_code == 0 and "a table of features" in done.output and "a classifier" in done.output
