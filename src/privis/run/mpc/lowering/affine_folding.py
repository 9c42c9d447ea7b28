"""Networks before they run on shares: layers folded into one."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from privis.program import Program, ops
from privis.program.graph import Node

Array = NDArray[np.floating]


def folded(program: Program) -> Program:
    """Scale the kernels instead of what comes out of them, where an ``Affine`` alone follows a ``Conv``.

    It saves a truncation of every result. Nodes keep their numbers.
    """
    first = len(program.inputs)
    uses = [operand for node in program.nodes for operand in node.operands] + list(program.outputs)
    nodes = list(program.nodes)
    for index, node in enumerate(program.nodes):
        source = node.operands[0] - first
        before = nodes[source].op if source >= 0 else None
        if isinstance(node.op, ops.Affine) and isinstance(before, ops.Conv) and uses.count(source + first) == 1:
            scale = _per_channel(np.asarray(node.op.scale, np.float64), len(before.kernel))
            if scale is not None:
                kernel = before.kernel * scale[:, None, None, None]
                nodes[source] = Node(dataclasses.replace(before, kernel=kernel), nodes[source].operands)
                nodes[index] = Node(ops.Affine(1.0, node.op.bias), node.operands)
    return Program(program.inputs, tuple(nodes), program.outputs)


def _per_channel(scale: Array, channels: int) -> Array | None:
    """One factor per output channel, or None where ``scale`` is more or less than that."""
    fits = scale.shape[-3:] == (channels, 1, 1) and scale.size == channels
    return scale.reshape(channels) if fits else None
