"""``prior_cost``: what a job takes by counts and by this machine's calibration, where nothing was probed.

Seconds of the homomorphic and of the shared computation come from the constants that ``privis doctor --calibrate``
measures; what surrounds them (a process that starts, images that are decoded, keys, parties) has constants here, which
hold for two cores of 2.5 GHz, are multiplied by how much slower the command starts here (`CommandTimings`), and which
a probe replaces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from privis.choose.cost.command_timings import SECTION, CommandTimings
from privis.program import Program
from privis.program.shapes import Shape
from privis.readings import cost
from privis.run.clear import Clear
from privis.run.machine_profile import MachineProfile
from privis.run.protocol import Executor

if TYPE_CHECKING:
    from privis.run.he.executor import CKKS
    from privis.run.mpc.executor import MPC

MEBIBYTE = 1 << 20
START, START_MEMORY = 1.0, 190 * MEBIBYTE  # of the command, until the first image
WORKER_START = 1.0  # seconds more until processes of a pool work
DECODED = 2.5e-8  # seconds of a pixel read from a file
OPERATION = 1.2e-9  # seconds of a multiply-add in a compiled kernel
KEY_BYTE, MESSAGE_BYTE = 2e-8, 4e-8  # seconds for a byte of keys made, of a ciphertext made or opened
SPAN, PAIR = 64, 2  # files that a run computes before it writes: at most, and in batches that share ciphertexts
PARTY_START, PARTY_MEMORY = 1.2, 150 * MEBIBYTE  # seconds until all parties run, bytes of each


@dataclass(frozen=True)
class PriorCost:
    """What one run takes by counts alone.

    Args:
        fixed: seconds until the first images are done, less ``each``.
        each: seconds of ``unit`` images more.
        unit: images that are computed at once.
        batch: images that share messages.
        memory: bytes at the peak, of all processes together.
        sent_once: bytes that are sent once, keys for one.
        sent_each: bytes that ``batch`` images send: to and from a server, or from each party.
        rounds_each: messages one after another for ``batch`` images.
        basis: in plain words, what ``seconds`` rest on.
        worker_start: seconds more until processes of a pool work.
    """

    fixed: float
    each: float
    unit: int
    batch: int
    memory: int
    sent_once: int
    sent_each: int
    rounds_each: int
    basis: str
    worker_start: float = WORKER_START

    def units(self, images: int) -> int:
        """How often something is computed for ``images``."""
        return -(-images // self.unit)

    def sent(self, images: int) -> int:
        """Bytes that are sent for ``images``."""
        return self.sent_once + -(-images // self.batch) * self.sent_each

    def rounds(self, images: int) -> int:
        """Messages one after another for ``images``."""
        return -(-images // self.batch) * self.rounds_each

    def seconds(self, images: int) -> float:
        """Seconds of the whole run, on one process."""
        return self.fixed + self.each * self.units(images)


def prior_cost(
    program: Program, under: Executor, shape: Shape, images: int, profile: MachineProfile | None = None
) -> PriorCost:
    """Count what ``images`` of ``shape`` take under an executor.

    Args:
        program: the core of the feature.
        under: who computes; it supports the program.
        shape: of the files' images, (H, W) or (H, W, 3) in pixels.
        images: how many there will be.
        profile: speeds of the machine; None: of this one.

    Returns:
        Seconds, bytes and rounds.
    """
    speeds = profile or MachineProfile.of_this_machine()
    slowness = speeds.section(SECTION, CommandTimings()).slowness
    decoded = slowness * DECODED * math.prod(shape)
    if not isinstance(under, Clear):  # whoever computes in the clear has no need to load what follows
        from privis.run.he.executor import CKKS
        from privis.run.mpc.executor import MPC

        if isinstance(under, CKKS):
            return _encrypted(program, under, images, decoded, speeds, slowness)
        if isinstance(under, MPC):
            return _shared(program, under, decoded, speeds, slowness)
    counted, basis = under.cost(program), "what the executor says of one image"
    own = counted.seconds
    if own is None:
        own = slowness * OPERATION * (cost(program).operations or 0)
        basis = "counts of operations, of which none was timed"
    memory = START_MEMORY + (counted.memory or 0)
    start, worker = slowness * START, slowness * WORKER_START
    sent, rounds = counted.sent or 0, counted.rounds or 0
    return PriorCost(start, decoded + own, 1, 1, memory, 0, sent, rounds, basis, worker)


def _encrypted(
    program: Program, under: CKKS, images: int, decoded: float, speeds: MachineProfile, slowness: float
) -> PriorCost:
    from privis.run.he.compiler import circuit_cost
    from privis.run.he.compiler.circuit_cost import CKKSTimings, predict
    from privis.run.he.evaluation.evaluator import CACHE
    from privis.run.he.evaluation.forked_map import cores

    made = under.compiled(program) if images == 1 else under.shared(program, images)
    machine = speeds.section(circuit_cost.SECTION, CKKSTimings())
    expected = predict(made.spec, made.choice.arrangement, CACHE, machine)
    batch, messages = made.spec.batch_size, expected.query + expected.reply
    spans = min(max(SPAN // batch, 1), PAIR, -(-images // batch)) if batch > 1 else 1  # batches in a span of files
    beside = spans if made.choice.arrangement.processes > 1 or cores() == 1 else 1 + (spans - 1) * (machine.beside - 1)
    fixed = slowness * (START + KEY_BYTE * expected.keys) + max(0.0, expected.first_seconds - expected.seconds)
    unit = spans * batch
    each = beside * expected.seconds + slowness * spans * MESSAGE_BYTE * messages + decoded * min(unit, images)
    basis = _basis(speeds.has(circuit_cost.SECTION, CKKSTimings())) + (f", {unit:,} images at once" if unit > 1 else "")
    return PriorCost(fixed, each, unit, batch, START_MEMORY + expected.memory, expected.keys, messages, 2, basis)


def _shared(program: Program, under: MPC, decoded: float, speeds: MachineProfile, slowness: float) -> PriorCost:
    from privis.run.mpc.cost.predict import MPCTimings, predicted, section
    from privis.run.mpc.lowering.precision import choose_fixed_point

    name = section(under.preset)
    machine = speeds.section(name, MPCTimings())
    counted = predicted(program, under.preset, choose_fixed_point([program]), machine=machine)
    memory = START_MEMORY + under.preset.parties * PARTY_MEMORY + (counted.memory or 0)
    basis = _basis(speeds.has(name, MPCTimings()))
    if counted.seconds is None:
        basis = "the start of the parties alone: the protocol has no formula"
    each = decoded + (counted.seconds or 0.0)
    start = slowness * (START + PARTY_START)
    return PriorCost(start, each, 1, 1, memory, 0, counted.sent or 0, counted.rounds or 0, basis)


def _basis(measured: bool) -> str:
    return "this machine's calibration" if measured else "speeds of another machine (privis doctor --calibrate)"
