"""Models of the attacker: trained like the one that is attacked, on halves of public pictures.

A picture that a model was trained on is called with more confidence than by models that never saw it. How confident
those are depends on the picture, and only models that the attacker trains can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.estimators.classification.head_training import LinearTraining
from privis.tasks.decisions import probabilities
from privis.tasks.linear_head import LinearHead

STRENGTHS = (0.003, 0.1, 3.0)
"""Inverse regularisations that the attacker tries; the first is what `privis classify train` takes."""
REFERENCES = 8
_FEWEST = 8
_LEAST = 1e-300

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.floating]
Model = Callable[[Vectors], Floats]
"""Vectors (n, components) -> probabilities (n, classes)."""


@dataclass(frozen=True, eq=False)
class LabelledVectors:
    """Vectors of pictures whose classes are known.

    Args:
        vectors: (n, components).
        labels: number of the class of each, integers (n,).
        classes: names, in the order of the attacked model.

    Raises:
        ParameterError: the lengths differ, or a number is of no class.
    """

    vectors: Vectors = field(repr=False)
    labels: npt.NDArray[np.int64] = field(repr=False)
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        rows, labels = np.shape(self.vectors), np.asarray(self.labels)
        good = len(rows) == 2 and labels.shape == rows[:1] and labels.size and labels.min() >= 0
        if not good or labels.max() >= len(self.classes):
            got = f"vectors {rows} and labels {labels.shape} of {len(self.classes)} classes"
            raise ParameterError(Problem("LabelledVectors", got, "a vector and a class for each picture"))

    @classmethod
    def of(cls, vectors: Vectors, labels: Sequence[str], classes: Sequence[str], where: str) -> LabelledVectors:
        """Number the labels.

        Args:
            vectors: (n, components).
            labels: name of the class of each.
            classes: names, in the order of the attacked model.
            where: in problems.

        Returns:
            The labelled vectors.

        Raises:
            ParameterError: a label is none of the classes.
        """
        unknown = sorted(set(labels) - set(classes))
        refuse(
            ParameterError,
            [
                Problem(where, f"folders of the name {name!r}", f"classes of the model: {', '.join(classes)}")
                for name in unknown[:5]
            ],
        )
        places = {name: place for place, name in enumerate(classes)}
        return cls(vectors, np.array([places[label] for label in labels], np.int64), tuple(classes))

    def __len__(self) -> int:
        return len(self.labels)

    def only(self, chosen: npt.NDArray[np.bool_]) -> LabelledVectors:
        """Give some of them.

        Args:
            chosen: which, (n,).

        Returns:
            Those.
        """
        return LabelledVectors(self.vectors[chosen], self.labels[chosen], self.classes)


def own_logits(model: Model, pictures: LabelledVectors) -> Floats:
    """Give the logit of the probability that a model gives to the class that each picture has.

    Args:
        model: that is asked.
        pictures: of which.

    Returns:
        Float64 (n,).

    >>> pictures = LabelledVectors(np.zeros((2, 1)), np.array([0, 1]), ("a", "b"))
    >>> own_logits(lambda vectors: np.array([[0.5, 0.5], [0.2, 0.8]]), pictures).round(3).tolist()
    [0.0, 1.386]
    """
    found = np.asarray(model(pictures.vectors), np.float64)
    rows = np.arange(len(pictures))
    own = found[rows, pictures.labels]
    others = found.copy()
    others[rows, pictures.labels] = 0.0  # a difference from 1 would lose what a sum of small numbers keeps
    return np.log(np.maximum(own, _LEAST)) - np.log(np.maximum(others.sum(1), _LEAST))


def head_model(head: LinearHead, classes: Sequence[str]) -> Model:
    """Make a model of a head, which may know fewer classes.

    Args:
        head: that scores.
        classes: names, in the order that is wanted.

    Returns:
        The model; classes that the head does not know have a probability of 0.
    """
    places = [list(classes).index(name) for name in head.classes]

    def asked(vectors: Vectors) -> Floats:
        found = np.zeros((len(vectors), len(classes)))
        known = probabilities(head.link, head.scores(vectors))
        assert known is not None
        found[:, places] = known
        return found

    return asked


@dataclass(frozen=True, eq=False)
class ReferenceModels:
    """Models of the attacker, and what each of them was trained on.

    Args:
        models: probabilities of vectors, in the order of the attacked model's classes.
        public: pictures that they were trained on halves of.
        trained: of each model, which of the public pictures: booleans (models, public).
        strength: inverse regularisation of all.
    """

    models: tuple[Model, ...]
    public: LabelledVectors
    trained: npt.NDArray[np.bool_]
    strength: float

    def logits(self, pictures: LabelledVectors) -> Floats:
        """Ask all of them.

        Args:
            pictures: of which.

        Returns:
            `own_logits` of each, float64 (models, n).
        """
        return np.stack([own_logits(model, pictures) for model in self.models])


def train_references(
    attacked: Model, public: LabelledVectors, count: int = REFERENCES, seed: int = 0
) -> ReferenceModels:
    """Train models like the attacked one on halves of public pictures.

    How strongly the attacked one is regularised is not known: that strength is taken whose models are about as sure of
    pictures that they did not see as the attacked one is of public ones, none of which it saw.

    Args:
        attacked: the model that is attacked.
        public: pictures of the attacker, of at least two classes.
        count: of models, at least 2.
        seed: of the halves.

    Returns:
        The models.

    Raises:
        ParameterError: too few pictures, or pictures of one class alone.
        MissingExtraError: scikit-learn is not installed.
    """
    known = np.bincount(public.labels, minlength=len(public.classes))
    problems = []
    if len(public) < _FEWEST or (known >= 2).sum() < 2:
        got = f"{len(public)} public pictures of {(known > 0).sum()} classes"
        expected = f"at least {_FEWEST}, and two of each of at least two classes"
        problems.append(Problem("train_references", got, expected, "give more public pictures"))
    if count < 2:
        problems.append(Problem("train_references.count", str(count), "at least 2"))
    refuse(ParameterError, problems)
    halves = _halves(public.labels, count, np.random.default_rng(seed))
    sure = _sureness(attacked, public)
    first = {strength: _trained(public, halves[0], strength) for strength in STRENGTHS}
    others = public.only(~halves[0])
    strength = min(first, key=lambda each: abs(_sureness(first[each], others) - sure))
    models = (first[strength], *(_trained(public, half, strength) for half in halves[1:]))
    return ReferenceModels(models, public, halves, strength)


def _sureness(model: Model, pictures: LabelledVectors) -> float:
    """How far logits are spread, right or wrong: the less a model is regularised, the farther."""
    low, high = np.quantile(own_logits(model, pictures), (0.25, 0.75))
    return float(np.log(high - low + 1e-9))


def _trained(public: LabelledVectors, half: npt.NDArray[np.bool_], strength: float) -> Model:
    names = [public.classes[number] for number in public.labels[half]]
    return head_model(LinearTraining(strength).fit(public.vectors[half], names, public.classes), public.classes)


def _halves(labels: npt.NDArray[np.int64], count: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Halves of every class, in pairs of complements, so that every picture is in as many as it is out of."""
    chosen = np.zeros((count, len(labels)), bool)
    for number in range(0, count, 2):
        for label in np.unique(labels):
            places = rng.permutation(np.flatnonzero(labels == label))
            chosen[number, places[: (len(places) + int(rng.integers(2))) // 2]] = True
        if number + 1 < count:
            chosen[number + 1] = ~chosen[number]
    return chosen
