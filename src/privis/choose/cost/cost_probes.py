"""``CostProbes``: short runs of the real thing on made-up images, made once for a machine and kept.

A probe runs `privis.extraction.folder.extract_folder` in a process of its own, which loads what the command loads, on
files it made itself: a few images, then more, so that what every image takes is told from what the run takes. What was
found is kept in the cache of programs (`privis.run.program_cache`), under the feature, the executor, the release, the
shape of the images, the code of Privis and the kind of processor.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from privis.choose.cost.prior_cost import PriorCost
from privis.errors import ParameterError
from privis.features.feature import Feature
from privis.features.lbp import LBP
from privis.identity import identity
from privis.privacy import Release
from privis.program.shapes import Shape
from privis.run.clear import Clear
from privis.run.program_cache import CacheKey, ProgramCache
from privis.run.protocol import Executor

SECONDS = 8.0  # that probing may take
LEAST = 2.0  # seconds below which no probe is begun
TIMED = 0.8  # seconds of images that are timed
COMMAND = ("privis.__main__", "privis.cli.extract")  # modules that the command loads before it does anything
KIND = "probe/2"
LIBRARIES = ("numpy", "opencv-python-headless", "numba", "pyarrow", "tenseal", "spu")
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class CostProbe:
    """What is run.

    Args:
        feature: what is extracted.
        under: who computes.
        release: noise; None: none.
        shape: of the images, (H, W) or (H, W, 3).
        shared: whether it stands for one of several processes, which have one thread each.
        unit: images that are computed at once.
        most: images that are used at most.
        pool: processes to start beside, to find what that takes; 0: the probe is of the feature.
        expected: seconds of a unit by counts, for units that differ too little to be timed.
    """

    feature: Feature
    under: Executor
    release: Release | None
    shape: Shape
    shared: bool = False
    unit: int = 1
    most: int = 256
    pool: int = 0
    expected: float = 0.0

    def key(self) -> CacheKey:
        """Under which its result is kept.

        Returns:
            The key, with the code of the whole package.

        Raises:
            ParameterError: feature, executor or release has no identity.
        """
        parts = (self.feature, self.under, self.release, self.shape, self.shared, self.unit, self.pool)
        return CacheKey(KIND, identity(parts, "probe").hex(), code_state(), LIBRARIES)


@dataclass(frozen=True)
class ProbedCost:
    """What a probe found.

    Args:
        start: seconds from the start of the process until the command has what it needs to begin, and of its end.
        fixed: seconds of the run without its images.
        each: seconds of ``unit`` images; of all processes of a pool, where there is one.
        memory: bytes at the peak of all processes together; of a pool, of the process that started it.
        watts: that the processors took meanwhile; None where they have no counter.
        alone: of a pool: ``fixed``, ``each`` and ``memory`` of one process on the same images, and ``memory`` of one
            that the pool started.
    """

    start: float
    fixed: float
    each: float
    memory: int
    watts: float | None = None
    alone: tuple[float, float, int, int] = (0.0, 0.0, 0, 0)

    @classmethod
    def from_json(cls, text: bytes | memoryview | str) -> ProbedCost:
        """Read what ``to_json`` wrote; ValueError, TypeError or KeyError for anything else."""
        found: Any = json.loads(bytes(text) if isinstance(text, memoryview) else text)
        numbers = [float(found[name]) for name in ("start", "fixed", "each")]
        if not all(math.isfinite(number) and number >= 0 for number in numbers):
            raise ValueError("times below zero")
        watts = None if found["watts"] is None else float(found["watts"])
        first, second, own, worker = found["alone"]
        return cls(*numbers, int(found["memory"]), watts, (float(first), float(second), int(own), int(worker)))

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(dataclasses.asdict(self))


@dataclass(frozen=True)
class CostProbes:
    """Probes that may be made, and what is known from earlier ones.

    Args:
        seconds: that probing may take for one prediction; 0: only what is known counts.
        cache: where results are kept.
        modules: what the command loads, by name.
    """

    seconds: float = SECONDS
    cache: ProgramCache = field(default_factory=ProgramCache)
    modules: tuple[str, ...] = COMMAND

    def known(self, probe: CostProbe) -> ProbedCost | None:
        """What an earlier probe found.

        Args:
            probe: what it ran.

        Returns:
            Its result; None where there is none of this code and machine.
        """
        try:
            content = self.cache.load(probe.key())
            return None if content is None else ProbedCost.from_json(content)
        except (ParameterError, ValueError, TypeError, KeyError):
            return None

    def of(self, probe: CostProbe, prior: PriorCost, images: int) -> ProbedCost | None:
        """What is known of a probe, or what it finds where it is short enough to be made now.

        Args:
            probe: what to run.
            prior: what it is expected to take.
            images: how many images the job has.

        Returns:
            The result; None where nothing is known and the probe would take too long, or failed.
        """
        found = self.known(probe)
        if found is not None:
            return found
        starts = 2 if prior.sent_once else 1  # keys are made for every run
        if self.seconds < LEAST or starts * prior.fixed + 4 * prior.each > self.seconds:
            return None
        most = probe.most if isinstance(probe.under, Clear) else min(probe.most, images)  # more may be shared otherwise
        return self.measured(replace(probe, most=most, expected=prior.each))

    def pool(self, processes: int) -> ProbedCost | None:
        """What it takes to start ``processes``, and how much they slow each other."""
        probe = CostProbe(LBP(size=(256, 256)), Clear(), None, (256, 256), True, pool=processes)
        return self.known(probe) or (self.measured(probe, 4 * self.seconds) if self.seconds >= LEAST else None)

    def measured(self, probe: CostProbe, seconds: float | None = None) -> ProbedCost | None:
        """Run a probe now and keep what it finds.

        Args:
            probe: what to run.
            seconds: after which it is ended; None: four times what probing may take.

        Returns:
            The result; None where it failed or was ended.
        """
        try:
            request = pickle.dumps((self.modules, probe))
            key = probe.key()
        except (ParameterError, pickle.PicklingError, TypeError, AttributeError):
            return None
        environment = {**os.environ, **(dict.fromkeys(ONE_THREAD, "1") if probe.shared else {})}
        began = time.monotonic()
        command = [sys.executable, "-m", "privis.choose.cost.probe_process", repr(began)]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        ) as process:
            try:
                answer, _ = process.communicate(request, timeout=seconds or 4 * self.seconds)
            except BaseException as error:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                if isinstance(error, subprocess.TimeoutExpired):
                    return None
                raise
        ended = time.monotonic()
        try:
            finished, text = answer.decode().split("\n")[:2]
            found = ProbedCost.from_json(text)
            found = replace(found, start=found.start + max(0.0, ended - float(finished)))
        except (ValueError, TypeError, KeyError):
            return None
        self.cache.store(key, [found.to_json().encode()])
        return found


@functools.cache
def code_state() -> str:
    """A digest of names, sizes and times of all files of the package: an edited line makes other probes."""
    digest, package = hashlib.sha256(), Path(__file__).resolve().parents[2]
    for path in sorted(package.rglob("*.py")):
        found = path.stat()
        digest.update(f"{path.relative_to(package)}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
    return digest.hexdigest()
