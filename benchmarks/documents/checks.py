"""Documents: portraits, machine-readable zones and kinds of pictures, beside their bars, and processor seconds.

``python -m benchmarks.documents [DATA]``; with ``DATA --train FILE`` the head of kinds is trained on all and written.
Bars: the portrait on 20 of 20 pictures that show one and on no receipt; the zone on 20 of 25 specimens; kinds right for
96 %, by cross-validation in 12 parts that divide no person and no document. The first row of kinds judges by looks
alone; in the second a zone that was read, or a face on paper, makes a picture a document, as `DocumentChecker` does.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.documents.document_pictures import Measured, pictures
from privis.errors import ImageError
from privis.estimators.documents.document_checker import SURELY_A_FACE, DocumentChecker
from privis.estimators.documents.portraits import find_portraits
from privis.extraction.faces.cascade_detector import CascadeDetector
from privis.extraction.faces.face_networks import has_face_networks
from privis.io.images.decode import load
from privis.tasks.documents.picture_kinds import PictureKind

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
BACKS = {"0_id-esp.png", "100_id-mac.jpg", "100_id-usa.jpg", "53_id-d.jpg", "77_card-cmw.png"}
"""Specimens that show no portrait."""


def boxes(data: Path, checker: DocumentChecker, most: int | None = None) -> dict[str, tuple[int, int]]:
    """Portraits, faces where there is none, and zones: how many were found, of how many."""
    specimens = sorted((data / "documents" / "id_specimens").glob("*.[jp]*g"))[:most]
    receipts = sorted((data / "documents" / "receipts_sroie").glob("*.jpg"))[:most]
    found = {path.name: checker.check(path) for path in specimens}
    with_one = [name for name in found if name not in BACKS]
    on_receipts = [checker.check(path).portrait is not None for path in receipts]
    return {
        "portraits": (sum(found[name].portrait is not None for name in with_one), len(with_one)),
        "false on backs": (sum(found[name].portrait is not None for name in found if name in BACKS), len(BACKS)),
        "on receipts": (sum(on_receipts), len(receipts)),
        "zones": (sum(each.zone is not None for each in found.values()), len(specimens)),
        "zones read": (
            sum(each.zone is not None and bool(each.zone.zone.format) for each in found.values()),
            len(found),
        ),
    }


def with_findings(measured: Measured, guessed: np.ndarray, known: list, checker: DocumentChecker) -> np.ndarray:
    """Kinds of the unchanged pictures, with what zones and faces say."""
    kinds = guessed.copy()
    for row in np.flatnonzero(~measured.changed):
        if guessed[row] == PictureKind.DOCUMENT:
            continue
        image = load(known[measured.numbers[row]][2])
        zone = checker.reader(image)
        if zone is not None and zone.zone.format is not None:
            kinds[row] = PictureKind.DOCUMENT.value
        elif guessed[row] == PictureKind.RECEIPT:
            try:
                score = find_portraits(image, checker.detector).score
            except ImageError:
                continue
            kinds[row] = PictureKind.DOCUMENT.value if SURELY_A_FACE <= score < 1 else kinds[row]
    return kinds


def told(name: str, guessed: np.ndarray, measured: Measured, rows: np.ndarray) -> None:
    right = guessed == measured.kinds
    each = [f"{kind} {100 * right[rows & (measured.kinds == kind)].mean():.1f}" for kind in np.unique(measured.kinds)]
    print(f"{name:38} {100 * right[rows].mean():5.1f} % of {rows.sum()} (bar 96)   {', '.join(each)}", flush=True)


def main() -> None:
    words = [word for word in sys.argv[1:] if word != "--train"]
    train = "--train" in sys.argv
    data = Path(words[0]) if words else DATA
    start = time.process_time()
    known = pictures(data)
    measured = Measured(known)
    if train:
        measured.head(np.ones(len(measured.rows), bool)).save(words[1])
        print(f"{words[1]}: trained on {len(measured.rows)} rows of {len(known)} pictures")
        return
    checkers = {"no weights": DocumentChecker(CascadeDetector())}
    if has_face_networks():
        checkers = {"YuNet": DocumentChecker(), **checkers}
    for name, checker in checkers.items():
        row = ", ".join(f"{what} {got} of {count}" for what, (got, count) in boxes(data, checker).items())
        print(f"{name}: {row} (bars: 20 of 20, 0 on receipts, zones 20 of 25)", flush=True)
    guessed = measured.validated()
    told("kinds, by looks alone", guessed, measured, ~measured.changed)
    complete = with_findings(measured, guessed, known, next(iter(checkers.values())))
    told("kinds, with zones and faces", complete, measured, ~measured.changed)
    told("kinds, changed copies, by looks alone", guessed, measured, measured.changed)
    print(f"{time.process_time() - start:.0f} processor s")
