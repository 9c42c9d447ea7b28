"""`redactor`, `face_search` and `picture_finders`: what is looked at, until nothing new is found."""

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest

from privis.errors import ParameterError
from privis.extraction.faces.cascade_detector import CascadeDetector
from privis.extraction.redaction.face_search import FaceSearch
from privis.extraction.redaction.picture_finders import PlateSearch, TextSearch, ZoneSearch
from privis.extraction.redaction.redactor import Redactor
from privis.io.images.decode import load
from privis.io.images.pages import as_written
from privis.tasks.faces.detected_faces import DetectedFaces
from privis.tasks.redaction import ImageRegion, Margins, RegionKind, TextFinder


@dataclass(frozen=True)
class WhiteSquares:
    """Finds the first white square of at least 4 pixels, so that several looks are needed."""

    seen: list[np.ndarray] = field(default_factory=list)

    def find(self, image):
        self.seen.append(image)
        count, _, stats, _ = cv2.connectedComponentsWithStats((image > 200).astype(np.uint8))
        boxes = [row[:4] for row in stats[1:count] if row[4] >= 4]
        return tuple(ImageRegion.of_box(RegionKind.FACE, *map(float, box)) for box in boxes[:1])


def squares(*places: int) -> np.ndarray:
    picture = np.zeros((20, 60), np.uint8)
    for place in places:
        picture[8:12, place : place + 4] = 255
    return picture


def test_looks_again_until_nothing_is_found():
    finder = WhiteSquares()
    done = Redactor((finder,), Margins(face=0.0))(squares(5, 20, 40))
    assert done.settled and done.painted == 3 and done.passes == 4 and not done.pixels.any()
    assert len(finder.seen) == 4 and done.share == pytest.approx(3 * 36 / 1200)
    short = Redactor((WhiteSquares(),), passes=2)(squares(5, 20, 40))
    assert not short.settled and short.painted == 2 and short.pixels.any()


def test_boxes_of_the_user_are_painted_as_they_are_and_hide_from_detectors():
    own = [ImageRegion.of_box(RegionKind.GIVEN, 4, 7, 6, 6)]
    done = Redactor((WhiteSquares(),), colour=(9, 9, 9))(squares(5, 20), own)
    assert [region.kind for region in done.regions] == ["given", "face"]
    assert done.mask[7:13, 4:10].all() and not done.mask[6, :12].any() and (done.pixels[done.mask] == 9).all()
    only = Redactor(())(squares(5), own)
    assert only.settled and only.passes == 0 and only.painted == 1


def test_detectors_look_at_what_will_be_written():
    finder = WhiteSquares()
    Redactor((finder,))(squares(5), as_written=lambda pixels: pixels // 2)
    assert max(image.max() for image in finder.seen) == 127
    deep = WhiteSquares()
    done = Redactor((deep,))(squares(5).astype(np.uint16) * 16)
    assert deep.seen[0].dtype == np.uint8 and deep.seen[0].max() == 255 and done.pixels.dtype == np.uint16


def test_what_is_no_finder_is_refused():
    with pytest.raises(ParameterError, match=r"passes(.|\n)*finders"):
        Redactor((3,), passes=0)
    with pytest.raises(ParameterError, match="colour"):
        Redactor((), colour=(0, 0, 300))


@dataclass(frozen=True)
class OnlyUpright:
    """A detector that sees one mark, whose left half is white, in pictures of at most 200 pixels."""

    def detect(self, image):
        if max(image.shape) > 200:
            return DetectedFaces.none()
        count, _, stats, _ = cv2.connectedComponentsWithStats((image > 90).astype(np.uint8))
        for x, y, width, height, area in stats[1:count]:
            cut = image[y : y + height, x : x + width]
            if area == 200 and width > height and cut[:, : width // 2].mean() > cut[:, width // 2 :].mean() + 20:
                return DetectedFaces(np.array([[x, y, width, height]]), np.zeros((1, 5, 2)), np.ones(1))
        return DetectedFaces.none()


@pytest.mark.parametrize("quarters", range(4))
def test_faces_of_turned_pictures_are_found_where_they_are(quarters):
    picture = np.zeros((100, 180), np.uint8)
    picture[30:40, 100:120] = 100
    picture[30:40, 100:110] = 255
    turned = np.ascontiguousarray(np.rot90(picture, quarters))
    rows, columns = np.nonzero(turned)
    (face,) = FaceSearch(OnlyUpright()).find(turned)
    assert face.box == (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)


@pytest.mark.parametrize("place", [(0, 0), (190, 95), (375, 290), (290, 200)])
def test_small_faces_are_found_in_parts_wherever_they_are(place):
    picture = np.zeros((400, 400), np.uint8)
    y, x = place
    picture[y : y + 10, x : x + 20] = 100
    picture[y : y + 10, x : x + 10] = 255
    found = FaceSearch(OnlyUpright(), parts=(2,)).find(picture[:, :390])
    assert found and {face.box for face in found} == {(x, y, 20, 10)}


def test_a_search_that_does_not_fit_is_refused():
    with pytest.raises(ParameterError, match=r"smallest(.|\n)*detector(.|\n)*turns(.|\n)*parts"):
        FaceSearch(None, (), (1,), 0)
    with pytest.raises(ParameterError, match="narrowest, widest"):
        PlateSearch(narrowest=3, widest=2)


def test_plates_zones_and_text_by_what_needs_no_network(shared: Path):
    folder = shared / "detection" / "license_plates" / "eu"
    for name in ("eu10",):
        _, x, y, width, height, _ = (folder / f"{name}.txt").read_text().splitlines()[0].split("\t")
        done = Redactor((PlateSearch(),))(
            load(folder / f"{name}.jpg"), as_written=lambda each: as_written(each, "JPEG")
        )
        assert done.mask[int(y) : int(y) + int(height), int(x) : int(x) + int(width)].mean() > 0.9
    passport = load(shared / "documents" / "id_specimens" / "100_pass-hrv.jpg")
    for quarters in (1, 2):
        turned = np.ascontiguousarray(np.rot90(passport, quarters))
        mask = np.rot90(Redactor((ZoneSearch(likely=False),))(turned).mask, -quarters)
        assert mask[326:385, 19:566].mean() > 0.9 and mask.mean() < 0.25
    done = Redactor((TextSearch(TextFinder()),))(passport)
    assert done.mask[326:385, 19:566].mean() > 0.9


def test_a_face_in_a_controlled_picture(shared: Path):
    picture = load(sorted((shared / "faces" / "yale" / "subject01").iterdir())[0])
    done = Redactor((FaceSearch(CascadeDetector()),))(picture)
    assert done.settled and done.painted >= 1 and done.mask[35:65, 35:65].all()
