"""``python -m benchmarks.behaviour [DATA]``: every figure of behaviour beside its bar."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.behaviour import clips, rules, unusual_regions
from benchmarks.behaviour.commands_run import DATA


def main() -> None:
    """Print a line for each set."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    unusual_regions.main(data)
    clips.main(data)
    rules.main(data)


if __name__ == "__main__":
    main()
