"""The benchmark of faces runs on two people, so that it cannot rot."""

from pathlib import Path

import numpy as np

from benchmarks.tasks import face_calibration, faces
from privis.extraction.faces.cascade_detector import CascadeDetector
from privis.extraction.faces.face_networks import dense_sift
from privis.extraction.faces.face_templates import FaceTemplateExtractor


def test_two_people(shared: Path):
    extractor = FaceTemplateExtractor(CascadeDetector(), dense_sift())
    files, found, error, accepted = faces.measure(extractor, shared / "faces" / "orl", most=2)
    assert files == found == 20 and error < 0.4 and 0 < accepted <= 1


def test_rates_of_known_vectors():
    people = np.array(["a", "a", "b", "b"])
    apart = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    assert faces.rates(apart, people) == (0.0, 1.0)
    assert faces.rates(apart[[0, 2, 0, 2]], people) == (0.5, 0.0)


def test_impostor_scores_are_those_of_two_people():
    people = ["a", "a", "b"]
    vectors = np.array([[1.0, 0], [0, 1], [1, 0]])
    counts = face_calibration.impostor_counts(vectors, people)
    assert counts.sum() == 2 and counts[-1] == 1 and counts[1000] == 1
    counts = face_calibration.impostor_counts(vectors, people, images=2)
    assert counts.sum() == 2 and counts[1707] == 2, "both are with the mean of a's pictures"
