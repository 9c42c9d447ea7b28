"""The judge of reconstructions: whose face a network for faces sees in them, and which original they are of.

A judge has what no attacker has, the originals; it counts, and nothing of it reaches an attack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.extraction.faces.face_templates import FaceCrop, FaceTemplateExtractor
from privis.tasks.faces.alignment import SIDE, aligned_face

Pixels = NDArray[np.uint8]
_SMALL = 32


@dataclass(frozen=True, eq=False)
class Judgement:
    """Hits among reconstructions.

    Args:
        names: the person of the nearest other original, for each reconstruction that was looked at.
        hits: those with the right name.
        tries: reconstructions of people of whom there is another original.
        chance: share of hits of somebody who picks any other original.
    """

    names: tuple[str, ...]
    hits: int
    tries: int
    chance: float


@dataclass(frozen=True, eq=False)
class FaceJudge:
    """Whose face it is, by the nearest *other* real picture in a network for faces. Made by `of_originals`.

    A picture of 112 x 112 pixels is taken as an aligned face; in any other the extractor finds it, and reconstructions
    are cut out where the original has its face.

    Args:
        extractor: detector and embedder.
        templates: (n, k) of length 1, one per original; zeros where no face was found.
        people: whose each original is.
        landmarks: (5, 2) each, in shares of width and height; None: aligned already.
    """

    extractor: FaceTemplateExtractor
    templates: NDArray[np.float32]
    people: tuple[str, ...]
    landmarks: tuple[NDArray[np.float64] | None, ...]

    @classmethod
    def of_originals(
        cls, extractor: FaceTemplateExtractor, pictures: Sequence[Pixels], people: Sequence[str]
    ) -> FaceJudge:
        """Embed the originals.

        Args:
            extractor: of templates, as `privis.face_template_extractor` makes one.
            pictures: uint8 (H, W) or (H, W, 3) each.
            people: whose each is.

        Returns:
            The judge.

        Raises:
            ParameterError: names that do not fit the pictures.
        """
        if len(pictures) != len(people):
            got = f"{len(people)} names for {len(pictures)} pictures"
            raise ParameterError(Problem("people", got, "one for each"))
        crops: list[Pixels] = []
        places: list[NDArray[np.float64] | None] = []
        found = np.zeros(len(pictures), bool)
        for number, picture in enumerate(pictures):
            if picture.shape[:2] == (SIDE, SIDE):
                crop, place = _coloured(picture), None
            else:
                seen = extractor.crop(picture)
                if not isinstance(seen, FaceCrop):
                    places.append(None)
                    continue
                size = np.array(picture.shape[1::-1], np.float64)
                crop, place = _coloured(seen.pixels), seen.faces.landmarks[seen.chosen] / size
            found[number] = True
            crops.append(crop)
            places.append(place)
        own = extractor.embedded(crops)
        templates = np.zeros((len(pictures), own.shape[1]), np.float32)
        templates[found] = own
        return cls(extractor, templates, tuple(people), tuple(places))

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(n,) whether a face was found in the original."""
        return np.asarray(self.templates.any(1))

    def __call__(self, reconstructions: NDArray[Any], places: Sequence[int]) -> Judgement:
        """Say whose face each reconstruction shows.

        Args:
            reconstructions: (m, height, width) grey levels from 0 to 255.
            places: which original each is of.

        Returns:
            The judgement, over reconstructions whose original shows a face of somebody with another original.

        Raises:
            ParameterError: none of them can be judged.
        """
        names, seen = np.asarray(self.people), self.seen
        right = (names[:, None] == names[None]) & seen[None]
        np.fill_diagonal(right, False)
        judged = [number for number, place in enumerate(places) if seen[place] and right[place].any()]
        if not judged:
            remedy = "name pictures of faces, at least two of one person"
            raise ParameterError(Problem("originals", "no face of a person with two pictures", "some", remedy))
        crops = [self._crop(reconstructions[number], places[number]) for number in judged]
        own = np.asarray([places[number] for number in judged])
        near = self.extractor.embedded(crops) @ self.templates.T
        near[:, ~seen] = -np.inf
        near[np.arange(len(own)), own] = -np.inf
        nearest = names[near.argmax(1)]
        chance = float((right[own].sum(1) / max(int(seen.sum()) - 1, 1)).mean())
        return Judgement(tuple(map(str, nearest)), int((nearest == names[own]).sum()), len(own), chance)

    def _crop(self, reconstruction: NDArray[Any], place: int) -> Pixels:
        import cv2

        picture = np.clip(np.round(reconstruction), 0, 255).astype(np.uint8)
        landmarks = self.landmarks[place]
        if landmarks is None:
            return _coloured(np.asarray(cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8))
        return _coloured(aligned_face(picture, landmarks * np.array(picture.shape[1::-1], np.float64)))


def matched_originals(reconstructions: NDArray[Any], originals: NDArray[Any], places: Sequence[int]) -> Judgement:
    """Say which original each reconstruction is nearest to, by the correlation of small grey pictures.

    Args:
        reconstructions: (m, height, width) grey levels.
        originals: (n, height, width) grey levels, of any size.
        places: which original each reconstruction is of.

    Returns:
        The judgement: a hit is the very original; names are numbers of originals.

    >>> pictures = np.random.default_rng(0).integers(0, 256, (5, 40, 40)).astype(float)
    >>> found = matched_originals(pictures[:3] * 0.5 + 20, pictures, [0, 1, 2])
    >>> found.hits, found.tries, found.chance
    (3, 3, 0.2)
    """
    near = _profile(reconstructions) @ _profile(originals).T
    nearest = near.argmax(1)
    hits = int((nearest == np.asarray(places)).sum())
    return Judgement(tuple(map(str, nearest)), hits, len(nearest), 1 / len(originals))


def _profile(pictures: NDArray[Any]) -> NDArray[np.float64]:
    import cv2

    small = [cv2.resize(np.float32(picture), (_SMALL, _SMALL), interpolation=cv2.INTER_AREA) for picture in pictures]
    rows = np.stack(small).reshape(len(small), -1).astype(np.float64)
    rows -= rows.mean(1, keepdims=True)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def _coloured(picture: Pixels) -> Pixels:
    return np.repeat(picture[:, :, None], 3, 2) if picture.ndim == 2 else picture
