"""Roots, quotients and unit vectors on shares at their worst: zero, the borders of every interval, the largest values.

Answers for `privis.run.mpc.lowering.roots.powers`, `privis.run.mpc.lowering.roots.range_reduction` and
`privis.run.mpc.lowering.roots.unit_vectors`.
"""

import numpy as np
import pytest

pytest.importorskip("spu")

from privis.program import Input, Kind, concat, trace
from privis.program import ops as o
from privis.readings import evaluate
from privis.run.mpc.lowering.roots import powers, range_reduction, unit_vectors
from tests.run.mpc.in_process import on_shares

ALLOWED = {Kind.SQRT: 3e-4, Kind.RSQRT: 2e-4, Kind.RECIPROCAL: 1e-4}  # of the result, as `accuracy` states them
POWERS = {Kind.SQRT: 0.5, Kind.RSQRT: -0.5, Kind.RECIPROCAL: -1.0}


def recorded_limits(monkeypatch):
    """The limits that a program is compared with, as they are chosen while it is traced."""
    found, original = [], range_reduction.intervals

    def noted(*given):
        limits, factors = original(*given)
        found.append(limits)
        return limits, factors

    for module in (powers, unit_vectors):
        monkeypatch.setattr(module, "intervals", noted)
    return found


@pytest.mark.parametrize("kind", ALLOWED)
def test_powers_of_whole_numbers_at_all_borders(kind, monkeypatch):
    """Scaled so that neither input nor output is rounded: what is left is the error of the rule itself."""
    least, most = (0, 130050) if kind is Kind.SQRT else (20, 60000)
    enlarge = {Kind.SQRT: 1.0, Kind.RSQRT: 64.0, Kind.RECIPROCAL: 4096.0}[kind]

    def program(count):
        declared = Input((count,), float(least), float(most))
        return trace(lambda x: (x >> o.Nonlinear(kind)) * enlarge, declared)

    limits = recorded_limits(monkeypatch)
    on_shares(program(1), np.array([most]))
    borders = np.unique(np.clip(np.concatenate([limits[-1] + d for d in (-1, 0, 1)]), least, most))
    assert len(limits[-1]) >= 8 and np.diff(limits[-1]).min() > 0
    x = np.concatenate([[least, most], borders, np.arange(least, least + 40), np.geomspace(20, most, 200).astype(int)])
    ours, definition = on_shares(program(len(x)), x), evaluate(program(len(x)), x.astype(float))
    assert (np.abs(ours - definition) <= ALLOWED[kind] * definition + 1e-5).all()
    assert kind is not Kind.SQRT or (ours[x == 0] == 0).all()


def test_roots_of_real_numbers_below_zero_are_zero_and_small_ones_small():
    program = trace(lambda x: x.sqrt((-3.0, 400.0)), Input((7,), -3.0, 400.0, None))
    x = np.array([-3.0, -(2.0**-18), 0.0, 2.0**-18, 1e-3, 1.0, 400.0])
    ours, last = on_shares(program, x), 20.0 * 2.0**-14  # of the range
    assert np.abs(ours[:3]).max() <= 2.0**-18  # what a result on a finer scale is rounded by
    assert (ours >= 0).all()
    assert np.abs(ours - np.sqrt(np.maximum(x, 0))).max() <= last + 3e-4 * 20


@pytest.mark.parametrize("fields", [{}, {"inside": 25.0}, {"outside": 0.5}], ids=str)
@pytest.mark.parametrize("largest", [360.0, 3000.0])  # whose squares fit the ring, and do not
def test_unit_vectors_of_any_length(fields, largest):
    """Zeros, a single last place, one component, equal ones, the largest, and lengths in between."""
    rng = np.random.default_rng(0)
    x = np.zeros((12, 81))
    x[1, 7], x[2, 80], x[3] = 2.0**-16, largest, largest
    x[4:] = rng.uniform(0, 1, (8, 81)) * np.geomspace(0.01, largest, 8)[:, None]
    program = trace(lambda v: v >> o.Normalise((1.0, 1e9), **fields), Input(x.shape, 0.0, largest, None))
    ours, exact = on_shares(program, x), np.round(x * 2**18) / 2**18
    with np.errstate(invalid="ignore"):  # 0 / 0
        definition = np.nan_to_num(evaluate(program, exact))
    assert np.abs(ours[0]).max() <= 2.0**-17, "noise that a second normalisation would make a unit vector of"
    assert np.abs(ours - definition)[2:].max() <= 5e-4
    assert np.abs(ours[1]).max() <= 1.001


@pytest.mark.parametrize("power", POWERS.values())
def test_polynomials_hold_beyond_their_interval(power):
    found = range_reduction.power_polynomial(power)
    u = found.low * np.geomspace(1 / range_reduction.SLACK, found.ratio * range_reduction.SLACK, 1001)
    assert np.abs(found.sign * found.at(u) / u**power - 1).max() <= 1.02 * range_reduction.ACCURACY[power]
    wider = found.low * found.ratio * 2
    assert abs(found.sign * found.at(np.float64(wider)) / wider**power - 1) > range_reduction.ACCURACY[power]


@pytest.mark.parametrize("kind", ALLOWED)
def test_constants_and_the_narrowest_ranges_have_their_powers(kind):
    """A compiler reads the bits of what it knows from IEEE 754: it must not know what is held in fixed point."""
    x, four = np.linspace(1.1, 1.4, 8), np.full(8, 4.0)

    def function(v):
        constant = v * 0.0 + 4.0
        return tuple(y >> o.Nonlinear(kind) for y in (v, constant, concat(constant, v)[0:8]))

    near, alone, beside = on_shares(trace(function, Input((8,), 1.1, 1.4, None)), x)
    for ours, operand in ((near, x), (alone, four), (beside, four)):
        np.testing.assert_allclose(ours, operand ** POWERS[kind], rtol=1e-3)
