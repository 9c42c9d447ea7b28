"""From the path of a key to a renewable transform."""

from __future__ import annotations

from pathlib import Path

from privis.errors import ParameterError, Problem
from privis.estimators.faces.template_protection import TemplateTransform


def transform_at(path: Path | None) -> TemplateTransform | None:
    """What templates go through; None: nothing; else ParameterError."""
    if path is None:
        return None
    raise ParameterError(Problem("--transform", str(path), "nothing: templates are not transformed"))
