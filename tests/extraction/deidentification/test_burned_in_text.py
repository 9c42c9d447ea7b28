"""`burned_in_text`, `stored_pixels` and `text_painting`: text that is drawn, and anatomy that is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from privis.errors import ImageError
from privis.extraction.deidentification.burned_in_text import BurnedInText
from privis.extraction.deidentification.stored_pixels import StoredPixels
from privis.extraction.deidentification.text_painting import paint_text
from privis.io.images.dicom.opened import opened
from tests.io.images.dicom.dicom_files import write


def stored(path, pixels, **elements) -> StoredPixels:
    write(path, pixels, **elements)
    with opened(path, "a") as given:
        return StoredPixels.read(given)


def screen() -> np.ndarray:
    picture = np.zeros((200, 300, 3), np.uint8)
    cv2.putText(picture, "Vantongeren Y", (20, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1)
    cv2.putText(picture, "7", (250, 150), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1)
    return picture


@pytest.mark.parametrize("planes", [0, 1])
def test_rows_and_single_characters_of_a_screen(tmp_path, planes):
    given = screen()
    kept = given if planes == 0 else np.ascontiguousarray(np.moveaxis(given, 2, 0)).reshape(given.shape)
    pixels = stored(tmp_path / "a", kept, PlanarConfiguration=planes, Modality="US")
    painted = paint_text(pixels, BurnedInText(), 8)
    assert painted.settled and painted.painted >= 2 and not pixels.raw.any()


@pytest.mark.parametrize("colours", ["MONOCHROME1", "MONOCHROME2"])
def test_paint_is_black_in_either_sense(tmp_path, colours):
    given = np.random.default_rng(2).integers(200, 260, (200, 300)).astype(np.uint16)
    given[screen()[..., 0] > 0] = 3000
    pixels = stored(tmp_path / "a", given, PhotometricInterpretation=colours)
    painted = paint_text(pixels, BurnedInText(), 8)
    values = pixels.frames[0][..., 0][painted.masks[0]]
    assert painted.painted and len(set(values.tolist())) == 1
    assert (values[0] > 255) == (colours == "MONOCHROME1") or values[0] == 259


def test_noise_of_a_scanner_is_no_text(tmp_path):
    noise = np.random.default_rng(3).normal(500, 60, (256, 256)).astype(np.uint16)
    assert paint_text(stored(tmp_path / "a", noise), BurnedInText(), 8).painted == 0


def test_cut_off_pixels_are_refused(tmp_path):
    path = write(tmp_path / "a", np.zeros((64, 64), np.uint16))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ImageError, match="bytes of pixels"), opened(path, "a") as given:
        StoredPixels.read(given)
