"""Attacks against a server, by its address: what is listed here, ``privis attack`` offers."""

from __future__ import annotations

from privis.cli.attack.offered_attack import OfferedAttack

SERVER_ATTACKS: tuple[OfferedAttack, ...] = ()
