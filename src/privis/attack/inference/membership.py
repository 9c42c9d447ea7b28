"""Membership inference: which pictures a classifier was trained on, told by how sure it is of them.

The attacker compares the attacked model with models of its own that did not see the picture
(`privis.attack.inference.reference_models`) in several ways, and takes the one that tells best in a rehearsal, in which
its own models take turns as the attacked one:

- ``RMIA``: Pr(x) under the attacked model over what Pr(x) is on average of models with and without x, estimated from
  those without it as ((1 + a) Pr_out(x) + 1 - a) / 2. RMIA's score is the share of the population z whose ratio that of
  x beats; with one population for all x it orders pictures as the ratio itself does, without ties. Reference:
  Zarifzadeh, Liu and Shokri, arXiv:2312.03262, section 3 (offline).
- ``logit difference``: the logit under the attacked model less its mean under the others, as of Carlini et al.,
  arXiv:2112.03570, with one variance for all.
- ``confidence``: the logit alone, without reference models (Yeom et al., arXiv:1709.01604).

What is reported is the true positive rate at few false positives, not accuracy: an attacker who is sure of a few
members does harm. A rate of 0.1 % cannot be measured on fewer than 1,000 pictures that were not trained on: then the
smallest one that can be is reported, under its own name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privis.attack.inference.reference_models import LabelledVectors, Model, ReferenceModels, own_logits
from privis.errors import ParameterError, Problem
from privis.tasks.verification.error_rates import CONFIDENCE, ErrorRates

FALSE_POSITIVES = (0.001, 0.01)
"""Rates that are reported where there are enough pictures that were not trained on."""
SHARES = (0.0, 0.3, 0.6, 1.0)
"""Values of RMIA's a that are rehearsed."""

Floats = npt.NDArray[np.float64]
Score = Callable[[Floats, Floats], Floats]
"""(logit under the attacked model (n,), mean of each kind of models without it) -> score (n,)."""


@dataclass(frozen=True)
class MembershipAttack:
    """How members are told from others.

    Args:
        name: ``RMIA``, ``logit difference`` or ``confidence``.
        share: RMIA's a; NaN for the others.
        rehearsed: area under the curve in the rehearsal; NaN without one.
    """

    name: str
    share: float = math.nan
    rehearsed: float = math.nan

    def scores(self, attacked: Floats, references: Floats, without: npt.NDArray[np.bool_]) -> Floats:
        """Score pictures, higher where they look like members.

        Args:
            attacked: logit of the own class of each under the attacked model, (n,).
            references: the same under the attacker's models, (models, n).
            without: which of those were not trained on the picture, (models, n); at least one for each.

        Returns:
            Float64 (n,).
        """
        if self.name == "confidence":
            return attacked
        weights = without / without.sum(0)
        if self.name == "logit difference":
            return attacked - (weights * references).sum(0)
        outside = (weights * _sigmoid(references)).sum(0)
        average = ((1 + self.share) * outside + 1 - self.share) / 2
        return -np.log1p(np.exp(-np.clip(attacked, -700, 700))) - np.log(np.maximum(average, 1e-300))


@dataclass(frozen=True)
class MembershipRate:
    """A true positive rate at few false positives.

    Args:
        false_positives: the share of other pictures that are taken for members, at most.
        value: share of the members that are found there.
        interval: of it, Clopper and Pearson's at 95 %, for this threshold.
        hits: members that are found.
        chance: what a score that says nothing reaches on average at this threshold.
        asked: the rate that was asked for, where it cannot be measured; None where it can.
    """

    false_positives: float
    value: float
    interval: tuple[float, float]
    hits: int
    chance: float
    asked: float | None = None


def rehearsed_attack(references: ReferenceModels) -> MembershipAttack:
    """Choose the way that tells members best where the attacker knows them: of its own models.

    Args:
        references: models of the attacker, at least 3 for a rehearsal.

    Returns:
        The attack; the simplest of equal ones.
    """
    ways = [MembershipAttack("confidence"), MembershipAttack("logit difference")]
    ways += [MembershipAttack("RMIA", share) for share in SHARES]
    logits, found = references.logits(references.public), {way: [] for way in ways}
    for number, trained in enumerate(references.trained):
        others = np.arange(len(references.models)) != number
        # Its complement was trained on what it was not: it would tell members by itself.
        others &= ~(references.trained == ~trained).all(1)
        without = ~references.trained[others]
        usable = without.any(0) & True if others.any() else np.zeros(len(trained), bool)
        if not (trained[usable].any() and (~trained[usable]).any()):
            continue
        for way, each in found.items():
            scores = way.scores(logits[number][usable], logits[others][:, usable], without[:, usable])
            each.append(area_under_curve(scores[trained[usable]], scores[~trained[usable]])[0])
    if not found[ways[0]]:
        return MembershipAttack("logit difference")
    best = max(ways, key=lambda way: float(np.mean(found[way])))
    return MembershipAttack(best.name, best.share, float(np.mean(found[best])))


