"""Attacks against a trained classifier, head or detector: what is listed here, ``privis attack`` offers."""

from __future__ import annotations

from privis.cli.attack.offered_attack import OfferedAttack

MODEL_ATTACKS: tuple[OfferedAttack, ...] = ()
