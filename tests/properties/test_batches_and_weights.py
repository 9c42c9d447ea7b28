"""Transformations of programs keep what programs compute: batches, and weights as inputs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from skimage import data

from privis.features.image_ops import resize
from privis.features.keypoints.oblivious import SIFTKeyPoints, SURFKeyPoints
from privis.program import Input, Program, Value, digest, ops, trace
from privis.readings import batched, evaluate, ranges, secret_weights
from tests.conformance.programs import programs
from tests.conformance.samples import SAMPLES

PHOTOGRAPHS = [resize(photograph(), (64, 64)) for photograph in (data.astronaut, data.coffee, data.chelsea)]
DETECTORS = {"sift-key-points": SIFTKeyPoints(4, octaves=1), "surf-key-points": SURFKeyPoints(4)}
FEATURES = {sample.label: sample.feature for sample in SAMPLES} | DETECTORS


def close(got: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4 * max(1.0, np.abs(expected).max(initial=0.0)))


@pytest.mark.parametrize("label", FEATURES)
def test_a_batch_of_every_feature_is_the_feature_of_every_image(label):
    feature = FEATURES[label]
    cores = np.stack([feature.before(image) for image in PHOTOGRAPHS])
    program = feature.program(cores.shape[1:])
    got = evaluate(batched(program, 3), cores)
    close(got, np.stack([evaluate(program, core) for core in cores]))


@settings(max_examples=80, deadline=None)
@given(programs())
def test_a_batch_of_every_program(made):
    program, x = made
    close(evaluate(batched(program, 2), np.stack([x, 16 - x])), np.stack([evaluate(program, y) for y in (x, 16 - x)]))


def test_a_batch_of_operands_with_different_numbers_of_axes():
    program = trace(lambda x, y: (x * y + (y @ y.transpose(1, 0)).sum(0)).compare(np.ones((4, 1, 1))), *PAIR)
    a, b = np.arange(6).reshape(2, 3), np.arange(18).reshape(2, 9)[:, :9].reshape(2, 3, 3)
    got = evaluate(batched(program, 2), a, b)
    close(got, np.stack([evaluate(program, *pair) for pair in zip(a, b, strict=True)]))


PAIR = (Input((3,)), Input((3, 3)))


@settings(max_examples=80, deadline=None)
@given(programs())
def test_weights_as_inputs_change_nothing_but_where_they_come_from(made):
    program, x = made
    model = secret_weights(program)
    close(evaluate(model.program, x, *model.weights), evaluate(program, x))
    assert not any(np.ndim(value) for node in model.program.nodes for value in weights_of(node.op))


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_convolutions_with_secret_kernels(groups):
    random = np.random.default_rng(3)
    kernel = random.normal(size=(8, 4 // groups, 3, 2))
    op = ops.Conv(kernel, (2, 1), (1, 0, 2, 1), groups, (2, 1))
    program = trace(lambda x: (x >> op) + random.normal(size=(8, 1, 1)), Input((4, 9, 7)))
    model = secret_weights(batched(program, 3))
    images = random.integers(0, 256, (3, 4, 9, 7))
    close(evaluate(model.program, images, *model.weights), np.stack([evaluate(program, image) for image in images]))


def test_a_secret_model_shows_its_architecture_only():
    def network(seed: int) -> Program:
        random = np.random.default_rng(seed)

        def build(x: Value) -> Value:
            hidden = (x * (1 / 255)) >> ops.Conv(random.uniform(0.3, 0.45, (2, 1, 3, 3)))
            return hidden.reshape(-1) >> ops.Dense(random.uniform(0.3, 0.45, (3, 2 * 36)))

        return trace(build, Input((1, 8, 8)))

    first, second = (secret_weights(network(seed)) for seed in (1, 2))
    assert digest(first.program) == digest(second.program)
    assert digest(network(1)) != digest(network(2))
    for array, declared in zip(first.weights, first.program.inputs[1:], strict=True):
        assert declared.shape == array.shape and declared.high == 0.5 and declared.step is None


def test_public_nodes_keep_their_constants():
    blur = ops.Conv(np.full((1, 1, 2, 2), 0.25))
    program = trace(lambda x: (x >> blur).reshape(9) >> ops.Dense(np.ones((2, 9))), Input((1, 4, 4)))
    model = secret_weights(program, public=[0])
    assert len(model.weights) == 1 and ranges(model.program)[2].bounds == (0.0, 255.0)
    close(evaluate(model.program, np.ones((1, 4, 4)), *model.weights), np.array([9.0, 9.0]))


def weights_of(op: ops.Op) -> list[object]:
    match op:
        case ops.Conv(kernel):
            return [kernel]
        case ops.Dense(matrix):
            return [matrix]
        case ops.Affine(scale, bias):
            return [value for value in (scale, bias) if np.size(value) > 1]
        case ops.Compare(threshold):
            return [threshold] if np.size(threshold) > 1 else []
        case _:
            return []
