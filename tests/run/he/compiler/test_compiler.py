"""Lowering, packing, levels and scales on the clear engine: whatever the layout, the program's result.

Answers for `privis.run.he.circuit.chebyshev`, `privis.run.he.circuit.linear_maps`, `privis.run.he.packing.rotations`
and `privis.run.he.packing.side_by_side`.
"""

import collections

import numpy as np
import pytest
from hypothesis import assume, given, settings

from privis.errors import DomainError, UnsupportedError
from privis.features.hog import HOG
from privis.program import Input, concat, ops, trace
from privis.readings import evaluate
from privis.run.he.circuit import reference
from privis.run.he.circuit.lowering import lower
from privis.run.he.compiler import compiler
from privis.run.he.compiler.compiler import Options, compile_program, lower_program
from privis.run.he.executor import CKKS
from privis.run.he.packing.batching import Batching
from tests.conformance.programs import programs
from tests.conformance.samples import SAMPLES
from tests.run.he.backends.clear_engine import run_in_the_clear

OPTIONS = Options(precision=0.1, promised=True, inside=True)


def agree(program, *inputs, options=OPTIONS):
    made = compile_program(program, options)
    expected = evaluate(made.form.program, *(np.asarray(x, np.float64) for x in inputs))
    for ours, theirs in zip(run_in_the_clear(made, inputs), [expected], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6 * max(1.0, np.abs(theirs).max(initial=0.0)))
    return made


@settings(max_examples=30, deadline=None)
@given(made=programs())
def test_random_programs_equal_their_polynomial_form_or_are_refused(made):
    program, x = made
    try:
        agree(program, x)
    except (UnsupportedError, DomainError) as refusal:
        assume(refusal.problems)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("channels", [(1, 4), (3, 5), (4, 20)])
def test_convolutions_of_any_stride_and_width(stride, channels, rng):
    taken, made = channels
    kernel, second = rng.normal(size=(made, taken, 3, 3)), rng.normal(size=(7, made, 3, 3))

    def network(x):
        y = x >> ops.Conv(kernel, (stride, stride), (1, 1, 1, 1))
        y = y * y
        return (y >> ops.Conv(second, (1, 1), (1, 1, 1, 1))).sum(1, 2)

    program = trace(network, Input((taken, 12, 16), -1.0, 1.0, None))
    agree(program, rng.uniform(-1, 1, (taken, 12, 16)))


@pytest.mark.parametrize("sizes", [(5, 3), (64, 10), (300, 7), (7, 300), (5000, 3), (3, 5000)])
def test_matrices_of_any_shape(sizes, rng):
    taken, made = sizes
    first, second = rng.normal(size=(made, taken)) / taken, rng.normal(size=(4, made)) / made

    def network(x):
        y = (x >> ops.Dense(first)) + 0.25
        return y * y >> ops.Dense(second)

    agree(trace(network, Input((taken,), -1.0, 1.0, None)), rng.uniform(-1, 1, taken))


def test_two_inputs_products_and_matrix_products(rng):
    def network(x, y):
        return concat((x @ y).reshape(-1), (x * 2.0 - y.transpose(1, 0)).reshape(-1))

    program = trace(network, Input((3, 4), -1.0, 1.0, None), Input((4, 3), -1.0, 1.0, None))
    agree(program, rng.uniform(-1, 1, (3, 4)), rng.uniform(-1, 1, (4, 3)))


@pytest.mark.parametrize("degree", [1, 2, 3, 5, 7, 8, 15, 16, 31])
@pytest.mark.parametrize("several", [1, 4])
def test_polynomials_of_every_degree_alone_and_several_of_one_value(degree, several, rng):
    series = [tuple(rng.normal(size=degree + 1)) for _ in range(several)]
    program = trace(
        lambda x: concat(*[(x * 0.5 >> ops.Poly(c, (-1.0, 1.0))).reshape(1, 9) for c in series]),
        Input((9,), -2.0, 2.0, None),
    )
    agree(program, rng.uniform(-2, 2, 9))


def test_a_square_that_is_completed_needs_one_linear_map(rng):
    scale, shift = np.array([0.5, -2.0, 3.0])[:, None, None], np.array([1.0, 0.25, -1.0])[:, None, None]
    kernel = rng.normal(size=(3, 1, 3, 3))

    def network(x):
        y = x >> ops.Conv(kernel, (1, 1), (1, 1, 1, 1))
        return ((y >> ops.Affine(scale, shift)) * y + shift).sum(1, 2)

    made = agree(trace(network, Input((1, 8, 8), -1.0, 1.0, None)), rng.uniform(-1, 1, (1, 8, 8)))
    assert [type(step).__name__ for step in made.circuit.steps].count("Product") == 1
    assert len(made.circuit.steps) == 4


