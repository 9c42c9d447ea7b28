"""LinearMap models of scikit-learn as heads, by their public attributes: a model, or a pipeline that ends with one.

What the attributes say is compared with what the model itself says of made-up vectors, by its public methods: a
subclass that decides otherwise, or a version that means something else by an attribute, is refused and never guessed.
scikit-learn itself is not imported.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, UnsupportedError
from privis.tasks.decisions import Link
from privis.tasks.linear_head import LinearHead
from privis.tasks.linear_stages import LinearMap, Scaling, Stage, UnitLength

Floats = npt.NDArray[np.float64]

CLASSIFIERS = (
    "LogisticRegression", "LinearSVC", "SGDClassifier", "RidgeClassifier", "LinearDiscriminantAnalysis", "Perceptron",
    "PassiveAggressiveClassifier",
)  # fmt: skip
REGRESSIONS = (
    "LinearRegression", "Ridge", "ElasticNet", "Lasso", "LinearSVR", "SGDRegressor", "HuberRegressor", "BayesianRidge",
)  # fmt: skip
"""Final steps, and all that inherit them: `LogisticRegressionCV`, `RidgeClassifierCV`, `Lasso`, `RidgeCV`."""
PROBES = 32
"""Made-up vectors on which head and model must agree."""
TOLERANCE = 1e-5
"""Largest difference of scores, relative to the largest: models fitted to float32 are no closer."""


def linear_head_of(model: Any, classes: Sequence[str] | None = None) -> LinearHead:
    """Read a fitted linear model of scikit-learn, or a pipeline that ends with one.

    Final steps: `LogisticRegression`, `LinearSVC`, `SGDClassifier`, `RidgeClassifier`, `LinearDiscriminantAnalysis`,
    `Perceptron`, `PassiveAggressiveClassifier`, `LinearRegression`, `Ridge`, `Lasso`, `ElasticNet`, `LinearSVR` and
    their relatives. Steps before it: `StandardScaler`, `MinMaxScaler`, `MaxAbsScaler`, `RobustScaler`, `PCA` and
    `Normalizer` of Euclidean length. Whatever is affine becomes one matrix.

    Guarantee: scores, decisions and probabilities equal the model's own to 1e-5 of the largest score, checked on
    made-up vectors with each call; the model is not changed.

    Args:
        model: fitted.
        classes: names to use instead of the model's own, in their order; of a regression, of its values.

    Returns:
        The head: ``feature >> linear_head_of(model)`` scores images.

    Raises:
        UnsupportedError: naming the step that is no linear model of the list, and what to do.
        ParameterError: the model is not fitted, or names do not fit.

    >>> from sklearn.linear_model import RidgeClassifier
    >>> vectors, labels = np.array([[0.0, 1.0], [1.0, 0.0]] * 4), np.array(["no", "yes"] * 4)
    >>> linear_head_of(RidgeClassifier().fit(vectors, labels)).classes
    ('no', 'yes')
    """
    *before, last = _steps(model)
    stages: list[Stage] = []
    for name, step in before:
        stages += _read(name, step, lambda: _stages_of(name, step))  # noqa: B023 (called at once)
    kind = _kind(last[1], CLASSIFIERS + REGRESSIONS)
    if kind is None:
        raise UnsupportedError(_unknown(*last))
    matrix, bias = _read(*last, lambda: _coefficients(last[1]))
    stages.append(LinearMap(matrix, bias))
    values = kind in REGRESSIONS
    names = _names(last[1], len(matrix), values) if classes is None else tuple(map(str, classes))
    if not values and len(names) != len(last[1].classes_):
        expected = f"{len(last[1].classes_)}, in the order of model.classes_"
        raise ParameterError(Problem("classes", f"{len(names)} names", expected))
    head = LinearHead(names, tuple(stages), Link.VALUES if values else Link.LARGEST)
    return _agreeing(head, model, values)


def _steps(model: Any) -> list[tuple[str, Any]]:
    """The steps of a pipeline, or the one that a model is."""
    found = getattr(model, "steps", None)
    if not isinstance(found, list):
        return [(type(model).__name__, model)]
    nested = [inner for name, step in found if step not in (None, "passthrough") for inner in _named(name, step)]
    if not nested:
        raise UnsupportedError(Problem("model", "a pipeline without steps", "one that ends with a linear model"))
    return nested


def _named(name: str, step: Any) -> list[tuple[str, Any]]:
    return _steps(step) if isinstance(getattr(step, "steps", None), list) else [(name, step)]


def _kind(step: Any, known: Sequence[str]) -> str | None:
    """Which of scikit-learn's own classes a step is, or inherits."""
    own = {kind.__name__ for kind in type(step).__mro__ if kind.__module__.split(".")[0] == "sklearn"}
    return next((name for name in known if name in own), None)


