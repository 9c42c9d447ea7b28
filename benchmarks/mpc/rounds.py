"""What programs take between parties, today's code beside an older one: seconds, bytes and messages.

``python -m benchmarks.mpc_rounds [--baseline WORKTREE] [--network loopback|wan] [--only WORD] [--repeats N] [--tiny]``.
The baseline is a checkout of an older commit (the bars are for cbca4a7), whose parties run with the same Python. All
contestants run in turns, the script by hand (`benchmarks.mpc.by_hand`, on loopback) among them. Seconds are medians of
runs inside parties that are connected, with code compiled and inputs shared; processor seconds are those of all
parties. Bytes and messages are what a party sends in a run, the mean over the parties. ``wan`` is the relay of
`benchmarks.mpc.slow_network`: 20 ms one way, 100 Mbit/s for each party.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.mpc import cases
from benchmarks.mpc.by_hand import ByHand
from privis.features.hog import HOG
from privis.run.mpc.lowering.precision import choose_fixed_point

ROOT = Path(__file__).resolve().parents[2]
SECONDS_BAR, TRAFFIC_BAR = 0.75, 0.8  # of the baseline's seconds; of its bytes or its messages
WAN = (0.02, 100e6)  # seconds one way, bits per second
CHOSEN = {
    "HOG 64x64": "feature_case('HOG 64x64', HOG(), 64, None)",
    "LeNet, batch 32": "lenet_case('LeNet, batch 32', 32, None)",
    "best of 50,000": "matching_case('best of 50,000', 50_000, 512, None)",
    "ResNet-20, 1 image": "resnet_case('ResNet-20, 1 image', 1, None)",
}
TINY = {"best of 64": "matching_case('best of 64', 64, 16, None)"}
PARTIES = """
import json, os, sys
told = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # where SPU logs
from contextlib import ExitStack
from pathlib import Path
import numpy as np
try:
    from benchmarks.mpc.cases import *
    from benchmarks.mpc.slow_network import SlowNetwork
    from privis.run.mpc.cost.calibration import Resident
    from privis.run.mpc.cost.predict import NetworkProfile, predicted
    from privis.run.mpc.lowering.precision import choose_fixed_point
    from privis.run.mpc.runtime.local_parties import LocalParties
except ImportError:  # as of cbca4a7
    from benchmarks.mpc_cases import *
    from benchmarks.slow_network import SlowNetwork
    from privis.run.mpc.calibration import Resident
    from privis.run.mpc.cost import Network as NetworkProfile, predicted
    from privis.run.mpc.fixed_point import fixed_point as choose_fixed_point
    from privis.run.mpc.local import LocalParties
from privis.features.hog import HOG
from privis.readings import evaluate
text, network = json.loads(sys.argv[1])
case = eval(text)
fixed = choose_fixed_point([case.program])

def processor(parties):
    ticks = 0
    for worker in parties.workers:
        words = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(words[11]) + int(words[12])
    return ticks / os.sysconf("SC_CLK_TCK")

with ExitStack() as stack:
    views = None
    if network:
        views = stack.enter_context(SlowNetwork(case.preset.parties, NetworkProfile(*network))).views
    parties = stack.enter_context(LocalParties(case.preset, fixed, addresses=views))
    ready = Resident.of(parties, case.program, case.arrays)
    ready.run()
    found = np.asarray(ready.reveal()[0], np.float64)
    clear = evaluate(case.program, *(array.astype(np.float64) for array in case.arrays))
    cost = predicted(case.program, case.preset, fixed)
    print(json.dumps([float(np.abs(found - clear).max()), cost.sent, cost.rounds]), file=told, flush=True)
    for _ in sys.stdin:
        before = processor(parties)
        took = ready.run()
        mean = [sum(getattr(party, name) for party in took) / len(took) for name in ("sent", "messages")]
        figures = [max(party.seconds for party in took), processor(parties) - before, *mean]
        print(json.dumps(figures), file=told, flush=True)
