"""`picture_kinds`: measurements that a turn or a loss of colour hardly changes, and the head that comes with Privis."""

import numpy as np
import pytest

from privis.io.images.decode import load
from privis.tasks.documents import PictureKind, picture_kind
from privis.tasks.documents.picture_kinds import HEAD, kind_measurements
from privis.tasks.linear_head import LinearHead


def till_roll(rng: np.random.Generator) -> np.ndarray:
    """Dark characters in lines on a long white paper."""
    page = np.full((900, 360), 250, np.uint8)
    for row in range(40, 860, 26):
        for column in range(30, int(rng.integers(120, 330)), 11):
            page[row : row + 12, column : column + 7][rng.random((12, 7)) < 0.55] = 40
    return page


def test_the_head_knows_the_kinds() -> None:
    head = LinearHead.load(HEAD)
    assert set(head.classes) == {kind.value for kind in PictureKind}
    assert head.components == len(kind_measurements(np.zeros((64, 64), np.uint8)))


def test_a_till_roll_is_a_receipt_in_every_direction(rng: np.random.Generator) -> None:
    page = till_roll(rng)
    for turns in range(4):
        assert picture_kind(np.rot90(page, turns)) is PictureKind.RECEIPT
    assert picture_kind(np.repeat(page[:, :, None], 3, 2)) is PictureKind.RECEIPT


def test_a_quarter_turn_changes_no_measurement(rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (160, 320, 3)).astype(np.uint8)
    upside = kind_measurements(np.rot90(image, 2))
    assert np.abs(kind_measurements(image) - upside).max() < 0.02
    assert np.abs(kind_measurements(image) - kind_measurements(np.rot90(image))).max() < 0.05


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (9, 9, 3)])
def test_odd_pictures_have_a_kind(shape) -> None:
    assert picture_kind(np.full(shape, 255, np.uint8)) in PictureKind


def test_kinds_of_real_pictures(shared) -> None:
    folders = {
        PictureKind.RECEIPT: "documents/receipts_sroie/*.jpg",
        PictureKind.PHOTOGRAPH: "photos/kodak/*.png",
        PictureKind.X_RAY: "medical/chest_xray/No_findings/00*.jpg",
    }
    for kind, pattern in folders.items():
        found = [picture_kind(load(path)) for path in sorted(shared.glob(pattern))[:8]]
        assert found.count(kind) >= len(found) - 1, (kind, found)
