"""Alignment and quality: Umeyama's transform beside scikit-image, crops of pictures whose faces are known.

Answers for `privis.tasks.faces.alignment` and `privis.tasks.faces.quality`.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from privis.errors import ParameterError
from privis.tasks.faces import (
    ARCFACE_LANDMARKS,
    DetectedFaces,
    FaceLimits,
    FaceQuality,
    FindingKind,
    aligned_face,
    face_findings,
    face_quality,
    similarity_transform,
)


def turned(points: np.ndarray, degrees: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    angle = np.radians(degrees)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ matrix.T + shift


def test_the_transform_is_scikit_image_s(rng: np.random.Generator) -> None:
    from skimage.transform import SimilarityTransform

    for points in (2, 5, 9):
        for _ in range(20):
            a, b = rng.normal(size=(2, points, 2)) * 40
            b[:, 0] *= rng.choice([-1, 1])  # where a reflection would be nearer
            expected = SimilarityTransform.from_estimate(a, b)
            assert np.allclose(similarity_transform(a, b), expected.params[:2], atol=1e-8)


def test_points_without_places_are_refused() -> None:
    for source, target in (
        (np.ones((5, 2)), ARCFACE_LANDMARKS),
        (ARCFACE_LANDMARKS, np.ones((5, 2))),
        (np.full((5, 2), np.nan), ARCFACE_LANDMARKS),
        (np.zeros((4, 2)), ARCFACE_LANDMARKS),
        (np.zeros((1, 2)), np.zeros((1, 2))),
    ):
        with pytest.raises(ParameterError, match="similarity_transform"):
            similarity_transform(source, target)


def dotted(landmarks: np.ndarray, shape: tuple[int, int], radius: float) -> np.ndarray:
    """A picture with a bright disc at every landmark."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    near = [np.hypot(x - px, y - py) for px, py in landmarks]
    return np.where(np.min(near, 0) < radius, 255, 0).astype(np.uint8)


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1.0), (30, 1.5), (-75, 6.0), (180, 3.1)])
def test_landmarks_come_to_their_places(degrees: float, scale: float) -> None:
    marks = turned(ARCFACE_LANDMARKS - 56, degrees, scale, (500.3, 480.7))
    crop = aligned_face(dotted(marks, (960, 1000), 3 * scale), marks)
    for x, y in ARCFACE_LANDMARKS:
        left, top = int(x) - 6, int(y) - 6
        window = crop[top : top + 13, left : left + 13].astype(float)
        rows, columns = np.mgrid[top : top + 13, left : left + 13]
        found = (columns * window).sum() / window.sum(), (rows * window).sum() / window.sum()
        assert np.hypot(found[0] - x, found[1] - y) < 0.25


def test_large_faces_are_reduced_by_areas() -> None:
    """A pattern finer than a pixel of the crop becomes grey, not stripes."""
    fine = np.tile(np.array([0, 255], np.uint8), (1120, 560))
    crop = aligned_face(fine, ARCFACE_LANDMARKS * 10)
    assert crop[20:-20, 20:-20].std() < 3 and abs(crop[20:-20, 20:-20].mean() - 127.5) < 3
    assert aligned_face(np.dstack([fine] * 3), ARCFACE_LANDMARKS * 10).shape == (112, 112, 3)


def test_what_is_no_picture_is_refused() -> None:
    for image in (np.zeros((9, 9)), np.zeros((9, 9, 4), np.uint8), np.zeros((0, 9), np.uint8)):
        with pytest.raises(ParameterError, match=r"aligned_face\.image"):
            aligned_face(image, ARCFACE_LANDMARKS)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="landmarks"):
        aligned_face(np.zeros((9, 9), np.uint8), np.zeros((4, 2)))


def measured(marks: np.ndarray, box: tuple[float, ...] = (20, 20, 70, 80), *others: tuple[float, ...]) -> FaceQuality:
    found = DetectedFaces(
        np.array([box, *others], float), np.repeat(marks[None], 1 + len(others), 0), np.ones(1 + len(others))
    )
    return face_quality(found, 0, np.eye(112, dtype=np.uint8), (112, 112))


def test_measurements_are_those_of_the_landmarks() -> None:
    for degrees in (-120, -30, 0, 45, 170):
        quality = measured(turned(ARCFACE_LANDMARKS, degrees, 2.0, (3, 4)))
        assert quality.eye_distance == pytest.approx(70.48, abs=0.01)
        assert (quality.roll - degrees + 180) % 360 - 180 == pytest.approx(-0.317, abs=0.01)
        assert quality.turn == pytest.approx(0.003, abs=0.005) and quality.nod == pytest.approx(0.495, abs=0.01)
    aside = ARCFACE_LANDMARKS.copy()
    aside[2] += (20, 0)  # the nose to the person's left
    assert measured(aside).turn == pytest.approx(0.57, abs=0.01)
    assert measured(ARCFACE_LANDMARKS, (-35, 20, 70, 80)).outside == pytest.approx(0.5)
    assert measured(ARCFACE_LANDMARKS, (20, 20, 70, 80), (0, 0, 35, 80)).others == pytest.approx(0.5)
    one = measured(np.ones((5, 2)))
    assert one.nod == np.inf and one.turn == 0


def test_blur_and_enlargement_lower_sharpness_and_contrast_does_not(rng: np.random.Generator) -> None:
    crop = cv2.GaussianBlur(rng.integers(0, 256, (112, 112), dtype=np.uint8), (0, 0), 1)
    found = DetectedFaces(np.array([[0.0, 0, 112, 112]]), ARCFACE_LANDMARKS[None], np.ones(1))

    def sharpness(pixels: np.ndarray) -> float:
        return face_quality(found, 0, pixels, (112, 112)).sharpness

    blurred = [sharpness(cv2.GaussianBlur(crop, (0, 0), sigma)) for sigma in (1, 2)]
    assert sharpness(crop) > 1.5 * blurred[0] > 3 * blurred[1]
    assert sharpness((crop // 2 + 60).astype(np.uint8)) == pytest.approx(sharpness(crop), rel=0.05)
    assert sharpness(np.full((112, 112, 3), 9, np.uint8)) == 0


def test_every_finding_has_its_limit() -> None:
    good = FaceQuality(80.0, 0.1, 0.0, 0.5, 2.0, 0.0, 0.0)
    bad = FaceQuality(8.0, 0.0001, -1.5, 1.5, 100.0, 0.6, 0.9)
    assert face_findings(good, FaceLimits()) == ()
    found = face_findings(bad, FaceLimits())
    assert {finding.kind for finding in found} == set(FindingKind) - {FindingKind.NO_FACE}
    assert face_findings(bad, FaceLimits.unlimited()) == ()
    assert "8.0 pixels between the eyes" in " ".join(str(finding.problem("a.png")) for finding in found)
    only = FaceLimits(None, None, None, 0.3, None, None, None)
    assert [finding.kind for finding in face_findings(bad, only)] == [FindingKind.TURNED]
    with pytest.raises(ParameterError) as caught:
        FaceLimits(eye_distance=-1, roll=float("nan"))
    assert len(caught.value.problems) == 2
