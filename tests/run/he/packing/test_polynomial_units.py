"""Sums of polynomials that polynomials read: they cost no level, and come in a unit near 1."""

import pytest

pytest.importorskip("tenseal")

from privis.features.lbp import LBP, Patterns
from privis.run.he.circuit.circuit import Linear, Polynomial
from privis.run.he.compiler.compiler import Options, compile_program
from privis.run.he.packing import arrangement


def sums(size):
    """Of the signs of comparisons in LBP, which tell how many neighbours are lighter: levels and unit of each."""
    options = Options(precision=1e-2, signs=2)
    plan = compile_program(LBP(Patterns.UNIFORM).program((size, size)), options).choice.arrangement
    read = {step.operand for step in plan.circuit.steps if isinstance(step, Polynomial)}
    of = [k for k in sorted(read) if isinstance(plan.circuit.steps[k], Linear)]
    return [(plan.packed[k].levels, plan.units[k]) for k in of], plan.depth


def test_a_sum_of_polynomials_that_a_polynomial_reads_costs_no_level(monkeypatch):
    found, depth = sums(64)
    assert (0, pytest.approx(1.0)) in found
    monkeypatch.setattr(arrangement, "MOST_ENLARGED", 1.0)
    found, without = sums(64)
    assert (0, pytest.approx(1.0)) not in found and depth == without - 1


def test_it_costs_one_where_whatever_else_reads_them_would_cost_more(monkeypatch):
    found, depth = sums(16)
    monkeypatch.setattr(arrangement, "MOST_ENLARGED", 1.0)
    assert (found, depth) == sums(16)