COUNTED = ("colour", "colour-hsv-joint", "colour-lab")


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.label in COUNTED], ids=lambda sample: sample.label)
def test_histograms_of_pixels_need_no_comparison_and_are_exact(sample, rng):
    image = rng.integers(0, 256, (32, 48, 3), dtype=np.uint8)
    x = sample.feature.before(image)
    program = sample.feature.program(x.shape)
    made = compile_program(program, Options())
    assert made.choice.arrangement.depth <= 6 and made.form.errors == ()
    assert made.spec.outputs[0].step == 1.0  # rounded to whole counts by the owner
    (ours,) = run_in_the_clear(made, [x])
    np.testing.assert_allclose(ours, evaluate(program, x), atol=1e-6)


FORMS = ("hog", "surf", "lbp-uniform", "dense-sift")


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.label in FORMS], ids=lambda sample: sample.label)
def test_features_equal_their_polynomial_form(sample, rng):
    image = rng.integers(40, 220, (32, 32, 3), dtype=np.uint8)
    x = sample.feature.before(image)
    made = compile_program(sample.feature.program(x.shape), Options(precision=1e-3, promised=sample.promised))
    (ours,) = run_in_the_clear(made, [x])
    theirs = reference.outputs(made.circuit, [x])[0]
    np.testing.assert_allclose(ours, theirs, atol=1e-6 * np.abs(theirs).max())
    form = evaluate(made.form.program, np.asarray(x, np.float64))
    np.testing.assert_allclose(theirs, form, atol=1e-6 * np.abs(form).max())


def test_too_many_levels_are_refused_with_their_number():
    def network(x):
        for _ in range(40):
            x = (x * x) * 0.5 + 0.1
        return x

    with pytest.raises(UnsupportedError, match=r"a program that needs \d+ levels, expected at most 29"):
        compile_program(trace(network, Input((4,), -1.0, 1.0, None)), OPTIONS)


def test_what_is_taken_from_itself_is_a_constant():
    cancelled = trace(lambda x: x * 0.25 - x * 0.25, Input((3,), 0.0, 16.0, 1.0))
    with pytest.raises(UnsupportedError, match=r"a constant, expected a value that depends on an input"):
        compile_program(cancelled, OPTIONS)
    agree(
        trace(lambda x: ((x - x + 0.5) >> ops.Poly((1.0, 2.0), (-1.0, 1.0))) * x, Input((3,), 0.0, 1.0, None)),
        np.ones(3),
    )


def test_an_impossible_precision_names_the_knob():
    program = trace(lambda x: x * x, Input((4,), -1.0, 1.0, None))
    with pytest.raises(UnsupportedError, match="ask for precision="):
        compile_program(program, Options(precision=1e-16))


def test_products_of_matrices_that_would_not_fit_are_refused():
    program = trace(lambda x: x @ x, Input((128, 128), -1.0, 1.0, None))
    with pytest.raises(UnsupportedError, match="a product of matrices with"):
        lower(program, lambda p: p)


def test_the_circuit_is_written_once_however_many_ways_to_share_ciphertexts_are_tried(monkeypatch):
    counted = collections.Counter()
    for name in ("lower", "polynomialise", "with_expected_bounds", "ranges", "homogeneity"):
        original = getattr(compiler, name)

        def counting(*given, name=name, original=original, **named):
            counted[name] += 1
            return original(*given, **named)

        monkeypatch.setattr(compiler, name, counting)
    program = HOG(block=2, cell=4).program((8, 8))
    CKKS().prepare_many(program)
    assert counted and set(counted.values()) == {1}, counted


@pytest.mark.parametrize("batching", Batching)
def test_a_lowered_program_compiles_as_the_program_does(batching):
    program = HOG(block=2).program((16, 16))
    lowered = lower_program(program, Options())
    for _ in range(2):  # the second time all facts are there
        made, alone = lowered.compiled(batching), compile_program(program, Options(batching=batching))
        assert made.spec.to_json() == alone.spec.to_json()
        assert made.choice.arrangement.rotations() == alone.choice.arrangement.rotations()
        assert made.choice.error == alone.choice.error


def test_facts_of_a_circuit_are_computed_once_for_all_rings_and_layouts():
    facts = ("groups", "must_be_clean", "without_imaginary_parts", "only_added", "is_real")
    lowered = lower_program(HOG(block=2).program((16, 16)), Options())
    lowered.compiled(Batching.NONE)
    first = {name: vars(lowered.expected)[name] for name in facts}
    lowered.compiled(Batching.NONE)
    assert all(vars(lowered.expected)[name] is fact for name, fact in first.items())
    assert not vars(lowered.circuit).keys() & set(facts), "nobody asks the circuit without expected sizes"
