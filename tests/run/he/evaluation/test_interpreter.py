"""Answers for `privis.run.he.evaluation.interpreter`: polynomials of sums, whatever unit the sums are stored in."""

import numpy as np
import pytest

pytest.importorskip("tenseal")

from privis.program import Input, trace
from privis.program.ops import Poly
from privis.run.he.executor import CKKS

SEPTIC = (0.0, 1.5, 0.0, -0.9, 0.0, 0.5, 0.0, -0.1)  # a Chebyshev series of three levels


def mean_then_polynomial(values, domain=(-1.0, 1.0)):
    return values.sum(0) * (1 / values.shape[0]) >> Poly(SEPTIC, domain)


@pytest.mark.parametrize("count", [4, 64, 512])
def test_a_polynomial_of_a_plain_sum(count):
    """The sum costs no level only where the polynomial can read it in its unit, a share of one element."""
    program = trace(mean_then_polynomial, Input((count,), -1.0, 1.0, None))
    x = np.random.default_rng(count).uniform(-1, 1, count) * 0.4 + 0.5
    under = CKKS()
    exact = np.polynomial.chebyshev.chebval(x.mean(), SEPTIC)
    error = under.error(program).relative
    assert abs(float(under.prepare(program)(x)) - exact) < max(error, 1e-6) * 4 < 1e-2


def test_a_polynomial_of_small_numbers():
    """Numbers far below the ends of the domain are stored as they are, not in a unit as small as they."""
    program = trace(mean_then_polynomial, Input((3,), -0.002, 0.002, None))
    x = np.array([0.002, -0.0005, 0.0015])
    exact = np.polynomial.chebyshev.chebval(x.mean(), SEPTIC)
    assert abs(float(CKKS().prepare(program)(x)) - exact) < 1e-5
