"""What a program takes under MPC before anything runs: bytes, messages and seconds, from its compiled code.

Bytes and messages follow in closed form from the instructions that SPU will run (``steps``, ``traffic``), so they
cannot drift from the lowering. Seconds are those, times five constants of the machine that ``calibration.calibrate``
measures, plus what the network adds.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass

import numpy as np

from privis.program import Program
from privis.readings import Cost, cost
from privis.run.machine_profile import MachineProfile
from privis.run.mpc.cost.communication import traffic
from privis.run.mpc.cost.hlo import read
from privis.run.mpc.cost.protocol_steps import Kernel, ProtocolStep, steps
from privis.run.mpc.fixed_point import FixedPoint
from privis.run.mpc.protocols import Preset
from privis.run.mpc.runtime.compile import compile_for_spu

CIRCUITS = frozenset(
    {Kernel.LESS, Kernel.EQUAL, Kernel.FLOOR, Kernel.TO_ARITHMETIC}
    | {Kernel.RSQRT, Kernel.SQRT, Kernel.RECIPROCAL, Kernel.LARGEST}
)


@dataclass(frozen=True)
class NetworkProfile:
    """Between any two parties: ``latency`` one way in seconds, and what a party can send in bits per second."""

    latency: float = 0.0
    bandwidth: float = math.inf

    def seconds(self, rounds: float, sent: float) -> float:
        """Time of ``rounds`` messages one after another with ``sent`` bytes in all."""
        return rounds * self.latency + 8 * sent / self.bandwidth


LOOPBACK = NetworkProfile()


@dataclass(frozen=True)
class Load:
    """What one run takes, whatever the machine and the network.

    ``messages`` and bytes ``sent`` of a party, ``circuit`` of these bytes in comparisons and roots, which keep a
    processor busier; ``rounds`` of latency; ``elements`` copied or added and ``products`` of matrices, of a party.
    """

    messages: float
    sent: float
    circuit: float
    rounds: float
    elements: int
    products: int


@dataclass(frozen=True)
class MPCTimings:
    """Seconds of a message, of a byte sent, of a byte of a circuit, of an element copied, of a multiply-add.

    Measured with all parties on one machine; the defaults are of two cores for three of them. Parties with a machine
    each are faster.
    """

    message: float = 1.1e-3
    byte: float = 7e-9
    circuit: float = 7e-8
    element: float = 9e-8
    product: float = 1.2e-8

    @classmethod
    def of_this_machine(cls, preset: Preset) -> MPCTimings:
        """What ``privis doctor --calibrate`` measured of this protocol; the defaults where it never ran."""
        return MachineProfile.of_this_machine().section(section(preset), cls())

    def seconds(self, load: Load, field_bits: int = 64) -> float:
        """Time of ``load`` without the network."""
        return float(np.dot(dataclasses.astuple(self), weights(load, field_bits)))


def section(preset: Preset) -> str:
    """The section of a machine's profile that holds the timings of a protocol."""
    return f"mpc {preset.name}"


def weights(load: Load, field_bits: int) -> tuple[float, ...]:
    """How often each constant of a profile counts; a 128-bit ring handles an element in three times as long."""
    wide = 1 if field_bits == 64 else 3
    return load.messages, load.sent - load.circuit, load.circuit, wide * load.elements, wide * load.products


def predicted(
    program: Program,
    preset: Preset,
    fixed: FixedPoint,
    network: NetworkProfile = LOOPBACK,
    machine: MPCTimings | None = None,
) -> Cost:
    """Predict one run of ``program`` on resident shares: neither sharing the inputs nor revealing the outputs.

    Args:
        program: what is run; it is compiled, which needs the extra ``mpc``.
        preset: the protocol.
        fixed: ring and fraction bits.
        network: latency and bandwidth between any two parties.
        machine: timings of the parties' machines. None: the defaults.

    Returns:
        The cost, with ``sent`` (bytes) and ``rounds`` (messages) as means over the parties. Both, and ``seconds``, are
        None where the protocol or an instruction has no formula.
    """
    counted = cost(program)
    found = load(program, preset, fixed)
    if found is None:
        return counted
    seconds = (machine or MPCTimings()).seconds(found, fixed.field_bits) + network.seconds(found.rounds, found.sent)
    return dataclasses.replace(counted, rounds=round(found.messages), sent=round(found.sent), seconds=seconds)


def load(program: Program, preset: Preset, fixed: FixedPoint) -> Load | None:
    """What one run of ``program`` takes, whatever the machine and the network; None as in ``predicted``."""
    taken = _steps(program, fixed)
    total = traffic(taken, preset, fixed)
    circuits = traffic((step for step in taken if step.kernel in CIRCUITS), preset, fixed)
    if total is None or circuits is None:
        return None
    elements = sum(step.elements for step in taken if step.kernel is Kernel.LOCAL)
    products = sum(step.elements for step in taken if step.kernel is Kernel.CONTRACT)
    return Load(total.messages, total.sent, circuits.sent, total.rounds, elements, products)


@functools.lru_cache(maxsize=16)
def _steps(program: Program, fixed: FixedPoint) -> tuple[ProtocolStep, ...]:
    return tuple(steps(read(compile_for_spu(program, fixed).code), fixed))
