"""Falls and fights in clips of seconds, each left out in its turn, by the command's defaults.

Clips of one fall from two cameras stay together. Nothing but the descriptor was chosen on these clips: the strength of
the head is the default of all classifiers, and every strength from 0.001 to 1 passes both bars.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.behaviour.commands_run import privis


@dataclass(frozen=True)
class Case:
    """Clips by folder, and the balanced accuracy that is to be reached."""

    name: str
    folder: str
    bar: float
    subjects: str | None = None


CASES = (
    Case("URFD, falls", "urfd_falls", 0.88, "filename:((fall|adl)-[0-9]+)"),
    Case("surveillance cameras, fights", "surveillance_fights", 0.70),
)


def balanced(data: Path, case: Case) -> tuple[float, tuple[float, float], int, float]:
    """Balanced accuracy, its interval, how many clips, and processor seconds."""
    words = [] if case.subjects is None else ["--subject-from", case.subjects]
    found, seconds = privis("behaviour", "evaluate", data / "actions" / case.folder, *words)
    share = found["balanced_accuracy"]
    low, high = share["interval"]
    return share["value"], (low, high), found["images"], seconds


def main(data: Path) -> None:
    """Print a line for each set."""
    for case in CASES:
        value, (low, high), count, seconds = balanced(data, case)
        print(
            f"{case.name}: balanced accuracy {value:.3f} ({low:.3f} to {high:.3f}; bar {case.bar}) of {count} clips, "
            f"each left out in its turn; {seconds:.1f} processor s {'ok' if value >= case.bar else 'MISSED'}",
            flush=True,
        )
