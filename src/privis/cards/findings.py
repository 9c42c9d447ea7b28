"""What a check found: what does not follow, what was checked, and what could not be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Findings:
    """Sentences of a check.

    Args:
        problems: what does not follow; empty: it holds, as far as it was checked.
        checked: what was compared or recomputed.
        not_checked: what could not be, and what would be needed.

    >>> (Findings(checked=("a",)) + Findings(problems=("b",))).holds
    False
    """

    problems: tuple[str, ...] = ()
    checked: tuple[str, ...] = ()
    not_checked: tuple[str, ...] = ()

    def __add__(self, other: Findings) -> Findings:
        return Findings(
            self.problems + other.problems, self.checked + other.checked, self.not_checked + other.not_checked
        )

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.problems
