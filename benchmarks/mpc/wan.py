"""Predicted and measured seconds behind a slow network: 20 ms one way (40 ms there and back) and 100 Mbit/s per party.

``python -m benchmarks.mpc_wan [--tiny] [--latency MS] [--megabits N] [--repeats N]``. The network is a relay in user
space (``slow_network`` states the model), because kernels often lack ``netem``; parties and times as in
``benchmarks.mpc``. The constants of the machine are calibrated on loopback first: nothing is fitted to slow runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.mpc.cases import Case, feature_case, lenet_case, matching_case
from benchmarks.mpc.slow_network import SlowNetwork, kernel_has_netem
from privis.features.colour import ColourHistogram
from privis.features.hog import HOG
from privis.features.lbp import LBP
from privis.readings import Cost
from privis.run.mpc.cost.calibration import Trial, calibrate, trial
from privis.run.mpc.cost.predict import MPCTimings, NetworkProfile, predicted
from privis.run.mpc.lowering.precision import choose_fixed_point
from privis.run.mpc.runtime.local_parties import LocalParties


@dataclass(frozen=True)
class Row:
    """One case behind the slow network."""

    case: Case
    predicted: Cost
    measured: Trial

    @property
    def ratio(self) -> float:
        """Predicted over measured seconds."""
        return (self.predicted.seconds or float("nan")) / self.measured.seconds


def run(chosen: Sequence[Case], network: NetworkProfile, machine: MPCTimings, repeats: int) -> Iterator[Row]:
    """Run every case with its parties behind relays."""
    for case in chosen:
        fixed = choose_fixed_point([case.program])
        expected = predicted(case.program, case.preset, fixed, network, machine)
        with SlowNetwork(case.preset.parties, network) as slow:
            with LocalParties(case.preset, fixed, addresses=slow.views) as parties:
                found = trial(parties, case.program, case.arrays, repeats)
        yield Row(case, expected, found)


def cases(tiny: bool = False) -> list[Case]:
    """HOG, histogram, LBP, LeNet and matching."""
    if tiny:
        return [matching_case("best of 64", 64, 16, None)]
    return [
        feature_case("HOG 64x64", HOG(), 64, None),
        feature_case("colour histogram 128x128", ColourHistogram(bins=4, joint=True), 128, None),
        feature_case("LBP 128x128", LBP(), 128, None),
        lenet_case("LeNet, 1 image", 1, None),
        lenet_case("LeNet, batch 32", 32, None),
        matching_case("best of 10,000", 10_000, 512, None),
    ]


HEAD = f"{'':26} {'seconds':>8} {'(pred.)':>8} {'ratio':>6} {'MB sent':>8} {'messages':>9}"


def line(row: Row) -> str:
    """The row as a line of the table under ``HEAD``."""
    seen, expected = row.measured, row.predicted.seconds or float("nan")
    return (
        f"{row.case.label:26} {seen.seconds:8.2f} {expected:8.2f} {row.ratio:6.2f} "
        f"{seen.sent / 1e6:8.2f} {seen.messages:9.0f}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="one small case")
    parser.add_argument("--latency", type=float, default=20.0, help="one way, milliseconds")
    parser.add_argument("--megabits", type=float, default=100.0, help="per second and party")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args(arguments)
    network = NetworkProfile(given.latency / 1000, given.megabits * 1e6)
    chosen = cases(given.tiny)
    machine = MPCTimings() if given.tiny else calibrate(chosen[0].preset)
    netem = "has" if kernel_has_netem() else "has no"
    print(f"this kernel {netem} netem; relays in user space: {network}, {machine}\n{HEAD}", flush=True)
    for row in run(chosen, network, machine, given.repeats):
        print(line(row), flush=True)


if __name__ == "__main__":
    main()
