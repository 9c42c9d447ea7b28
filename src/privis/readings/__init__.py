"""Readings of a program: each walks the same graph and returns something else."""

from privis.readings.analysis.operation_counts import Cost, cost
from privis.readings.analysis.ranges import Interval, check_domains, domain_problems, ranges
from privis.readings.analysis.reach import Reach, reach
from privis.readings.approximation.homogeneity import homogeneity, stretch
from privis.readings.approximation.measured_error import Measured, measured
from privis.readings.approximation.polynomialise import NodeError, PolynomialForm, polynomialise
from privis.readings.approximation.predicted_error import PredictedError
from privis.readings.evaluate import evaluate
from privis.readings.transform.batched import batched
from privis.readings.transform.composed import composed
from privis.readings.transform.in_step import in_step
from privis.readings.transform.packed import packed, side_by_side
from privis.readings.transform.promises import broken_promises, promised
from privis.readings.transform.region_alternatives import alternative
from privis.readings.transform.secret_weights import SecretModel, architecture, secret_weights
from privis.readings.transform.split_at_owner import split_at_owner

__all__ = [
    "Cost", "Interval", "Measured", "NodeError", "PolynomialForm", "PredictedError",
    "Reach", "SecretModel",
    "alternative", "architecture", "batched", "broken_promises", "check_domains", "composed", "cost", "domain_problems",
    "evaluate", "homogeneity", "in_step", "measured", "packed", "polynomialise", "promised", "ranges", "reach",
    "secret_weights", "side_by_side", "split_at_owner", "stretch",
]  # fmt: skip
