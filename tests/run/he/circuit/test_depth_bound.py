"""Levels told from nodes are never more than those that the circuit takes, and mostly as many."""

import numpy as np
import pytest
from hypothesis import assume, given, settings

from privis.errors import PrivisError
from privis.program import Input, Program, ops, trace
from privis.readings import polynomialise
from privis.run.he.circuit.depth_bound import least_levels
from privis.run.he.circuit.lowering import lower
from privis.run.he.compiler.parameters import _least_depth
from tests.conformance.programs import programs
from tests.conformance.samples import SAMPLES

WEIGHTS = np.random.default_rng(2).normal(size=(4, 4))
FOUR = Input((4,), -1.0, 1.0, None)


def both(program: Program) -> tuple[int, int]:
    """By nodes, and by the circuit's matrices."""
    forms = []

    def polynomial(rest: Program) -> Program:
        forms.append(polynomialise(rest, promised=True, stages=1).program)
        return forms[-1]

    circuit = lower(program, polynomial)
    return least_levels(forms[-1]), _least_depth(circuit)


@settings(max_examples=20, deadline=None)
@given(made=programs())
def test_the_bound_holds_for_random_programs(made):
    try:
        bound, exact = both(made[0])
    except PrivisError as refusal:
        assume(refusal.problems)
        return
    assert bound <= exact


FEATURES = ("colour", "colour-lab", "glcm", "hog", "lbp", "lbp-uniform", "surf", "dense-sift")


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.label in FEATURES], ids=lambda sample: sample.label)
def test_the_bound_holds_for_features(sample, rng):
    x = sample.feature.before(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    bound, exact = both(sample.feature.program(np.shape(x)))
    assert bound <= exact and exact > 0


NETWORKS = {
    "squares": (lambda x: (x * x) * (x * x), 2),
    "weights between squares": (lambda x: (((x >> ops.Dense(WEIGHTS)) * x) >> ops.Dense(WEIGHTS)) + 1.0, 3),
    "a factor, moved": (lambda x: (x * 0.5).reshape(2, 2).transpose(1, 0) * 2.0, 0),
    "a factor for each": (lambda x: x >> ops.Affine(np.arange(1.0, 5.0), 0.0), 1),
    "weights that cancel are not told": (lambda x: (x >> ops.Dense(WEIGHTS)) - (x >> ops.Dense(WEIGHTS)), 0),
    "a constant": (lambda x: ((x - x) + 0.5) * x, 0),
    "a polynomial of a constant": (lambda x: ((x * 0.0) >> ops.Poly((1.0, 2.0, 3.0), (-1.0, 1.0))) + x, 0),
    "degree seven": (lambda x: x >> ops.Poly((0.0,) * 7 + (1.0,), (-1.0, 1.0)), 3),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_levels_of_small_networks(name):
    layers, levels = NETWORKS[name]
    assert least_levels(polynomialise(trace(layers, FOUR)).program) == levels


@pytest.mark.parametrize(("side", "levels"), [(3, 1), (2, 0)])
def test_weights_of_a_window_count_where_one_lies_inside_the_image(side, levels):
    kernel = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    program = trace(lambda x: x >> ops.Conv(kernel, pad=(1, 1, 1, 1)), Input((1, side, side), -1.0, 1.0, None))
    assert least_levels(program) == levels
