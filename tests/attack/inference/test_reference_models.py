"""Models of the attacker: halves of every class, how sure a model is, and which regularisation is taken."""

import numpy as np
import pytest

from privis.attack.inference.reference_models import (
    STRENGTHS,
    LabelledVectors,
    head_model,
    own_logits,
    train_references,
)
from privis.errors import ParameterError
from privis.estimators.classification.head_training import LinearTraining

CLASSES = ("a", "b", "c")


def pictures(count: int, seed: int, components: int = 12) -> LabelledVectors:
    """Classes that overlap, so that a head has something to learn by heart."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(CLASSES)
    return LabelledVectors(rng.normal(size=(count, components)) + 0.5 * np.eye(components)[labels], labels, CLASSES)


def fitted(given: LabelledVectors, strength: float):
    head = LinearTraining(strength).fit(given.vectors, [CLASSES[each] for each in given.labels], CLASSES)
    return head_model(head, CLASSES)


def test_halves_are_complements_that_share_every_class_and_models_know_them() -> None:
    public = pictures(61, 0)
    references = train_references(fitted(pictures(60, 1), 3.0), public, count=4)
    assert references.trained.shape == (4, 61) and len(references.models) == 4
    assert (references.trained[0] == ~references.trained[1]).all() and (references.trained.sum(0) == 2).all()
    for half in references.trained:
        assert (np.abs(np.bincount(public.labels[half]) - 10) <= 1).all()
    logits = references.logits(public)
    inside, outside = logits[references.trained].mean(), logits[~references.trained].mean()
    assert inside > outside + 0.5


@pytest.mark.parametrize("strength", [STRENGTHS[0] / 100, STRENGTHS[-1] * 10])
def test_the_regularisation_of_the_attacked_model_is_found(strength: float) -> None:
    near = STRENGTHS[0] if strength < 1 else STRENGTHS[-1]
    assert train_references(fitted(pictures(60, 1), strength), pictures(120, 2), count=2).strength == near


def test_sure_models_have_finite_logits_and_absent_classes_none_of_the_probability() -> None:
    given = LabelledVectors(np.zeros((3, 2)), np.array([0, 1, 2]), CLASSES)
    found = own_logits(lambda vectors: np.array([[1.0, 1e-300, 0.0]] * 3), given)
    assert np.isfinite(found).all() and found[0] > 600 and found[2] < -600
    two = LinearTraining(1.0).fit(np.eye(4), ["a", "a", "c", "c"], CLASSES)
    asked = head_model(two, CLASSES)(np.eye(4))
    assert (asked[:, 1] == 0).all() and np.allclose(asked.sum(1), 1)


def test_labels_that_the_model_does_not_know_are_named_and_counts_are_checked() -> None:
    with pytest.raises(ParameterError, match=r"folders of the name 'd'.*a, b, c"):
        LabelledVectors.of(np.zeros((2, 1)), ["a", "d"], CLASSES, "--members")
    known = LabelledVectors.of(np.zeros((2, 1)), ["c", "a"], CLASSES, "--members")
    assert known.labels.tolist() == [2, 0] and len(known.only(np.array([True, False]))) == 1
    for vectors, labels in ((np.zeros((2, 1)), [0]), (np.zeros(2), [0, 1]), (np.zeros((1, 1)), [3])):
        with pytest.raises(ParameterError, match="a vector and a class"):
            LabelledVectors(vectors, np.array(labels), CLASSES)


def test_too_few_public_pictures_are_refused() -> None:
    model = fitted(pictures(30, 1), 1.0)
    one_class = LabelledVectors(np.zeros((20, 12)), np.zeros(20, np.int64), CLASSES)
    for public, count, words in (
        (pictures(6, 0), 4, "at least 8"),
        (one_class, 4, "1 classes"),
        (pictures(30, 0), 1, "2"),
    ):
        with pytest.raises(ParameterError, match=words):
            train_references(model, public, count)
