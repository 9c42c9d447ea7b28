"""Readings of a program: each walks the same graph and returns something else."""

from privis.readings.alternatives import alternative
from privis.readings.batched import batched
from privis.readings.cost import Cost, cost
from privis.readings.evaluate import evaluate
from privis.readings.polynomialise import NodeError, PolynomialForm, polynomialise
from privis.readings.promises import broken_promises
from privis.readings.ranges import Interval, check_domains, domain_problems, ranges
from privis.readings.secret_weights import SecretModel, architecture, secret_weights

__all__ = [
    "Cost", "Interval", "NodeError", "PolynomialForm", "SecretModel",
    "alternative", "architecture", "batched", "broken_promises", "check_domains", "cost", "domain_problems", "evaluate",
    "polynomialise", "ranges", "secret_weights",
]  # fmt: skip
