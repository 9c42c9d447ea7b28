"""Pictures whose template is known, and an extractor for them: no network, no photograph."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

import privis
from privis.features.cnn import CNN
from privis.program import Input, trace
from privis.tasks.faces import ARCFACE_LANDMARKS, DetectedFaces, FaceLimits
from privis.tasks.verification import CalibrationTable


class Framed:
    """A detector whose faces fill the picture; a dark picture has none, a wide one a second face beside the first."""

    def detect(self, image: np.ndarray) -> DetectedFaces:
        if image.max() < 16:
            return DetectedFaces.none()
        count = 2 if image.shape[1] > image.shape[0] * 2 - 1 else 1
        shifts = np.arange(count)[:, None] * np.array([112.0, 0])
        boxes = np.concatenate([10 + shifts, np.full((count, 2), 90.0)], 1)
        return DetectedFaces(boxes, ARCFACE_LANDMARKS + shifts[:, None], np.ones(count))


def strips() -> CNN:
    """An embedder: how bright each of 16 tiles of the red and green planes is, over the plane's mean."""

    def build(x):  # type: ignore[no-untyped-def]
        tiles = (x.reshape(3, 4, 28, 4, 28).sum(2, 4) * (1 / 784))[:2].reshape(2, 16)
        return (tiles - tiles.sum(1).reshape(2, 1) * (1 / 16)).reshape(32)

    return CNN(trace(build, Input((3, 112, 112))))


def picture(person: int, shot: int = 0) -> NDArray[np.uint8]:
    """A picture whose template is about that of the others of the person, and of nobody else."""
    tiles = np.random.default_rng(person).integers(60, 196, (4, 4, 3))
    noise = np.random.default_rng((person, shot)).integers(-20, 21, (112, 112, 3))
    return np.clip(np.kron(tiles, np.ones((28, 28, 1))) + noise, 0, 255).astype(np.uint8)


LIMITS = dataclasses.replace(FaceLimits.unlimited(), others=0.5)
EXTRACTOR = privis.FaceTemplateExtractor(Framed(), strips(), limits=LIMITS)


def impostors(people: int = 60) -> CalibrationTable:
    """Impostor scores of made-up people: 1,770 pairs of 60."""
    made = EXTRACTOR.many([picture(1000 + n) for n in range(people)])
    vectors = np.stack([each.vector for each in made if isinstance(each, privis.FaceTemplate)])
    names = [str(n) for n in range(people)]
    return CalibrationTable.of_templates(EXTRACTOR.embedding_identity, "tiles", "made up", vectors, names)
