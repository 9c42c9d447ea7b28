"""`zone_finding`, `glyphs` and `located_zone` on specimens, receipts and rendered pages."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from privis.errors import ParameterError
from privis.tasks.documents import lines_of, locate_zone, zone_areas

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "documents"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the data of documents is not here")

# x, y, width, height in pixels, held against the pictures by eye
BOXES = {
    "0_id-esp.png": (21, 166, 372, 78),
    "100_id-mac.jpg": (11, 118, 256, 46),
    "100_id-rou.jpg": (38, 317, 528, 69),
    "100_id-usa.jpg": (201, 144, 348, 61),
    "100_pass-bdr.jpg": (55, 1028, 1705, 190),
    "100_pass-cze.jpg": (17, 334, 544, 61),
    "100_pass-cze2.jpg": (26, 323, 552, 58),
    "100_pass-hrv.jpg": (19, 326, 547, 59),
    "100_pass-isl.jpg": (17, 320, 558, 61),
    "100_pass-lux.jpg": (46, 630, 1311, 242),
    "100_pass-polx.jpg": (23, 311, 552, 79),
    "100_pass2-uto.jpg": (57, 477, 617, 70),
    "100_visa-polx.jpg": (47, 291, 526, 71),
    "24_pass-egy.jpg": (11, 148, 249, 29),
    "25_pass-uto.jpg": (6, 148, 255, 27),
    "33_id-usa.jpg": (0, 101, 274, 93),
    "43_pass-fra.jpg": (15, 216, 346, 35),
    "53_id-d.jpg": (13, 106, 225, 39),
    "77_card-cmw.png": (91, 367, 800, 156),
    "79_pass-can.jpg": (21, 216, 426, 75),
    "98_pass-nld.jpg": (12, 254, 412, 46),
    "passport-td2.jpg": (104, 750, 1087, 122),
    "passport-td3.jpg": (46, 655, 1148, 112),
}


def overlap(one, other):
    """Intersection over union."""
    corner = np.maximum(one[:2], other[:2])
    common = np.clip(np.minimum(np.add(one[:2], one[2:]), np.add(other[:2], other[2:])) - corner, 0, None).prod()
    return common / (np.prod(one[2:]) + np.prod(other[2:]) - common)


@needs_data
def test_zones_of_specimens():
    images = sorted((DATA / "id_specimens").glob("*.[jp]*g"))
    found = {path.name: locate_zone(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)) for path in images}
    right = [n for n, zone in found.items() if zone and n in BOXES and overlap(zone.area.box, BOXES[n]) > 0.6]
    assert len(images) == 25
    assert len(right) >= 20  # the bar, and what is measured


@needs_data
def test_no_zone_on_receipts_and_where_there_is_none():
    images = [*sorted((DATA / "receipts_sroie").glob("*.jpg")), DATA / "mrz_specimens" / "nomrz.jpg"]
    found = [path.name for path in images if locate_zone(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))]
    assert found == []


@needs_data
@pytest.mark.parametrize("name", ["eng.OCRB.exp0.tif", "eng.OCR-B_10_BT.exp0.tif"])
def test_every_character_of_rendered_pages_has_its_column(name):
    folder = DATA / "mrz_ocrb_pages"
    text = (folder / "eng.MRZ.eval.training_text").read_text().split()
    page = cv2.imread(str(folder / name), cv2.IMREAD_GRAYSCALE)
    lines = lines_of(page, None)
    assert [len(line.glyphs) for line in lines] == [len(line) for line in text]
    boxes = [row.split() for row in (folder / name.replace(".tif", ".box")).read_text().splitlines()]
    printed = [[int(v) for v in row[1:5]] for row in boxes if len(row) == 6]
    centres = [(left + right) / 2 for left, _, right, _ in printed]
    columns = [
        line.box[0] + line.box[2] * (n + 0.5) / len(line.glyphs) for line in lines for n in range(len(line.glyphs))
    ]
    assert len(centres) == len(columns)
    assert np.abs(np.subtract(centres, columns)).max() < 0.3 * lines[0].box[2] / len(lines[0].glyphs)


def test_odd_pictures_have_no_zone():
    noise = np.random.default_rng(0).integers(0, 256, (200, 300)).astype(np.uint8)
    for grey in (np.zeros((1, 1), np.uint8), np.zeros((40, 4000), np.uint8), np.full((300, 40), 9, np.uint8), noise):
        assert locate_zone(grey) is None
    assert zone_areas(np.zeros((200, 300), np.uint8)) == ()
    assert lines_of(np.full((40, 400), 255, np.uint8)) == ()


@pytest.mark.parametrize(
    "image", [np.zeros((20, 20, 3), np.uint8), np.zeros((20, 20)), np.zeros((0, 5), np.uint8), None]
)
def test_what_is_no_grey_image_is_refused(image):
    with pytest.raises(ParameterError, match="grey"):
        locate_zone(image)
