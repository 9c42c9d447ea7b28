"""Promised ranges for networks whose intervals grow without end."""

from __future__ import annotations

import dataclasses
import math

from privis.program import Kind, Program, ops
from privis.program.graph import Node


def promised(program: Program, bound: float) -> Program:
    """Every ReLU declares that its operand stays within ``bound``; tests check it with ``broken_promises``."""
    nodes = [
        Node(dataclasses.replace(node.op, domain=(-bound, bound)), node.operands)
        if isinstance(node.op, ops.Nonlinear) and node.op.kind is Kind.CLIP and node.op.b == math.inf
        else node
        for node in program.nodes
    ]
    return Program(program.inputs, tuple(nodes), program.outputs, program.regions)
