"""Heads of detectors: what was put into tensors comes out as boxes and landmarks, and other tensors are refused.

Answers for `privis.tasks.faces.detector_heads` and `privis.tasks.faces.detected_faces`.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from privis.errors import ParameterError, ProgramError
from privis.tasks.faces import (
    RETINAFACE,
    SCRFD,
    YUNET,
    DetectedFaces,
    DetectorHead,
    FaceChoice,
    chosen_face,
)

SIZE = (64, 96)
BOX = np.array([20.0, 12.0, 30.0, 34.0])
MARKS = np.array([[28.0, 24.0], [42.0, 23.0], [35.0, 31.0], [30.0, 38.0], [41.0, 37.0]])
HEADS = (YUNET, SCRFD, RETINAFACE)


def textbook_anchors(head: DetectorHead, size: tuple[int, int]) -> list[tuple[float, float, float]]:
    """Centre and size of every anchor, one after another."""
    return [
        ((column + head.offset) * stride, (row + head.offset) * stride, anchor)
        for stride, sizes in zip(head.strides, head.anchor_sizes, strict=True)
        for row in range(math.ceil(size[0] / stride))
        for column in range(math.ceil(size[1] / stride))
        for anchor in sizes
    ]


def encoded(head: DetectorHead, at: int, score: float) -> dict[str, np.ndarray]:
    """Tensors that say one face at anchor ``at``, by the formulas of each detector's own training code."""
    anchors = textbook_anchors(head, SIZE)
    x, y, a = anchors[at]
    boxes, marks = np.zeros((len(anchors), 4)), np.zeros((len(anchors), 10))
    middle = BOX[:2] + BOX[2:] / 2
    if head is SCRFD:
        boxes[at] = np.array([x - BOX[0], y - BOX[1], BOX[0] + BOX[2] - x, BOX[1] + BOX[3] - y]) / a
        marks[at] = ((MARKS - [x, y]) / a).ravel()
    else:
        offset, size = (0.1, 0.2) if head is RETINAFACE else (1.0, 1.0)
        boxes[at] = np.r_[(middle - [x, y]) / (offset * a), np.log(BOX[2:] / a) / size]
        marks[at] = ((MARKS - [x, y]) / (offset * a)).ravel()
    one = np.zeros((len(anchors), 1))
    one[at] = score
    if head is RETINAFACE:
        return {"loc": boxes[None], "conf": np.concatenate([1 - one, one], 1)[None], "landms": marks[None]}
    rows = np.cumsum(head._rows(SIZE))[:-1]
    parts = [("b", boxes), ("k", marks), ("s", one)] + ([("o", one)] if head is YUNET else [])
    return {f"{name}{grid}": part for name, whole in parts for grid, part in enumerate(np.split(whole, rows))}


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
@pytest.mark.parametrize("share", [0.0, 0.31, 0.95, 0.999])
def test_a_face_comes_back_from_every_grid(head: DetectorHead, share: float) -> None:
    at = int(share * head.anchors(SIZE))
    found = head.decode(encoded(head, at, 0.9), SIZE)
    assert np.allclose(found.boxes, [BOX]) and np.allclose(found.landmarks, [MARKS])
    assert np.allclose(found.scores, [0.9])
    assert len(head.decode(encoded(head, at, 0.9), SIZE, 0.95)) == 0


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_names_and_order_of_tensors_do_not_count(head: DetectorHead) -> None:
    given = encoded(head, 5, 0.8)
    turned = {f"output{k}": value for k, value in enumerate(reversed(given.values()))}
    assert np.allclose(head.decode(turned, SIZE).boxes, [BOX])


def test_logits_become_probabilities() -> None:
    given = encoded(RETINAFACE, 7, 0.8)
    logits = given | {"conf": np.where(given["conf"] > 0.5, 6.0, -6.0)}
    assert RETINAFACE.decode(logits, SIZE).scores == pytest.approx([1 / (1 + math.exp(-12))])
    given = encoded(SCRFD, 7, 0.8)
    logits = {name: np.where(v > 0.5, 2.0, -8.0) if v.shape[1] == 1 else v for name, v in given.items()}
    assert SCRFD.decode(logits, SIZE).scores == pytest.approx([1 / (1 + math.exp(-2))])


