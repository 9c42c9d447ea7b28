"""`privis.run.mpc.shared_weights`: weights of a program's end become inputs, and nothing else changes."""

import numpy as np
import pytest

from privis import HOG, ColourHistogram
from privis.program import Program, ops
from privis.readings import evaluate
from privis.run.mpc.shared_weights import weights_as_inputs
from privis.tasks import LinearHead, LinearMap, Link, Revealed, Scaling, UnitLength

RNG = np.random.default_rng(0)
HEAD = LinearHead(("a", "b", "c"), (LinearMap(RNG.normal(size=(3, 12)), RNG.normal(size=3)),), Link.SOFTMAX)


def arrays_in(program: Program) -> int:
    """Numbers of matrices and biases that stand in a program."""
    found = 0
    for node in program.nodes:
        if isinstance(node.op, ops.Dense):
            found += np.size(node.op.matrix)
        if isinstance(node.op, ops.Affine):
            found += sum(np.size(each) for each in (node.op.scale, node.op.bias) if np.ndim(each))
    return found


@pytest.mark.parametrize("answer", Revealed)
def test_the_same_function_without_a_weight_in_the_program(answer):
    feature = ColourHistogram(bins=4, size=(8, 8))
    program = (feature >> HEAD).feature.program((3, 8, 8))
    whole = HEAD.program(feature, (3, 8, 8), answer)
    hidden = len(whole.nodes) - len(program.nodes)
    without, weights = weights_as_inputs(whole, hidden)
    image = RNG.integers(0, 256, (3, 8, 8)).astype(float)
    assert np.allclose(evaluate(without, image, *weights), evaluate(whole, image), atol=1e-9)
    assert arrays_in(whole) == 39 + arrays_in(program) and arrays_in(without) == arrays_in(program)
    assert [each.shape for each in weights] == [(12, 3), (3,)]
    assert all(given.high >= np.abs(each).max() and np.log2(given.high) % 1 == 0
               for given, each in zip(without.inputs[1:], weights, strict=True))  # fmt: skip


def test_scaling_and_length_in_front_of_the_matrix_and_named_runs_of_nodes_stay():
    feature = HOG(size=(24, 24))
    count = feature.program((24, 24)).output_shapes[0]
    length = int(np.prod(count))
    stages = (
        Scaling(RNG.normal(size=length), RNG.normal(size=length)), UnitLength(),
        LinearMap(RNG.normal(size=(2, length)), np.zeros(2)),
    )  # fmt: skip
    head = LinearHead(("a", "b"), stages, Link.SOFTMAX)
    whole, own = head.program(feature, (24, 24)), feature.program((24, 24))
    without, weights = weights_as_inputs(whole, len(whole.nodes) - len(own.nodes))
    image = RNG.integers(0, 256, (24, 24)).astype(float)
    assert np.allclose(evaluate(without, image, *weights), evaluate(whole, image), atol=1e-9)
    assert len(weights) == 3 and [each.name for each in without.regions] == [each.name for each in own.regions]
    assert arrays_in(without) == arrays_in(own)
