"""What a program takes under MPC before anything runs: bytes, messages and seconds, from its compiled code.

Bytes and messages follow in closed form from the instructions that SPU will run (``steps``, ``traffic``), so they
cannot drift from the lowering. Seconds are those, times four constants of the machine that ``calibration.calibrate``
measures, plus what the network adds.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass

from privis.program import Program
from privis.readings import Cost, cost
from privis.run.mpc.compiled import compiled
from privis.run.mpc.fixed_point import FixedPoint
from privis.run.mpc.instructions import read
from privis.run.mpc.presets import Preset
from privis.run.mpc.steps import Kernel, Step, steps
from privis.run.mpc.traffic import traffic


@dataclass(frozen=True)
class Network:
    """Between any two parties: ``latency`` one way in seconds, and what a party can send in bits per second."""

    latency: float = 0.0
    bandwidth: float = math.inf

    def seconds(self, rounds: float, sent: float) -> float:
        """Time of ``rounds`` messages one after another with ``sent`` bytes in all."""
        return rounds * self.latency + 8 * sent / self.bandwidth


LOOPBACK = Network()


@dataclass(frozen=True)
class Machine:
    """Seconds of a message, of a byte sent, of an element handled and of a multiply-add, all parties on one machine.

    The defaults are of two cores shared by three parties: real parties have a machine each and are faster.
    """

    message: float = 5e-4
    byte: float = 2.5e-8
    element: float = 2e-8
    product: float = 2e-9

    def seconds(self, load: Load, field_bits: int = 64) -> float:
        """Time of ``load`` without the network; a 128-bit ring takes three times as long per element."""
        wide = 1 if field_bits == 64 else 3
        handled = wide * (self.element * load.elements + self.product * load.products)
        return self.message * load.messages + self.byte * load.sent + handled


@dataclass(frozen=True)
class Load:
    """``messages`` and bytes ``sent`` of a party, ``rounds`` of all, ``elements`` handled, ``products`` of a party."""

    messages: float
    sent: float
    rounds: float
    elements: int
    products: int


def predicted(
    program: Program, preset: Preset, fixed: FixedPoint, network: Network = LOOPBACK, machine: Machine | None = None
) -> Cost:
    """Predict one run of ``program`` on resident shares: neither sharing the inputs nor revealing the outputs.

    ``sent`` and ``rounds`` are means over the parties of the bytes and messages a party sends. Both, and ``seconds``,
    are None where the protocol or an instruction has no formula. Needs the extra ``mpc``, as the program is compiled.
    """
    counted = cost(program)
    found = load(program, preset, fixed)
    if found is None:
        return counted
    seconds = (machine or Machine()).seconds(found, fixed.field_bits) + network.seconds(found.rounds, found.sent)
    return dataclasses.replace(counted, rounds=round(found.messages), sent=round(found.sent), seconds=seconds)


def load(program: Program, preset: Preset, fixed: FixedPoint) -> Load | None:
    """What one run of ``program`` takes, whatever the machine and the network; None as in ``predicted``."""
    taken = _steps(program, fixed)
    total = traffic(taken, preset, fixed)
    if total is None:
        return None
    products = sum(step.elements for step in taken if step.kernel is Kernel.CONTRACT)
    elements = sum(step.elements for step in taken if step.kernel is not Kernel.CONTRACT)
    return Load(total.messages, total.sent, total.rounds, elements, products)


@functools.lru_cache(maxsize=16)
def _steps(program: Program, fixed: FixedPoint) -> tuple[Step, ...]:
    return tuple(steps(read(compiled(program, fixed).code), fixed))
