"""The benchmark of documents runs on a few pictures, so that it cannot rot."""

from pathlib import Path

import numpy as np

from benchmarks.documents import checks as documents
from benchmarks.documents.document_pictures import Measured, changed, pictures
from privis.estimators.documents.document_checker import DocumentChecker
from privis.extraction.faces.cascade_detector import CascadeDetector
from privis.tasks.documents import PictureKind


def test_a_few_pictures(shared: Path) -> None:
    checker = DocumentChecker(CascadeDetector())
    found = documents.boxes(shared, checker, most=2)
    assert found["portraits"] == (1, 1) and found["on receipts"] == (0, 2)
    known = pictures(shared, most=3)
    measured = Measured(known, dict.fromkeys(PictureKind, 0))
    guessed = measured.validated(3)
    assert len(guessed) == len(known) and set(guessed) <= {kind.value for kind in PictureKind}
    assert len(documents.with_findings(measured, guessed, known, checker)) == len(known)


def test_one_document_is_in_one_group(shared: Path) -> None:
    groups = {path.name: group for _, group, path in pictures(shared)}
    assert groups["passport-td3.jpg"] == groups["td1.jpg"] == groups["25_pass-uto.jpg"] != groups["100_pass-hrv.jpg"]


def test_changed_copies_are_pictures(rng: np.random.Generator) -> None:
    for _ in range(8):
        made = changed(rng.integers(0, 256, (300, 200, 3)).astype(np.uint8), rng)
        assert made.dtype == np.uint8 and min(made.shape[:2]) > 50
