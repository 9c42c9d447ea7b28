"""How exact a program is on shares: the definition with every rounding of fixed point put in, on made-up inputs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from privis.program import Kind, Program, ops
from privis.program.graph import Node
from privis.program.ops import Op
from privis.readings import PredictedError, cost, ranges
from privis.readings.analysis.ranges import Interval
from privis.readings.approximation.predicted_error import largest_error, made_up
from privis.readings.evaluate import evaluate_op
from privis.run.mpc.fixed_point import FixedPoint
from privis.run.mpc.lowering.shared_tensor import magnitude, natural_scale

# What the rules in ``lowering.nonlinear`` state: of the result, or of 1
RELATIVE = {Kind.SQRT: 3e-4, Kind.RSQRT: 2e-4, Kind.RECIPROCAL: 1e-4}
ABSOLUTE = {Kind.SIGMOID: 2e-4, Kind.TANH: 4e-4, Kind.LOG: 4e-4, Kind.ERF: 1e-4, Kind.SOFTPLUS: 2e-4}
LENGTH = 1e-3  # of a component of a unit vector
EXPONENTIAL = 1e-4  # of the largest that may occur
SAFETY = 4.0  # roundings of real runs are not those drawn here
BASIS = "fixed point of {bits} binary places, simulated on made-up images"
EXACT = "whole numbers: exact"


def predicted_error(program: Program, fixed: FixedPoint) -> PredictedError:
    """Predict the error of ``program`` in ``fixed``: an estimate, no bound.

    >>> from privis.program import Input, trace
    >>> predicted_error(trace(lambda x: x.sum(0), Input((4,))), FixedPoint()).words
    'none (whole numbers: exact)'
    """
    known, first = ranges(program), len(program.inputs)
    loose = [not _is_whole(interval) for interval in known]
    if not any(loose):
        return PredictedError(0.0, EXACT)

    def on_shares(*inputs: np.ndarray) -> list[np.ndarray]:
        random = np.random.default_rng(0)

        def rule(index: int, node: Node, operands: list[np.ndarray]) -> np.ndarray:
            result = np.asarray(evaluate_op(node.op, operands, np))
            if not loose[first + index] or isinstance(node.op, _MOVES):
                return result
            interval = known[first + index]
            last = 2.0**-fixed.fraction_bits  # of a value in its unit, and of a public weight
            size = last * (natural_scale(magnitude(interval)) + np.abs(result)) + _rule_error(node.op, result, interval)
            return result + size * random.uniform(-1, 1, result.shape)

        values = program.read(rule, [np.asarray(x, np.float64) for x in inputs])
        return [values[output] for output in program.outputs]

    off = largest_error(program, on_shares, made_up(program, cost(program).operations or 0))
    return PredictedError(SAFETY * off, BASIS.format(bits=fixed.fraction_bits))


_MOVES = ops.Reshape | ops.Transpose | ops.Slice | ops.Gather | ops.Window | ops.Pad | ops.Concat


def _is_whole(interval: Interval) -> bool:
    return interval.step is not None and interval.step % 1 == 0


def _rule_error(op: Op, result: np.ndarray, interval: Interval) -> Any:
    match op:
        case ops.Normalise():
            return LENGTH
        case ops.Nonlinear(Kind.EXP):
            return EXPONENTIAL * min(interval.bounds[1], math.exp(80.0))
        case ops.Nonlinear(kind):
            return RELATIVE.get(kind, 0.0) * np.abs(result) + ABSOLUTE.get(kind, 0.0)
        case _:
            return 0.0
