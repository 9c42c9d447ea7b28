"""estimators/detection/networks/kept_labels.py: kinds that are asked for, and words that are no kind."""

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.estimators.detection.networks.kept_labels import KeptLabels, asked_for
from privis.tasks.detection import DetectedBoxes

BOXES = DetectedBoxes([[0, 0, 4, 4], [4, 0, 4, 4], [8, 0, 4, 4]], [0.9, 0.8, 0.7], ("car", "person", "Pedestrian"))


class Fixed:
    """Finds the same everywhere."""

    def __init__(self, labels=("car", "person", "Pedestrian"), boxes=BOXES):
        self.labels, self.boxes = labels, boxes

    def detect(self, image):
        return self.boxes


def test_kinds_and_their_synonyms():
    people = asked_for(Fixed(), "person", ("pedestrian",))
    found = people.detect(None)
    assert (people.labels, found.labels, found.scores.tolist()) == (("person",), ("person", "person"), [0.8, 0.7])
    assert asked_for(Fixed(), "person", ("pedestrian",), most=1).detect(None).scores.tolist() == [0.8]
    assert asked_for(Fixed(), "person").detect(None).scores.tolist() == [0.8]
    assert KeptLabels(Fixed(), ("car", "Pedestrian")).detect(None).labels == ("car", "Pedestrian")
    assert len(asked_for(Fixed(boxes=DetectedBoxes.none()), "car").detect(None)) == 0


def test_one_class_without_a_name_is_what_is_asked_for():
    boxes = DetectedBoxes([[0, 0, 4, 4]], np.ones(1), "class_0")
    assert asked_for(Fixed(("class_0",), boxes), "ship").detect(None).labels == ("ship",)
    with pytest.raises(ParameterError, match="one of class_0, class_1"):
        asked_for(Fixed(("class_0", "class_1")), "ship")


def test_other_words_are_refused():
    with pytest.raises(ParameterError, match="did you mean person"):
        asked_for(Fixed(), "persons")
    with pytest.raises(ParameterError, match="one of l0, l1, l2, l3, l4, l5, l6, l7 and 72 others; ask for one"):
        asked_for(Fixed(tuple(f"l{i}" for i in range(80))), "zebra crossing")
    with pytest.raises(ParameterError, match=r"KeptLabels.most.*\n.*KeptLabels.kept: got 'bus'"):
        KeptLabels(Fixed(), ("bus",), most=0)
