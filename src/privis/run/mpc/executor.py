"""``MPC``: the executor that secret-shares its input between parties, who compute without seeing it."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Self

import numpy as np

from privis.errors import DomainError, ParameterError, Problem, refuse
from privis.identity import UNIDENTIFIED
from privis.program import Program
from privis.readings import Cost, PredictedError
from privis.run.mpc.accuracy import predicted_error
from privis.run.mpc.cost.predict import MPCTimings, predicted
from privis.run.mpc.job import Drop, Instruction, Job, Reveal, Run, Share, Source
from privis.run.mpc.lowering.precision import choose_fixed_point
from privis.run.mpc.protocols import MPCProtocol, Preset, preset
from privis.run.mpc.runtime.sessions import PartySessions
from privis.run.mpc.runtime.shares import require_spu
from privis.validation import positive_number

OWNER = "owner"


@dataclass(frozen=True)
class MPC:
    """Compute on secret shares between three parties (ABY3) or two (Cheetah).

    The caller is an outside owner: it shares each input, the parties run the program, it alone joins the result. The
    parties are processes of this machine, to try out programs and measure them; between real owners a job runs on
    ``privis party`` processes. They start with the first run, stay for the next ones, and end with ``close``, at the
    end of a ``with`` block, or with this process.

    Args:
        protocol: ``MPCProtocol.ABY3`` or ``CHEETAH``, or one without protection, for tests. A name is deprecated.
        insecure: allow protocols without protection.
        most_error: refuse programs whose predicted error is more than this share of the largest value. None: no limit.

    Raises:
        ParameterError: an unknown protocol, or one without protection and ``insecure`` is False.

    >>> MPC(MPCProtocol.ABY3).preset.model
    'semi-honest parties, at most one of three corrupt, no dealer'
    """

    identifier: ClassVar[str] = "privis.mpc/1"

    protocol: MPCProtocol = MPCProtocol.ABY3
    insecure: bool = False
    most_error: float | None = field(default=None, repr=False, compare=False, metadata=UNIDENTIFIED)
    _sessions: PartySessions = field(
        default_factory=PartySessions, init=False, repr=False, compare=False, metadata=UNIDENTIFIED
    )

    def __post_init__(self) -> None:
        if isinstance(self.protocol, str):
            object.__setattr__(self, "protocol", _named(self.protocol))
        if not isinstance(self.protocol, MPCProtocol):
            expected = "a member of MPCProtocol"
            raise ParameterError(Problem("MPC.protocol", repr(self.protocol), expected, "try MPCProtocol.ABY3"))
        preset(self.protocol.value, insecure=self.insecure)
        if self.most_error is not None:
            refuse(ParameterError, positive_number("MPC.most_error", self.most_error))
        weakref.finalize(self, self._sessions.kill)

    def __reduce__(self) -> tuple[type[MPC], tuple[MPCProtocol, bool, float | None]]:
        return MPC, (self.protocol, self.insecure, self.most_error)  # processes stay where they are

    def __hash__(self) -> int:
        return hash((self.protocol, self.insecure))

    @property
    def preset(self) -> Preset:
        """The protocol and its threat model."""
        return preset(self.protocol.value, insecure=self.insecure)

    @property
    def seen(self) -> str:
        """The owner alone, under the protocol's assumptions."""
        parties = "the parties, here processes of the owner's machine, hold shares"
        return f"Only their owner sees the images; {parties} ({self.preset.model})."

    @property
    def sent(self) -> int:
        """Bytes that a party sent so far, mean of all parties."""
        return self._sessions.sent

    def supports(self, program: Program) -> list[Problem]:
        """All nodes whose values cannot be represented in fixed point, with their numbers."""
        try:
            choose_fixed_point([program])
        except DomainError as error:
            return list(error.problems)
        if self.most_error is None:
            return []
        return self.error(program).problems("MPC.most_error", self.most_error)

    def cost(self, program: Program) -> Cost:
        """Predicted seconds, bytes a party sends and messages one after another, on this machine."""
        machine = MPCTimings.of_this_machine(self.preset)
        return predicted(program, self.preset, choose_fixed_point([program]), machine=machine)

    def error(self, program: Program) -> PredictedError:
        """The rounding of fixed point, simulated in the clear on made-up inputs."""
        return predicted_error(program, choose_fixed_point([program]))

    def prepare(self, program: Program) -> Callable[..., Any]:
        """Choose fixed point for ``program``; parties start with the first run.

        Returns:
            A function of the inputs (numpy arrays of the declared shapes) that shares them, runs the program and joins
            the outputs (float32); it raises PartyError when a party fails.

        Raises:
            DomainError: ``supports`` has objections.
            MissingExtraError: SPU or JAX is not installed.
        """
        require_spu()
        job = _job(program, self.preset)

        def run(*inputs: Any) -> Any:
            arrays = {f"x{index}": np.asarray(x) for index, x in enumerate(inputs)}
            revealed = self._sessions.run(job, arrays)
            outputs = [revealed[f"y{index}"].astype(np.float32) for index in range(len(program.outputs))]
            return outputs[0] if len(outputs) == 1 else tuple(outputs)

        return run

    def start(self, program: Program) -> None:
        """Start the parties, unless they run, and have them compile ``program``.

        Args:
            program: one that ``supports`` has nothing against.

        Raises:
            DomainError: ``supports`` has objections.
            MissingExtraError: SPU or JAX is not installed.
            PartyError: a party does not start.
        """
        require_spu()
        self._sessions.start(self.preset, choose_fixed_point([program]), program)

    def close(self) -> None:
        """Stop the processes of all parties; the next run starts them again."""
        self._sessions.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _named(protocol: str) -> MPCProtocol:
    """The protocol that a former call means; ParameterError for unknown names."""
    warnings.warn("MPC(name) ends with the next version: say MPC(MPCProtocol.ABY3)", DeprecationWarning, stacklevel=4)
    return MPCProtocol(preset(protocol, insecure=True).name)


def _job(program: Program, kind: Preset) -> Job:
    """Share the inputs, run once, reveal every output to their owner, forget everything."""
    inputs = tuple(f"x{index}" for index in range(len(program.inputs)))
    outputs = tuple(f"y{index}" for index in range(len(program.outputs)))
    steps: list[Instruction] = [Share(name) for name in inputs]
    steps += [Run("feature", inputs, outputs), *(Reveal(name, (OWNER,)) for name in outputs), Drop(inputs + outputs)]
    return Job(
        kind,
        tuple(f"party{rank}" for rank in range(kind.parties)),
        {name: Source(OWNER, declared) for name, declared in zip(inputs, program.inputs, strict=True)},
        {"feature": program},
        tuple(steps),
    )
