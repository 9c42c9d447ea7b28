"""Running programs between local parties to see what they take, and the constants of this machine from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.program import Input, Program, concat, ops, trace
from privis.run.mpc.cost.predict import MPCTimings, load, weights
from privis.run.mpc.fixed_point import FixedPoint, encoding
from privis.run.mpc.protocols import Preset
from privis.run.mpc.runtime.link import LinkMeasurement
from privis.run.mpc.runtime.local_parties import LocalParties
from privis.run.mpc.runtime.shares import join, share


@dataclass(frozen=True)
class Trial:
    """The runs of one program, first one left out: per run what each party measured, and the outputs of the last."""

    runs: tuple[tuple[LinkMeasurement, ...], ...]
    outputs: tuple[NDArray[Any], ...]

    @property
    def seconds(self) -> float:
        """Median over the runs of the slowest party's time."""
        return float(np.median([max(party.seconds for party in run) for run in self.runs]))

    @property
    def sent(self) -> float:
        """Bytes a party sends in a run, mean over parties and runs: they take unequal roles in turn."""
        return float(np.mean([party.sent for run in self.runs for party in run]))

    @property
    def messages(self) -> float:
        """Messages a party sends in a run, mean over parties and runs."""
        return float(np.mean([party.messages for run in self.runs for party in run]))


@dataclass(frozen=True)
class Resident:
    """A compiled program and its shared inputs, ready at running parties."""

    parties: LocalParties
    key: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @classmethod
    def of(cls, parties: LocalParties, program: Program, arrays: Sequence[NDArray[Any]]) -> Resident:
        """Compile ``program`` and share ``arrays``."""
        inputs = tuple(f"in{index}" for index in range(len(arrays)))
        for name, array, declared in zip(inputs, arrays, program.inputs, strict=True):
            parts = share(array, encoding(declared), parties.preset, parties.fixed)
            parties.call_all(lambda rank, worker, n=name, p=parts: worker.put(n, p[rank]))
        outputs = tuple(f"out{index}" for index in range(len(program.outputs)))
        return cls(parties, parties.load(program), inputs, outputs)

    def run(self) -> tuple[LinkMeasurement, ...]:
        """Run once; what each party measured."""
        took = self.parties.call_all(lambda _, worker: worker.run(self.key, self.inputs, self.outputs))
        return tuple(took)

    def reveal(self) -> tuple[NDArray[Any], ...]:
        """The outputs of the last run."""
        taken = [self.parties.call_all(lambda _, worker, n=name: worker.take(n)) for name in self.outputs]
        return tuple(join(parts, self.parties.preset, self.parties.fixed) for parts in taken)

    def drop(self) -> None:
        """Delete all shares of inputs and outputs at every party."""
        self.parties.call_all(lambda _, worker: worker.drop(self.inputs + self.outputs))


def trial(parties: LocalParties, program: Program, arrays: Sequence[NDArray[Any]], repeats: int = 1) -> Trial:
    """Share ``arrays``, run ``program`` once and then ``repeats`` times on these shares, join the outputs.

    Parties are connected, code is compiled and inputs are shared before the clock starts; joining is not in it either.
    """
    ready = Resident.of(parties, program, arrays)
    runs = [ready.run() for _ in range(1 + repeats)]
    outputs = ready.reveal()
    ready.drop()
    return Trial(tuple(runs[1:]), outputs)


def calibrate(preset: Preset, fixed: FixedPoint | None = None, repeats: int = 3) -> MPCTimings:
    """Measure this machine in a few seconds: small programs that stress one constant each, between local parties.

    The constants minimise relative errors and are never negative.
    """
    from scipy.optimize import nnls

    ring = fixed or FixedPoint()
    rows = []
    with LocalParties(preset, ring) as parties:
        for program in stresses():
            arrays = [np.full(declared.shape, 0.25, np.float32) for declared in program.inputs]
            seconds = trial(parties, program, arrays, repeats).seconds
            found = load(program, preset, ring)
            if found is not None:
                rows.append(np.array(weights(found, ring.field_bits)) / seconds)
    constants, _ = nnls(np.array(rows), np.ones(len(rows)))
    return MPCTimings(*(float(constant) for constant in constants))


def stresses() -> tuple[Program, ...]:
    """Many messages; many bytes; many comparisons; many elements; many products."""
    short, long, image = (Input(shape, -1.0, 1.0, None) for shape in ((64,), (1 << 16,), (8, 64, 64)))
    generator = np.random.default_rng(0)
    kernel, matrix = generator.standard_normal((16, 8, 3, 3)), generator.standard_normal((64, 64))
    return (
        trace(lambda x: x.abs().compare(0.5, exact=False), short),
        trace(lambda x: x.sqrt((0.0, 1.0)), short),
        trace(lambda x: x * x * x, long),
        trace(lambda x: x.relu(), long),
        trace(lambda x: concat(x + x, 0.5 - x).sum(0), long),
        trace(lambda x: x >> ops.Conv(kernel / 10), image),
        trace(lambda x: x >> ops.Dense(matrix / 100), image),
    )
