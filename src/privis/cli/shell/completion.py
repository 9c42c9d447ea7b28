"""Words that a shell completes: features, their parameters and values, and what options choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from privis.cli.parsing import FEATURES, UNDER, choices_of, parameter_types
from privis.cli.releases import ADDITIVE, DIRECTIONAL, PLACES

RELEASES = (*ADDITIVE, *DIRECTIONAL)
UNITS = ("image", "pixels:", "patch:", "person:", "add-or-remove-person:", "enrolment")


def features(incomplete: str) -> list[tuple[str, str]]:
    """Features whose names begin with ``incomplete``, with what they are."""
    return [(name, choice.summary) for name, choice in FEATURES.items() if name.startswith(incomplete)]


def parameters(ctx: Any, incomplete: str) -> list[str]:
    """``NAME=`` and ``NAME=VALUE`` words that fit the features that were given before, or any feature.

    Of several features the words begin with the feature's name, as ``lbp.patterns=uniform``.
    """
    given = ctx.params.get("feature")
    names = [name for name in ([given] if isinstance(given, str) else given or FEATURES) if name in FEATURES]
    prefixed = not isinstance(given, str) and len(names) > 1
    words = [f"{f'{name}.' if prefixed and given else ''}{word}" for name in names for word in _words(name)]
    return _beginning(dict.fromkeys(words), incomplete)


def _words(name: str) -> list[str]:
    words = []
    for parameter, kind in parameter_types(FEATURES[name].load()).items():
        values = choices_of(kind)
        words += [f"{parameter}={value}" for value in values] or [f"{parameter}="]
    return words


def executors(incomplete: str) -> list[str]:
    """Who may compute."""
    return _beginning(UNDER, incomplete)


def releases(incomplete: str) -> list[str]:
    """Noise and mechanisms."""
    return _beginning(RELEASES, incomplete)


def places(incomplete: str) -> list[str]:
    """Where noise may go."""
    return _beginning(PLACES, incomplete)


def units(incomplete: str) -> list[str]:
    """What noise may hide."""
    return _beginning(UNITS, incomplete)


def _beginning(words: Sequence[str] | dict[str, Any], incomplete: str) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]
