"""Readings of a program: each walks the same graph and returns something else."""

from privis.readings.alternatives import alternative
from privis.readings.batched import batched
from privis.readings.cost import Cost, cost
from privis.readings.evaluate import evaluate
from privis.readings.homogeneity import homogeneity, stretch
from privis.readings.measured import Measured, measured
from privis.readings.polynomialise import NodeError, PolynomialForm, polynomialise
from privis.readings.promises import broken_promises, promised
from privis.readings.ranges import Interval, check_domains, domain_problems, ranges
from privis.readings.reach import Reach, reach
from privis.readings.secret_weights import SecretModel, architecture, secret_weights
from privis.readings.split import split_at_owner

__all__ = [
    "Cost", "Interval", "Measured", "NodeError", "PolynomialForm", "Reach", "SecretModel",
    "alternative", "architecture", "batched", "broken_promises", "check_domains", "cost", "domain_problems", "evaluate",
    "homogeneity", "measured", "polynomialise", "promised", "ranges", "reach", "secret_weights", "split_at_owner",
    "stretch",
]  # fmt: skip
