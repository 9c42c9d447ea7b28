"""A classifier that is trained: what is extracted, what scores it, what scores mean, and what is decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.extraction.card import described
from privis.extraction.images import extract
from privis.features.feature import Feature
from privis.identity import identity
from privis.run.clear import Clear
from privis.run.protocol import Executor
from privis.tasks.classification.decision_rule import CalledClasses, DecisionRule
from privis.tasks.classification.probability_calibration import CalibrationMethod, ScoreScaling
from privis.tasks.decisions import Link, probabilities
from privis.tasks.linear_head import LinearHead

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrainedClassifier:
    """A feature with a linear head behind it, or a network whose outputs are the scores.

    The calibration of a head is in its numbers: whoever computes its scores has calibrated probabilities of them.

    Args:
        feature: what is extracted; of a network, its scores.
        classes: names, one for each score, or two for one score.
        head: what scores the vectors; None: the feature's vector is the scores.
        scaling: of the scores, where there is no head that holds it.
        link: how probabilities follow from scores.
        rule: how a decision follows from probabilities.
        calibration: how probabilities were calibrated.
        split: what the training was of, in numbers alone: never a name, a path or a digest of an image.
        guarantee: of a private training, as `Guarantee.to_dict` gives it; None: there is none.
        words: from which the command line makes the feature again.
        training: a private training, as a card says a release; None: there was none, or it was not kept.

    Raises:
        ParameterError: the parts do not fit each other.

    >>> from privis import LBP
    >>> from privis.tasks.linear_stages import LinearMap
    >>> head = LinearHead(("dark", "bright"), (LinearMap(np.ones((1, 256)), np.zeros(1)),), Link.LOGISTIC)
    >>> model = TrainedClassifier(LBP(), head.classes, head)
    >>> model.decide(model.probabilities(np.array([[3.0]]))).labels
    ('bright',)
    """

    feature: Feature
    classes: tuple[str, ...]
    head: LinearHead | None = field(default=None, repr=False)
    scaling: ScoreScaling = ScoreScaling()
    link: Link = Link.SOFTMAX
    rule: DecisionRule = DecisionRule()
    calibration: CalibrationMethod = CalibrationMethod.NONE
    split: Mapping[str, Any] = field(default_factory=dict)
    guarantee: Mapping[str, Any] | None = None
    words: Mapping[str, Any] = field(default_factory=dict, repr=False)
    training: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        problems = []
        if len(set(self.classes)) < 2 or len(set(self.classes)) < len(self.classes):
            problems.append(
                Problem("TrainedClassifier.classes", ", ".join(self.classes), "at least two, all different")
            )
        if self.head is not None:
            if self.head.classes != self.classes:
                got = ", ".join(self.head.classes)
                problems.append(Problem("TrainedClassifier.head", f"the classes {got}", ", ".join(self.classes)))
            object.__setattr__(self, "link", self.head.link)
        if self.link not in (Link.SOFTMAX, Link.LOGISTIC):
            problems.append(Problem("TrainedClassifier.link", self.link.value, "softmax or logistic"))
        if self.rule.watched is not None and self.rule.watched not in self.classes:
            expected = f"one of {', '.join(self.classes)}"
            problems.append(Problem("TrainedClassifier.rule", f"the class {self.rule.watched!r}", expected))
        refuse(ParameterError, problems)

    @property
    def scored(self) -> Feature:
        """The feature whose vector is the scores: it is extracted, encrypted and shared like any other."""
        return self.feature if self.head is None else self.feature >> self.head  # type: ignore[operator]

    def scores(self, images: Sequence[Any], under: Executor | None = None) -> Floats:
        """Extract images and score what was extracted.

        Args:
            images: paths, PIL images or uint8 arrays (H, W) or (H, W, 3) RGB.
            under: who computes; None: this process.

        Returns:
            Float64 (images, scores).

        Raises:
            ImageError: naming every image that cannot be used.
            UnsupportedError: the executor cannot run the feature and the head as one program.
        """
        if under is not None and not isinstance(under, Clear):
            return np.asarray(extract(self.scored, images, under=under).features, np.float64)
        return self.scores_of(extract(self.feature, images).features)

    def scores_of(self, vectors: npt.NDArray[np.floating]) -> Floats:
        """Score vectors that were extracted.

        Args:
            vectors: of the feature, (images, components).

        Returns:
            Float64 (images, scores).

        Raises:
            ParameterError: vectors are of another length.
        """
        if self.head is not None:
            return self.head.scores(vectors)
        rows = np.asarray(vectors, np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.width:
            got, expected = (
                f"a network with outputs of shape {rows.shape}",
                f"(images, {self.width}): a score per class",
            )
            remedy = "name the layer that gives scores, or train a head behind it"
            raise ParameterError(Problem("TrainedClassifier.feature", got, expected, remedy))
        return rows

    @property
    def width(self) -> int:
        """Scores of an image."""
        if self.head is not None:
            return len(self.head.last.matrix)
        return 1 if self.link is Link.LOGISTIC and len(self.classes) == 2 else len(self.classes)

    def probabilities(self, scores: npt.NDArray[np.floating]) -> Floats:
        """Turn scores into probabilities.

        Args:
            scores: (images, scores), by whomever they were computed.

        Returns:
            Float64 (images, classes); rows sum to 1.
        """
        found = probabilities(self.link, self.scaling.scores(scores))
        assert found is not None
        return found

    def decide(self, probabilities: npt.NDArray[np.floating]) -> CalledClasses:
        """Name the class of every image, or nothing where the rule says so.

        Args:
            probabilities: (images, classes).

        Returns:
            The decisions.
        """
        return self.rule.decide(self.classes, probabilities)

    @property
    def identity(self) -> str:
        """Digest of the feature, hexadecimal."""
        return identity(self.feature, "feature").hex()

    @property
    def described(self) -> dict[str, Any]:
        """What is extracted, in words."""
        return described(self.feature)
