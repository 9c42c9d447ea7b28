"""Figures of attacks, as files that ``privis attack --json`` printed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
        except (OSError, ValueError, RecursionError) as error:
            reason = (error.strerror or "an error") if isinstance(error, OSError) else str(error)[:200]
            expected = "figures of an attack, as JSON"
            raise ParameterError(misfit(path, FileFormat.JSON, reason, expected)) from None
        found.append({"file": path.name, "figures": figures})
    return found
