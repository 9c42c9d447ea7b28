"""The definition of a region: what a kernel falls back on where an input is not of the type that it is compiled for."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import numpy as np

from privis.program import Program, Region, ops
from privis.readings.evaluate import evaluate_op
from privis.run.clear.kernels.code_histogram import histogram

COUNTED = MappingProxyType({ops.Histogram: lambda _, op, x: histogram(op, x)})


def definition(program: Program, region: Region) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function of the one input of ``region`` that runs its nodes one by one."""
    first = len(program.inputs) + region.first
    (start,) = region.inputs

    def run(x: np.ndarray) -> np.ndarray:
        values = {start: x if x.dtype in (np.float32, np.float64) else x.astype(np.float32)}
        for offset, node in enumerate(program.nodes[region.first : region.last + 1]):
            operands = [values[i] for i in node.operands]
            values[first + offset] = evaluate_op(node.op, operands, np, COUNTED)
        return np.asarray(values[len(program.inputs) + region.last])

    return run
