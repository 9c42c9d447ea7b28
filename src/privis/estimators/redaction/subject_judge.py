"""``SubjectJudge``: which faces are those of selected people, for painting over all others, or only them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.estimators.faces.face_comparison import SeveralFacesWarning
from privis.estimators.faces.identifier import Identification, Identifier
from privis.extraction.faces.face_templates import FaceCrop
from privis.io.face_gallery import FaceGallery
from privis.tasks.redaction.left_regions import FaceVerdict, is_same_face
from privis.tasks.redaction.regions import ImageRegion, RegionKind

LENIENT = 0.05
"""False-match rate at which a face that does not match is somebody else: most pictures of one person match there."""
AROUND = 2.5
"""Sides of the square that is cut out around a face, in longer sides of its box."""


@dataclass(frozen=True, eq=False)
class SubjectJudge:
    """Decides whether faces stay, by who they are among the people of a gallery; what it cannot tell is painted.

    A face is one of the selected people where it matches at the identifier's rate, somebody else where it does not
    even match them at a rate of 5 %, and undecided between. Guarantee, of ``keeps``: a face that is none of
    ``subjects`` stays with a probability of at most the identifier's rate for each of them, for people drawn as those
    of the calibration table. Of the other way there is none: a picture of a selected person that does not match at 5 %
    stays visible.

    Args:
        identifier: makes templates and compares them, at a stated false-match rate.
        gallery: people who are known.
        subjects: ids of the selected people.
        keeps: whether these stay and all others are painted; False: these are painted, and only who is certainly
            somebody else stays.

    Raises:
        ParameterError: no subject, or one who is not in the gallery.
    """

    identifier: Identifier
    gallery: FaceGallery
    subjects: frozenset[str]
    keeps: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "subjects", frozenset(self.subjects))
        unknown = sorted(self.subjects - set(self.gallery.subjects))
        if unknown or not self.subjects:
            got = ", ".join(map(repr, unknown)) or "nobody"
            remedy = "privis face list says who is there"
            raise ParameterError(Problem("SubjectJudge.subjects", got, "people of the gallery", remedy))

    def judge(self, image: NDArray[np.uint8], regions: Iterable[ImageRegion]) -> list[FaceVerdict]:
        """Decide of regions of one picture.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB, upright.
            regions: of any kind, in pixels of it.

        Returns:
            For each whether it stays; what is no face is painted.

        Raises:
            ParameterError: a gallery of another network, or a rate that the calibration does not support.
        """
        given = list(regions)
        verdicts = [FaceVerdict.PAINT if each.kind is not RegionKind.FACE else FaceVerdict.UNSURE for each in given]
        cuts = {}
        for number, region in enumerate(given):
            if region.kind is RegionKind.FACE and (cut := self._cut(image, region)) is not None:
                cuts[number] = cut
        matched = self._named(self.identifier, self.gallery, cuts) if self.keeps and cuts else {}
        perhaps = self._named(replace(self.identifier, fmr=LENIENT), self._selected(), cuts) if cuts else {}
        for number, could_be in perhaps.items():
            if not could_be:
                verdicts[number] = FaceVerdict.PAINT if self.keeps else FaceVerdict.LEAVE
            elif not self.keeps:
                verdicts[number] = FaceVerdict.PAINT
            elif matched.get(number):
                verdicts[number] = FaceVerdict.LEAVE
        return verdicts

    def _selected(self) -> FaceGallery:
        """The selected people alone: somebody else who is more alike must not hide them."""
        rows = [row for row, who in enumerate(self.gallery.subjects) if who in self.subjects]
        people = tuple(self.gallery.people[row] for row in rows)
        return replace(self.gallery, people=people, templates=self.gallery.templates[rows])

    def _named(
        self, identifier: Identifier, gallery: FaceGallery, cuts: dict[int, NDArray[np.uint8]]
    ) -> dict[int, bool]:
        """Whether each face is one of the selected people, where it can be told."""
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", SeveralFacesWarning
            )  # of neighbours in the cut; which one is meant is known
            answers = zip(cuts, identifier.identify(gallery, list(cuts.values())), strict=True)
        decided = ((n, each) for n, each in answers if isinstance(each, Identification) and not each.undecided)
        return {number: each.subject in self.subjects for number, each in decided}

    def _cut(self, image: NDArray[np.uint8], region: ImageRegion) -> NDArray[np.uint8] | None:
        """The square around a face, black outside of the picture; None where another face, or none, is found in it."""
        x, y, width, height = region.box
        side = max(8, round(AROUND * max(width, height)))
        left, top = round(x + width / 2 - side / 2), round(y + height / 2 - side / 2)
        inside = image[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)]
        if not inside.size:
            return None
        square = np.zeros((side, side, *image.shape[2:]), np.uint8)
        from_top, from_left = max(0, -top), max(0, -left)
        square[from_top : from_top + inside.shape[0], from_left : from_left + inside.shape[1]] = inside
        crop: Any = self.identifier.extractor.crop(square)
        if not isinstance(crop, FaceCrop):
            return None
        box = crop.faces.boxes[crop.chosen] + np.array([left, top, 0, 0])
        found = ImageRegion.of_box(RegionKind.FACE, *map(float, box))
        return square if is_same_face(found, region) else None
