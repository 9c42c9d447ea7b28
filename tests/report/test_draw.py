"""Pictures of features: strokes run along edges, circles lie on blobs, nothing is blank, files are whole or refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

import privis
from privis import draw
from privis.errors import ImageError, OutputError, ParameterError
from privis.features.colour import ColourSpace
from privis.features.keypoints.aggregate import BagOfVisualWords, Codebook
from privis.program import Input, trace

SIDE = 96
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
EDGES = {  # the bright side, the edge's direction in degrees clockwise from "right", a pixel on it
    "vertical": (COLUMNS >= 40, 90.0, (48, 40)),
    "horizontal": (ROWS >= 40, 0.0, (40, 48)),
    "falling": (COLUMNS >= ROWS, 45.0, (52, 52)),
    "rising": (COLUMNS + ROWS >= SIDE, 135.0, (52, 44)),
}
NETWORK = trace(lambda x: x.reshape(3, 8, 2, 8, 2).sum(2, 4), Input((3, 16, 16)))
FEATURES = [
    privis.HOG(),
    privis.HOG(orientations=6, cell=4, block=2),
    privis.DalalTriggsHOG(),
    privis.SIFT(32),
    privis.SURF(32),
    privis.DenseSIFT(),
    privis.LBP(),
    privis.LBP(privis.Patterns.UNIFORM, grid=(2, 3)),
    privis.LBP(privis.Patterns.ROTATION_INVARIANT, points=6, radius=2),
    privis.ColourHistogram(),
    privis.ColourHistogram(bins=3, joint=True),
    privis.ColourHistogram(ColourSpace.HSV),
    privis.ColourHistogram(ColourSpace.LAB, bins=4, joint=True),
    privis.GLCM(),
    privis.Gabor(),
    privis.Gabor(grid=(2, 2)),
    privis.Scattering(),
    privis.CNN(NETWORK),
    privis.CNN(trace(lambda x: x.sum(1, 2), Input((3, 16, 16)))),
    BagOfVisualWords(privis.DenseSIFT(), Codebook(np.eye(4, 128, dtype=np.float32), "made up")),
]


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    data = pytest.importorskip("skimage.data")
    return np.ascontiguousarray(data.astronaut()[:160, 100:300])


def bright_direction(picture: np.ndarray, row: float, column: float, half: float) -> float:
    """Direction of the bright pixels of the square around a point, in degrees clockwise from "right", 0 to 180."""
    square = picture[round(row - half) : round(row + half), round(column - half) : round(column + half), 0]
    rows, columns = np.nonzero(square > 180)  # the dimmed photograph stays below 80
    assert len(rows) > 10
    _, vectors = np.linalg.eigh(np.cov(columns, rows))
    return float(np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1]))) % 180


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize(
    ("feature", "cell"), [(privis.HOG(cell=16), 16), (privis.DalalTriggsHOG(size=None), 8)], ids=["hog", "dalal_triggs"]
)
def test_strokes_run_along_the_edge(feature: object, cell: int, name: str) -> None:
    side, direction, (row, column) = EDGES[name]
    picture = draw.picture(feature, np.where(side, 200, 40).astype(np.uint8))
    factor = len(picture) // SIDE
    centre = [(pixel // cell + 0.5) * cell * factor for pixel in (row, column)]
    found = bright_direction(picture, *centre, cell * factor / 2)
    apart = abs(found - direction)
    assert min(apart, 180 - apart) < 12  # half a bin is 10 degrees


def test_strokes_are_those_of_scikit_image(photograph: np.ndarray) -> None:
    hog = pytest.importorskip("skimage.feature").hog
    luma = privis.HOG().before(photograph)
    theirs = hog(luma.astype(float), pixels_per_cell=(16, 16), visualize=True)[1]
    cells = np.asarray(privis.Clear().prepare(privis.HOG(cell=16).cells_program(luma.shape))(luma)).transpose(1, 2, 0)
    angles = (np.arange(9) + 0.5) * np.pi / 9

    def alike(gradients: np.ndarray) -> float:
        ours = draw.strokes(np.zeros_like(luma), cells, 16, gradients)[:, :, 0].astype(float)
        small = cv2.resize(ours, luma.shape[::-1], interpolation=cv2.INTER_AREA)
        blurred = [cv2.GaussianBlur(image, (0, 0), 1.0).ravel() for image in (small, theirs)]
        return float(np.corrcoef(*blurred)[0, 1])

    assert alike(angles) > 0.75
    assert alike(angles) > alike(-angles) + 0.1  # mirrored
    assert alike(angles) > alike(angles + np.pi / 2) + 0.1  # along the gradient


@pytest.mark.parametrize("feature", [privis.SIFT(1), privis.SURF(1)], ids=["sift", "surf"])
def test_circles_lie_on_the_blob(feature: object) -> None:
    disc = np.where((ROWS - 40) ** 2 + (COLUMNS - 60) ** 2 < 81, 230.0, 30.0)
    picture = draw.picture(feature, cv2.GaussianBlur(disc, (0, 0), 2).astype(np.uint8)).astype(int)
    factor = len(picture) / SIDE
    rows, columns = np.nonzero(picture[:, :, 0] - picture[:, :, 2] > 120)  # amber on grey
    middle = [(places.min() + places.max()) / 2 / factor for places in (rows, columns)]
    assert np.allclose(middle, [40.5, 60.5], atol=2)
    assert 6 < (rows.max() - rows.min()) / factor < 60


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: type(feature).__name__)
def test_pictures_have_a_shape_and_are_not_blank(feature: object, photograph: np.ndarray) -> None:
    for image in (photograph, photograph[:, :, 1], photograph[:64, :48]):
        picture = draw.picture(feature, image)
        assert picture.dtype == np.uint8
        assert picture.ndim == 3
        assert picture.shape[2] == 3
        assert max(picture.shape) >= draw.LEAST
        assert picture.std() > 3
        assert picture.flags.c_contiguous


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: type(feature).__name__)
@pytest.mark.parametrize("shape", [(1, 1), (1, 7, 3), (5, 3)])
def test_tiny_images_are_drawn_or_refused(feature: object, shape: tuple[int, ...]) -> None:
    try:
        picture = draw.picture(feature, np.full(shape, 90, np.uint8))
    except ImageError as error:
        assert "expected" in str(error)
    else:
        assert max(picture.shape) >= draw.LEAST


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(ImageError, match="uint8"):
        draw.picture(privis.HOG(), np.zeros((64, 64)))


def test_colours_of_the_codes_follow_the_codes() -> None:
    flat = draw.picture(privis.LBP(privis.Patterns.UNIFORM), np.full((32, 32), 7, np.uint8))
    assert (flat[100:-100, 100:-100] == flat[256, 256]).all()  # every neighbour is as bright
    assert (flat[0, 0] != flat[256, 256]).any()  # but those outside, which count as zero, are not


def test_a_saved_picture_is_read_back(tmp_path, photograph: np.ndarray) -> None:
    draw.save(photograph, tmp_path / "a.PNG")
    assert (np.asarray(Image.open(tmp_path / "a.PNG")) == photograph).all()
    draw.save(photograph, tmp_path / "a.jpeg")
    with Image.open(tmp_path / "a.jpeg") as image:
        assert image.format == "JPEG"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.PNG", "a.jpeg"]


def test_places_that_cannot_be_written_are_refused(tmp_path, photograph: np.ndarray) -> None:
    with pytest.raises(ParameterError, match="\\.png"):
        draw.save(photograph, tmp_path / "a.txt")
    with pytest.raises(OutputError, match="mkdir"):
        draw.save(photograph, tmp_path / "missing" / "a.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(OutputError):
        draw.save(photograph, tmp_path / "folder.png")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]
