"""The benchmark of attacks on answers keeps its bars on made-up people, and tells a limit that is too wide.

Answers for `benchmarks.attacks.answers`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.attacks import answers as bench
from privis.privacy.answers.answer_limits import Allowance
from tests.attack.answers.test_template_prior import people


def test_bars_on_made_up_people(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench, "RATES", (1e-4,))
    monkeypatch.setattr(bench, "EPSILONS", (2.0,))
    random = np.random.default_rng(0)
    middles = np.repeat(random.normal(size=(24, 96)), 4, axis=0)
    vectors = middles + 0.3 * random.normal(size=middles.shape)
    names = np.repeat([f"p{number}" for number in range(24)], 4)
    assert bench.report("toy", vectors / np.linalg.norm(vectors, axis=1, keepdims=True), names, guesses=64, steps=40)
    told = capsys.readouterr().out
    assert told.count("bar > 1 year ok") == 3 and told.count("within chance ok") == 2 and "NO" not in told


def test_a_limit_that_is_too_wide_is_told() -> None:
    vectors, names = people(24, 2)
    made = bench.galleries(vectors, np.array(names), 1e-2)
    scores, *_ = bench.attacked(made, 32, 32)
    wide = replace(scores, allowed=Allowance(8, 32), at_limit=scores.targets)
    assert not wide.kept and wide.line.endswith("days") and "NO" in wide.line
