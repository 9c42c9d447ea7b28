"""`DocumentChecker` and `privis.estimators.documents.portraits`: turned pictures, two documents, no document."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import privis
from privis.errors import ImageError, ParameterError
from privis.estimators.documents.document_checker import DocumentChecker
from privis.estimators.documents.portraits import find_portraits, portrait_cut, turned_back
from privis.extraction.documents.zone_reader import ReadZone
from privis.tasks.documents import PictureKind, ZoneArea, zone_of_text
from privis.tasks.faces import ARCFACE_LANDMARKS, DetectedFaces
from tests.estimators.faces.painted_faces import EXTRACTOR, impostors, picture

LINES = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"


class Arrows:
    """A detector of upright "faces": a red block above a blue one of the same width."""

    def detect(self, image: np.ndarray) -> DetectedFaces:
        boxes = []
        reds = (image[..., 0] > 200) & (image[..., 1:] < 60).all(-1) if image.ndim == 3 else np.zeros((1, 1), bool)
        blues = (image[..., 2] > 200) & (image[..., :2] < 60).all(-1) if image.ndim == 3 else reds
        count, labels = _parts(reds)
        for number in range(1, count):
            rows, columns = np.nonzero(labels == number)
            below = rows.max() + 2
            if below < len(image) and blues[below : below + 2, columns.min() : columns.max() + 1].mean() > 0.8:
                width, height = np.ptp(columns) + 1, 2 * (np.ptp(rows) + 1)
                boxes.append([columns.min(), rows.min(), width, height])
        if not boxes:
            return DetectedFaces.none()
        return DetectedFaces(
            np.array(boxes, float), np.repeat(ARCFACE_LANDMARKS[None], len(boxes), 0), np.full(len(boxes), 0.9)
        )


def _parts(mask: np.ndarray):
    import cv2

    return cv2.connectedComponents(mask.astype(np.uint8))


def card(*faces: tuple[int, int, int]) -> np.ndarray:
    """A card of 300 x 480 pixels with faces: x, y and width each, twice as high."""
    page = np.full((300, 480, 3), 235, np.uint8)
    page[260:280:2, 20:460] = 30
    for x, y, width in faces:
        page[y : y + width, x : x + width] = (255, 0, 0)
        page[y + width : y + 2 * width, x : x + width] = (0, 0, 255)
    return page


@pytest.mark.parametrize("turns", range(4))
def test_a_portrait_is_where_it_is_however_the_picture_is_turned(turns: int) -> None:
    page = np.ascontiguousarray(np.rot90(card((40, 60, 50)), turns))
    found = find_portraits(page, Arrows())
    assert found.portrait is not None and found.ghost is found.second is None
    assert found.turns == -turns % 4
    x, y, width, height = found.portrait
    inside = page[y : y + height, x : x + width].astype(int)
    assert inside.shape[0] * inside.shape[1] == 50 * 100 and (np.ptp(inside, -1) == 255).all()
    cut = portrait_cut(page, found)
    assert cut.shape[:2] == (220, 110)  # upright, with room


def test_ghosts_are_smaller_and_second_portraits_are_not() -> None:
    ghost = find_portraits(card((40, 40, 60), (300, 100, 20)), Arrows())
    assert ghost.portrait == (40, 40, 60, 120) and ghost.ghost == (300, 100, 20, 40) and ghost.second is None
    two = find_portraits(card((40, 40, 60), (300, 40, 58)), Arrows())
    assert two.second == (300, 40, 58, 116) and two.ghost is None


@pytest.mark.parametrize("quarters", range(4))
def test_boxes_are_turned_back(quarters: int) -> None:
    marked = np.zeros((7, 12), int)
    marked[2:5, 8:10] = 1
    rows, columns = np.nonzero(np.rot90(marked, quarters))
    box = np.array([columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1], float)
    assert turned_back(box, quarters, marked.shape) == (8, 2, 2, 3)


def checker(verified: bool = False) -> DocumentChecker:
    verifier = privis.Verifier(EXTRACTOR, 0.01, impostors()) if verified else None
    return DocumentChecker(Arrows(), verifier=verifier)


def test_bad_pictures_are_refused_with_their_name(tmp_path: Path) -> None:
    pages = [Image.fromarray(card((40, 60, 50))), Image.fromarray(card())]
    pages[0].save(tmp_path / "two.tif", save_all=True, append_images=pages[1:])
    Image.fromarray(np.full((300, 300), 255, np.uint8)).save(tmp_path / "blank.png")
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "tiny.png")
    (tmp_path / "no.png").write_bytes(b"no picture")
    said = {"two.tif": "2 pages", "blank.png": "a blank picture", "tiny.png": "30 x 20 pixels", "no.png": "no known"}
    for name, word in said.items():
        with pytest.raises(ImageError, match=word) as caught:
            checker().check(tmp_path / name)
        assert name in str(caught.value)
    with pytest.raises(ImageError, match="no such file"):
        checker().check(tmp_path / "missing.png")


def test_pictures_of_sixteen_bits_and_one_page_are_read(tmp_path: Path) -> None:
    grey = card((40, 60, 50))[..., 1]
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(grey).save(tmp_path / "one.tif")
    for name in ("deep.png", "one.tif"):
        assert checker().check(tmp_path / name).portrait is None


def test_parts_of_other_types_are_refused_together() -> None:
    with pytest.raises(ParameterError) as caught:
        DocumentChecker(3, 4, 5)  # type: ignore[arg-type]
    assert len(caught.value.problems) == 3
    with pytest.raises(ParameterError, match="verifier"):
        checker().check(card((40, 60, 50)), picture(0))


def read(check_digits: bool, turns: int = 0):
    """What a reader finds that sees a zone in every picture."""
    area = ZoneArea(np.array([[-9, 250], [460, 250], [460, 290], [-9, 290]], np.float32))
    lines = LINES if check_digits else (LINES[0], LINES[1].replace("L8", "L7"))
    return lambda self, image: ReadZone(zone_of_text(lines), area, turns)


def test_a_zone_makes_a_document_and_its_text_is_not_in_the_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    from privis.extraction.documents.zone_reader import ZoneReader

    monkeypatch.setattr(ZoneReader, "__call__", read(True))
    found = checker().check(card((40, 60, 50)))
    assert found.kind is PictureKind.DOCUMENT and found.portrait == (40, 60, 50, 100)
    assert found.zone_box == (0, 250, 461, 41)
    assert "ERIKSSON" not in repr(found) and "L898902C3" not in repr(found)
    with pytest.raises(ImageError, match="two portraits"):
        checker().check(card((40, 40, 60), (300, 40, 58)))


def test_text_that_was_read_upside_down_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from privis.extraction.documents.zone_reader import ZoneReader

    monkeypatch.setattr(ZoneReader, "__call__", read(False, turns=2))
    found = checker().check(card((40, 60, 50)))
    assert found.turns == 0 and found.zone is not None
    assert found.zone.zone.lines == () and found.zone.zone.check_digits.value == "unsure"


def painted_card(person: int) -> np.ndarray:
    """A card whose portrait, cut out with its room, is the painted picture of a person."""
    page = np.full((300, 480, 3), 235, np.uint8)
    page[40:152, 40:152] = picture(person)
    return page


class Placed:
    """A detector that finds the painted portrait of a card, and the frame of any other picture."""

    def detect(self, image: np.ndarray) -> DetectedFaces:
        if image.shape[:2] == (480, 300):
            return DetectedFaces.none()
        if image.shape[:2] != (300, 480):
            return EXTRACTOR.detector.detect(image)
        return DetectedFaces(np.array([[70.6, 70.6, 51, 51]]), ARCFACE_LANDMARKS[None] + 40, np.full(1, 0.95))


def test_selfies(monkeypatch: pytest.MonkeyPatch) -> None:
    from privis.extraction.documents.zone_reader import ZoneReader

    monkeypatch.setattr(ZoneReader, "__call__", read(True))
    compares = DocumentChecker(Placed(), verifier=privis.Verifier(EXTRACTOR, 0.01, impostors()))
    same = compares.check(painted_card(3), picture(3, 5)).verification
    other = compares.check(painted_card(3), picture(4)).verification
    assert same is not None and same.match and other is not None and not other.match
    with pytest.raises(ImageError, match="selfie: got no face"):
        compares.check(painted_card(3), np.zeros((112, 112, 3), np.uint8))
    with pytest.raises(ImageError, match="no portrait"):
        DocumentChecker(Arrows(), verifier=compares.verifier).check(card(), picture(3))


def test_specimens_turned(shared: Path) -> None:
    from privis.extraction.faces.cascade_detector import CascadeDetector
    from privis.io.images.decode import load

    checks = DocumentChecker(CascadeDetector())
    specimen = load(shared / "documents" / "id_specimens" / "100_pass-polx.jpg")
    for turns in (0, 1, 2):
        found = checks.check(np.ascontiguousarray(np.rot90(specimen, turns)))
        assert found.kind is PictureKind.DOCUMENT and found.turns == -turns % 4 and found.portrait is not None
        assert found.zone is not None and found.zone.zone.format == "TD3"
