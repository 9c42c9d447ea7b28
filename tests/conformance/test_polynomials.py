"""Definition to polynomial form: every replaced node keeps the error it announces."""

import numpy as np
import pytest

from privis.errors import DomainError, UnsupportedError
from privis.program import Input, Kind, ops, trace
from privis.readings import broken_promises, cost, domain_problems, evaluate, polynomialise
from privis.readings.polynomialise import sign_plan
from tests.conformance.samples import SAMPLES


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.label)
def test_domains_are_proven_or_declared_as_promises(sample):
    image = np.random.default_rng(2).integers(40, 220, (64, 64, 3), dtype=np.uint8)
    x = sample.feature.before(image)
    program = sample.feature.program(x.shape)
    assert sample.promised == bool(domain_problems(program))
    if sample.promised and sample.polynomial:
        with pytest.raises(DomainError, match="expected the declared domain"):
            polynomialise(program)


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.polynomial], ids=lambda sample: sample.label)
def test_every_feature_has_a_polynomial_form_with_a_depth(sample):
    image = np.random.default_rng(2).integers(40, 220, (64, 64, 3), dtype=np.uint8)
    program = sample.feature.program(sample.feature.before(image).shape)
    form = polynomialise(program, promised=sample.promised)
    assert cost(form.program).depth is not None
    assert all(np.isfinite(error.error) for error in form.errors)


PROVEN = [sample for sample in SAMPLES if sample.polynomial and not sample.promised]


@pytest.mark.parametrize("sample", PROVEN, ids=lambda sample: sample.label)
def test_proven_features_stay_close_to_their_polynomial_form(sample):
    """Counts are exact to the announced precision times the pixels counted; smooth features to 2 % of the largest."""
    image = np.random.default_rng(2).integers(40, 220, (40, 40, 3), dtype=np.uint8)
    x = sample.feature.before(image)
    program = sample.feature.program(x.shape)
    form = polynomialise(program, precision=2.0**-16)
    definition = evaluate(program, x.astype(np.float64))
    ours = evaluate(form.program, x.astype(np.float64))
    assert np.abs(ours - definition).max() <= 0.02 * np.abs(definition).max()


def single(op, low=0.0, high=16.0, step=1.0, shape=(1, 2, 33)):
    return trace(lambda x: x >> op, Input(shape, low, high, step))


CASES = [
    single(ops.Compare(7.0)),
    single(ops.Compare(np.arange(33.0) / 2, step=0.5), step=0.5),
    single(ops.Histogram((tuple(map(float, range(1, 16, 4))),))),
    single(ops.Nonlinear(Kind.SQRT), step=None),
    single(ops.Nonlinear(Kind.ABS), -16.0, 16.0, None),
    single(ops.Nonlinear(Kind.CLIP, None, 0.0, np.inf), -16.0, 16.0, None),
    single(ops.Nonlinear(Kind.SIGMOID), -6.0, 6.0, None),
    single(ops.Nonlinear(Kind.TANH), -3.0, 3.0, None),
    single(ops.Nonlinear(Kind.EXP), -3.0, 3.0, None),
    single(ops.Nonlinear(Kind.RSQRT, None, 1.0), 0.0, 16.0, None),
    single(ops.Nonlinear(Kind.RECIPROCAL, None, 1.0), 0.0, 16.0, None),
]


@pytest.mark.parametrize("program", CASES, ids=lambda program: type(program.nodes[0].op).__name__)
def test_replaced_nodes_keep_the_announced_error(program):
    form = polynomialise(program)
    error = form.errors[0]
    declared = program.inputs[0]
    count = int(np.prod(declared.shape))
    x = np.linspace(declared.low, declared.high, count)
    x = np.round(x / declared.step) * declared.step if declared.step else x
    x = x.reshape(declared.shape)
    definition, ours = evaluate(program, x), evaluate(form.program, x)
    pixels = declared.shape[-1] if isinstance(program.nodes[0].op, ops.Histogram) else 1
    assert np.abs(ours - definition).max() <= 2 * pixels * error.error + 1e-9
    assert cost(form.program).depth > 0


def test_sign_plans_reach_their_precision():
    for margin in (0.5, 0.01, 1 / 4096):
        plan = sign_plan(margin, 2.0**-9)
        y = np.linspace(margin, 1.0, 5001)
        for coefficients in plan:
            y = np.polynomial.chebyshev.chebval(y, coefficients)
        assert np.abs(y - 1).max() <= 2.0**-9


def test_domains_are_refused_with_node_and_numbers():
    program = trace(lambda x: (x * x).sqrt((0.0, 100.0)), Input((4,)))
    with pytest.raises(DomainError, match=r"node 1 Nonlinear: got values in \[0, 65025\].*\[0, 100\]"):
        polynomialise(program)
    off_grid = trace(lambda x: (x * 0.3).compare(7.0), Input((4,)))
    with pytest.raises(DomainError, match="node 1 Compare: got values on no grid"):
        polynomialise(off_grid)


def test_the_energy_of_a_whole_vector_decides_a_normalisation():
    """Eight values up to 255 have a sum of squares up to 520,200, however the bounds are stored."""
    narrow = trace(lambda x: x >> ops.Normalise((0.0, 520_199.0)), Input((8,)))
    with pytest.raises(DomainError, match=r"node 0 Normalise: got values in \[0, 520200\]"):
        polynomialise(narrow)
    assert domain_problems(trace(lambda x: x >> ops.Normalise((0.0, 520_200.0)), Input((8,)))) == []


def test_all_nodes_without_polynomial_form_are_named():
    program = trace(lambda x: (x >> ops.Max((1,), True)) * 2.0 >> ops.ArgMax(0), Input((4, 4)))
    with pytest.raises(UnsupportedError) as caught:
        polynomialise(program)
    assert [p.where for p in caught.value.problems] == ["node 0 Max", "node 2 ArgMax"]


def test_a_promise_is_checked_on_each_input():
    program = trace(lambda x: x >> ops.Normalise((1.0, 1e5)), Input((8,)))
    assert broken_promises(program, np.full(8, 3.0)) == []
    assert "node 0 Normalise" in broken_promises(program, np.zeros(8))[0].where
