"""The judge: whose face, by the nearest other original, and which original, by correlation."""

from __future__ import annotations

import numpy as np
import pytest

from privis.attack.inversion.face_judge import FaceJudge, matched_originals
from privis.errors import ParameterError
from tests.estimators.faces.painted_faces import EXTRACTOR, picture

PEOPLE = ["a", "a", "b", "b", "c", "c"]
PICTURES = [picture(person, shot) for person in range(3) for shot in range(2)]


def _judge(pictures: list[np.ndarray] = PICTURES, people: list[str] = PEOPLE) -> FaceJudge:
    return FaceJudge.of_originals(EXTRACTOR, pictures, people)


def _grey(number: int) -> np.ndarray:
    return PICTURES[number].astype(float).mean(2)


def test_an_original_is_found_by_another_of_the_person_and_never_by_itself() -> None:
    judge = FaceJudge.of_originals(EXTRACTOR, [np.uint8(_grey(n)) for n in range(6)], PEOPLE)
    found = judge(np.stack([_grey(n) for n in range(6)]), range(6))
    assert (found.hits, found.tries, found.names) == (6, 6, tuple(PEOPLE))
    assert found.chance == pytest.approx(1 / 5)
    swapped = judge(np.stack([_grey(n) for n in (2, 3)]), [0, 1])
    assert swapped.hits == 0 and swapped.names == ("b", "b")


def test_people_with_one_picture_and_pictures_without_a_face_are_no_tries() -> None:
    dark = np.zeros((150, 140, 3), np.uint8)
    judge = _judge([*PICTURES, picture(7), dark], [*PEOPLE, "d", "a"])
    assert judge.seen.tolist() == [True] * 7 + [False]
    found = judge(np.stack([_grey(0)] * 3), [0, 6, 7])
    assert found.tries == 1
    with pytest.raises(ParameterError, match="two pictures"):
        judge(np.stack([_grey(0)]), [6])


def test_a_reconstruction_is_cut_where_its_original_has_its_face() -> None:
    """Originals of 130 x 118 pixels: the detector stands still, and small reconstructions are scaled to them."""
    framed = [np.pad(each, ((0, 18), (0, 6), (0, 0))) for each in PICTURES]
    judge = _judge(framed)
    assert all(place is not None for place in judge.landmarks)
    grey = np.stack([each.astype(float).mean(2) for each in framed])
    assert judge(grey, range(6)).tries == 6


def test_originals_are_matched_whatever_the_contrast() -> None:
    originals = np.random.default_rng(2).integers(0, 256, (6, 48, 40)).astype(float)
    found = matched_originals(originals[[4, 1]] * 0.3 + 90, originals, [4, 2])
    assert (found.hits, found.tries, found.names) == (1, 2, ("4", "1"))


def test_names_must_fit() -> None:
    with pytest.raises(ParameterError, match="6 pictures"):
        FaceJudge.of_originals(EXTRACTOR, PICTURES, ["a"])
