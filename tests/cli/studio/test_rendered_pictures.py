"""Encoded pictures: bounded, of a size for a page, and with the noise of every pixel that is shown."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from privis.cli.studio.rendered_pictures import LONGEST, RenderedPictures


def test_a_large_picture_is_thinned_and_not_averaged() -> None:
    pictures = RenderedPictures()
    large = np.zeros((LONGEST * 2, 64), np.uint8)
    large[::2] = 255  # a mean of neighbours would be grey
    found = pictures.get(pictures.add(large, "PNG"))
    assert found is not None
    shown = np.asarray(Image.open(io.BytesIO(found[1])))
    assert shown.shape == (LONGEST, 32)
    assert set(np.unique(shown)) == {255}
    assert found[0] == "image/png"


def test_the_oldest_pictures_make_room() -> None:
    pictures = RenderedPictures(most=4000)
    noise = np.random.default_rng(0).integers(0, 256, (5, 48, 48), dtype=np.uint8)
    keys = [pictures.add(each, "PNG") for each in noise]
    assert pictures.get(keys[0]) is None
    assert pictures.get(keys[-1]) is not None
    assert pictures.get("unknown") is None


def test_what_is_looked_at_stays_and_all_can_be_forgotten() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    pictures = RenderedPictures(most=6000)
    first, second = (pictures.add(each, "PNG") for each in noise[:2])
    assert pictures.get(first) is not None
    pictures.add(noise[2], "PNG")
    assert pictures.get(first) is not None
    assert pictures.get(second) is None
    pictures.clear()
    assert pictures.get(first) is None