def test_tensors_of_another_head_or_size_are_refused() -> None:
    for head in HEADS:
        for other in HEADS:
            if other is not head:
                with pytest.raises(ProgramError, match="outputs of the face detector"):
                    head.decode(encoded(other, 0, 0.9), SIZE)
        with pytest.raises(ProgramError, match="64 x 64 pixels"):
            head.decode(encoded(head, 0, 0.9), (64, 64))
        with pytest.raises(ProgramError, match="no tensors"):
            head.decode({}, SIZE)
    more = encoded(YUNET, 0, 0.9) | {"extra": np.zeros((96, 7))}
    with pytest.raises(ProgramError, match="extra"):
        YUNET.decode(more, SIZE)


def test_what_is_not_finite_is_left_out() -> None:
    for name in ("b0", "k0"):
        given = encoded(YUNET, 3, 0.9)
        given[name][3, 0] = np.nan
        assert len(YUNET.decode(given, SIZE)) == 0
    given = encoded(YUNET, 3, 0.9)
    given["b0"][3, 2] = 5000.0  # a side of e^5000
    assert len(YUNET.decode(given, SIZE)) == 1
    given["s0"][:] = np.nan
    assert len(YUNET.decode(given, SIZE)) == 0


def test_heads_that_do_not_fit_themselves_are_refused() -> None:
    for change in ({"strides": ()}, {"anchor_sizes": ((8.0,),)}, {"channels": "grey"}, {"deviation": 0.0}):
        with pytest.raises(ParameterError, match="DetectorHead"):
            dataclasses.replace(YUNET, **change)
    with pytest.raises(ParameterError, match="least"):
        YUNET.decode(encoded(YUNET, 0, 0.9), SIZE, 0.0)


def faces(*boxes: tuple[float, ...], scores: Any = None) -> DetectedFaces:
    given = np.ones(len(boxes)) if scores is None else np.asarray(scores)
    return DetectedFaces(np.array(boxes, float).reshape(-1, 4), np.zeros((len(boxes), 5, 2)), given)


def test_suppression_is_the_textbook_s(rng: np.random.Generator) -> None:
    boxes = np.column_stack([rng.uniform(0, 60, (80, 2)), rng.uniform(5, 30, (80, 2))])
    scores = rng.uniform(0.1, 1, 80)

    def overlap(a: np.ndarray, b: np.ndarray) -> float:
        w, h = np.maximum(0, np.minimum(a[:2] + a[2:], b[:2] + b[2:]) - np.maximum(a[:2], b[:2]))
        return w * h / (a[2] * a[3] + b[2] * b[3] - w * h)

    kept: list[int] = []
    for row in np.argsort(-scores):
        if all(overlap(boxes[row], boxes[other]) <= 0.3 for other in kept):
            kept.append(row)
    found = faces(*map(tuple, boxes), scores=scores).suppressed(0.3)
    assert 1 < len(kept) < 80 and np.array_equal(found.boxes, boxes[kept])
    assert len(DetectedFaces.none().suppressed()) == 0


def test_the_face_that_is_meant() -> None:
    found = faces((0, 0, 50, 50), (40, 40, 20, 20), (41, 40, 20, 20), scores=[0.7, 0.8, 0.9])
    assert chosen_face(found, (100, 100)) == 1
    assert chosen_face(found, (100, 100), FaceChoice.LARGEST) == 0
    assert chosen_face(faces((0, 0, 9, 9), (0, 0, 9, 9), scores=[0.7, 0.8]), (100, 100)) == 1
    assert chosen_face(DetectedFaces.none(), (100, 100)) is None
    with pytest.raises(ParameterError, match="FaceChoice"):
        chosen_face(found, (100, 100), "largest")  # type: ignore[arg-type]


def test_faces_are_finite_numbers_of_one_length() -> None:
    with pytest.raises(ParameterError) as caught:
        DetectedFaces(np.zeros((2, 3)), np.full((2, 5, 2), np.nan), np.ones(2))
    assert {problem.where for problem in caught.value.problems} == {"DetectedFaces.boxes", "DetectedFaces.landmarks"}
    assert len(faces((0, 0, 9, 9), (1, 1, 9, 9))[1]) == 1
