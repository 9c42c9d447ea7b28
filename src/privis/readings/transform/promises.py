"""Readings that make and check promises: ``promised`` and ``broken_promises``."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from privis.errors import Problem
from privis.program import Kind, Program, ops
from privis.program.graph import Node
from privis.readings.evaluate import evaluate_op


def promised(program: Program, total: float) -> Program:
    """Return ``program`` with the promise that what any ReLU lets through adds up to at most ``total`` an image.

    Intervals of a deep network grow without end. With the promise they start anew from ``total`` at every ReLU: under
    MPC the network then fits a 64-bit ring instead of one of 128 bits. The parties check the promise on shares, except
    where intervals prove that no single activation exceeds ``total``, which is all that is relied on. Where it is
    broken receivers get a DomainError and nothing else: that one bit is what it reveals. In the clear it changes
    nothing. A layer's usual total times three or more is a good choice.

    >>> from privis.program import Input, trace
    >>> from privis.readings import ranges
    >>> ranges(promised(trace(lambda x: (x * 1e9).relu(), Input((8, 8))), 2.0**10))[-1].bounds
    (0.0, 1024.0)
    """

    def bounded(op: ops.Op) -> ops.Op:
        relu = isinstance(op, ops.Nonlinear) and op.kind is Kind.CLIP and (op.a, op.b) == (0.0, math.inf)
        return dataclasses.replace(op, domain=(-total, total)) if relu else op

    nodes = tuple(Node(bounded(node.op), node.operands) for node in program.nodes)
    return Program(program.inputs, nodes, program.outputs, program.regions)


def broken_promises(program: Program, *inputs: np.ndarray) -> list[Problem]:
    """Return the nodes whose declared domain or grid ``inputs`` leave, with the numbers.

    An image owner runs this in the clear, before anything is encrypted or shared: a domain that ``domain_problems``
    cannot prove for all images is certain for the images that pass.

    >>> from privis.program import Input, trace
    >>> root = trace(lambda x: x.sqrt((0.0, 100.0)), Input((2,)))
    >>> print(broken_promises(root, np.array([4.0, 144.0]))[0])
    node 0 Nonlinear: got values in [4, 144], expected the declared domain [0, 100]
    """
    problems: list[Problem] = []

    def rule(index: int, node: Node, operands: list[np.ndarray]) -> np.ndarray:
        problem = _broken(program.where(index), node.op, operands[0])
        if problem:
            problems.append(problem)
        return evaluate_op(node.op, operands, np)

    with np.errstate(all="ignore"):  # beyond a broken promise anything may follow; the promise is what is reported
        program.read(rule, [np.asarray(x, np.float64) for x in inputs])
    return problems


def _broken(where: str, op: ops.Op, x: np.ndarray) -> Problem | None:
    match op:
        case ops.Poly(_, domain) | ops.Nonlinear(_, tuple() as domain):
            pass
        case ops.Normalise(domain):
            x = (x * x).sum(-1)
        case ops.Compare(_, step, True) | ops.Histogram(_, step):
            off = np.abs(x / step - np.round(x / step)).max(initial=0.0)
            return None if off < 1e-6 else Problem(where, f"values {off:g} steps off", f"the declared grid {step:g}")
        case _:
            return None
    low, high = float(x.min()), float(x.max())
    slack = 1e-6 * max(abs(domain[0]), abs(domain[1]))
    if domain[0] - slack <= low and high <= domain[1] + slack:
        return None
    expected = f"the declared domain [{domain[0]:g}, {domain[1]:g}]"
    return Problem(where, f"values in [{low:g}, {high:g}]", expected)
