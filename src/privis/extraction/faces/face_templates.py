"""From a picture to a template: the face that is meant, cut out upright, judged, and embedded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, ParameterError, Problem
from privis.extraction.faces.face_detector import FindsFaces
from privis.extraction.images import label_of, listed_images
from privis.extraction.prepared.prepare import Prepared, prepare
from privis.features.feature import Feature
from privis.identity import UNIDENTIFIED, identity
from privis.io.images import decode
from privis.run.protocol import Executor
from privis.tasks.faces.alignment import ARCFACE_LANDMARKS, SIDE, aligned_face
from privis.tasks.faces.detected_faces import DetectedFaces, FaceChoice, chosen_face
from privis.tasks.faces.quality import (
    NO_FACE,
    FaceFinding,
    FaceLimits,
    FaceQuality,
    FindingKind,
    face_findings,
    face_quality,
)

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class _FaceEmbedding:
    """What decides whether two vectors can be compared: the embedder, places of landmarks, side of the crop."""

    identifier: ClassVar[str] = "privis.face-embedding/1"

    embedder: Feature
    landmarks: NDArray[np.float64]
    side: int


@dataclass(frozen=True, eq=False)
class FaceCrop:
    """The face of one picture, before it is embedded.

    Args:
        pixels: the aligned crop, uint8 (112, 112) or (112, 112, 3) RGB.
        faces: all that were found, in pixels of the upright picture.
        chosen: number of the one that is cut out.
        quality: what was measured of it.
        findings: which limits it does not keep.
    """

    pixels: Pixels = field(repr=False)
    faces: DetectedFaces = field(repr=False)
    chosen: int
    quality: FaceQuality
    findings: tuple[FaceFinding, ...]


@dataclass(frozen=True, eq=False)
class FaceTemplate:
    """What a face is recognised by.

    Args:
        vector: float32 (components,) of Euclidean length 1; the cosine of two is their similarity.
        crop: the face that it was made of.
    """

    vector: NDArray[np.float32] = field(repr=False)
    crop: FaceCrop = field(repr=False)


@dataclass(frozen=True)
class RefusedFace:
    """A picture that gives no template, and why.

    Args:
        findings: what is wrong with the face; empty where the picture itself cannot be read.
        problems: all that is wrong, with the picture's name.
    """

    findings: tuple[FaceFinding, ...]
    problems: tuple[Problem, ...]

    @property
    def error(self) -> ImageError:
        """The error that says it."""
        return ImageError(*self.problems)


@dataclass(frozen=True)
class FaceTemplateExtractor:
    """A picture to a template, at its owner: detection, choice, alignment to 112 x 112 pixels, quality, embedding.

    A vector is what ``embedder`` gives, of length 1. Templates of two extractors can be compared when their
    `embedding_identity` is the same, whatever detector found the faces.

    Args:
        detector: finds faces with five landmarks, as `FaceDetector` does.
        embedder: the feature of an aligned crop: a `CNN` for faces, or a weight-free one.
        choice: which of several faces is meant.
        limits: what is good enough.
        refused: findings because of which there is no template; the others are told, and the template is made. Without
            a face there is none, whatever stands here.
        under: who computes the embedding; None: `Clear`.

    Raises:
        ParameterError: naming everything that does not fit.
    """

    identifier: ClassVar[str] = "privis.face-template-extractor/1"

    detector: FindsFaces
    embedder: Feature
    choice: FaceChoice = FaceChoice.CENTRAL
    limits: FaceLimits = FaceLimits()
    refused: frozenset[FindingKind] = frozenset(FindingKind) - {FindingKind.SEVERAL_FACES}
    under: Executor | None = None
    _prepared: Prepared = field(init=False, repr=False, compare=False, metadata=UNIDENTIFIED)

    def __post_init__(self) -> None:
        object.__setattr__(self, "refused", frozenset(self.refused))
        problems = []
        if not callable(getattr(self.detector, "detect", None)):
            got = type(self.detector).__name__
            problems.append(Problem("FaceTemplateExtractor.detector", got, "a FaceDetector"))
        for name, kind in (("choice", FaceChoice), ("limits", FaceLimits)):
            if not isinstance(getattr(self, name), kind):
                got = repr(getattr(self, name))
                problems.append(Problem(f"FaceTemplateExtractor.{name}", got, f"a {kind.__name__}"))
        if not all(isinstance(kind, FindingKind) for kind in self.refused):
            got = ", ".join(map(repr, self.refused))
            problems.append(Problem("FaceTemplateExtractor.refused", got, "members of FindingKind"))
        if isinstance(self.embedder, type) or not isinstance(self.embedder, Feature):
            got = repr(self.embedder)
            problems.append(
                Problem("FaceTemplateExtractor.embedder", got, "a feature, as in privis.CNN.from_onnx(...)")
            )
        if problems:
            raise ParameterError(*problems)
        object.__setattr__(self, "_prepared", prepare(self.embedder, under=self.under))

    @property
    def embedding_identity(self) -> bytes:
        """32 bytes that tell vectors which can be compared from others: the embedder, and where landmarks stand."""
        return identity(_FaceEmbedding(self.embedder, ARCFACE_LANDMARKS, SIDE))

    def __call__(self, image: Any) -> FaceTemplate:
        """Make the template of the face in one picture.

        Args:
            image: a path, a PIL image or a uint8 array (H, W) or (H, W, 3) RGB.

        Returns:
            The template.

        Raises:
            ImageError: the picture cannot be read, has no face, or one that is not good enough: all that is wrong.
            UnsupportedError: the executor cannot run the embedder.
        """
        (made,) = self.many([image])
        if isinstance(made, RefusedFace):
            raise made.error
        return made

    def many(self, images: Iterable[Any]) -> list[FaceTemplate | RefusedFace]:
        """Make the templates of many pictures, one person in each; what cannot be used does not stop the others.

        Args:
            images: paths, PIL images or uint8 arrays (H, W) or (H, W, 3) RGB.

        Returns:
            For each picture a template, or why there is none, in order.

        Raises:
            ParameterError: no images.
            UnsupportedError: the executor cannot run the embedder.
        """
        made: list[FaceCrop | RefusedFace] = [
            self.crop(image, label_of(index, image)) for index, image in enumerate(listed_images(images))
        ]
        crops = [each for each in made if isinstance(each, FaceCrop)]
        vectors = iter(self.embedded([crop.pixels for crop in crops]))
        return [each if isinstance(each, RefusedFace) else FaceTemplate(next(vectors), each) for each in made]

    def crop(self, image: Any, label: str = "image") -> FaceCrop | RefusedFace:
        """Find, choose, cut out and judge the face of one picture, without embedding it.

        Args:
            image: a path, a PIL image or a uint8 array (H, W) or (H, W, 3) RGB.
            label: what messages call the picture.

        Returns:
            The crop, or why there is none.
        """
        try:
            pixels = decode.load(image)
        except ImageError as error:
            named = [p if label in p.where else replace(p, where=f"{label}: {p.where}") for p in error.problems]
            return RefusedFace((), tuple(named))
        faces = self.detector.detect(pixels)
        chosen = chosen_face(faces, pixels.shape, self.choice)
        if chosen is None:
            return RefusedFace((NO_FACE,), (NO_FACE.problem(label),))
        try:
            cut = aligned_face(pixels, faces.landmarks[chosen])
        except ParameterError:  # landmarks that are one point
            return RefusedFace((NO_FACE,), (NO_FACE.problem(label),))
        quality = face_quality(faces, chosen, cut, pixels.shape)
        findings = face_findings(quality, self.limits)
        refused = tuple(finding for finding in findings if finding.kind in self.refused)
        if refused:
            return RefusedFace(findings, tuple(finding.problem(label) for finding in refused))
        return FaceCrop(cut, faces, chosen, quality, findings)

    def embedded(self, crops: Iterable[Pixels]) -> NDArray[np.float32]:
        """Embed aligned crops.

        Args:
            crops: uint8 (112, 112) or (112, 112, 3) RGB each, as of `aligned_face`.

        Returns:
            float32 (crops, components) of Euclidean length 1; a vector of zeros stays one.

        Raises:
            UnsupportedError: the executor cannot run the embedder.
        """
        given = list(crops)
        if not given:
            return np.zeros((0, 0), np.float32)
        rows = self._prepared(given).features.astype(np.float64)
        return (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)).astype(np.float32)
