"""From vectors and classes to a head, and scores of images that a head was not trained on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.extras import optional_import
from privis.tasks.linear_head import LinearHead
from privis.tasks.scikit_learn import linear_head_of
from privis.validation import positive_number

Floats = npt.NDArray[np.float64]
ABSENT = -1e4
"""Score of a class that a head does not know."""


class HeadTraining(Protocol):
    """Makes a linear head of vectors whose classes are known."""

    def fit(self, vectors: npt.NDArray[np.floating], labels: Sequence[str], classes: Sequence[str]) -> LinearHead:
        """Fit a head to vectors whose classes are known.

        Args:
            vectors: (images, components).
            labels: class of each.
            classes: names, in the order of the scores.

        Returns:
            The head, whose link gives probabilities.
        """
        ...


@dataclass(frozen=True)
class LinearTraining:
    """Logistic regression on standardised components, by scikit-learn; the standardisation goes into the head.

    Args:
        strength: inverse of the regularisation (``C``): smaller is smoother.
        balanced: whether classes count equally, however many images each has.

    Raises:
        ParameterError: the strength is not above 0.

    >>> vectors = np.array([[0.0, 1.0], [0.1, 0.9], [1.0, 0.0], [0.9, 0.1]])
    >>> LinearTraining(1.0).fit(vectors, ["no", "no", "yes", "yes"], ("no", "yes")).classes
    ('no', 'yes')
    """

    identifier: ClassVar[str] = "privis.linear-training/1"

    strength: float = 0.003
    balanced: bool = False

    def __post_init__(self) -> None:
        refuse(ParameterError, positive_number("LinearTraining.strength", self.strength))

    def fit(self, vectors: npt.NDArray[np.floating], labels: Sequence[str], classes: Sequence[str]) -> LinearHead:
        """Fit a head to vectors whose classes are known.

        Args:
            vectors: (images, components).
            labels: class of each.
            classes: names, in the order of the scores.

        Returns:
            The head, with one score for two classes.

        Raises:
            ParameterError: fewer than two classes have images, or lengths differ.
            MissingExtraError: scikit-learn is not installed.
        """
        with optional_import("sklearn", "LinearTraining"):
            from sklearn.linear_model import LogisticRegression
            from sklearn.pipeline import make_pipeline
            from sklearn.preprocessing import StandardScaler

        known = [name for name in classes if name in set(labels)]
        if len(known) < 2 or len(labels) != len(vectors):
            got = f"{len(vectors)} vectors and {len(labels)} labels of {len(known)} classes"
            raise ParameterError(Problem("LinearTraining.fit", got, "a label each, of at least two classes"))
        numbers = {name: place for place, name in enumerate(known)}
        weight = "balanced" if self.balanced else None
        model = make_pipeline(StandardScaler(), LogisticRegression(C=self.strength, class_weight=weight, max_iter=1000))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # steps left when 1,000 are done change little: the evaluation tells
            model.fit(np.asarray(vectors, np.float64), [numbers[each] for each in labels])
        return linear_head_of(model, known)


def scores_of_folds(
    training: HeadTraining,
    vectors: npt.NDArray[np.floating],
    labels: Sequence[str],
    classes: Sequence[str],
    folds: npt.NDArray[np.int64],
) -> Floats:
    """Score every image by a head that was trained on the other folds.

    Args:
        training: makes the heads.
        vectors: (images, components).
        labels: class of each.
        classes: names.
        folds: number of the fold of each image.

    Returns:
        Float64 (images, scores): one for two classes, else one each.
    """
    width = 1 if len(classes) == 2 else len(classes)
    found = np.full((len(vectors), width), ABSENT)
    for number in np.unique(folds):
        tested = folds == number
        known = [each for each, out in zip(labels, tested, strict=True) if not out]
        head = training.fit(vectors[~tested], known, classes)
        scores = head.scores(vectors[tested])
        if width == 1:
            found[tested] = scores
            continue
        if scores.shape[1] == 1:  # two classes of several are left
            scores = np.concatenate([-scores / 2, scores / 2], 1)
        places = [list(classes).index(name) for name in head.classes]
        found[np.ix_(tested, places)] = scores
    return found
