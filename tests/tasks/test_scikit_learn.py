"""scikit-learn's linear models as heads: equal to the model itself, and refused where they would not be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import linear_model, preprocessing, svm
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline, make_pipeline

import privis
from privis.errors import ParameterError, UnsupportedError
from privis.tasks import LinearHead, LinearMap, Link, UnitLength, linear_head_of

RNG = np.random.default_rng(0)
VECTORS = RNG.uniform(0, 4, (120, 12)) + 1.0
THREE = np.array(["cat", "dog", "eel"])[(VECTORS[:, :3] * [1.0, 1.1, 0.9]).argmax(1)]
TWO = np.where(VECTORS[:, 0] > 3, "yes", "no")
NEW = RNG.uniform(0, 6, (50, 12))
MODELS = {
    "logistic": (linear_model.LogisticRegression(), Link.SOFTMAX),
    "liblinear": (linear_model.LogisticRegression(solver="liblinear"), None),
    "svc": (svm.LinearSVC(), Link.LARGEST),
    "hinge": (linear_model.SGDClassifier(random_state=0), Link.LARGEST),
    "sgd": (linear_model.SGDClassifier(loss="log_loss", random_state=0), Link.LOGISTIC),
    "ridge": (linear_model.RidgeClassifier(), Link.LARGEST),
    "lda": (LinearDiscriminantAnalysis(), Link.SOFTMAX),
    "perceptron": (linear_model.Perceptron(), Link.LARGEST),
}
MULTICLASS = MODELS.keys() - {"liblinear"}
"""Models that scikit-learn fits to three classes; 1.9 refuses liblinear for more than two."""


@pytest.mark.parametrize("classes, name", [(2, name) for name in MODELS] + [(3, name) for name in sorted(MULTICLASS)])
def test_classifiers(classes: int, name: str) -> None:
    model, link = MODELS[name]
    labels = TWO if classes == 2 else THREE
    model.fit(VECTORS, labels)
    head = linear_head_of(model)
    decision = head.decide(head.scores(NEW))
    assert decision.labels == tuple(model.predict(NEW))
    assert np.allclose(np.squeeze(decision.scores), model.decision_function(NEW))
    if hasattr(model, "predict_proba"):
        assert decision.probabilities is not None
        assert np.allclose(decision.probabilities, model.predict_proba(NEW), atol=1e-6)
    if link is not None and classes == 3:
        assert head.link is link


@pytest.mark.parametrize("scaler", [
    preprocessing.StandardScaler(), preprocessing.StandardScaler(with_mean=False),
    preprocessing.StandardScaler(with_std=False), preprocessing.MinMaxScaler((-1, 3)), preprocessing.MaxAbsScaler(),
    preprocessing.RobustScaler(), PCA(5), PCA(4, whiten=True), "passthrough",
])  # fmt: skip
@pytest.mark.parametrize("normal", [False, True])
def test_steps_before_the_model_are_folded_into_one_matrix(scaler: Any, normal: bool) -> None:
    steps = [("n", preprocessing.Normalizer()), ("s", scaler), ("m", linear_model.LogisticRegression())]
    model = Pipeline(steps[0 if normal else 1 :]).fit(VECTORS, THREE)
    head = linear_head_of(model)
    assert [type(stage) for stage in head.stages] == [UnitLength, LinearMap][0 if normal else 1 :]
    assert np.allclose(head.scores(NEW), model.decision_function(NEW))


def test_a_standardisation_before_a_division_by_the_length_stays() -> None:
    model = make_pipeline(
        preprocessing.StandardScaler(), preprocessing.Normalizer(), make_pipeline(svm.LinearSVC())
    ).fit(VECTORS, THREE)
    head = linear_head_of(model)
    assert np.allclose(head.scores(NEW), model.decision_function(NEW))
    scored = privis.ColourHistogram(bins=4) >> head
    image = RNG.integers(0, 256, (16, 16, 3), np.uint8)
    vector = privis.extract(scored.feature, [image]).features
    assert np.allclose(privis.extract(scored, [image]).features, model.decision_function(vector), atol=1e-4)


@pytest.mark.parametrize("targets", [1, 2])
def test_regressions(targets: int) -> None:
    model = linear_model.LinearRegression().fit(VECTORS, VECTORS[:, :targets] * 2 if targets > 1 else VECTORS[:, 0])
    head = linear_head_of(model)
    assert head.link is Link.VALUES and head.names == (("value",) if targets == 1 else ("value_0", "value_1"))
    decision = head.decide(head.scores(NEW))
    assert decision.labels == () and np.allclose(np.squeeze(decision.scores), np.squeeze(model.predict(NEW)))
    assert linear_head_of(model, [f"v{n}" for n in range(targets)]).names[0] == "v0"


def test_other_models_and_steps_are_named() -> None:
    forest = RandomForestClassifier(2).fit(VECTORS, THREE)
    with pytest.raises(UnsupportedError, match="step RandomForestClassifier"):
        linear_head_of(forest)
    # three rows of coefficients for three classes, but for pairs of them
    with pytest.raises(UnsupportedError, match="step SVC"):
        linear_head_of(svm.SVC(kernel="linear").fit(VECTORS, THREE))
    with pytest.raises(UnsupportedError, match="step polynomialfeatures"):
        linear_head_of(make_pipeline(preprocessing.PolynomialFeatures(), svm.LinearSVC()).fit(VECTORS, THREE))
    with pytest.raises(UnsupportedError, match="clip=True"):
        linear_head_of(make_pipeline(preprocessing.MinMaxScaler(clip=True), svm.LinearSVC()).fit(VECTORS, THREE))
    with pytest.raises(UnsupportedError, match=r"norm='l1'.*AtOwner"):
        linear_head_of(make_pipeline(preprocessing.Normalizer("l1"), svm.LinearSVC()).fit(VECTORS, THREE))
    with pytest.raises(ParameterError, match="fitted"):
        linear_head_of(make_pipeline(preprocessing.StandardScaler(), svm.LinearSVC()))
    with pytest.raises(UnsupportedError, match="step int"):
        linear_head_of(3)
    with pytest.raises(ParameterError, match="2 names"):
        linear_head_of(svm.LinearSVC().fit(VECTORS, THREE), ["a", "b"])


class Upside(linear_model.RidgeClassifier):
    """Its coefficients are not its decision."""

    def decision_function(self, X: Any) -> Any:
        return -super().decision_function(X)


def test_a_model_that_decides_otherwise_than_its_coefficients_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="not those of its coefficients"):
        linear_head_of(Upside().fit(VECTORS, THREE))


class Louder(svm.LinearSVC):
    """It decides by its coefficients, and scores otherwise."""

    def decision_function(self, X: Any) -> Any:
        return 2 * super().decision_function(X)


class Shy(svm.LinearSVC):
    """It scores by its coefficients, and decides otherwise."""

    def predict(self, X: Any) -> Any:
        return np.roll(super().predict(X), 1)


@pytest.mark.parametrize(("kind", "said"), [(Louder, "whose scores"), (Shy, "whose predicted classes")])
def test_scores_and_classes_are_both_compared(kind: Any, said: str) -> None:
    with pytest.raises(UnsupportedError, match=said):
        linear_head_of(kind().fit(VECTORS, THREE))


def test_the_model_keeps_its_numbers_and_a_pipeline_of_images_says_what_to_do() -> None:
    images = [RNG.integers(0, 256, (16, 16), np.uint8) for _ in range(12)]
    extractor = privis.FeatureExtractor(privis.ColourHistogram(bins=4))
    model = make_pipeline(extractor, preprocessing.StandardScaler(), svm.LinearSVC()).fit(images, list(TWO[:12]))
    with pytest.raises(UnsupportedError, match=r"extractor\.feature >> linear_head_of\(pipeline\[1:\]\)"):
        linear_head_of(model)
    before = model[-1].coef_.copy()
    scored = model[0].feature >> linear_head_of(model[1:])
    assert (model[-1].coef_ == before).all() and isinstance(scored.head, LinearHead)
    found = privis.extract(scored, images)
    assert list(scored.decide(found.features).labels) == list(model.predict(images))
    assert np.allclose(found.features[:, 0], model.decision_function(images), atol=1e-4)
