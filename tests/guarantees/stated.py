"""Check every guarantee that Privis states: ``python -m tests.guarantees.stated`` from the project's folder.

Prints how many configurations were compared, how many Privis refuses, and every difference; exits 1 if there is one.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
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
