"""Readings of a program: each walks the same graph and returns something else."""

from privis.readings.cost import Cost, cost
from privis.readings.evaluate import evaluate
from privis.readings.polynomialise import NodeError, PolynomialForm, polynomialise
from privis.readings.promises import broken_promises
from privis.readings.ranges import Interval, check_domains, domain_problems, ranges

__all__ = [
    "Cost", "Interval", "NodeError", "PolynomialForm",
    "broken_promises", "check_domains", "cost", "domain_problems", "evaluate", "polynomialise", "ranges",
]  # fmt: skip
