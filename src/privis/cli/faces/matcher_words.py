"""From the words of ``--under`` to who compares templates."""

from __future__ import annotations

from privis.errors import ParameterError, Problem
from privis.estimators.faces.template_matching import ClearMatcher, TemplateMatcher

MATCHERS = ("clear",)


def matcher_named(under: str) -> TemplateMatcher:
    """Who compares templates; else ParameterError."""
    if under != "clear":
        raise ParameterError(Problem("--under", repr(under), f"one of {', '.join(MATCHERS)}"))
    return ClearMatcher()
