"""What SPU answers wrongly without a word, each beside our right answer or our refusal."""

import numpy as np
import pytest

pytest.importorskip("spu")

import jax.numpy as jnp
from jax import lax

from privis.errors import DomainError
from privis.program import Input, Kind, trace
from privis.program import ops as o
from privis.run.mpc.fixed_point import FixedPoint
from privis.run.mpc.lowering.precision import choose_fixed_point, representation_problems
from tests.run.mpc.in_process import on_shares, simulate

FIXED = FixedPoint(64, 18)


def spu(function, *arrays):
    return simulate(function, *(np.asarray(a, np.float32) for a in arrays), fixed=FIXED)


def one(kind, low, high, **fields):
    return trace(lambda x: x >> o.Nonlinear(kind, **fields), Input((3,), low, high, None))


def test_large_products():
    x = np.array([1e5, 3e4, -1e5])
    assert abs(spu(lambda v: v * v, x)[0] - 1e10) > 1e9  # 67,888,128
    program = trace(lambda v: v * v, Input((3,), -1e5, 1e5, None))
    np.testing.assert_allclose(on_shares(program, x), x * x, rtol=1e-6)
    far = trace(lambda v: v * v, Input((3,), -3e9, 3e9, None))
    assert choose_fixed_point([far]).field_bits == 128
    assert representation_problems(far, FIXED)[0].where == "node 0 Mul"


def test_integer_products_are_exact():
    x = np.array([3_000_000, 2_999_999, -7])
    squares = spu(lambda v: v * v, x)
    assert abs(squares[0] - 9e12) > 1e12
    program = trace(lambda v: v * v, Input((3,), -3e6, 3e6, 1.0))
    np.testing.assert_array_equal(on_shares(program, x), np.square(x))


def test_norm_of_many_bytes():
    x = np.arange(512) % 256
    assert spu(lambda v: jnp.sqrt((v * v).sum()), x) == 0.0
    program = trace(lambda v: (v * v).sum(0, keep=True).sqrt(), Input((512,)))
    np.testing.assert_allclose(on_shares(program, x), [np.linalg.norm(x)], rtol=3e-4)
    unit = trace(lambda v: v >> o.Normalise((1.0, 4e7)), Input((512,)))
    np.testing.assert_allclose(on_shares(unit, x), x / np.linalg.norm(x), atol=1e-4)


def test_roots_of_large_numbers():
    x = np.array([2e5, 1e6, 4.0])
    assert spu(jnp.sqrt, x)[0] == 0.0 and spu(lax.rsqrt, x)[1] == 0.0
    np.testing.assert_allclose(on_shares(one(Kind.SQRT, 0.0, 2e6), x), np.sqrt(x), rtol=1e-3)
    np.testing.assert_allclose(
        on_shares(one(Kind.RSQRT, 4.0, 2e6), x), x**-0.5, rtol=2e-3, atol=2**-17
    )  # two last places


def test_quotients_of_small_numbers():
    x = np.array([1e-5, 2e-5, 1e-4])
    assert spu(lambda v: 1 / v, x)[0] > 1.2e5  # 131,071: the smallest number is 2**-18
    assert spu(lax.rsqrt, np.array([1e-8]))[0] == 0.0
    for kind in (Kind.RECIPROCAL, Kind.RSQRT):
        with pytest.raises(DomainError, match="1 / x with x from 1e-08 to 1"):
            choose_fixed_point([one(kind, 1e-8, 1.0)])
        with pytest.raises(DomainError, match=r"unbounded|as small as"):
            choose_fixed_point([one(kind, 0.0, 1.0)])
    np.testing.assert_allclose(on_shares(one(Kind.RECIPROCAL, 1e-3, 1.0), [1e-3, 0.5, 1.0]), [1000, 2, 1], rtol=5e-3)


