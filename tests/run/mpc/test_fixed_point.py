"""Which ring a program gets, what is refused, and with which words."""

import math

import numpy as np
import pytest

pytest.importorskip("spu")

from privis.errors import DomainError
from privis.program import Input, trace
from privis.program import ops as o
from privis.run.mpc.fixed_point import Encoding, FixedPoint, encoding
from privis.run.mpc.lowering.lower import lower_program
from privis.run.mpc.lowering.precision import choose_fixed_point, representation_problems
from tests.conformance.samples import SAMPLES


@pytest.fixture(scope="module")
def photograph():
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[60:124, 180:244])


def test_encoding_follows_the_declared_grid():
    assert encoding(Input((2, 2))) is Encoding.INTEGER
    assert encoding(Input((2, 2), step=4.0)) is Encoding.INTEGER
    assert encoding(Input((2, 2), step=0.5)) is Encoding.FIXED
    assert encoding(Input((2, 2), step=None)) is Encoding.FIXED


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.label)
def test_every_feature_fits_64_bits(sample, photograph):
    program = sample.feature.program(sample.feature.before(photograph).shape)
    assert choose_fixed_point([program]) == FixedPoint(64, 18)


def test_counts_stay_integers():
    histogram = trace(lambda x: x >> o.Histogram(((64.0, 128.0),)), Input((1, 50)))
    assert lower_program(histogram, FixedPoint()).outputs == (Encoding.INTEGER,)
    assert lower_program(trace(lambda x: x * 0.5, Input((4,))), FixedPoint()).outputs == (Encoding.FIXED,)
    assert lower_program(trace(lambda x: x.compare(3.0), Input((4,))), FixedPoint()).outputs == (Encoding.INTEGER,)


def test_wider_ranges_get_fewer_fraction_bits_then_a_wider_ring():
    def program(bound):
        return trace(lambda x: x * x, Input((3,), -bound, bound, None))

    chosen = [choose_fixed_point([program(bound)]) for bound in (1e3, 1e7, 1e9, 1e15)]
    assert [c.field_bits for c in chosen] == [64, 64, 128, 128]
    fractions = [c.fraction_bits for c in chosen]
    assert fractions[0] == 18 > fractions[1] >= 14 and fractions[2] >= fractions[3] >= 18
    together = choose_fixed_point([program(1e3), program(1e7)])
    assert together == chosen[1]


def test_refusals_name_the_node_its_numbers_and_a_remedy():
    program = trace(lambda x: ((x * x) * (x * x)).sum(0), Input((100,), -1e9, 1e9, None))
    with pytest.raises(DomainError) as refused:
        choose_fixed_point([program])
    [first, *_] = refused.value.problems
    assert first.where.startswith("node ") and "e+" in first.got and "128-bit ring" in first.expected
    assert "declare the domain" in first.remedy
    nodes = [problem.where for problem in refused.value.problems]
    assert len(nodes) == len(set(nodes))


def test_lowering_refuses_what_does_not_fit():
    import jax
    from jax.experimental import enable_x64

    program = trace(lambda x: x * x, Input((3,), -1e9, 1e9, None))
    assert representation_problems(program, FixedPoint(64, 18))
    lowered = lower_program(program, FixedPoint(64, 18))
    with enable_x64(True), pytest.raises(DomainError, match="node 0 Mul"):
        jax.eval_shape(lowered.function, jax.ShapeDtypeStruct((3,), np.float32))


def test_a_declared_domain_bounds_what_intervals_cannot():
    def network(domain):
        def build(x):
            for _ in range(8):
                x = (x >> o.Dense(np.full((50, 50), 0.5))) >> o.Nonlinear(_clip(), domain, 0.0, math.inf)
            return x

        return trace(build, Input((50,), -1.0, 1.0, None))

    assert choose_fixed_point([network((-64.0, 64.0))]) == FixedPoint(64, 18)
    assert choose_fixed_point([network(None)]) != FixedPoint(64, 18)


def _clip():
    from privis.program import Kind

    return Kind.CLIP


def test_the_largest_declared_values_are_right_at_the_edge_of_the_ring():
    from tests.run.mpc.in_process import on_shares

    for bound in (1e5, 2e6, 4e6):
        program = trace(lambda x: x * x, Input((3,), -bound, bound, None))
        x = np.array([bound, -bound, 1.0])
        ours = on_shares(program, x)
        np.testing.assert_allclose(ours, x * x, rtol=1e-5, atol=bound**2 * 2.0**-40)
