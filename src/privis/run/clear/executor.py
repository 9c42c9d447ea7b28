"""``Clear``: the executor without protection, and the reference for all others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from privis.errors import MissingExtraError, Problem
from privis.program import Program, ops
from privis.readings import Cost, PredictedError, cost, evaluate

ROUNDING = 1e-5  # of the largest value


@dataclass(frozen=True)
class Clear:
    """Compute in the clear, on the machine that holds the image.

    Args:
        native: use compiled kernels and onnxruntime where tests prove them equal to ``evaluate``; else the definition
            itself runs.
    """

    identifier: ClassVar[str] = "privis.clear/1"

    native: bool = True

    @property
    def seen(self) -> str:
        """The process that runs the program sees the images."""
        return "The machine that runs Privis sees the images."

    @property
    def sent(self) -> int:
        """Nothing leaves the process."""
        return 0

    def supports(self, program: Program) -> list[Problem]:
        """Every op runs in the clear."""
        return []

    def cost(self, program: Program) -> Cost:
        """Counts of ``program``, without seconds: time per operation differs too much between compiled kernels."""
        return cost(program)

    def error(self, program: Program) -> PredictedError:
        """The rounding of float32."""
        return PredictedError(ROUNDING, "float32: what the conformance suite allows")

    def prepare(self, program: Program) -> Callable[..., Any]:
        """Return a function of the inputs (numpy arrays) that computes the outputs; reusable, not picklable."""
        if not self.native:
            return lambda *inputs: evaluate(program, *inputs)
        if _is_network(program):
            from privis.run.clear.onnx_lowering import lower

            with contextlib.suppress(MissingExtraError):  # slower without onnxruntime, but the same
                lowered = lower(program)
                if lowered is not None:
                    return lowered
        from privis.run.clear.native import compile_native

        return compile_native(program)


def _is_network(program: Program) -> bool:
    """A convolution that mixes many channels: the work is worth a session of onnxruntime."""
    if program.regions:
        return False
    return any(isinstance(n.op, ops.Conv) and np.prod(n.op.kernel.shape[:2]) >= 16 for n in program.nodes)
