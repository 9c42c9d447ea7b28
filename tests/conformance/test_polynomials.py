"""Definition to polynomial form: every replaced node keeps the error it announces.

Answers for `privis.readings.approximation.deviations` and `privis.readings.approximation.nodes`.
"""

import numpy as np
import pytest
from scipy.optimize import linprog

from privis.errors import DomainError, ParameterError, UnsupportedError
from privis.features.colour import ColourHistogram
from privis.program import Input, Kind, ops, trace
from privis.readings import broken_promises, cost, domain_problems, evaluate, measured, polynomialise
from privis.readings.approximation.interpolation import through
from privis.readings.approximation.roots import inverse_root, square_root
from privis.readings.approximation.sign import closest_to_one, composition, sign_plan
from privis.readings.evaluate import evaluate_op
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


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.polynomial], ids=lambda sample: sample.label)
def test_no_polynomial_is_asked_outside_its_domain(sample):
    """Whatever earlier polynomials blur: domains are as wide as what the polynomials before them can make."""
    texture = np.random.default_rng(2).integers(40, 220, (64, 64, 3), dtype=np.uint8)
    faint = np.random.default_rng(3).integers(120, 124, (64, 64, 3), dtype=np.uint8)
    for image in (texture, faint):
        x = sample.feature.before(image)
        program = sample.feature.program(x.shape)
        if sample.promised and broken_promises(program, x):
            continue
        form = polynomialise(program, promised=sample.promised, stages=4)
        assert broken_promises(form.program, x) == []


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


def composed(plan, x):
    for coefficients in plan.polynomials:
        x = np.polynomial.chebyshev.chebval(x, coefficients)
    return x


@pytest.mark.parametrize("precision", [0.1, 2.0**-9, 1e-9])
@pytest.mark.parametrize("margin", [0.5, 0.01, 1 / 4096, 1e-6])
def test_sign_plans_reach_their_precision_and_never_leave_the_domain(margin, precision):
    plan = sign_plan(margin, precision)
    decided = np.concatenate([np.linspace(margin, 1.0, 5001), np.geomspace(margin, 1.0, 5001)])
    assert np.abs(composed(plan, decided) - 1).max() <= plan.error + 1e-12 <= precision + 2e-12
    assert np.abs(composed(plan, np.linspace(-1, 1, 20001))).max() <= 1 + plan.error + 1e-12
    shorter = sign_plan(margin, precision, stages=max(1, len(plan.polynomials) - 1))
    assert len(plan.polynomials) == 1 or shorter.margin > margin


@pytest.mark.parametrize("degree", [7, 15])
def test_capped_signs_decide_the_least_margin_they_can(degree):
    plan = sign_plan(1e-7, 0.04, stages=3, degree=degree)
    assert [len(coefficients) for coefficients in plan.polynomials] == [degree + 1] * 3
    assert 0.04 * (1 - 1e-6) <= plan.error <= 0.04
    assert sign_plan(plan.margin * 0.99, 0.04, stages=3, degree=degree).margin == pytest.approx(plan.margin, rel=1e-6)
    assert composition(plan.margin * 0.9, (degree,) * 3).error > 0.04


@pytest.mark.parametrize("low", [0.5, 0.05, 1e-3])
def test_the_exchange_finds_what_linear_programming_finds(low):
    coefficients, error = closest_to_one(low, 7)
    x = np.unique(np.concatenate([np.linspace(low, 1, 1500), np.geomspace(low, 1, 1500)]))
    series = np.polynomial.chebyshev.chebvander(x, 7)[:, 1::2]
    ones = np.ones((len(x), 1))
    rows = np.block([[series, -ones], [-series, -ones]])
    best = linprog(np.eye(5)[4], rows, np.concatenate([ones, -ones]).ravel(), bounds=[(None, None)] * 5)
    assert error == pytest.approx(best.fun, rel=1e-4)
    assert not coefficients[::2].any()


def test_bad_sign_plans_are_refused_all_at_once():
    with pytest.raises(ParameterError) as caught:
        sign_plan(0.0, 2.0, stages=0, degree=4)
    assert len(caught.value.problems) == 4


def test_too_few_stages_blur_below_an_exact_threshold_and_say_where():
    """A threshold of 100 on bytes: 100 and more stay right, and so does all that lies ``blur`` below."""
    program = trace(lambda x: x.compare(100.0), Input((256,)))
    exact, capped = polynomialise(program), polynomialise(program, stages=3)
    assert exact.errors[0].blur == 0.0
    blur = capped.errors[0].blur
    assert 4 < blur < 12 and cost(capped.program).depth == 9 < cost(exact.program).depth
    x = np.arange(256.0)
    got, wanted = evaluate(capped.program, x), evaluate(program, x)
    decided = (x >= 100) | (x <= 100 - blur)
    assert np.abs(got - wanted)[decided].max() <= capped.errors[0].error * (1 + 1e-9)
    assert np.abs(got - wanted)[~decided].max() > 0.1
    assert got.min() >= -capped.errors[0].error - 1e-9 and got.max() <= 1 + capped.errors[0].error + 1e-9


