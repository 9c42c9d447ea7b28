"""Images are read once; what cannot be used is listed with its reason, and nothing else is lost.

It answers for `privis.estimators.classification.labelled_images` and `privis.estimators.classification.split_record`.
"""

from __future__ import annotations

import json
import stat

import numpy as np
import pytest
from PIL import Image

from privis import ColourHistogram
from privis.errors import ImageError, ParameterError
from privis.estimators.classification.labelled_images import LabelledImages, vectors_of_images
from privis.estimators.classification.split_record import SplitRecord, record_place


def folder_of(tmp_path, **pictures):
    for name, shade in pictures.items():
        Image.fromarray(np.full((6, 6), shade, np.uint8)).save(tmp_path / f"{name}.png")
    return tuple(str(tmp_path / f"{name}.png") for name in pictures)


def test_equal_pixels_are_found_in_other_files_and_formats(tmp_path):
    paths = folder_of(tmp_path, a=1, b=2)
    Image.fromarray(np.full((6, 6, 3), 1, np.uint8)).save(tmp_path / "a.bmp")
    images = LabelledImages((*paths, str(tmp_path / "a.bmp")), ("x", "x", "y")).read(workers=2)
    assert images.repeated == 1 and images.groups[0] == images.groups[2]
    assert images.contradictions() == [f"{paths[0]} and {tmp_path / 'a.bmp'} have the same pixels, but are x and y"]
    other = LabelledImages(images.paths, ("x",) * 3, ("ann", "bob", "eve"), pixels=images.pixels)
    assert "not one patient" in other.contradictions()[0]


def test_what_cannot_be_read_is_listed_and_the_others_stay(tmp_path):
    paths = folder_of(tmp_path, a=1, b=2)
    (tmp_path / "c.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    (tmp_path / "d.png").write_text("")
    images = LabelledImages((*paths, *(str(tmp_path / f"{name}.png") for name in "cde")), ("x", "y", "x", "x", "y"))
    read = images.read()
    assert read.paths == paths and read.labels == ("x", "y") and len(read.refused) == 3
    chosen, vectors = vectors_of_images(ColourHistogram(bins=2), read, tmp_path / "t.parquet")
    assert chosen.paths == paths and vectors.shape == (2, 6) and not list(tmp_path.glob("t.parquet*"))
    with pytest.raises(ImageError, match="none of them usable"):
        images.only([2, 3, 4]).read()


def test_classes_that_are_too_small_are_left_out():
    images = LabelledImages(tuple("abcdef"), ("x", "x", "y", "y", "z", "z"), ("1", "2", "3", "4", "5", "5"))
    kept = images.with_classes()
    assert kept.classes == ("x", "y") and set(kept.refused) == {"e", "f"}
    assert kept.refused["e"] == "the class 'z' has 1 patient and needs 2"
    with pytest.raises(ParameterError, match="two classes"):
        images.with_classes(least=3)
    assert images.with_classes(("x",), 1).refused["c"].endswith("does not know")


def test_a_record_knows_what_was_trained_on_and_is_the_owners_alone(tmp_path):
    record = SplitRecord.of(["ann", "bob"], ["00", "11"])
    place = record_place(tmp_path / "m")
    record.save(place)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert "ann" not in place.read_text() and '"00"' not in place.read_text() and record.key.hex() not in repr(record)
    again = SplitRecord.load(place)
    assert [each.place for each in again.leaks(["bob", "eve"], ["22", "11"])] == [0, 1]
    assert again.leaks(None, ["22"]) == ()
    assert SplitRecord.of(["ann"], []).patients != record.patients
    place.write_text(json.dumps({"format": "privis.split-record/9"}))
    with pytest.raises(ParameterError, match="format"):
        SplitRecord.load(place)