"""


@dataclass(frozen=True)
class Contestant:
    """What one build took for a case.

    Args:
        error: the largest difference from the clear.
        predicted: bytes and messages.
        runs: of each seconds inside, processor seconds of all parties, bytes and messages of a party.
    """

    error: float
    predicted: tuple[float, float]
    runs: tuple[tuple[float, float, float, float], ...]

    @property
    def medians(self) -> tuple[float, float, float, float]:
        """Seconds inside, processor seconds, bytes, messages."""
        seconds, processor, sent, messages = map(statistics.median, zip(*self.runs, strict=True))
        return seconds, processor, sent, messages


@contextlib.contextmanager
def parties(tree: Path, case: str, network: tuple[float, float] | None) -> Iterator[Any]:
    """A process of the code in ``tree`` that has the parties of a case running."""
    environment = {**os.environ, "PYTHONPATH": f"{tree / 'src'}:{tree}", "OMP_WAIT_POLICY": "PASSIVE"}
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PARTIES, json.dumps([case, network])],
        cwd=tree,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as child:
        yield child
        child.stdin.close()  # type: ignore[union-attr]


def compared(
    case: str, trees: Sequence[Path], repeats: int, network: tuple[float, float] | None = None
) -> tuple[list[Contestant], list[float]]:
    """Every tree's parties in turns, and the seconds of the script by hand where there is no slow network."""
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(parties(tree, case, network)) for tree in trees]
        first = [json.loads(child.stdout.readline()) for child in children]
        script = None if network else _script(case, stack)
        runs: list[list[Any]] = [[] for _ in trees]
        hand = []
        for _ in range(repeats):
            for child, kept in zip(children, runs, strict=True):
                child.stdin.write("\n")
                child.stdin.flush()
                kept.append(tuple(json.loads(child.stdout.readline())))
            if script:
                hand.append(script.run())
    found = [
        Contestant(error, (sent, rounds), tuple(kept)) for (error, sent, rounds), kept in zip(first, runs, strict=True)
    ]
    return found, hand


def _script(case: str, stack: contextlib.ExitStack) -> ByHand | None:
    """The script by hand, except of cases whose shares take the memory of the machine."""
    made = eval(case, {**vars(cases), "HOG": HOG})
    wanted = made.by_hand
    if wanted is None or made.large:
        return None
    fixed = wanted.fixed or choose_fixed_point([made.program])
    return stack.enter_context(ByHand(wanted.function, wanted.arrays, wanted.constants, made.preset, fixed))


def lines(label: str, found: Sequence[Contestant], hand: Sequence[float]) -> Iterator[str]:
    """Sentences about a case."""
    for one, whose in zip(found, ("now", "baseline"), strict=False):
        seconds, processor, sent, messages = one.medians
        told = " and ".join(f"{p / m:.2f}" for p, m in zip(one.predicted, (sent, messages), strict=True))
        yield (
            f"{label}, {whose}: {seconds:.3f} s inside, processor {processor:.2f} s, {sent / 1e6:.2f} MB, "
            f"{messages:.0f} messages ({told} of them predicted), error {one.error:.1e}"
        )
    if hand:
        yield f"{label}, script by hand: {statistics.median(hand):.3f} s inside"
    if len(found) > 1:
        now, before = found
        seconds, processor = (
            statistics.median(a[k] / b[k] for a, b in zip(now.runs, before.runs, strict=True)) for k in (0, 1)
        )
        sent, messages = (now.medians[k] / before.medians[k] for k in (2, 3))
        yield (
            f"{label}: {seconds:.2f} of the baseline's seconds (bar {SECONDS_BAR}), {processor:.2f} of its processor, "
            f"{sent:.2f} of its bytes or {messages:.2f} of its messages (bar {TRAFFIC_BAR})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", help="ignored: `python -m benchmarks` names the folder it looked for")
    parser.add_argument("--baseline", type=Path)
    parser.add_argument("--network", choices=("loopback", "wan"), default="loopback")
    parser.add_argument("--only", default="")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    trees = [ROOT] + ([options.baseline.resolve()] if options.baseline else [])
    chosen = TINY if options.tiny else {label: case for label, case in CHOSEN.items() if options.only in label}
    for label, case in chosen.items():
        if "resnet" in case and not cases.WEIGHTS.is_dir():
            print(f"{label}: skipped, there are no weights beside the checkout")
            continue
        found = compared(case, trees, 1 if options.tiny else options.repeats, WAN if options.network == "wan" else None)
        for line in lines(label, *found):
            print(line, flush=True)


if __name__ == "__main__":
    main()