def test_too_few_stages_widen_the_blur_of_a_real_threshold():
    program = trace(lambda x: x.compare(0.0, step=0.25, exact=False), Input((256,), -100.0, 100.0, None))
    capped = polynomialise(program, stages=4)
    blur = capped.errors[0].blur
    x = np.linspace(-100, 100, 256)
    off = np.abs(evaluate(capped.program, x) - evaluate(program, x))
    assert 0.125 < blur < 0.5 and off[np.abs(x) >= blur].max() <= capped.errors[0].error * (1 + 1e-9)


SHORT = [
    (ops.Compare(3.0), 8.0, 4),
    (ops.Compare(1.0), 1.0, 0),
    (ops.Histogram((tuple(map(float, range(1, 10))),)), 9.0, 4),
    (ops.Histogram(((1.0,), (1.0, 2.0))), 2.0, 3),
]


@pytest.mark.parametrize(("op", "high", "depth"), SHORT)
def test_short_grids_are_interpolated(op, high, depth):
    digits = len(op.edges) if isinstance(op, ops.Histogram) else 1
    program = trace(lambda x: x >> op, Input((digits, 2, 50), 0.0, high))
    form = polynomialise(program)
    x = np.random.default_rng(5).integers(0, int(high) + 1, (digits, 2, 50)).astype(float)
    np.testing.assert_allclose(evaluate(form.program, x), evaluate(program, x), atol=1e-9)
    assert form.deviations[0] < 1e-9
    assert cost(form.program).depth <= depth


@pytest.mark.parametrize("count", [2, 5, 9, 17])
def test_interpolation_shrinks_small_errors_and_swings_little(count):
    for chosen in np.eye(count):
        poly = through(np.arange(count), chosen)
        off = 0.02 * np.sin(np.arange(count))
        inside = np.clip(np.arange(count) + off, 0, count - 1)
        assert np.abs(evaluate_op(poly, [inside], np) - chosen).max() <= 0.021
        swing = evaluate_op(poly, [np.linspace(0, count - 1, 999)], np)
        assert -0.25 < swing.min() and swing.max() < 1.25


@pytest.mark.parametrize("degree", [3, 7, 15, pytest.param(31, marks=pytest.mark.long)])
def test_lengths_come_out_close_to_one_and_never_explode(degree):
    root = inverse_root(0.01, degree, 0.05)
    assert len(root.coefficients) == degree + 1 and root.error <= 0.05
    u = np.linspace(0, 1, 5001)
    length = u * evaluate_op(ops.Poly(root.coefficients, (0.0, 1.0)), [u * u], np)
    assert np.abs(length - 1)[u >= root.shortest].max() <= root.error + 1e-9
    assert length.min() >= 0 and length.max() <= 1 + root.error + 1e-9
    assert (np.diff(length[u < root.shortest]) > 0).all()  # shorter, the shorter they were


@pytest.mark.parametrize("degree", [1, 7, 15, 31])
def test_the_closest_root_alternates(degree):
    """As many alternations of one size as there are coefficients and one more: no polynomial is closer."""
    coefficients, error = square_root(degree)
    u = np.linspace(0, 1, 200_001)
    off = evaluate_op(ops.Poly(coefficients, (0.0, 1.0)), [u * u], np) - u
    peaks = np.flatnonzero(np.abs(off) > error * (1 - 1e-4))
    assert 1 + (np.diff(np.sign(off[peaks])) != 0).sum() == degree + 2
    assert error == pytest.approx(0.28 / (2 * degree), rel=0.12)


def test_short_vectors_stay_short_and_the_form_says_which():
    program = trace(lambda x: x >> ops.Normalise((1.0, 1e4), inside=1e-10), Input((5, 4), -50, 50, None))
    form = polynomialise(program, promised=True, normalise_degree=7, normalise_error=0.05)
    (error,) = form.errors
    assert 5 < error.blur < 50 and error.error <= 0.05 and cost(form.program).depth == 5
    x = np.outer([0.0, 1e-3, 0.5, error.blur, 50.0], [0.5, 0.5, -0.5, 0.5])
    lengths = np.linalg.norm(evaluate(form.program, x), axis=1)
    assert lengths[0] == 0 and (np.diff(lengths[:4]) > 0).all()
    assert np.abs(lengths[3:] - 1).max() <= error.error + 0.01


def test_what_is_measured_includes_the_blur_and_says_on_how_many():
    program = trace(lambda x: x.compare(0.0, exact=False), Input((400,), -200, 200, None))
    form = polynomialise(program, stages=3)
    fine = [np.linspace(-1, 1, 400), np.linspace(-2, 2, 400)]
    plain, stretched = (measured(program, form, fine, stretched=s) for s in (False, True))
    assert plain.samples == 2 and plain.largest > 0.4 > plain.root_mean_square > stretched.root_mean_square
    assert form.deviations[0] < 0.02 < stretched.largest  # the bound is for decided comparisons only
    assert plain.least_cosine < stretched.least_cosine < 1
    with pytest.raises(ParameterError, match="at least one"):
        measured(program, form, [])


def test_announced_deviations_hold_where_all_comparisons_are_decided():
    feature = ColourHistogram(bins=4)
    x = feature.before(np.random.default_rng(2).integers(0, 256, (16, 16, 3), dtype=np.uint8)).astype(float)
    program = feature.program(x.shape)
    form = polynomialise(program)
    off = np.abs(evaluate(form.program, x) - evaluate(program, x)).max()
    assert 0 < off <= form.deviations[0] <= 256 * 4 * 2.0**-9


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
