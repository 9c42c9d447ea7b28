"""Attacks against a gallery of faces, a search index or a store: what is listed here, ``privis attack`` offers."""

from __future__ import annotations

from privis.cli.attack.offered_attack import OfferedAttack

GALLERY_ATTACKS: tuple[OfferedAttack, ...] = ()
