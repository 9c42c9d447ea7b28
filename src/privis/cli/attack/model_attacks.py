"""Attacks against a trained classifier or head: what is listed here, ``privis attack`` offers."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from privis.attack.attack_finding import CONFIDENCE, AttackFinding
from privis.cli.attack.offered_attack import Attacked, AttackOptions, OfferedAttack, Show

if TYPE_CHECKING:
    from privis.attack.inference.membership import MembershipRate
    from privis.cli.attack.models.attacked_model import ScoredPictures

_NEEDS = ("--members", "--non-members")


def _membership(options: AttackOptions, show: Show) -> Iterator[Attacked]:
    from privis.attack.inference.membership import area_under_curve, membership_rates
    from privis.cli.attack.models.attacked_model import scored_pictures

    started = time.process_time()
    scored = scored_pictures(options)
    area, interval = area_under_curve(scored.members, scored.others)
    rates = membership_rates(scored.members, scored.others)
    spent = time.process_time() - started
    members, others = scored.members.size, scored.others.size
    findings = [
        AttackFinding(
            "membership",
            scored.model.words,
            _knows(scored),
            "area under the curve",
            area,
            interval,
            0.5,
            members + others,
            spent,
            f"A picture that was trained on looks more like it than another one {100 * area:.1f} times of 100; "
            "guessing would give 50.",
            dict(scored.model.guarantee),
        )
    ]
    findings += [
        AttackFinding.of_share(
            "membership",
            scored.model.words,
            _knows(scored),
            f"true positive rate at {_percent(rate.false_positives)} false positives",
            rate.hits,
            members,
            chance=rate.chance,
            processor_seconds=spent,
            sentence=_of_rate(rate, members, others),
            guarantee=scored.model.guarantee,
        )
        for rate in rates
    ]
    warnings = ()
    if not scored.public:
        warnings = ("membership: without --public the attacker has no models of its own, and is a weak one",)
    yield Attacked(tuple(findings), warnings=warnings, failed=scored.failed)


def _epsilon(options: AttackOptions, show: Show) -> Iterator[Attacked]:
    from privis.attack.audits.epsilon_bounds import one_run_bound
    from privis.cli.attack.models.attacked_model import scored_pictures

    started = time.process_time()
    scored = scored_pictures(options)
    fair, rng = min(scored.members.size, scored.others.size), np.random.default_rng(0)
    sides = [rng.permutation(side)[:fair] for side in (scored.members, scored.others)]
    claimed, delta = scored.model.guarantee.get("epsilon"), float(scored.model.guarantee.get("delta") or 0.0)
    bound = one_run_bound(np.repeat([True, False], fair), np.concatenate(sides), delta, 1 - CONFIDENCE)
    told = f"{fair:,} pictures that were trained on and as many others prove epsilon of at least {bound.epsilon:.2f}"
    told += ": the training was in the clear, and claims none." if claimed is None else _beside(bound.epsilon, claimed)
    yield Attacked(
        (
            AttackFinding(
                "epsilon",
                scored.model.words,
                (*_knows(scored), "that a coin decided which pictures were trained on"),
                f"epsilon, lower bound at delta {delta:g}",
                bound.epsilon,
                (bound.epsilon, math.inf),
                0.0,
                bound.tries,
                time.process_time() - started,
                told,
                dict(scored.model.guarantee),
            ),
        ),
        failed=scored.failed,
    )


def _beside(bound: float, claimed: float) -> str:
    if bound > claimed:
        return f", above {claimed:g}, which is claimed: if coins decided, the claim is wrong."
    return f", of {claimed:g} that is claimed: nothing contradicts the claim."


def _knows(scored: ScoredPictures) -> tuple[str, ...]:
    own = (f"{scored.public:,} public pictures, and models trained on them",) if scored.public else ()
    return ("the model", "the pictures and their classes", *own)


def _of_rate(rate: MembershipRate, members: int, others: int) -> str:
    told = (
        f"{rate.hits:,} of {members:,} pictures that were trained on are found where {_percent(rate.false_positives)} "
        f"of {others:,} others are taken for them."
    )
    if rate.asked is None:
        return told
    needed = math.ceil(1 / rate.asked)
    smallest = f"it takes {needed:,}, and {_percent(rate.false_positives)} is the smallest that {others:,} can show."
    return f"{told} A rate of {_percent(rate.asked)} false positives was not measured: {smallest}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


MODEL_ATTACKS: tuple[OfferedAttack, ...] = (
    OfferedAttack("membership", "tells pictures that were trained on from others", _NEEDS, _membership),
    OfferedAttack("epsilon", "proves how large epsilon of the training is at least", _NEEDS, _epsilon),
)
