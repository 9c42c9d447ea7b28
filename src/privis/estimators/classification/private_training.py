"""A classifier under differential privacy: a head is trained privately, and nothing else is learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.estimators.classification.trained_classifier import TrainedClassifier
from privis.extraction.card import described
from privis.features.feature import Feature
from privis.privacy.learning.logistic_regression import LogisticTraining
from privis.privacy.ledger.ledger_protocol import Ledger
from privis.privacy.mechanisms.additive import Gaussian
from privis.privacy.sampling.release_key import KeySource
from privis.privacy.units import Person, WholeImage
from privis.tasks.classification.decision_rule import DecisionRule
from privis.training.fitting import TrainingProgress, train_head


@dataclass(frozen=True)
class PrivatePlan:
    """What a private training of a classifier may cost, and whom it hides.

    All of it is public and fixed beforehand. Where nobody says whose the images are, each is hidden as a person of its
    own, and their number is public.

    Args:
        epsilon: of the whole training.
        classes: the public list of names.
        delta: failure probability of the guarantee.
        patients: about how many there are, a public figure; None: each image is a person of its own.
        images_per_patient: of one patient that count at most.
        groups: runs of components that share one deviation; 0: each has its own.
        abstain_below: probability below which nothing is said.

    Raises:
        ParameterError: a value is out of its range, all at once.

    >>> PrivatePlan(3.0, ("ill", "well"), patients=5000).training(640, 9000).unit
    Person(images=1)
    """

    epsilon: float
    classes: tuple[str, ...]
    delta: float = 1e-5
    patients: int | None = None
    images_per_patient: int = 1
    groups: int = 0
    abstain_below: float = 0.0

    def __post_init__(self) -> None:
        problems = []
        if len(set(self.classes)) < max(2, len(self.classes)) or not all(self.classes):
            got = ", ".join(self.classes)
            problems.append(Problem("PrivatePlan.classes", got, "at least two names, all different"))
        if self.patients is None and self.images_per_patient != 1:
            got = f"{self.images_per_patient}, and nobody said whose images are"
            problems.append(Problem("PrivatePlan.images_per_patient", got, "1, or patients"))
        refuse(ParameterError, problems)

    def training(self, components: int, images: int) -> LogisticTraining:
        """Plan the training of the head.

        Args:
            components: of a vector.
            images: how many there are; public only where ``patients`` is None.

        Returns:
            The plan: `LogisticTraining.full_batch`.

        Raises:
            ParameterError: noise would drown what so many people say, or a value is out of its range.
        """
        unit = WholeImage() if self.patients is None else Person(self.images_per_patient)
        size = images if self.patients is None else self.patients
        noise = Gaussian(self.epsilon, self.delta)
        return LogisticTraining.full_batch(len(self.classes), components, size, noise, unit, self.groups)


def train_privately(
    feature: Feature,
    vectors: npt.NDArray[np.floating],
    labels: Sequence[str],
    patients: Sequence[str] | None,
    plan: PrivatePlan,
    *,
    corpus: str,
    key: KeySource | None = None,
    ledger: Ledger | None = None,
    checkpoint: Path | None = None,
    words: Mapping[str, Any] | None = None,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
) -> TrainedClassifier:
    """Train a classifier whose numbers are all private: no calibration, no threshold and no count is of the images.

    Args:
        feature: what the vectors are of; public.
        vectors: private, (images, components).
        labels: class of each.
        patients: whose each is; None where the plan hides images.
        plan: what it may cost.
        corpus: what the ledger calls the images.
        key: decides the noise; None: a fresh one.
        ledger: charged once, before any noise is drawn.
        checkpoint: where a training that was stopped goes on from.
        words: from which the command line makes the feature again.
        on_progress: told after every step.

    Returns:
        The classifier, with its guarantee.

    Raises:
        ParameterError: something does not fit; all at once.
        BudgetError: the ledger refuses.
    """
    if (patients is None) != (plan.patients is None):
        got = "patients of images, and no number of them" if patients else "a number of patients, and nobody's images"
        remedy = "say whose the images are and about how many patients there are, or neither"
        raise ParameterError(Problem("patients", got, "both or neither", remedy))
    training = plan.training(np.shape(vectors)[1], len(labels))
    trained = train_head(
        training,
        vectors,
        labels,
        plan.classes,
        corpus=corpus,
        key=key,
        ledger=ledger,
        subjects=patients,
        checkpoint=checkpoint,
        feature=described(feature),
        on_progress=on_progress,
    )
    rule = DecisionRule(abstain_below=plan.abstain_below)
    told = trained.guarantee.to_dict()
    return TrainedClassifier(
        feature,
        plan.classes,
        trained.linear,
        rule=rule,
        guarantee=told,
        words=dict(words or {}),
        training=trained.training,
    )
