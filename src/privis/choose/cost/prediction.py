"""``predict_cost``: what a whole extraction takes before it runs, by counts, calibration and short probes."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from privis.choose.cost.cost_probes import CostProbe, CostProbes, ProbedCost
from privis.choose.cost.energy_counter import EnergyCounter
from privis.choose.cost.prior_cost import PriorCost, prior_cost
from privis.errors import ImageError, ParameterError, Problem, UnsupportedError, refuse
from privis.features.feature import Feature, core_shape
from privis.features.image_ops import owner_image_shape
from privis.privacy import Release
from privis.program.shapes import Shape
from privis.run.clear import Clear
from privis.run.machine_profile import MachineProfile
from privis.run.protocol import Executor
from privis.validation import whole_number

if TYPE_CHECKING:
    from privis.run.mpc.cost.predict import NetworkProfile


@dataclass(frozen=True)
class CostPrediction:
    """What a job is predicted to take, from the start of the command to its end.

    Args:
        seconds: by the clock on the wall.
        memory: bytes at the peak, of all processes together; pages that they share count for each.
        sent: bytes to and from a server, keys included, or bytes that a party sends (mean of the parties); 0 where
            nothing leaves the process.
        rounds: messages one after another.
        joules: of the machine's processors; None where it has no counter that this user may read.
        basis: what the figures rest on, in plain words.
    """

    seconds: float
    memory: int
    sent: int
    rounds: int
    joules: float | None
    basis: str


def predict_cost(
    feature: Feature,
    under: Executor,
    shape: Shape,
    images: int,
    *,
    release: Release | None = None,
    profile: MachineProfile | None = None,
    network: NetworkProfile | None = None,
    workers: int = 0,
    probes: CostProbes | None = None,
) -> CostPrediction:
    """Predict what ``privis extract`` takes for files with images of ``shape``.

    Args:
        feature: what is extracted.
        under: who computes.
        shape: of the files' images, (H, W) or (H, W, 3) in pixels.
        images: how many files there are, at least 1.
        release: what the output may say; None: everything.
        profile: speeds of the machine; None: what was measured of this one.
        network: between the parties, or to the server; None: all on this machine, as the command runs them.
        workers: processes; 0: as the command chooses.
        probes: short runs of the real thing, and what is known from earlier ones; None: `CostProbes` as it comes.

    Returns:
        The prediction.

    Raises:
        ParameterError: ``images`` or ``workers`` is no count.
        ImageError: the shape is no image's, or too small for the feature.
        UnsupportedError: the executor cannot run the feature; with all reasons.
    """
    refuse(ParameterError, whole_number("predict_cost.images", images))
    if workers:
        refuse(ParameterError, whole_number("predict_cost.workers", workers))
    if len(shape) not in (2, 3) or min(shape) < 1 or (len(shape) == 3 and shape[2] != 3):
        raise ImageError(Problem("predict_cost.shape", repr(shape), "(height, width) or (height, width, 3)"))
    program = feature.program(core_shape(feature, owner_image_shape(feature, shape)))
    refuse(UnsupportedError, under.supports(program))
    processes = workers or (os.cpu_count() or 1 if isinstance(under, Clear) else 1)
    prior = prior_cost(program, under, shape, images, profile)
    found = probes or CostProbes()
    probed = found.of(CostProbe(feature, under, release, shape, processes > 1, prior.unit), prior, images)
    predicted = _seconds_and_memory(prior, probed, found, images, processes)
    sent, rounds = prior.sent(images), prior.rounds(images)
    seconds, memory, basis = predicted
    if network is not None:
        seconds += network.seconds(rounds, sent)
        basis += f"; a network of {1000 * network.latency:g} ms one way"
        if math.isfinite(network.bandwidth):
            basis += f" and {network.bandwidth / 1e6:g} Mbit/s"
    return CostPrediction(seconds, memory, sent, rounds, _joules(seconds, probed), basis)


def _seconds_and_memory(
    prior: PriorCost, probed: ProbedCost | None, probes: CostProbes, images: int, processes: int
) -> tuple[float, int, str]:
    """Of the whole command, and what they rest on."""
    if probed is None:
        if processes == 1:
            return prior.seconds(images), prior.memory, prior.basis
        seconds = prior.fixed + prior.worker_start + prior.each * math.ceil(images / processes)
        return seconds, prior.memory * (1 + processes), prior.basis
    each = probed.each or prior.each
    basis = f"a probe on this machine ({1000 * each:.3g} ms for {_images(prior.unit)})"
    if processes == 1:
        return probed.start + probed.fixed + each * prior.units(images), probed.memory, basis
    pool = probes.pool(processes)
    if pool is None:
        seconds = probed.start + probed.fixed + prior.worker_start + each * math.ceil(images / processes)
        return seconds, probed.memory * (1 + processes), basis
    alone_fixed, alone_each, alone_memory, worker = pool.alone
    slower = pool.each * processes / alone_each if alone_each else 1.0
    extra = max(0.0, pool.fixed - alone_fixed)
    seconds = probed.start + probed.fixed + extra + each * max(1.0, slower) * images / processes
    memory = pool.memory + processes * (worker + max(0, probed.memory - alone_memory))
    return seconds, memory, f"{basis}; {processes} processes"


def _images(unit: int) -> str:
    return "an image" if unit == 1 else f"{unit:,} images at once"


def _joules(seconds: float, probed: ProbedCost | None) -> float | None:
    """Of the processors, at the power that the probe took; None without a counter now or then."""
    if probed is None or probed.watts is None or not EnergyCounter.of_this_machine().sockets:
        return None
    return seconds * probed.watts
