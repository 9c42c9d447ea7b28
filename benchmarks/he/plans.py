"""What encrypted features take as the compiler plans them: rows of the table in ``docs/homomorphic.md``.

``python -m benchmarks.he_plans [NAME ...]``, names as in ``benchmarks.he`` and those of ``more()``. Nothing is
encrypted and nothing is timed: that is ``benchmarks.he``. What does not fit is printed as the sentence that refuses it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.he.cases import DATA, SIZE, Case, cases
from privis.errors import UnsupportedError
from privis.features.colour import ColourHistogram
from privis.features.lbp import LBP
from privis.run.he.compiler.circuit_cost import CKKSTimings, predict
from privis.run.he.compiler.compiler import Options, compile_program

TITLES = (
    *("feature", "ring", "modulus, bits", "levels", "rotations", "products"),
    *("keys, MB", "query, MB", "reply, MB", "error"),
)


def more() -> Iterator[Case]:
    """Programs that are planned and never timed."""
    joint = ColourHistogram(bins=3, joint=True)
    yield Case("colour, joint", joint.program((3, *SIZE)))
    yield Case("lbp, 256 patterns", LBP().program(SIZE))
    resnet = DATA / "weights" / "cifar10_fhe_polynomial" / "resnet20_aespa-cifar10.npz"
    if resnet.exists():
        from tests.reference.onnx.networks import aespa_resnet20, arrays

        yield Case("resnet20", aespa_resnet20(arrays(resnet)), options=Options(precision=1e-2, processes=2))


def plan(case: Case) -> tuple[Any, ...]:
    """The values of a row; UnsupportedError for a program that does not fit."""
    made = compile_program(case.program, case.options, case.samples)
    expected = predict(made.spec, made.choice.arrangement, case.cache, CKKSTimings())
    arrangement, parameters = made.choice.arrangement, made.spec.parameters
    sizes = (size / 1e6 for size in (expected.keys, expected.query, expected.reply))
    counts = arrangement.depth, len(arrangement.rotations()), len(arrangement.relinearisations())
    return (case.name, parameters.degree, sum(parameters.bits), *counts, *sizes, f"{made.spec.error:.0e}")


def line(values: Sequence[Any]) -> str:
    """A row of a table in Markdown.

    >>> line(("hog", 32768, 3.25, 176.2))
    '| hog | 32,768 | 3.2 | 176 |'
    """
    return f"| {' | '.join(_written(value) for value in values)} |"


def _written(value: Any) -> str:
    match value:
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.2g}" if value < 10 else f"{value:.0f}"
        case _:
            return str(value)


def main(names: Sequence[str]) -> None:
    """Print the rows as they are planned."""
    print(line(TITLES), f"|{'---|' * len(TITLES)}", sep="\n")
    for case in (*cases(), *more()):
        if not names or case.name in names:
            try:
                print(line(plan(case)), flush=True)
            except UnsupportedError as refusal:
                print(f"{case.name}: {refusal}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
