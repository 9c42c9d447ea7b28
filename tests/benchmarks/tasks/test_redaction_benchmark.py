"""The benchmark of redaction runs on one plate, one page of text and a made picture, so that it cannot rot."""

from pathlib import Path

import numpy as np

from benchmarks.tasks import redaction
from privis.extraction.redaction.picture_finders import PlateSearch
from privis.extraction.redaction.redactor import Redactor
from privis.tasks.redaction import ImageRegion, RegionKind


class Corner:
    """Finds the same place in every picture."""

    def find(self, image):
        return (ImageRegion.of_box(RegionKind.FACE, 0, 0, 20, 20),)


def test_boxes_are_found_or_missed():
    cases = [
        ("a", np.zeros((80, 80), np.uint8), [(2, 2, 10, 10)]),
        ("b", np.zeros((80, 80), np.uint8), [(50, 50, 9, 9)]),
    ]
    tally = redaction.measure(Redactor((Corner(),)), cases, second=True)
    assert (tally.boxes, tally.found, tally.missed, tally.unsettled) == (2, 1, ["b"], 0)
    assert tally.again == 2 and 0 < tally.outside[1] < 0.2 and tally.outside[0] < tally.outside[1]


def test_a_plate_and_a_page(shared: Path, capsys):
    cases = list(redaction.plates(shared / "detection" / "license_plates" / "us"))[:1]
    tally = redaction.measure(Redactor((PlateSearch(),)), cases)
    assert tally.found == tally.boxes == 1
    (first, *_) = redaction.bare(shared / "photos" / "kodak", step=8)
    share = redaction.text_row("one", redaction.rendered([first[1]], True))
    assert share > 0.95 and "one" in capsys.readouterr().out
