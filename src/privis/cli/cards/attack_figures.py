"""Figures of attacks, as files that ``privis attack --json`` printed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from privis.cards.attack_check import attack_problems, figures_in
from privis.errors import ParameterError
from privis.file_formats import FileFormat, misfit

_LARGEST = 1 << 24


def attack_figures(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Read what attacks found.

    Args:
        paths: of JSON documents, each as it was printed.

    Returns:
        Name of the file and its figures, one each.

    Raises:
        ParameterError: a file is no such document.
    """
    found = []
    for path in paths:
        try:
            if path.stat().st_size > _LARGEST:
                raise ValueError("a file that is too large")
            figures = json.loads(path.read_bytes())
            json.dumps(figures, allow_nan=False)
            if wrong := attack_problems(figures):
                raise ValueError("; ".join(wrong[:5]))
        except (OSError, ValueError, RecursionError) as error:
            reason = (error.strerror or "an error") if isinstance(error, OSError) else str(error)[:200]
            expected = "figures of an attack, as JSON"
            raise ParameterError(misfit(path, FileFormat.JSON, reason, expected)) from None
        found.append({"file": path.name, "figures": figures})
    return found


def attacks_shown(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give what attacks reached, as ``privis verify`` shows it.

    Args:
        card: whatever its attacks are.

    Returns:
        Attack, measure, value, interval and what guessing gives, one for each figure of Privis.
    """
    attacks = card.get("attacks")
    found = [each.get("figures") for each in attacks if isinstance(each, Mapping)] if isinstance(attacks, list) else []
    names = ("attack", "measure", "value", "interval", "chance")
    return [{name: each.get(name) for name in names} for figures in found for each in figures_in(figures)]
