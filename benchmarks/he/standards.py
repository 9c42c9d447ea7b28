"""What the guidelines of 2024 cost beside the standard of 2018: plans of the same programs under both tables.

``python -m benchmarks.he_standards [NAME ...]``. Nothing is encrypted: seconds are those that the compiler predicts
for this machine (``privis doctor --calibrate``), keys those that it would make. The last line is the largest ratio of
seconds beside its bar, 1.05: the stricter table is the default where it costs no more.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.he import mnist
from benchmarks.he.cases import Case, cases
from benchmarks.he.plans import more
from privis.errors import UnsupportedError
from privis.run.he.compiler.circuit_cost import CKKSTimings, predict
from privis.run.he.compiler.compiler import Options, lower_program
from privis.run.he.security import SecurityStandard

BAR = 1.05


@dataclass(frozen=True)
class Plan:
    """Of one program under one table; ``seconds`` for one image or set of images that share ciphertexts."""

    degree: int
    bits: int
    levels: int
    error: float
    keys: int
    seconds: float


def plans(case: Case) -> tuple[Plan, Plan | UnsupportedError]:
    """The plan under the standard of 2018, and under the guidelines of 2024 or why there is none."""
    lowered, timings = lower_program(case.program, case.options, case.samples), CKKSTimings.of_this_machine()

    def plan(standard: SecurityStandard) -> Plan:
        made = replace(lowered, options=replace(case.options, standard=standard)).compiled(case.options.batching)
        expected, parameters = predict(made.spec, made.choice.arrangement, case.cache, timings), made.spec.parameters
        levels = made.choice.arrangement.depth
        return Plan(parameters.degree, sum(parameters.bits), levels, made.spec.error, expected.keys, expected.seconds)

    earlier = plan(SecurityStandard.STANDARD_2018)
    try:
        return earlier, plan(SecurityStandard.GUIDELINES_2024)
    except UnsupportedError as error:
        return earlier, error


def programs() -> Iterator[Case]:
    """Those of the table in ``docs/homomorphic.md``, and the network of digits."""
    yield from cases()
    if mnist.WEIGHTS.exists():
        with np.load(mnist.WEIGHTS, allow_pickle=False) as found:
            network = mnist.network(dict(found), 28, 3)
        samples = tuple((image[None],) for image in mnist.mnist(1).samples)
        yield Case("mnist", network, options=Options(mnist.PRECISION), samples=samples)
    yield from more()


def line(name: str, earlier: Plan, later: Plan | UnsupportedError) -> str:
    """A row: both plans, and the ratio of their seconds."""
    old = f"{name:20} ring {earlier.degree:6,} {earlier.bits:4} bits {earlier.seconds:7.3f} s error {earlier.error:.0e}"
    if isinstance(later, UnsupportedError):
        return f"{old}   2024: {later}"
    new = f"ring {later.degree:6,} {later.bits:4} bits {later.seconds:7.3f} s error {later.error:.0e}"
    return (
        f"{old}   2024: {new}   seconds x {later.seconds / earlier.seconds:.3f}, keys x {later.keys / earlier.keys:.3f}"
    )


def main(names: Sequence[str]) -> None:
    """Print a row for each program that fits, and the largest ratio beside its bar."""
    ratios = []
    for case in programs():
        if names and case.name not in names:
            continue
        try:
            earlier, later = plans(case)
        except UnsupportedError as refusal:
            print(f"{case.name:20} {refusal}", flush=True)
            continue
        print(line(case.name, earlier, later), flush=True)
        if isinstance(later, Plan):
            ratios.append(later.seconds / earlier.seconds)
    print(f"largest ratio of seconds: {max(ratios):.3f} (bar {BAR})")


if __name__ == "__main__":
    main(sys.argv[1:])
