"""Published rules of choosing between parties and ciphertexts, held against the predictions of a job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from privis.choose.cost.prediction import CostPrediction
from privis.choose.job_description import BANDWIDTHS, ROUND_TRIPS, NetworkKind
from privis.choose.way import AdmissibleWay, Under

SOURCE = "arXiv:2604.00169"
_PARTIES = (Under.ABY3, Under.CHEETAH)
_CIPHERTEXTS = (Under.CKKS, Under.SERVER)


@dataclass(frozen=True)
class RuleCheck:
    """One rule, and whether the predictions of this job say the same.

    Args:
        rule: as it is published.
        agrees: None: it could not be held against anything.
        told: the figures, in a sentence.
    """

    rule: str
    agrees: bool | None
    told: str


def network_seconds(cost: CostPrediction, round_trip: float, bandwidth: float) -> float:
    """Tell what a network adds to a run whose machines are beside each other.

    Args:
        cost: of the run.
        round_trip: seconds there and back.
        bandwidth: bits per second.

    Returns:
        Seconds: half a round trip for every message one after another, and the bytes.
    """
    return cost.rounds * round_trip / 2 + 8 * cost.sent / bandwidth


def rule_checks(choices: Sequence[AdmissibleWay], days: int) -> tuple[RuleCheck, ...]:
    """Hold the published rules against the predictions of one feature under parties and under ciphertexts.

    Args:
        choices: all ways of which something is predicted, the best first.
        days: for how long the same thing will run.

    Returns:
        A check of each rule.
    """
    pair = _comparable(choices)
    if pair is None:
        told = "not compared: no feature of this job can be computed both among parties and on ciphertexts"
        return tuple(RuleCheck(rule, None, told) for rule in _RULES)
    parties, encrypted = pair
    named = f"{parties.way.feature} for {parties.images:,} images: {parties.way.under.value}"
    lan, wan = (_both(parties, encrypted, kind) for kind in (NetworkKind.LAN, NetworkKind.WAN))
    sent = parties.cost.sent * days, encrypted.cost.sent * days
    other, mebibytes = encrypted.way.under.value, [value / 2**20 for value in sent]
    long = f"{mebibytes[0]:,.4g} MiB of a party, {other} {mebibytes[1]:,.4g} MiB"
    return (
        RuleCheck(_RULES[0], lan[0] <= lan[1], f"{named} {lan[0]:.3g} s, {other} {lan[1]:.3g} s"),
        RuleCheck(_RULES[1], wan[1] <= wan[0], f"{named} {wan[0]:.3g} s, {other} {wan[1]:.3g} s"),
        RuleCheck(_RULES[2], encrypted.cost.sent <= parties.cost.sent, f"{named} {_megabytes(parties)}, {other} "
                  f"{_megabytes(encrypted)}"),
        RuleCheck(_RULES[3], sent[1] <= sent[0], f"in {days:,} days, keys sent anew each day, {named} {long}"),
    )  # fmt: skip


_RULES = (
    f"in a local network parties are faster than ciphertexts ({SOURCE})",
    f"over a wide network ciphertexts are faster than parties ({SOURCE})",
    f"ciphertexts send fewer bytes than parties ({SOURCE})",
    f"a long deployment costs less with ciphertexts ({SOURCE})",
)


def _comparable(choices: Sequence[AdmissibleWay]) -> tuple[AdmissibleWay, AdmissibleWay] | None:
    """The best way among parties and the best on ciphertexts that compute the same, by the order of ``choices``."""
    for first in choices:
        same = [c for c in choices if (c.way.feature, c.way.release, c.way.extracted_by) == _same(first)]
        parties = next((choice for choice in same if choice.way.under in _PARTIES), None)
        encrypted = next((choice for choice in same if choice.way.under in _CIPHERTEXTS), None)
        if parties is not None and encrypted is not None:
            return parties, encrypted
    return None


def _same(choice: AdmissibleWay) -> tuple[object, ...]:
    return choice.way.feature, choice.way.release, choice.way.extracted_by


def _both(parties: AdmissibleWay, encrypted: AdmissibleWay, kind: NetworkKind) -> tuple[float, float]:
    first, second = (
        choice.cost.seconds + network_seconds(choice.cost, ROUND_TRIPS[kind], BANDWIDTHS[kind])
        for choice in (parties, encrypted)
    )
    return first, second


def _megabytes(choice: AdmissibleWay) -> str:
    return f"{choice.cost.sent / 1e6:,.3g} MB"
