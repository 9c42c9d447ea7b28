"""Estimate of the cost of a job of a compiled program on this machine."""

from __future__ import annotations

from privis.run.he.compiler.circuit_cost import CKKSTimings, predict
from privis.run.he.compiler.compiler import CompiledProgram
from privis.run.he.evaluation.evaluator import CACHE
from privis.serve.offerings.offering import Estimate


def estimate(made: CompiledProgram) -> Estimate:
    """Predict one job of ``made``: the first one of a worker, which also encodes the weights."""
    expected = predict(made.spec, made.choice.arrangement, CACHE, CKKSTimings.of_this_machine())
    sizes = expected.keys, expected.query, expected.reply, expected.memory
    return Estimate(expected.first_seconds, *sizes, images=made.spec.batch_size)