def test_comparisons_subtract():
    huge = np.array([1.7e13, -1.7e13, 0.0])
    assert not spu(lambda v, w: v + v >= w, huge, -huge)[0]  # 3.4e13 < -1.7e13, says the ring
    program = trace(lambda v: v.compare(-3e13, exact=False), Input((3,), -1.3e13, 1.3e13, None))
    assert representation_problems(program, FIXED)
    assert choose_fixed_point([program]) != FIXED


def test_inputs_beyond_the_ring():
    assert spu(lambda v: v + 0, np.array([3e13]))[0] < 1.8e13  # cut off at 2**44
    program = trace(lambda v: v + 1.0, Input((1,), 0.0, 3e13, None))
    assert representation_problems(program, FIXED)[0].where == "input 0"


def test_unbounded_values_are_refused():
    program = trace(lambda v: v.relu(), Input((3,), -np.inf, np.inf, None))
    with pytest.raises(DomainError, match="input 0: got unbounded values"):
        choose_fixed_point([program])


def test_guards_that_vanish():
    """skimage's guard of 1e-10 is zero in fixed point; flat blocks must stay flat all the same."""
    flat = np.zeros((3, 4))
    flat[1] = [3.0, 0.0, 4.0, 0.0]
    program = trace(lambda v: v >> o.Normalise((1.0, 1e5), inside=1e-10), Input((3, 4), 0.0, 100.0, None))
    np.testing.assert_allclose(on_shares(program, flat), [[0] * 4, [0.6, 0, 0.8, 0], [0] * 4], atol=2e-4)


def test_top_k_comes_in_no_order():
    x = np.random.default_rng(2).permutation(200) / 8.0
    found = spu(lambda v: lax.top_k(v, 20)[0], x)
    assert sorted(found) == sorted(np.sort(x)[-20:]) and list(found) != sorted(found, reverse=True)
    program = trace(lambda v: v >> o.TopK(20), Input((200,), 0.0, 25.0, None))
    values, places = on_shares(program, x)
    np.testing.assert_allclose(values, np.sort(x)[:-21:-1], atol=2e-5)
    np.testing.assert_array_equal(places, np.argsort(-x)[:20])


@pytest.mark.parametrize("step", [None, 1.0])
def test_of_equal_elements_the_first_is_found(step):
    x = np.random.default_rng(4).integers(0, 5, 120)
    program = trace(lambda v: (v >> o.TopK(40), v >> o.ArgMax(0)), Input((120,), 0.0, 5.0, step))
    (values, places), first = on_shares(program, x)
    order = np.argsort(-x, kind="stable")[:40]
    np.testing.assert_array_equal(places, order)
    np.testing.assert_allclose(values, x[order], atol=1e-5)
    assert first == np.argmax(x)


@pytest.mark.parametrize("factors", [(2**-17,), (2**-10, 2**-10)])
def test_tiny_public_factors(factors):
    """Integers times fewer than four last places become whole numbers; XLA merges two factors into such a one."""
    x = np.array([10_000_000, 3_000_000])

    def product(v):
        v = v.astype(jnp.float32)
        for factor in factors:
            v = v * np.float32(factor)
        return v

    assert simulate(product, x, fixed=FIXED).dtype == np.int64
    program = trace(lambda v: (v * 3.0 + 0.75) * np.prod(factors) * 0.3, Input((2,), 0.0, 1e7))
    np.testing.assert_allclose(on_shares(program, x), (x * 3 + 0.75) * np.prod(factors) * 0.3, rtol=1e-4, atol=1e-5)


def test_long_sums_with_few_results():
    """One product of 16x16384x4 took SPU seconds; in pieces of 4096 terms it takes a tenth."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, (3, 10_000)), rng.integers(0, 2, (10_000, 2))
    program = trace(lambda x, y: x @ y, Input(a.shape, 0.0, 1.0), Input(b.shape, 0.0, 1.0))
    np.testing.assert_array_equal(on_shares(program, a, b), a @ b)
