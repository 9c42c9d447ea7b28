"""`people_search`: boxes of a detector become regions of people."""

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.extraction.redaction.people_search import PeopleSearch
from privis.tasks.detection import DetectedBoxes
from privis.tasks.redaction import ImageRegion, RegionKind


class Finds:
    def detect(self, image: np.ndarray) -> DetectedBoxes:
        boxes = [[10, 20, 30, 90], [5, 5, 8, 8], [0, 0, 0, 4]]
        return DetectedBoxes(boxes, [1.5, -3.0, 2.0], ("person", "dog", "person"))


def test_boxes_of_the_label_are_people_and_scores_are_shares():
    (found,) = PeopleSearch(Finds(), label="person").find(np.zeros((200, 100), np.uint8))
    assert found.kind is RegionKind.PERSON and found.box == (10, 20, 30, 90) and 0.5 < found.score < 1
    assert len(PeopleSearch(Finds()).find(np.zeros((200, 100), np.uint8))) == 2


def test_what_is_no_detector_is_refused():
    with pytest.raises(ParameterError, match=r"PeopleSearch.detector(.|\n)*with_faces(.|\n)*below"):
        PeopleSearch(3, with_faces=True, below=0)


class FindsFace:
    def find(self, image: np.ndarray) -> tuple[ImageRegion, ...]:
        return (ImageRegion.of_box(RegionKind.FACE, 40, 20, 10, 12, score=0.8),)


def test_below_a_face_is_a_body_and_faces_are_given_where_they_are_wanted():
    image = np.zeros((200, 100), np.uint8)
    *_, body = PeopleSearch(Finds(), FindsFace(), label="person").find(image)
    assert body.kind is RegionKind.PERSON and body.box == (20, 14, 50, 120) and body.score == 0.8
    kinds = [region.kind for region in PeopleSearch(Finds(), FindsFace(), with_faces=True, label="person").find(image)]
    again = PeopleSearch(Finds(), FindsFace(), with_faces=True).find_again(image)
    assert [region.kind for region in again] == [RegionKind.FACE, RegionKind.PERSON], "edges of paint are no outlines"
    assert sorted(kinds) == [RegionKind.FACE, RegionKind.PERSON, RegionKind.PERSON]
