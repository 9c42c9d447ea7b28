"""Features and matching on secret shares: time, bytes and messages, predicted and measured, beside scripts by hand.

``python -m benchmarks.mpc [--tiny] [--only WORD] [--repeats N] [--crypten PYTHON]``. All parties are processes of this
machine. Seconds are the median of runs inside parties that are connected, with code compiled and inputs shared; joining
the outputs is not in them. The script by hand (``mpc_by_hand``) is timed the same way, the two taking turns. Bytes and
messages are what one party sends in one run, the mean over parties. Errors are against the program in the clear.
Ratios are those of neighbouring runs, ours over the script's: their median and quartiles.
``--crypten`` names an interpreter that can import CrypTen 0.4.1, which then runs what it can on three parties.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.mpc.by_hand import ByHand
from benchmarks.mpc.cases import Case, cases
from privis.readings import Cost, evaluate
from privis.run.mpc.cost.calibration import Resident, Trial, calibrate
from privis.run.mpc.cost.predict import LOOPBACK, MPCTimings, predicted
from privis.run.mpc.fixed_point import FixedPoint
from privis.run.mpc.lowering.precision import choose_fixed_point
from privis.run.mpc.runtime.local_parties import LocalParties


@dataclass(frozen=True)
class Row:
    """One case: predicted and measured cost, seconds of the script by hand run by run, the largest errors of both."""

    case: Case
    predicted: Cost
    measured: Trial
    hand_times: tuple[float, ...]
    error: float  # largest difference from the clear
    relative: float  # the same over the largest magnitude in the clear
    hand_error: float | None

    @property
    def by_hand(self) -> float | None:
        """Median seconds of the script by hand."""
        return statistics.median(self.hand_times) if self.hand_times else None

    @property
    def ratios(self) -> tuple[float, float, float] | None:
        """Our seconds over those of the script by hand in the run after: lower quartile, median, upper quartile."""
        if not self.hand_times:
            return None
        ours = [max(party.seconds for party in run) for run in self.measured.runs]
        low, middle, high = np.quantile(np.array(ours) / self.hand_times, (0.25, 0.5, 0.75))
        return float(low), float(middle), float(high)


def run(chosen: Sequence[Case], repeats: int, machines: dict[str, MPCTimings]) -> Iterator[Row]:
    """Run every case against its rival; ``machines`` are the calibrated constants by preset."""
    for case in chosen:
        yield _row(case, repeats, machines.get(case.preset.name, MPCTimings()))


def _row(case: Case, repeats: int, machine: MPCTimings) -> Row:
    fixed = choose_fixed_point([case.program])
    expected = predicted(case.program, case.preset, fixed, LOOPBACK, machine)
    clear = evaluate(case.program, *(array.astype(np.float64) for array in case.arrays))
    hand_times: list[float] = []
    hand_output = None
    with contextlib.ExitStack() as stack:
        parties = stack.enter_context(LocalParties(case.preset, fixed))
        ready = Resident.of(parties, case.program, case.arrays)
        hand = None if case.large else _by_hand(case, fixed, stack)  # runs once while it starts
        ready.run()
        runs = []
        for _ in range(repeats):
            runs.append(ready.run())
            if hand:
                hand_times.append(hand.run())
        outputs = ready.reveal()
        if hand:
            hand_output = hand.output
    if case.large:
        with contextlib.ExitStack() as stack:
            hand = _by_hand(case, fixed, stack)
            hand_times = [hand.run() for _ in range(repeats)] if hand else []
            hand_output = hand.output if hand else None
    error = float(np.abs(outputs[0] - clear).max())
    return Row(
        case,
        expected,
        Trial(tuple(runs), outputs),
        tuple(hand_times),
        error,
        error / max(float(np.abs(clear).max()), 1e-9),
        None if hand_output is None else float(np.abs(hand_output.ravel() - clear.ravel()).max()),
    )


def _by_hand(case: Case, fixed: FixedPoint, stack: contextlib.ExitStack) -> ByHand | None:
    if case.by_hand is None:
        return None
    wanted = case.by_hand
    return stack.enter_context(
        ByHand(wanted.function, wanted.arrays, wanted.constants, case.preset, wanted.fixed or fixed)
    )


HEAD = (
    f"{'':26} {'seconds':>8} {'(pred.)':>8} {'limit':>6} {'by hand':>8} {'ratio':>6} {'quartiles':>11} "
    f"{'MB sent':>9} {'(pred.)':>9} {'messages':>9} {'(pred.)':>8} {'max error':>10} {'relative':>9} {'by hand':>9}"
)


def line(row: Row) -> str:
    """The row as a line of the table under ``HEAD``."""

    def number(value: float | None, form: str) -> str:
        return format(value, form) if value is not None else "-".rjust(int(form.split(".")[0]))

    expected, seen = row.predicted, row.measured
    low, middle, high = row.ratios or (None, None, None)
    quartiles = "-" if low is None else f"{low:.2f}-{high:.2f}"
    sent = None if expected.sent is None else expected.sent / 1e6
    messages = None if expected.rounds is None else float(expected.rounds)
    return (
        f"{row.case.label:26} {seen.seconds:8.3f} {number(expected.seconds, '8.3f')} {number(row.case.limit, '6.1f')} "
        f"{number(row.by_hand, '8.3f')} {number(middle, '6.2f')} {quartiles:>11} "
        f"{seen.sent / 1e6:9.3f} {number(sent, '9.3f')} "
        f"{seen.messages:9.1f} {number(messages, '8.1f')} {row.error:10.1e} {row.relative:9.1e} "
        f"{number(row.hand_error, '9.1e')}"
    )


def crypten(python: str | None) -> str:
    """What CrypTen takes for LeNet and matching on three parties, in its own interpreter; a sentence without one."""
    if python is None:
        return "CrypTen: skipped; --crypten PYTHON names an interpreter that can import it"
    script = Path(__file__).parent / "crypten" / "peer.py"
    done = subprocess.run([python, str(script)], capture_output=True, text=True, timeout=600, check=False)
    found = [text for text in done.stdout.splitlines() if text.startswith("{")]
    if not found:
        return f"CrypTen: failed\n{done.stderr[-800:]}"
    return "\n".join(f"CrypTen, {label:26} {seconds:8.3f} s" for label, seconds in json.loads(found[-1]).items())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="small inputs, a few seconds")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--crypten", help="an interpreter that can import CrypTen")
    given = parser.parse_args(arguments)
    chosen = [case for case in cases(given.tiny) if given.only in case.label]
    presets = {case.preset.name: case.preset for case in chosen}
    machines = {name: calibrate(preset) for name, preset in presets.items()} if not given.tiny else {}
    for name, machine in machines.items():
        print(f"{name}: {machine}")
    print(HEAD, flush=True)
    for row in run(chosen, given.repeats, machines):
        print(line(row), flush=True)
    if not given.tiny:
        print(crypten(given.crypten))


if __name__ == "__main__":
    main()
