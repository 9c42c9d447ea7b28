"""``CommandTimings``: how long the command takes on this machine before and after what it is asked for."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from privis.choose.cost.made_up_image import made_up_file
from privis.choose.cost.run_log import OFF, SWITCH
from privis.errors import ParameterError, Problem
from privis.run.machine_profile import MachineProfile

SECTION = "command"
RUNS = 3  # of which the median counts: the first one reads files that the others find in memory


@dataclass(frozen=True)
class CommandTimings:
    """What a command takes that extracts a quick feature from one small image.

    Args:
        start: seconds, from the start of the process to its end.

    Raises:
        ParameterError: seconds that are none.
    """

    start: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.start < float("inf"):
            raise ParameterError(Problem("CommandTimings.start", repr(self.start), "seconds above 0"))

    @classmethod
    def of_this_machine(cls) -> CommandTimings:
        """What ``privis doctor --calibrate`` measured; those of a machine with two cores of 2.5 GHz before that."""
        return MachineProfile.of_this_machine().section(SECTION, cls())

    @property
    def slowness(self) -> float:
        """How many times as long this machine takes as the one whose seconds predictions are made of."""
        return self.start / CommandTimings.start

    @classmethod
    def measure(cls) -> CommandTimings:
        """Run the command on an image that is made up, and take the median of its seconds.

        Returns:
            The timings.

        Raises:
            ParameterError: the command fails; with what it says.
        """
        environment, taken = {**os.environ, SWITCH: OFF}, []
        with tempfile.TemporaryDirectory(prefix="privis-start-") as name:
            image = made_up_file(Path(name), 0, (64, 64, 3))
            for number in range(RUNS):
                words = ["extract", image, "-f", "lbp", "--workers", "1", "-o", str(Path(name, f"{number}.npz"))]
                began = time.perf_counter()
                ended = subprocess.run([sys.executable, "-m", "privis", *words], env=environment, capture_output=True)
                taken.append(time.perf_counter() - began)
                if ended.returncode:
                    said = ended.stderr.decode(errors="replace").strip()[-200:]
                    raise ParameterError(Problem("privis extract", f"exit code {ended.returncode}: {said}", "a table"))
        return cls(statistics.median(taken))
