"""What an attack found: a figure with its interval, what guessing gives, and what the attacker knew.

Evolution of the format: ``format`` names it. Keys may be added under the same number, so readers skip those that they
do not know; a key that goes, or means something else, takes the next number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from privis.errors import ParameterError, Problem, refuse
from privis.tasks.verification.error_rates import clopper_pearson

FORMAT = "privis.attack/1"
CONFIDENCE = 0.95


@dataclass(frozen=True)
class AttackFinding:
    """One figure that one attack reached against one output.

    Args:
        attack: its name, as ``privis attack --with`` spells it.
        against: feature and protection of the output, in the words of a command: ``hog, release=privunit epsilon=4``.
        knows: what the attacker is given, one clause an item.
        measure: what ``value`` is: ``re-identified``, ``true positive rate at 0.1 % false positives``.
        value: the figure.
        interval: lower and upper end of its interval at ``confidence``; NaN where none is known.
        chance: what guessing gives; NaN where guessing has no figure.
        tries: independent tries behind ``value``.
        processor_seconds: of the attack, in total.
        sentence: in plain words, what this means to somebody in the pictures.
        guarantee: guarantee of the output as a card has it; empty without a release.
        confidence: of ``interval``.

    >>> found = AttackFinding.of_share("ridge", "hog", ("the feature",), "re-identified", 40, 100, chance=0.04)
    >>> found.value, found.above_chance
    (0.4, True)
    """

    attack: str
    against: str
    knows: tuple[str, ...]
    measure: str
    value: float
    interval: tuple[float, float] = (math.nan, math.nan)
    chance: float = math.nan
    tries: int = 0
    processor_seconds: float = 0.0
    sentence: str = ""
    guarantee: Mapping[str, Any] = field(default_factory=dict)
    confidence: float = CONFIDENCE

    @classmethod
    def of_share(
        cls,
        attack: str,
        against: str,
        knows: Sequence[str],
        measure: str,
        hits: int,
        tries: int,
        *,
        chance: float = math.nan,
        processor_seconds: float = 0.0,
        sentence: str = "",
        guarantee: Mapping[str, Any] | None = None,
    ) -> AttackFinding:
        """Make a finding of a share of independent tries, with Clopper and Pearson's interval.

        Reference: doi:10.1093/biomet/26.4.404.

        Args:
            attack: see the class, as the others.
            against: output.
            knows: of the attacker.
            measure: of the share.
            hits: tries that succeeded.
            tries: all of them, at least 1.
            chance: share that guessing gives.
            processor_seconds: in total.
            sentence: in plain words.
            guarantee: as a card has it.

        Returns:
            The finding, with the interval at 95 %.

        Raises:
            ParameterError: without tries, or with more hits than tries.
        """
        refuse(
            ParameterError,
            [Problem("tries", f"{hits} of {tries}", "at least one try, of which some or none hit", "count again")]
            if not 0 <= hits <= tries or tries < 1
            else [],
        )
        return cls(
            attack,
            against,
            tuple(knows),
            measure,
            hits / tries,
            clopper_pearson(hits, tries, CONFIDENCE),
            chance,
            tries,
            processor_seconds,
            sentence,
            dict(guarantee or {}),
        )

    @property
    def above_chance(self) -> bool:
        """Whether even the lower end of the interval is above what guessing gives."""
        return self.interval[0] > self.chance

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON: what is not known is null."""
        found = asdict(self)
        found["knows"] = list(self.knows)
        found["interval"] = [_known(end) for end in self.interval]
        found["value"], found["chance"] = _known(self.value), _known(self.chance)
        return found


def attack_document(against: str, findings: Sequence[AttackFinding], sha256: str = "") -> dict[str, Any]:
    """Give what ``privis attack --json`` prints, ``privis card --attack`` signs and ``privis report --attack`` draws.

    Args:
        against: path, address or name of what was attacked, as given.
        findings: of all attacks that ran.
        sha256: of what was attacked, as a card of it states it; empty where no card can be of it.

    Returns:
        A document of format privis.attack/1.
    """
    of = {"sha256": sha256} if sha256 else {}
    return {"format": FORMAT, "against": against, **of, "attacks": [finding.to_dict() for finding in findings]}


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
