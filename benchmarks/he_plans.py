"""What every feature takes under CKKS, as the compiler plans it: rows of the table in ``docs/homomorphic.md``.

``python -m benchmarks.he_plans [NAME ...]``. Nothing is encrypted and nothing is timed: that is ``benchmarks.he``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from privis.features.colour import ColourHistogram
from privis.features.feature import Feature
from privis.features.gabor import Gabor
from privis.features.hog import HOG
from privis.features.lbp import LBP, Patterns
from privis.features.sift import DenseSIFT
from privis.features.surf import SURF
from privis.run.he.executor import CKKS

SHAPE = (64, 64, 3)
TITLES = ("feature", "ring", "bits", "levels", "rotations", "products", "keys, MB", "query, MB", "reply, MB", "error")


@dataclass(frozen=True)
class Planned:
    """A feature of an image of ``SHAPE`` and the executor that plans it."""

    title: str
    feature: Feature
    under: CKKS = CKKS()


PLANNED: Mapping[str, Planned] = {
    "colour": Planned("colour histogram, 3 × 16 bins", ColourHistogram(bins=16)),
    "joint": Planned("colour histogram, joint, 3 × 3 × 3 bins", ColourHistogram(bins=3, joint=True)),
    "hog": Planned("HOG, normalised by the owner", HOG()),
    "hog5": Planned("HOG, `signs=5`", HOG(), CKKS(signs=5)),
    "lbp": Planned("LBP, uniform", LBP(Patterns.UNIFORM)),
    "lbp256": Planned("LBP, 256 patterns", LBP()),
    "surf": Planned("SURF, 8 key points of the owner", SURF(keypoints=8), CKKS(promised=True)),
    "sift": Planned("dense SIFT, every 16 pixels", DenseSIFT(step=16), CKKS(promised=True)),
    "gabor": Planned("Gabor energies", Gabor()),
}


def plan(planned: Planned) -> dict[str, Any]:
    """The values of a row, by its titles."""
    core = planned.feature.before(np.zeros(SHAPE, np.uint8))
    program = planned.feature.program(core.shape)
    made, expected = planned.under.compiled(program), planned.under.predicted(program)
    arrangement, parameters = made.choice.arrangement, made.spec.parameters
    megabytes = [size / 1e6 for size in (expected.keys, expected.query, expected.reply)]
    return dict(
        zip(
            TITLES,
            (
                planned.title,
                parameters.degree,
                sum(parameters.bits),
                arrangement.depth,
                len(arrangement.rotations()),
                len(arrangement.relinearisations()),
                *megabytes,
                made.spec.error,
            ),
            strict=True,
        )
    )


def line(row: Mapping[str, Any]) -> str:
    """The row in Markdown."""
    written = []
    for title, value in row.items():
        match title, value:
            case "error", float():
                written.append(f"{value:.0e}")
            case _, float():
                written.append(f"{value:.2g}" if value < 10 else f"{value:.0f}")
            case _, int():
                written.append(f"{value:,}")
            case _:
                written.append(str(value))
    return f"| {' | '.join(written)} |"


def main(names: Sequence[str]) -> None:
    """Print the rows as they are planned."""
    sys.stdout.write(f"| {' | '.join(TITLES)} |\n{'|---' * len(TITLES)}|\n")
    for name in names or PLANNED:
        sys.stdout.write(line(plan(PLANNED[name])) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
