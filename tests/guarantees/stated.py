"""Check every guarantee that Privis states: ``python -m tests.guarantees.stated`` from the project's folder.

Prints how many configurations were compared, how many Privis refuses, and every difference; exits 1 if there is one.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from privis.errors import ParameterError
from tests.guarantees.configurations import Configuration, releases
from tests.guarantees.corporate import corporate_configurations
from tests.guarantees.explained import run_configurations


@dataclass(frozen=True)
class Outcome:
    """How many configurations were compared and refused, and what was found."""

    compared: int
    refused: int
    differences: tuple[str, ...]


def everything() -> list[Configuration]:
    """All configurations, in a fixed order."""
    return [*releases(), *run_configurations(), *corporate_configurations()]


def kind_of(configuration: Configuration) -> tuple[str, ...]:
    """Who computes, and the names of classes in the words of its release: noise, unit, mechanism."""
    run, _, release = configuration.words.rpartition(" with ")
    return (*re.findall(r"under (\w+)", run), *re.findall(r"\b[A-Z][A-Za-z]{2,}", release))


def some_of_each_kind(configurations: Sequence[Configuration], most: int) -> list[Configuration]:
    """At most so many of every kind, evenly spaced among its configurations."""
    kinds: dict[tuple[str, ...], list[Configuration]] = {}
    for configuration in configurations:
        kinds.setdefault(kind_of(configuration), []).append(configuration)
    return [one for each in kinds.values() for one in each[:: max(1, -(-len(each) // most))]]


def compared(configurations: Iterable[Configuration]) -> Outcome:
    """Compare each with the calculator; one that Privis refuses to state is none."""
    count = refused = 0
    differences = []
    for configuration in configurations:
        try:
            found = configuration.differences()
        except ParameterError:
            refused += 1
            continue
        count += 1
        differences += [f"{configuration.words}: {difference}" for difference in found]
    return Outcome(count, refused, tuple(differences))


def main() -> int:
    """Compare everything and print what was found."""
    start = time.perf_counter()
    outcome = compared(everything())
    told = (
        f"{outcome.compared:,} configurations compared, {outcome.refused:,} refused, {len(outcome.differences):,} "
        f"differences; {time.perf_counter() - start:.0f} seconds"
    )
    sys.stdout.write("\n".join((*outcome.differences, told)) + "\n")
    return 1 if outcome.differences else 0


if __name__ == "__main__":
    sys.exit(main())
