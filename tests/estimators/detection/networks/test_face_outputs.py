"""estimators/detection/networks/face_outputs.py: heads of faces, among those of anything."""

import numpy as np
import pytest

from privis.errors import ProgramError
from privis.estimators.detection.networks.face_outputs import DETECTION_HEADS, FaceOutputs
from privis.tasks.detection.networks import HEADS, recognised_head
from privis.tasks.faces import RETINAFACE, YUNET

SIZE = (64, 96)
CELLS = (96, 24, 6)


def _yunet():
    """As libfacedetection exports it: of each grid class, objectness, box and landmarks."""
    widths = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
    return {f"{k}_{s}": np.zeros((1, n, w)) for k, w in widths.items() for s, n in zip((8, 16, 32), CELLS, strict=True)}


def test_boxes_of_faces_without_their_landmarks():
    tensors, head = _yunet(), DETECTION_HEADS["yunet"]
    tensors["cls_16"][0, 7], tensors["obj_16"][0, 7] = 0.81, 1.0  # row 1, column 1 of six columns
    tensors["bbox_16"][0, 7] = [0.5, 0.5, np.log(2), 0]
    found = head.decode(tensors, SIZE, 0.6)
    assert found.labels == ("face",)
    np.testing.assert_allclose(found.boxes, [[16 + 8 - 16, 16 + 8 - 8, 32, 16]])
    np.testing.assert_allclose(found.scores, [0.9])
    assert head.decode(tensors, SIZE, 0.6, ("person's face",)).labels == ("person's face",)
    assert head.class_count(tensors, SIZE) == 1
    assert (head.reads.multiple, head.reads.channels, head.suppressed) == (32, "bgr", False)


def test_faces_are_told_from_other_things():
    assert recognised_head(DETECTION_HEADS.values(), _yunet(), SIZE).name == "yunet"
    assert FaceOutputs(RETINAFACE).misfit(_yunet(), SIZE).startswith("192 + 48 + 12 rows")
    assert FaceOutputs(YUNET).misfit(_yunet(), SIZE, 2) == "one class"
    assert set(DETECTION_HEADS) == {"yunet", "scrfd", "retinaface", *HEADS}
    with pytest.raises(ProgramError, match="read as scrfd"):
        DETECTION_HEADS["scrfd"].decode(_yunet(), SIZE, 0.6)
