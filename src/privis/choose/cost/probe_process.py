"""The process of a probe: ``python -m privis.choose.cost.probe_process STARTED`` reads a pickled `CostProbe` on stdin.

STARTED is the monotonic clock when it was started. It answers two lines: that clock when it was done, and a
`ProbedCost` as JSON.
"""

from __future__ import annotations

import importlib
import math
import pickle
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from privis.choose.cost.cost_probes import TIMED, CostProbe, ProbedCost
from privis.choose.cost.energy_counter import EnergyCounter
from privis.choose.cost.made_up_image import made_up_file
from privis.choose.cost.peak_memory import peak_of_children, peak_of_this_process, peaks_of_running_children
from privis.run.clear import Clear

LONGEST = 12  # units more in the last run, of who computes on hidden values
FIRST = 2  # images of the first run of each process, in the clear


def main(arguments: Sequence[str]) -> None:
    """Run the probe on stdin and print what it found."""
    modules, probe = pickle.load(sys.stdin.buffer)  # written by the process that started this one
    for name in modules:
        importlib.import_module(name)
    from privis.extraction import folder  # noqa: F401  what the command loads before its first image

    start = time.monotonic() - float(arguments[1])
    found = measured(probe, start)
    sys.stdout.write(f"{time.monotonic()!r}\n{found.to_json()}\n")


def measured(probe: CostProbe, start: float) -> ProbedCost:
    """Time a probe in this process.

    Args:
        probe: what to run.
        start: seconds that this process took to load.

    Returns:
        What it found.
    """
    counter, began = EnergyCounter.of_this_machine(), time.perf_counter()
    joules = counter.joules()
    with tempfile.TemporaryDirectory(prefix="privis-probe-") as name:
        runs = Runs(probe, Path(name))
        try:
            fixed, each = runs.times(probe.pool or 1)
            memory, alone = runs.memory, (0.0, 0.0, 0, 0)
            if probe.pool:
                worker = peak_of_children()
                alone = (*runs.times(1), runs.memory, worker)
        finally:
            runs.close()
    spent = counter.since(joules)
    watts = None if spent is None else spent / (time.perf_counter() - began)
    return ProbedCost(start, fixed, each, memory, watts, alone)


class Runs:
    """Runs of a probe on images that are made once."""

    def __init__(self, probe: CostProbe, folder: Path) -> None:
        self.probe, self.folder = probe, folder
        self.paths: list[str] = []
        self.number = self.memory = 0
        preset = getattr(probe.under, "preset", None)
        self.parties = 0 if preset is None else preset.parties

    def times(self, workers: int) -> tuple[float, float]:
        """Seconds of a run without its images, and of one unit of images, with so many processes."""
        unit, quick = self.probe.unit, isinstance(self.probe.under, Clear)
        few = min(self.probe.most, unit * workers * (FIRST if quick else 1))
        units, hint = math.ceil(few / unit), self.probe.expected
        first = again = self.seconds(few, workers)
        self.memory = peak_of_this_process() + peaks_of_running_children()
        if self.probe.most <= few:
            return max(0.0, first - hint * units), hint
        if (quick and workers == 1) or self.parties:  # the first run loaded code, or started parties
            again = self.seconds(few, workers)
        if quick:
            more = units + workers * max(2, math.ceil(TIMED * units / again if workers == 1 else 100))
        else:
            more = units + min(LONGEST, max(1, math.ceil(TIMED / hint) if hint else 1))
        images = min(more * unit, self.probe.most)
        each = (self.seconds(images, workers) - again) / (math.ceil(images / unit) - units)
        if quick:  # what others computed is kept from run to run, which no single run does
            self.memory = peak_of_this_process()
        each = max(each, hint / 3, 1e-6)
        return max(0.0, first - each * units), each

    def seconds(self, images: int, workers: int) -> float:
        """Seconds of one run on so many images."""
        from privis.extraction.folder import extract_folder

        while len(self.paths) < images:
            self.paths.append(made_up_file(self.folder, len(self.paths), self.probe.shape))
        self.number += 1
        output = self.folder / f"table{self.number}.parquet"
        probe, began = self.probe, time.perf_counter()
        extract_folder(
            probe.feature, self.paths[:images], output, under=probe.under, release=probe.release, workers=workers
        )
        return time.perf_counter() - began

    def close(self) -> None:
        """End what the executor started."""
        close = getattr(self.probe.under, "close", None)
        if close is not None:
            close()


if __name__ == "__main__":
    main(sys.argv)
