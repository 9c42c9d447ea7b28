"""The sorting network sorts whatever the length, and many elements are ordered on shares as in the clear."""

import numpy as np
import pytest

pytest.importorskip("spu")

from jax.experimental import enable_x64

from privis.program import Input, trace
from privis.program import ops as o
from privis.readings import evaluate
from privis.run.mpc.lowering import comparison
from privis.run.mpc.lowering.sorting_network import sorted_descending
from tests.run.mpc.in_process import on_shares


@pytest.mark.parametrize("length", [1, 2, 3, 8, 13])
def test_rows_of_any_length_are_sorted_with_what_they_carry(length):
    rows = np.stack([np.random.default_rng(seed).permutation(length) - 7 for seed in range(40)])
    with enable_x64():
        found, carried = map(np.asarray, sorted_descending(-1000, rows, 10 * rows))
    np.testing.assert_array_equal(found, -np.sort(-rows))
    np.testing.assert_array_equal(carried, 10 * found)


@pytest.fixture
def few(monkeypatch):
    """Five elements are many."""
    monkeypatch.setattr(comparison, "SORTED", 4)


@pytest.mark.parametrize("protocol", ["ABY3", "CHEETAH"])
def test_many_elements_are_ordered_on_shares(few, protocol):
    x = np.random.default_rng(0).integers(-3, 4, (2, 7))  # some of them equal: the first counts
    whole = trace(lambda v: v >> o.TopK(7), Input(x.shape, -4.0, 4.0))
    np.testing.assert_array_equal(on_shares(whole, x, protocol=protocol), evaluate(whole, x))


def test_the_first_of_more_elements_and_of_real_numbers(few):
    x = np.random.default_rng(1).integers(-9, 9, (1, comparison.PAIRWISE + 3))
    some = trace(lambda v: v >> o.TopK(5), Input(x.shape, -9.0, 9.0))
    np.testing.assert_array_equal(on_shares(some, x), evaluate(some, x))
    real = np.random.default_rng(2).permutation(6)[None] / 8 - 0.25
    program = trace(lambda v: v >> o.TopK(6), Input(real.shape, -1.0, 1.0, None))
    np.testing.assert_allclose(on_shares(program, real), evaluate(program, real), atol=1e-3)