def _read(name: str, step: Any, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except AttributeError as error:
        got = f"a {type(step).__name__} without {error.name}"
        raise ParameterError(Problem(f"step {name}", got, "a fitted one", "call model.fit first")) from None


def _stages_of(name: str, step: Any) -> list[Stage]:
    match _kind(step, tuple(_STAGES)):
        case None:
            raise UnsupportedError(_unknown(name, step))
        case kind:
            return _STAGES[kind](name, step)


def _standard_scaler(name: str, step: Any) -> list[Stage]:
    scale = np.ones(step.n_features_in_) if step.scale_ is None else 1.0 / _floats(step.scale_)
    mean = np.zeros_like(scale) if not step.with_mean else _floats(step.mean_)
    return [Scaling(scale, -mean * scale)]


def _min_max_scaler(name: str, step: Any) -> list[Stage]:
    if step.clip:
        remedy = "fit it with clip=False, or let the owner do this step: AtOwner of a feature of your own"
        raise UnsupportedError(Problem(f"step {name}", "MinMaxScaler(clip=True)", "an affine step", remedy))
    return [Scaling(_floats(step.scale_), _floats(step.min_))]


def _max_abs_scaler(name: str, step: Any) -> list[Stage]:
    scale = 1.0 / _floats(step.scale_)
    return [Scaling(scale, np.zeros_like(scale))]


def _robust_scaler(name: str, step: Any) -> list[Stage]:
    scale = np.ones(step.n_features_in_) if step.scale_ is None else 1.0 / _floats(step.scale_)
    centre = np.zeros_like(scale) if step.center_ is None else _floats(step.center_)
    return [Scaling(scale, -centre * scale)]


def _pca(name: str, step: Any) -> list[Stage]:
    matrix = _floats(step.components_)
    if step.whiten:
        matrix = matrix / np.sqrt(_floats(step.explained_variance_))[:, None]
    return [LinearMap(matrix, -matrix @ _floats(step.mean_))]


def _normalizer(name: str, step: Any) -> list[Stage]:
    if step.norm != "l2":
        remedy = "use norm='l2', or end the feature with privis.L1() at its owner: AtOwner(Posted(feature, L1()))"
        raise UnsupportedError(Problem(f"step {name}", f"norm={step.norm!r}", "the Euclidean length", remedy))
    return [UnitLength()]


_STAGES: dict[str, Callable[[str, Any], list[Stage]]] = {
    "StandardScaler": _standard_scaler,
    "MinMaxScaler": _min_max_scaler,
    "MaxAbsScaler": _max_abs_scaler,
    "RobustScaler": _robust_scaler,
    "PCA": _pca,
    "Normalizer": _normalizer,
}


def _coefficients(step: Any) -> tuple[Floats, Floats]:
    coefficients = step.coef_.toarray() if hasattr(step.coef_, "toarray") else step.coef_  # sparse after sparsify()
    matrix = np.atleast_2d(_floats(coefficients))
    return matrix, np.broadcast_to(np.ravel(_floats(step.intercept_)), (len(matrix),)).copy()


def _floats(values: Any) -> Floats:
    return np.array(values, np.float64)


def _names(step: Any, rows: int, values: bool) -> tuple[str, ...]:
    if values:
        return ("value",) if rows == 1 else tuple(f"value_{number}" for number in range(rows))
    return tuple(map(str, step.classes_))


def _agreeing(head: LinearHead, model: Any, values: bool) -> LinearHead:
    """``head`` with the link that gives the model's own probabilities; UnsupportedError where it decides otherwise."""
    probes = _probes(head)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names of columns that made-up vectors do not have
        scores = head.scores(probes)
        own = np.asarray(model.predict(probes) if values else model.decision_function(probes), np.float64)
        if not _close(scores, own.reshape(scores.shape) if own.size == scores.size else own):
            raise UnsupportedError(_other(model, "scores"))
        if values:
            return head
        decided = np.argmax(scores, 1) if scores.shape[1] > 1 else (scores[:, 0] > 0).astype(int)
        chosen = np.asarray(model.predict(probes))
        if chosen.shape != decided.shape or (chosen != np.asarray(_classes(model))[decided]).any():
            raise UnsupportedError(_other(model, "predicted classes"))
        if not hasattr(model, "predict_proba"):
            return head
        told = np.asarray(model.predict_proba(probes), np.float64)
    for link in (Link.LOGISTIC, Link.SOFTMAX):
        linked = LinearHead(head.classes, head.stages, link)
        found = linked.decide(scores).probabilities
        if found is not None and found.shape == told.shape and np.abs(found - told).max() < TOLERANCE:
            return linked
    return head


def _classes(model: Any) -> Any:
    return model.classes_


def _probes(head: LinearHead) -> Floats:
    """Vectors whose scores are of every size around the decision, in the units that the head was fitted in."""
    rng = np.random.default_rng(0)
    first = head.stages[0]
    centre, spread = np.zeros(head.components), np.ones(head.components)
    if isinstance(first, Scaling):
        spread = 1.0 / np.where(first.scale == 0, 1.0, np.abs(first.scale))
        centre = -first.shift * spread * np.sign(np.where(first.scale == 0, 1.0, first.scale))
    return centre + spread * rng.normal(size=(PROBES, head.components)) * np.geomspace(0.01, 1.0, PROBES)[:, None]


def _close(mine: Floats, own: Floats) -> bool:
    return mine.shape == own.shape and bool(np.abs(mine - own).max() <= TOLERANCE * max(1e-9, np.abs(own).max()))


def _other(model: Any, what: str) -> Problem:
    got = f"a {type(model).__name__} whose {what} are not those of its coefficients"
    remedy = "a subclass, or several labels for a row? build the LinearHead of its numbers yourself"
    return Problem("model", got, "a linear model with one class for a row", remedy)


def _unknown(name: str, step: Any) -> Problem:
    expected = f"a linear model ({', '.join(CLASSIFIERS + REGRESSIONS)}) behind {', '.join(_STAGES)}"
    remedy = "leave what is not linear to the owner of images, or train a linear model"
    if type(step).__name__ == "FeatureExtractor":
        remedy = "its feature stands before the head: extractor.feature >> linear_head_of(pipeline[1:])"
    return Problem(f"step {name}", f"a {type(step).__name__}", expected, remedy)