def membership_scores(
    attacked: Model, pictures: LabelledVectors, references: ReferenceModels | None
) -> tuple[MembershipAttack, Floats]:
    """Score pictures of which nobody says whether the model was trained on them.

    Args:
        attacked: the model.
        pictures: of both kinds; no reference model was trained on any of them.
        references: models of the attacker; None: it has none, and looks at confidence alone.

    Returns:
        How they are scored, and scores (n,).
    """
    logits = own_logits(attacked, pictures)
    if references is None:
        return MembershipAttack("confidence"), logits
    way = rehearsed_attack(references)
    others = references.logits(pictures)
    return way, way.scores(logits, others, np.ones(others.shape, bool))


def membership_rates(
    members: npt.ArrayLike, others: npt.ArrayLike, false_positives: Sequence[float] = FALSE_POSITIVES
) -> tuple[MembershipRate, ...]:
    """Measure how many members are found where few others are taken for members.

    Args:
        members: score of every picture that was trained on.
        others: of every picture that was not.
        false_positives: rates that are asked for.

    Returns:
        Those that can be measured; in place of those that cannot, once, the smallest that can.

    Raises:
        ParameterError: no scores on one side, or scores that are not finite.

    >>> [rate.asked for rate in membership_rates([2.0, 3.0], np.zeros(100))]
    [0.001]
    """
    rates = ErrorRates(np.asarray(members), np.asarray(others))
    found: list[MembershipRate] = []
    for asked in false_positives:
        able = rates.supports(asked)
        share = asked if able else 1 / rates.impostor.size
        if any(each.false_positives == share for each in found):
            continue
        measured = rates.true_accepts(share)
        allowed = math.floor(share * rates.impostor.size + 1e-9)
        found.append(
            MembershipRate(
                share,
                measured.value,
                measured.interval,
                round(measured.value * rates.genuine.size),
                min(1.0, (allowed + 1) / (rates.impostor.size + 1)),
                None if able else asked,
            )
        )
    return tuple(found)


def area_under_curve(members: npt.ArrayLike, others: npt.ArrayLike) -> tuple[float, tuple[float, float]]:
    """Measure how often a member has a higher score than another picture, with its interval at 95 %.

    The interval is DeLong's, doi:10.2307/2531595, on the logit of the area.

    Args:
        members: score of every picture that was trained on.
        others: of every picture that was not.

    Returns:
        The area, 0.5 for a score that says nothing, and its interval.

    Raises:
        ParameterError: fewer than two scores on a side.

    >>> area_under_curve([1.0, 3.0], [0.0, 2.0])[0]
    0.75
    """
    from scipy.special import ndtri
    from scipy.stats import rankdata

    one, other = np.asarray(members, np.float64), np.asarray(others, np.float64)
    if min(one.size, other.size) < 2:
        raise ParameterError(Problem("area_under_curve", f"{one.size} and {other.size} scores", "two of each or more"))
    both = rankdata(np.concatenate([one, other]))
    above = (both[: one.size] - rankdata(one)) / other.size
    below = 1 - (both[one.size :] - rankdata(other)) / one.size
    area = float(above.mean())
    spread = math.sqrt(above.var(ddof=1) / one.size + below.var(ddof=1) / other.size)
    if not 0 < area < 1 or spread == 0:
        # Nothing overlaps: what as many tries as the smaller side has can exclude.
        edge = (1 - CONFIDENCE) ** (1 / min(one.size, other.size))
        return area, (min(area, edge) if area >= 0.5 else 0.0, 1.0 if area >= 0.5 else max(area, 1 - edge))
    width = float(ndtri((1 + CONFIDENCE) / 2)) * spread / (area * (1 - area))
    middle = math.log(area / (1 - area))
    return area, (_logistic(middle - width), _logistic(middle + width))


def _sigmoid(logits: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(logits, -700, 700)))


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, value))))
