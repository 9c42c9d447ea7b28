"""The benchmark of renewable templates runs on made-up vectors, and its measures tell a scheme that fails from others.

Answers for `benchmarks.tasks.renewable_templates` and `benchmarks.tasks.template_schemes`.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.tasks import renewable_templates as bench
from benchmarks.tasks.template_schemes import SCHEMES, Rotation, Solver, unit


def people(count: int = 12, shots: int = 4, components: int = 24) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    middles = np.repeat(random.normal(size=(count, components)), shots, axis=0)
    return unit(middles + 0.3 * random.normal(size=middles.shape)), np.repeat([f"p{n}" for n in range(count)], shots)


def test_the_rotation_meets_its_bars_with_the_key_secret_and_fails_with_it_stolen() -> None:
    vectors, names = people()
    found = bench.measure(Rotation, vectors, names, keys=30, solver=Solver(100, 1, 0.1), times=10)
    assert abs(found.loss) < 1e-9 and found.accepted_without_key < 0.05
    assert found.linked["one template each, keys secret"] < bench.LINKED
    assert found.linked["one template each, both keys stolen"] > 0.9
    assert found.linked["whole galleries of the same pictures, keys secret"] > 0.9
    assert found.linked["whole galleries of the same pictures, a secret key per person"] < 0.4
    assert found.inverted["key stolen"] > 0.9 > 0.1 > found.inverted["key secret"]
    told = "\n".join(bench.lines("rotation", found))
    assert "FAILS inversion: key stolen" in told and "FAILS unlinkability: one template each, keys secret" not in told
    assert bench.known_pairs(vectors, names, 24, 3) > 0.9


def test_every_gradient_is_that_of_its_smooth_form() -> None:
    random = np.random.default_rng(1)
    for name, made in SCHEMES.items():
        scheme, rows = made(3, 12), unit(random.normal(size=(2, 12)))
        formed, kept = scheme.smooth(rows)
        weights, moved = random.normal(size=formed.shape), random.normal(size=rows.shape)
        moved -= (moved * rows).sum(1, keepdims=True) * rows  # the solver stays at length 1
        step = 1e-6
        ahead, behind = (scheme.smooth(unit(rows + sign * step * moved))[0] for sign in (1, -1))
        slope = ((ahead - behind) * weights).sum() / (2 * step)
        assert (scheme.pulled(rows, kept, weights) * moved).sum() == pytest.approx(slope, rel=1e-3, abs=1e-3), name


def test_the_solver_inverts_a_scheme_whose_key_is_known() -> None:
    vectors, _ = people(4, 1)
    scheme = Rotation(5, 24)
    guess = Solver(200, 1, 0.2).inverted(scheme, scheme.protected(vectors[:2]), vectors[2:])
    assert (guess * vectors[:2]).sum(1).min() > 0.99
