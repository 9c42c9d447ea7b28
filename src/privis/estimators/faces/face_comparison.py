"""What verification and identification share: templates of pictures, and the threshold of a stated rate."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.estimators.faces.shipped_calibration import shipped_calibration
from privis.estimators.faces.template_matching import ClearMatcher, TemplateMatcher
from privis.estimators.faces.template_protection import TemplateRelease, TemplateTransform
from privis.extraction.faces.face_templates import FaceCrop, FaceTemplateExtractor, RefusedFace
from privis.extraction.images import label_of, listed_images
from privis.tasks.faces import FaceChoice, FindingKind
from privis.tasks.matches import Decision
from privis.tasks.questions import Claim, Top
from privis.tasks.verification import CalibrationTable

DEFAULT_RATE = 1e-4
LOT = 64
"""Pictures whose crops are in memory at a time."""
_SHOWN = 5


class SeveralFacesWarning(UserWarning):
    """Pictures show several faces of about one size, and one of them was taken."""


@dataclass(frozen=True)
class Verification:
    """Whether two pictures show one person.

    Args:
        match: whether they certainly do; False also where it is undecided.
        undecided: whether an approximate comparison was too near to the threshold to tell.
        fmr: the false-match rate that the threshold was chosen by.
        score: their cosine, where it was asked for.
    """

    match: bool
    undecided: bool
    fmr: float
    score: float | None = None


@dataclass(frozen=True, eq=False)
class FaceVectors:
    """Vectors of those pictures that have a template.

    Args:
        rows: (usable pictures, components) of length 1, transformed where a transform is asked for.
        places: (usable pictures,) which picture each is of.
        refused: why, by the number of each other picture.
    """

    rows: NDArray[np.float32]
    places: NDArray[np.int64]
    refused: dict[int, RefusedFace]


@dataclass(frozen=True, eq=False)
class FaceComparison:
    """How faces become templates, who compares them, and how often two people may match.

    Args:
        extractor: makes templates of pictures, at their owner.
        fmr: the false-match rate of one comparison, in (0, 1); the threshold follows from it and the calibration.
        calibration: public impostor scores of the extractor's embedding; None: the table that comes with Privis.
        matcher: who compares templates.
        transform: what vectors go through before they are stored or compared; None: nothing.
        release: how stored templates are released; None: they are exact.

    Raises:
        ParameterError: naming everything that does not fit.
    """

    extractor: FaceTemplateExtractor
    fmr: float = DEFAULT_RATE
    calibration: CalibrationTable | None = None
    matcher: TemplateMatcher = ClearMatcher()
    transform: TemplateTransform | None = None
    release: TemplateRelease | None = None

    def __post_init__(self) -> None:
        problems = []
        where = type(self).__name__
        if isinstance(self.fmr, bool) or not isinstance(self.fmr, int | float) or not 0 < self.fmr < 1:
            problems.append(Problem(f"{where}.fmr", repr(self.fmr), "a false-match rate between 0 and 1"))
        if not isinstance(self.extractor, FaceTemplateExtractor):
            got, remedy = type(self.extractor).__name__, "privis.face_template_extractor() makes one"
            problems.append(Problem(f"{where}.extractor", got, "a FaceTemplateExtractor", remedy))
        elif self.calibration is not None and self.calibration.embedding != self.extractor.embedding_identity:
            got = f"a table of {self.calibration.network} ({self.calibration.embedding.hex()[:12]})"
            expected = f"one of the extractor's embedding ({self.extractor.embedding_identity.hex()[:12]})"
            remedy = "a table of another network says nothing of this one: measure one with privis face evaluate"
            problems.append(Problem(f"{where}.calibration", got, expected, remedy))
        refuse(ParameterError, problems)

    @property
    def embedding(self) -> bytes:
        """32 bytes that tell vectors which can be compared from others."""
        plain = self.extractor.embedding_identity
        return plain if self.transform is None else self.transform.embedding(plain)

    @property
    def network(self) -> str:
        """What makes the vectors, in words."""
        return self.plain_network if self.transform is None else self.transform.network(self.plain_network)

    @property
    def plain_network(self) -> str:
        """What makes the vectors before the transform, in words."""
        known = self.calibration or shipped_calibration(self.extractor.embedding_identity)
        return type(self.extractor.embedder).__name__ if known is None else known.network

    def table(self, components: int) -> CalibrationTable:
        """Give the calibration that holds for what is stored and compared.

        Args:
            components: of a template.

        Returns:
            The table, after the transform and the release.

        Raises:
            ParameterError: there is none for this embedding.
        """
        table = self.calibration or shipped_calibration(self.extractor.embedding_identity)
        if table is None:
            got = f"no calibration table of this embedding ({self.extractor.embedding_identity.hex()[:12]})"
            remedy = "measure one on pictures of many people: privis face evaluate FOLDER --calibration-output FILE"
            raise ParameterError(Problem("threshold", got, "public impostor scores, that a rate is read from", remedy))
        if self.transform is not None:
            table = self.transform.calibrated(table)
        return table if self.release is None else self.release.calibrated(table, components)

    def threshold(self, components: int, templates: int = 1) -> tuple[float, float]:
        """Find the threshold of the stated rate, for the matcher's precision.

        Args:
            components: of a template.
            templates: how many a probe is compared with.

        Returns:
            The threshold, and the gap it was raised by.

        Raises:
            ParameterError: no table of this embedding, or one with too few pairs for the rate.
        """
        gap = self.matcher.gap(components, templates)
        return self.table(components).threshold(self.fmr, gap), gap

    def compared(self, template: NDArray[Any], row: NDArray[Any], score: bool = False) -> Verification:
        """Compare one vector with one template.

        Args:
            template: (1, components), of any length but zero.
            row: (1, components) of a probe, as of `vectors`.
            score: whether the cosine is revealed, too.

        Returns:
            The answer.

        Raises:
            ParameterError: no calibration of this embedding, or one with too few pairs for the rate.
        """
        threshold, gap = self.threshold(template.shape[1])
        with self.matcher.holding(template) as held:
            decisions = held.ask(Claim(threshold, gap), row, [0]).decisions
            cosines = held.ask(Top(1, score=True), row).cosines if score else None
        assert decisions is not None
        decision, cosine = int(decisions[0]), None if cosines is None else float(cosines[0, 0])
        return Verification(decision == Decision.ACCEPTED, decision == Decision.UNDECIDED, float(self.fmr), cosine)

    def vectors(self, images: Iterable[Any], on_progress: Callable[[float], None] = lambda share: None) -> FaceVectors:
        """Make the vectors of pictures; one that cannot be used does not stop the others.

        Args:
            images: paths, PIL images or uint8 arrays (H, W) or (H, W, 3) RGB, one person in each.
            on_progress: is told the share that is done, in (0, 1].

        Returns:
            The vectors, and why the other pictures have none.

        Raises:
            ParameterError: no images.

        Warns:
            SeveralFacesWarning: one of several faces of about one size was taken.
        """
        listed = listed_images(images)
        several: list[str] = []
        rows: list[NDArray[np.float32]] = []
        places: list[int] = []
        refused: dict[int, RefusedFace] = {}
        for start in range(0, len(listed), LOT):
            labels = {place: label_of(place, listed[place]) for place in range(start, min(start + LOT, len(listed)))}
            made = {place: self.extractor.crop(listed[place], label) for place, label in labels.items()}
            crops = {place: each for place, each in made.items() if isinstance(each, FaceCrop)}
            refused |= {place: each for place, each in made.items() if isinstance(each, RefusedFace)}
            several += [labels[place] for place, crop in crops.items() if _shows_several(crop)]
            vectors = self.extractor.embedded([crop.pixels for crop in crops.values()])
            for place, vector in zip(crops, vectors, strict=True):
                if vector.any():
                    rows.append(vector)
                    places.append(place)
                else:
                    got, remedy = "a face without any detail", "take a picture with a face that is lit"
                    problem = Problem(labels[place], got, "one that the embedder describes", remedy)
                    refused[place] = RefusedFace((), (problem,))
            on_progress((start + len(labels)) / len(listed))
        if several:
            _warn_of_several(several, self.extractor.choice)
        found = np.stack(rows) if rows else np.zeros((0, 0), np.float32)
        if rows and self.transform is not None:
            found = np.asarray(self.transform.transformed(found), np.float32)
        return FaceVectors(found, np.asarray(places, np.int64), dict(sorted(refused.items())))


def _shows_several(crop: FaceCrop) -> bool:
    return any(finding.kind is FindingKind.SEVERAL_FACES for finding in crop.findings)


def _warn_of_several(labels: list[str], choice: FaceChoice) -> None:
    shown = ", ".join(labels[:_SHOWN]) + (f" and {len(labels) - _SHOWN:,} more" if len(labels) > _SHOWN else "")
    taken = "in the middle" if choice is FaceChoice.CENTRAL else "that is largest"
    text = f"several faces of about one size, of which the one {taken} is taken: {shown}; cut out the one that is meant"
    warnings.warn(text, SeveralFacesWarning, stacklevel=4)
