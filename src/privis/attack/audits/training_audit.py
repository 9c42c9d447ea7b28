"""One-run audit of a private training of a linear classifier: hundreds of canaries, each there or not by a coin.

The auditor sees every state of one training, as its guarantee allows, and takes from each step the noisy sum of
gradients. Canaries are the rows of a Hadamard matrix, so that they are orthogonal and as long as a row may be: the part
of the sum along a canary holds its own gradient, the noise of that direction, and nothing of the others. The score of a
canary adds up those parts over all steps, along the gradient that it would have. Noise of orthogonal directions is
independent and the direction of a step follows from earlier states, so that noise adds exactly independent normal
values of variance ``steps`` to the scores, and a canary moves its own by at most its clipped gradients: where every
step is on all members, the scores are tries of one Gaussian mechanism, that of the accounting.

References: Steinke, Nasr and Jagielski, arXiv:2305.08846 (one run, guesses); Nasr et al., arXiv:2302.07956 (the
trade-off curve of Gaussian noise, an auditor who sees all steps).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from privis.attack.audits.epsilon_bounds import LEVEL, EpsilonBound, gaussian_bound, one_run_bound
from privis.errors import ParameterError, Problem, refuse
from privis.privacy import Guarantee, LogisticTraining, ReleaseKey
from privis.privacy.learning.clipped_gradients import LEVELS, IntegerRows
from privis.privacy.learning.logistic_regression import TrainingState, steps
from privis.privacy.learning.subsampling import Neighbours

GUESS_LEVEL = 1e-3
"""Of bounds from guesses: a delta of 1e-5 leaves nothing to prove at `LEVEL`; see `one_run_bound`."""
_RATE = 1e-6

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrainingAudit:
    """What one training proves of its epsilon.

    Args:
        claimed: what is claimed of the training.
        included: coin of every canary.
        scores: of every canary, larger where it looks as if it were there.
        gaussian: whether every step is on all members, so that scores are tries of one Gaussian mechanism.
    """

    claimed: Guarantee
    included: npt.NDArray[np.bool_] = field(repr=False)
    scores: Floats = field(repr=False)
    gaussian: bool = True

    def by_guesses(self, level: float = GUESS_LEVEL) -> EpsilonBound:
        """Bound epsilon by guessing coins, whatever the noise is.

        Args:
            level: probability of a bound that is too large.

        Returns:
            The bound at the claim's delta.
        """
        return one_run_bound(self.included, self.scores, self.claimed.delta, level)

    def by_trade_off(self, level: float = LEVEL) -> EpsilonBound:
        """Bound epsilon of a training that is said to add Gaussian noise to steps on all members.

        Args:
            level: probability of a bound that is too large.

        Returns:
            The bound at the claim's delta.

        Raises:
            ParameterError: steps are on samples, whose trade-off is another.
        """
        if not self.gaussian:
            remedy = "use by_guesses, or audit a plan with sampling=1"
            raise ParameterError(Problem("TrainingAudit", "steps on samples", "steps on all members", remedy))
        there, missing = self.scores[self.included], self.scores[~self.included]
        return gaussian_bound(there, missing, self.claimed.delta, level)


def audit_training(
    plan: LogisticTraining, key: ReleaseKey, seed: int, claimed: Guarantee | None = None
) -> TrainingAudit:
    """Train once on canaries alone, as many as vectors have components, and score every one.

    Where the unit hides whether a member is there, a canary is there or not; where a member is replaced, it is there or
    the opposite row is. Steps are made so short that no gradient gets shorter than the clip, which the guarantee does
    not see. A standardisation is left out: what it costs is not attacked.

    Args:
        plan: of the training; its components are a power of two, at least 16.
        key: decides the noise.
        seed: of the coins.
        claimed: what is claimed of the training; None: what the plan states.

    Returns:
        The audit.

    Raises:
        ParameterError: the components are no power of two.

    >>> from privis.privacy import Dataset, Gaussian
    >>> plan = LogisticTraining(2, 256, 128, Gaussian(8.0, 1e-5), Dataset(), sampling=1.0, steps=4)
    >>> bound = audit_training(plan, ReleaseKey(bytes(32)), seed=0).by_trade_off(level=0.01)  # a test key
    >>> 2 < bound.epsilon <= 8
    True
    """
    from scipy.linalg import hadamard

    count = plan.components
    refuse(
        ParameterError,
        [Problem("audit_training.plan", f"{count} components", "a power of two, at least 16", "audit such a plan")]
        if count < 16 or count & (count - 1)
        else [],
    )
    plan = replace(plan, rate=_RATE)
    rows = hadamard(count).astype(np.float64)
    coins = np.random.default_rng(seed).random(count) < 0.5
    labels = np.arange(count) % plan.classes
    replaced = Neighbours.of(plan.unit) is Neighbours.REPLACED
    there = np.ones(count, bool) if replaced else coins
    given = IntegerRows.of(np.where(coins[:, None], rows, -rows)[there])
    stream = key.stream("audit", coins.tobytes(), plan.digest)
    start = TrainingState.start(plan)
    members, ones = np.arange(int(there.sum())), np.ones(int(there.sum()), np.int64)
    states = [start, *steps(plan, given, labels[there], members, ones, stream, start)]
    return TrainingAudit(
        claimed or plan.guarantee, coins, _scores(plan, IntegerRows.of(rows), labels, states), plan.sampling == 1
    )


def _scores(
    plan: LogisticTraining, rows: IntegerRows, labels: npt.NDArray[np.int64], states: list[TrainingState]
) -> Floats:
    unit = LEVELS * rows.unit * plan.sampling * plan.size
    directions = rows.values[:, :-1].astype(np.float64)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    scores = np.zeros(len(labels))
    for before, after in itertools.pairwise(states):
        noisy = (after.velocity - plan.momentum * before.velocity) * unit
        along = noisy[:, :-1] @ directions.T  # (classes, canaries)
        scores += (along.T * _errors(rows, labels, before)).sum(1)
    return scores / (math.sqrt(plan.steps) * plan.scale)


def _errors(rows: IntegerRows, labels: npt.NDArray[np.int64], state: TrainingState) -> Floats:
    """Direction of the gradient over classes that each canary would have, (canaries, classes)."""
    scores = rows.values @ state.weights.T / rows.unit
    exponentials = np.exp(scores - scores.max(1, keepdims=True))
    errors = exponentials / exponentials.sum(1, keepdims=True)
    errors[np.arange(len(labels)), labels] -= 1.0
    return errors / np.maximum(np.linalg.norm(errors, axis=1, keepdims=True), 1e-30)
