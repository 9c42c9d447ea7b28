"""Import rules of the nodes that classical models become: operators of ``ai.onnx.ml``, by their names there."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from privis.program import Kind, Value, concat, ops
from privis.program.onnx.node import Call, Constant, Result, Rule
from privis.program.onnx.operators.activation_rules import softmax
from privis.program.onnx.operators.normalisation_rules import unit_length


def _linear(call: Call, rows: int) -> Value:
    weights = np.asarray(call.attributes["coefficients"], np.float32).reshape(rows, -1)
    bias = np.asarray(call.attributes.get("intercepts", np.zeros(rows)), np.float32)
    made = call.x >> ops.Dense(weights)
    return made + bias if bias.any() else made


def _transformed(call: Call, scores: Value) -> Value:
    match call.attributes.get("post_transform", "NONE"):
        case "NONE":
            return scores
        case "LOGISTIC":
            return scores >> ops.Nonlinear(Kind.SIGMOID)
        case "SOFTMAX":
            return softmax(Call("Softmax", call.where, (scores,), {"axis": -1}, 13, 1, call.cut))
        case other:
            return call.refuse(f"post_transform {other!r}", "NONE, LOGISTIC or SOFTMAX", "read the decision values")


def linear_regressor(call: Call) -> Value:
    """LinearRegressor: a matrix and a bias."""
    return _transformed(call, _linear(call, call.attributes.get("targets", 1)))


def linear_classifier(call: Call) -> tuple[Value, Value]:
    """LinearClassifier: the label, where labels are whole numbers, and the scores."""
    labels = _labels(call)
    scores = _linear(call, len(np.ravel(call.attributes.get("intercepts", labels))))
    made = _transformed(call, scores)
    if made.shape[-1] == 1 and len(labels) == 2:
        logistic = call.attributes.get("post_transform", "NONE") == "LOGISTIC"
        other = made >> ops.Affine(-1.0, 1.0 if logistic else 0.0)
        made = concat(other, made, axis=1)
    return _label(made, labels), made


def _labels(call: Call) -> Constant:
    names = ("classlabels_ints", "classlabels_int64s", "classlabels_strings")
    found = next((call.attributes[name] for name in names if name in call.attributes), None)
    if found is None:
        raise ValueError("no class labels")
    is_text = isinstance(found[0], str)
    return np.arange(len(found)) if is_text else np.asarray(found, np.int64)  # text: its place in the list


def _label(scores: Value, labels: Constant) -> Value:
    """The label of the largest score: steps from one to the next, added up."""
    return chosen(scores >> ops.ArgMax(1), labels)


def chosen(place: Value, values: Constant) -> Value:
    """The public value at a secret place: an affine map where values are equally far apart, else a sum of steps."""
    steps = np.diff(values.astype(np.float64))
    if len(steps) == 0 or (steps == steps[0]).all():
        slope, first = (float(steps[0]) if len(steps) else 0.0), float(values[0])
        return place if (slope, first) == (1.0, 0.0) else place >> ops.Affine(slope, first)
    made = place * 0.0 + float(values[0])
    for index, step in enumerate(steps, 1):
        made = made + place.compare(float(index)) * float(step)
    return made


def scaler(call: Call) -> Value:
    """Scaler: (x - offset) * scale."""
    offset, scale = (np.asarray(call.attributes[name], np.float64) for name in ("offset", "scale"))
    return call.x >> ops.Affine(scale, -offset * scale)


def normalizer(call: Call) -> Value:
    """Normalizer: to the largest, the sum or the length of a row."""
    match call.attributes.get("norm", "MAX"):
        case "L2":
            return unit_length(call)
        case "L1":
            return call.x * (call.x.abs().sum(-1, keep=True) >> ops.Nonlinear(Kind.RECIPROCAL))
        case other:
            return call.refuse(f"norm {other!r}", "L1 or L2", "normalise with norm='l2'")


def binarizer(call: Call) -> Value:
    """Binarizer: 1 above the threshold."""
    below = (call.x * -1.0).compare(-call.attributes.get("threshold", 0.0), step=2.0**-7, exact=False)
    return below >> ops.Affine(-1.0, 1.0)


def picked(call: Call) -> Result:
    """ArrayFeatureExtractor: public columns of an activation, or a secret one of public values."""
    source, index = call.operands[0], call.operands[1]
    if isinstance(index, Value):
        if isinstance(source, Value):
            call.refuse("a secret index into an activation", "a public index")
        values = np.ravel(np.asarray(source))
        values = values if values.dtype.kind in "iuf" else np.arange(len(values))
        return chosen(index, values).reshape(1, -1)
    assert isinstance(source, Value)
    return source >> ops.Gather(np.ravel(np.asarray(index)).astype(np.int64), len(source.shape) - 1)


def _same(call: Call) -> Value:
    return call.x


LEARNED: Mapping[str, Rule] = MappingProxyType(
    {
        "ArrayFeatureExtractor": picked,
        "Binarizer": binarizer,
        "LinearClassifier": linear_classifier,
        "LinearRegressor": linear_regressor,
        "Normalizer": normalizer,
        "Scaler": scaler,
        "ZipMap": _same,
    }
)
