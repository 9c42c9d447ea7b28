"""Pictures to templates: networks that are made here find a face that is painted; real ones where the data are.

Answers for `privis.extraction.faces.face_detector`, `privis.extraction.faces.face_templates`,
`privis.extraction.faces.cascade_detector` and `privis.extraction.faces.face_networks`.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import privis
from privis.errors import ImageError, MissingExtraError, ParameterError, ProgramError
from privis.extraction.faces import face_networks
from privis.extraction.faces.cascade_detector import CascadeDetector
from privis.extraction.faces.face_detector import FaceDetector
from privis.extraction.faces.face_networks import (
    ControlledPicturesWarning,
    dense_sift,
    face_template_extractor,
    has_face_networks,
    yunet,
)
from privis.extraction.faces.face_templates import FaceTemplate, FaceTemplateExtractor, RefusedFace
from privis.features.cnn import CNN
from privis.program import Input, trace
from privis.tasks.faces import ARCFACE_LANDMARKS, SCRFD, DetectedFaces, FaceChoice, FaceLimits, FindingKind

PICTURE = np.random.default_rng(3).integers(0, 256, (150, 200, 3), dtype=np.uint8)


class Known:
    """A detector of faces that are known."""

    def __init__(self, *shifts: float) -> None:
        self.shifts = shifts

    def detect(self, image: np.ndarray) -> DetectedFaces:
        if not self.shifts or not image.any():
            return DetectedFaces.none()
        boxes = np.array([[20 + s, 20, 70, 90] for s in self.shifts], float)
        return DetectedFaces(
            boxes, np.stack([ARCFACE_LANDMARKS + np.array([s, 0]) for s in self.shifts]), np.ones(len(boxes))
        )


def planes() -> CNN:
    """An embedder: the means of three strips of a crop."""
    return CNN(trace(lambda x: x.reshape(3, 4, 28 * 112).sum(2).reshape(12), Input((3, 112, 112))))


def test_a_template_is_the_embedded_crop_of_length_one() -> None:
    extractor = FaceTemplateExtractor(Known(0.0, 60.0), planes())
    made = extractor(PICTURE)
    assert made.vector.shape == (12,) and np.linalg.norm(made.vector) == pytest.approx(1, abs=1e-6)
    assert made.crop.chosen == 1 and made.crop.pixels.shape == (112, 112, 3)
    expected = PICTURE[:112, 60:172].reshape(4, 28 * 112, 3).sum(1).T.ravel() / 255.0
    assert np.allclose(made.vector, expected / np.linalg.norm(expected), atol=1e-5)
    assert [finding.kind for finding in made.crop.findings] == [FindingKind.SEVERAL_FACES], "told, not refused"
    largest = FaceTemplateExtractor(Known(0.0, 60.0), planes(), FaceChoice.LARGEST)
    assert largest(PICTURE).crop.chosen == 0
    copy = pickle.loads(pickle.dumps(extractor))
    assert np.array_equal(copy(PICTURE).vector, made.vector)
    assert copy.embedding_identity == largest.embedding_identity
    assert FaceTemplateExtractor(Known(), dense_sift()).embedding_identity != largest.embedding_identity


def test_one_picture_that_cannot_be_used_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    extractor = FaceTemplateExtractor(Known(0.0), planes(), limits=FaceLimits(eye_distance=20))
    given = [PICTURE, np.zeros_like(PICTURE), tmp_path / "broken.png", PICTURE[:, :, 0].copy(), PICTURE.astype(float)]
    made = extractor.many(given)
    assert [type(each) for each in made] == [FaceTemplate, RefusedFace, RefusedFace, FaceTemplate, RefusedFace]
    alone = [extractor(picture).vector for picture in (given[0], given[3])]
    assert np.allclose([made[0].vector, made[3].vector], alone, atol=1e-6)  # type: ignore[union-attr]
    _, none, broken, _, floats = made
    assert isinstance(none, RefusedFace) and isinstance(broken, RefusedFace) and isinstance(floats, RefusedFace)
    assert [finding.kind for finding in none.findings] == [FindingKind.NO_FACE] and "image 1" in str(none.error)
    assert "broken.png" in str(broken.error) and not broken.findings and "image 4" in str(floats.error)
    with pytest.raises(ImageError, match="no face"):
        extractor(np.zeros_like(PICTURE))


def test_findings_refuse_where_they_are_said_to() -> None:
    strict = FaceLimits(eye_distance=90, roll=0.1)
    with pytest.raises(ImageError) as caught:
        FaceTemplateExtractor(Known(0.0), planes(), limits=strict)(PICTURE)
    assert len(caught.value.problems) == 2, "all that is wrong at once"
    told = FaceTemplateExtractor(Known(0.0), planes(), limits=strict, refused=frozenset())(PICTURE)
    assert [finding.kind for finding in told.crop.findings] == [FindingKind.TOO_SMALL, FindingKind.TILTED]
    several = FaceTemplateExtractor(Known(0.0, 60.0), planes(), refused=frozenset({FindingKind.SEVERAL_FACES}))
    with pytest.raises(ImageError, match="another face"):
        several(PICTURE)
    for wrong in (
        {"detector": None},
        {"embedder": CNN},
        {"limits": 3},
        {"choice": "largest"},
        {"refused": {"blurred"}},
    ):
        with pytest.raises(ParameterError, match=next(iter(wrong))):
            FaceTemplateExtractor(**({"detector": Known(), "embedder": planes()} | wrong))  # type: ignore[arg-type]


def corner_detector(side: int = 64) -> CNN:
    """A network with YuNet's outputs: a face at every bright cell of stride 32."""

    def build(x):  # type: ignore[no-untyped-def]
        bright = (x.reshape(3, side // 32, 32, side // 32, 32).sum(0, 2, 4) * (1 / (3 * 32 * 32))).reshape(-1, 1)
        one, outputs = bright * 0, []
        for stride in (8, 16, 32):
            rows = (side // stride) ** 2
            flat = one[:1].reshape(1) * np.zeros((rows, 1))
            score = bright if stride == 32 else flat
            outputs += [score, score, score * np.full((1, 4), 0.5), score * np.full((1, 10), 0.5)]
        return tuple(outputs)

    return CNN(trace(build, Input((3, side, side))))


def test_boxes_are_in_pixels_of_the_picture() -> None:
    detector = FaceDetector(corner_detector(), shortest=1)
    for height, width in ((64, 64), (640, 320), (32, 64)):
        picture = np.zeros((height, width, 3), np.uint8)
        scale = max(1.0, max(height, width) / 64)
        half = int(32 * scale)
        picture[:half, :half] = 255
        found = detector.detect(picture)
        assert len(found) == 1 and found.scores[0] == pytest.approx(1, abs=0.01)
        assert found.boxes[0, :2] == pytest.approx(16 * scale * (1 - np.exp(0.5)) * np.ones(2), abs=0.6 * scale)
        assert found.landmarks[0] == pytest.approx(np.full((5, 2), 16 * scale), abs=0.6 * scale)
    assert len(detector.detect(np.zeros((40, 50), np.uint8))) == 0


def test_a_head_that_the_network_does_not_have_is_refused_before_any_picture() -> None:
    with pytest.raises(ProgramError, match="read as SCRFD"):
        FaceDetector(corner_detector(), SCRFD)
    with pytest.raises(ParameterError) as caught:
        FaceDetector(corner_detector(), least=0, overlap=2, shortest=0)
    assert len(caught.value.problems) == 3
    with pytest.raises(ParameterError, match="FaceDetector"):
        FaceDetector("yunet.onnx")  # type: ignore[arg-type]


def test_without_the_extra_controlled_pictures_are_served_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, astronaut: np.ndarray
) -> None:
    monkeypatch.setattr(face_networks, "has_face_networks", lambda: False)
    with pytest.warns(ControlledPicturesWarning, match="controlled pictures"):
        extractor = privis.face_template_extractor()
    assert isinstance(extractor.detector, CascadeDetector)
    made = extractor(astronaut)
    assert made.vector.shape == (36 * 128,) and np.linalg.norm(made.vector) == pytest.approx(1, abs=1e-5)
    x, y, width, height = made.crop.faces.boxes[made.crop.chosen]
    assert 40 < x + width / 2 < 190 and 40 < y + height / 2 < 190
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        face_template_extractor(embedder=planes())
    with pytest.raises(ParameterError, match="shortest"):
        CascadeDetector(0)


def test_files_of_the_extra_are_known_by_their_digests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(face_networks, "PACKAGE", "such_faces")
    monkeypatch.setattr(face_networks, "require", lambda *_: None)
    (tmp_path / "such_faces" / "models").mkdir(parents=True)
    (tmp_path / "such_faces" / "__init__.py").write_text("raise SystemError('nothing of it is imported')")
    with pytest.raises(ParameterError, match="no file"):
        yunet()
    content = b"another network"
    (tmp_path / "such_faces" / "models" / face_networks.DETECTOR).write_bytes(content)
    with pytest.raises(ParameterError, match=hashlib.sha256(content).hexdigest()):
        yunet()


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, face_networks.PACKAGE, None)  # as if it were not there
    assert not has_face_networks()
    with pytest.raises(MissingExtraError, match=r"privis\[faces\]"):
        yunet()


def test_yunet_finds_faces_as_opencv_does(shared: Path) -> None:
    import cv2

    weights = shared / "weights" / "face_detection" / "yunet_n_320_320.onnx"
    detector = FaceDetector.from_onnx(weights)
    for path in sorted((shared / "faces" / "lfw10").glob("*/*_0004.jpg"))[:3]:
        picture = np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1])
        canvas = np.zeros((320, 320, 3), np.uint8)
        canvas[:250, :250] = picture[:250, :250]
        peer = cv2.FaceDetectorYN.create(str(weights), "", (320, 320), 0.6, 0.3)
        expected = peer.detect(np.ascontiguousarray(canvas[:, :, ::-1]))[1]
        found = detector.detect(canvas)
        assert len(found) == len(expected) > 0
        assert np.allclose(found.boxes, expected[:, :4], atol=0.05)
        assert np.allclose(found.landmarks.reshape(-1, 10), expected[:, 4:14], atol=0.05)
        assert np.allclose(found.scores, expected[:, 14], atol=1e-3)
