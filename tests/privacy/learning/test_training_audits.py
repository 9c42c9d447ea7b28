"""Audits of the training: an attacker who sees every state and knows all images but one.

The attacker recovers the noisy sum of every step from the states, subtracts what the known images give, and looks at
what is left: its spread, and how far the unknown image moves it. Broken trainings must be caught, the true one never.
"""

import itertools
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest
from scipy import stats

from privis.privacy import Dataset, Gaussian, ReleaseKey
from privis.privacy.learning import logistic_regression as train
from privis.privacy.learning import subsampling
from privis.privacy.learning.clipped_gradients import LEVELS, IntegerRows, clipped_sum, shortened
from privis.privacy.learning.logistic_regression import LogisticTraining, TrainingState

PLAN = LogisticTraining(3, 5, 60, Gaussian(2.0, 1e-5), Dataset(), sampling=1.0, steps=4, rate=1.0, clip=0.1)
CERTAIN = 1e-6


@dataclass(frozen=True)
class Attacker:
    """Sixty known rows, and a canary whose gradient is as long as it can be."""

    @cached_property
    def rows(self):
        rng = np.random.default_rng(0)
        return IntegerRows.of(rng.normal(size=(61, 5))), rng.integers(0, 3, 61)

    def trained(self, seed, canary):
        rows, labels = self.rows
        count = 61 if canary else 60
        given = IntegerRows(rows.values[:count])
        owners, shares = np.arange(count), np.ones(count, np.int64)
        stream = ReleaseKey(seed.to_bytes(32, "big")).stream("audit", bytes([canary]), PLAN.digest)
        start = TrainingState.start(PLAN)
        return [start, *train.steps(PLAN, given, labels[:count], owners, shares, stream, start)]

    def left(self, states):
        """Per step: noisy sum minus what the known rows give, and what the canary would add."""
        rows, labels = self.rows
        ones = np.ones(61, np.int64)
        unit = LEVELS * rows.unit * PLAN.sampling * PLAN.size
        for before, after in itertools.pairwise(states):
            noisy = (after.velocity - PLAN.momentum * before.velocity) * unit
            known, _ = clipped_sum(rows, np.arange(60), labels, ones, before.weights, PLAN.clip)
            canary, _ = clipped_sum(rows, np.array([60]), labels, ones, before.weights, PLAN.clip)
            yield (noisy - known).ravel(), canary.ravel().astype(float)


def audit(seed, repeats=150):
    """Everything that is wrong, by tests whose false alarms are rarer than one in a million each."""
    attacker, found = Attacker(), set()
    without, moved = np.empty((2, repeats, PLAN.steps))
    spread = [[] for _ in range(PLAN.steps)]
    for repeat in range(repeats):
        for canary, out in ((False, without), (True, moved)):
            for step, (left, direction) in enumerate(attacker.left(attacker.trained(1000 * seed + repeat, canary))):
                length = np.linalg.norm(direction)
                out[repeat, step] = left @ direction / length / math.sqrt(PLAN.squared)
                if not canary:
                    spread[step] += (left / PLAN.scale).tolist()
    for step in range(PLAN.steps):
        values = np.array(spread[step])
        squares = (values * values).sum()
        tail = min(stats.chi2.cdf(squares, values.size), stats.chi2.sf(squares, values.size))
        if tail < CERTAIN / 2:
            found.add(f"spread of step {step}")
        shift = moved[:, step].mean() - without[:, step].mean()
        error = PLAN.noise_multiplier * math.sqrt(2 / repeats)
        if shift > 1 + 5 * error:
            found.add(f"one image moves step {step} too far")
        if two_point(without[:, step], moved[:, step]) > PLAN.guarantee.epsilon:
            found.add(f"step {step} tells with or without")
    return found


def two_point(without, moved):
    """Lower bound of epsilon of one step by Clopper and Pearson, for the threshold in the middle."""
    middle = (without.mean() + moved.mean()) / 2
    hits, alarms, n = int((moved > middle).sum()), int((without > middle).sum()), len(moved)
    least = stats.beta.ppf(CERTAIN, hits, n - hits + 1) if hits else 0.0
    most = stats.beta.ppf(1 - CERTAIN, alarms + 1, n - alarms) if alarms < n else 1.0
    return math.log(max(least - 1e-5, 1e-300) / most)


def test_the_training_raises_no_alarm_for_twenty_seeds():
    assert [seed for seed in range(20) if audit(seed, repeats=40)] == []


def less_noise(noise, scale, *rest):
    return true_noise(noise, 0.8 * scale, *rest)


def no_noise_at_last(noise, scale, stream, shape, purpose):
    drawn = true_noise(noise, scale, stream, shape, purpose)
    last_step.append(1)
    return np.zeros_like(drawn) if len(last_step) % PLAN.steps == 0 else drawn


def unclipped(scores, labels, shares, clip):
    scores = scores - scores.max(1, keepdims=True)
    errors = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    errors[np.arange(len(labels)), labels] -= 1.0
    return np.trunc(errors * LEVELS / clip).astype(np.float32), np.zeros(len(labels))


true_noise, last_step = subsampling.draw_noise, []
MUTANTS = {
    "noise x 0.8": ("privis.privacy.learning.subsampling.draw_noise", less_noise, "spread"),
    "no noise in the last step": ("privis.privacy.learning.subsampling.draw_noise", no_noise_at_last, "step 3 tells"),
    "no clipping": ("privis.privacy.learning.clipped_gradients.clipped_errors", unclipped, "too far"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_broken_training_is_caught(mutant, monkeypatch):
    place, broken, alarm = MUTANTS[mutant]
    last_step.clear()
    if mutant == "no clipping":  # the attacker's own arithmetic stays whole
        monkeypatch.setattr(train, "clipped_sum", unclipped_sum)
    else:
        monkeypatch.setattr(place, broken)
    assert any(alarm in found for found in audit(0))


def unclipped_sum(rows, chosen, labels, shares, weights, clip):
    x = rows.values[chosen].astype(float)
    errors, _ = unclipped(x @ weights.T / rows.unit, labels[chosen], shares[chosen], clip)
    return (errors.T.astype(float) @ x).astype(np.int64), 0


def test_shortening_is_exact():
    steps = shortened(np.array([[200.0, 200.0], [3.0, 4.0]]), np.array([255, 5]))
    assert (np.square(steps).sum(1) <= [255**2, 25]).all() and steps[1].tolist() == [3.0, 4.0]
