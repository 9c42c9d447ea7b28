"""What owners do around a hidden program: finish it in the clear, and stretch their input before."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privis.errors import DomainError
from privis.program import Input, digest, ops, region, trace
from privis.readings import evaluate, homogeneity, polynomialise, split_at_owner, stretch
from tests.conformance.programs import programs
from tests.conformance.samples import SAMPLES


@settings(max_examples=150)
@given(programs())
def test_head_and_tail_are_the_program(made):
    program, x = made
    head, tail = split_at_owner(program)
    both = head >> tail
    np.testing.assert_array_equal(evaluate(both, x), evaluate(program, x))
    assert not any(isinstance(node.op, ops.Normalise) for node in head.nodes)
    kinds = [type(node.op) for node in tail.nodes]
    assert not kinds or ops.Normalise in kinds


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.label)
def test_head_and_tail_of_every_feature_are_the_feature(sample):
    x = sample.feature.before(np.random.default_rng(2).integers(40, 220, (64, 64, 3), dtype=np.uint8))
    program = sample.feature.program(x.shape)
    head, tail = split_at_owner(program)
    got, expected = evaluate(tail, evaluate(head, x)), evaluate(program, x)
    np.testing.assert_array_equal(got, expected)


def test_a_split_keeps_regions_and_passes_on_what_needs_no_tail():
    def build(x):
        doubled = region("doubled", lambda v: v + v, x, polynomial=lambda v: v * 2.0)
        unit = region("unit", lambda v: v >> ops.Normalise((1.0, 9.0)), doubled[1:])
        return unit, doubled

    program = trace(build, Input((4,)))
    head, tail = split_at_owner(program)
    assert [r.name for r in head.regions] == ["doubled"] and head.regions[0].polynomial is not None
    assert [r.name for r in tail.regions] == ["unit"]
    assert tail.inputs[0].high == 510.0
    x = np.array([1.0, 2.0, 3.0, 4.0])
    for got, expected in zip(evaluate(tail, *evaluate(head, x)), evaluate(program, x), strict=True):
        np.testing.assert_array_equal(got, expected)
    plain = trace(lambda x: x * 2.0, Input((4,)))
    assert digest(split_at_owner(plain)[0]) == digest(plain) and split_at_owner(plain)[1].nodes == ()


@settings(max_examples=200)
@given(programs(), st.sampled_from([1.0, 2.0, 3.5]))
def test_homogeneous_programs_are(made, factor):
    program, x = made
    degree = homogeneity(program)
    if degree is not None:
        scaled, plain = evaluate(program, factor * x.astype(float)), evaluate(program, x.astype(float))
        np.testing.assert_allclose(scaled, factor**degree * plain, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("build", "degree"),
    [
        (lambda x: x * x + x * 2.0, None),
        (lambda x: x + 1.0, None),
        (lambda x: x.compare(1.0), None),
        (lambda x: x.sqrt() * x.abs().relu(), 1.5),
        (lambda x: x >> ops.Normalise((1.0, 9.0), inside=1e-10), 0.0),
        (lambda x: x >> ops.Normalise((1.0, 9.0), inside=1e-3), None),
        (lambda x: (x.compare(0.0) + 3.0) * x, 1.0),
        (lambda x: (x >> ops.Poly((0.0, 2.0))) @ x, 2.0),
        (lambda x: x >> ops.Poly((0.0, 2.0, 1.0)), None),
        (lambda x: x >> ops.Pad(((1, 1), (0, 0)), 1.0), None),
    ],
)
def test_degrees(build, degree):
    assert homogeneity(trace(build, Input((3, 3)))) == degree


def gradients(high):
    difference = np.array([[1.0, -1.0]]).reshape(1, 1, 1, 2)
    return trace(lambda x: (x >> ops.Conv(difference)).compare(0.0, step=0.1, exact=False), Input((1, 4, 8), 0, high))


def test_a_stretched_input_fills_the_domain_and_is_decided_finer():
    form = polynomialise(gradients(100.0), stages=3)
    x = np.tile([50.0, 51.0, 50.5, 50.0, 50.2, 52.0, 50.0, 50.1], (1, 4, 1))
    factor = stretch(form, x)
    assert factor == pytest.approx(100 / 2.0, rel=1e-5)
    exact = evaluate(form.definition, x)
    assert np.abs(evaluate(form.program, x) - exact).max() > 0.2
    assert form.errors[0].blur / factor < 0.1
    assert np.abs(evaluate(form.program, factor * x) - exact).max() <= form.errors[0].error * (1 + 1e-9)


def test_a_factor_below_one_brings_an_input_into_a_promised_domain():
    form = polynomialise(trace(lambda x: x.abs((-10.0, 10.0)), Input((4,), -255, 255, None)), promised=True)
    x = np.array([-40.0, 20.0, 3.0, 0.5])
    factor = stretch(form, x)
    assert factor == pytest.approx(0.25, rel=1e-5)
    np.testing.assert_allclose(evaluate(form.program, factor * x) / factor, np.abs(x), atol=4 * form.errors[0].error)


def test_flat_inputs_are_not_stretched_and_impossible_ones_refused():
    form = polynomialise(gradients(255.0))
    assert stretch(form, np.full((1, 4, 8), 7.0)) == 1.0
    unit = polynomialise(trace(lambda x: x >> ops.Normalise((1.0, 4.0)), Input((2, 2))), promised=True)
    assert stretch(unit, np.array([[3.0, 4.0], [4.0, 3.0]])) == pytest.approx(0.4, rel=1e-5)
    assert stretch(unit, np.array([[3.0, 4.0], [0.0, 0.0]])) == pytest.approx(0.4, rel=1e-5)  # flat: not exploding
    guarded = trace(lambda x: x >> ops.Normalise((1.0, 4.0), outside=1e-12), Input((2, 2)))
    with pytest.raises(DomainError, match="one factor for all"):
        stretch(polynomialise(guarded, promised=True), np.array([[3.0, 4.0], [0.0, 0.0]]))
    shifted = polynomialise(trace(lambda x: x.compare(3.0), Input((2,))))
    with pytest.raises(DomainError, match="not homogeneous"):
        stretch(shifted, np.ones(2))


def test_what_crosses_to_the_owner_is_as_small_as_movement_allows():
    shrinking = trace(lambda x: x[:2] >> ops.Normalise((1.0, 9.0)), Input((6,)))
    growing = trace(lambda x: (x * 2.0) >> ops.Window((2, 2)) >> ops.Normalise((1.0, 9.0)), Input((4, 4)))
    assert split_at_owner(shrinking)[0].output_shapes == ((2,),)
    assert split_at_owner(growing)[0].output_shapes == ((4, 4),)
