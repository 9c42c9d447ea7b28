"""Readings ``homogeneity`` and ``stretch``: by how much an owner may scale an input so that polynomials see it large.

Polynomial comparisons blur a fixed share of their domain. An image of low contrast uses little of the domain, and more
of it is blurred; scaled by its owner before encryption it uses all. Where the program is homogeneous the factor comes
out of the result again.
"""

from __future__ import annotations

import math

import numpy as np

from privis.errors import DomainError, Problem
from privis.program import Kind, Program, ops
from privis.program.graph import Node
from privis.program.ops import Op
from privis.readings.approximation.polynomialise import PolynomialForm
from privis.readings.evaluate import evaluate_op

Degree = float | None
NEGLIGIBLE = 1e-9  # share of a norm below which a guard against division by zero is no summand
SAFETY = 1 - 1e-6  # below the edge of a domain, for rounding and the noise of encryption


def homogeneity(program: Program) -> Degree:
    """Return ``k`` with ``program(c * x) = c**k * program(x)`` for all ``c >= 1``, or None where there is none.

    All inputs are scaled alike and all outputs must agree. Guards of a ``Normalise`` that are below 1e-9 of the least
    norm in its domain do not count.

    >>> from privis.program import Input, trace
    >>> homogeneity(trace(lambda x: (x[1:] - x[:-1]).compare(0.0), Input((4,))))
    0.0
    >>> homogeneity(trace(lambda x: (x * x).sum(0), Input((4,))))
    2.0
    """
    found = _degrees(program)
    degrees = {found[output] for output in program.outputs}
    return degrees.pop() if len(degrees) == 1 else None


def stretch(form: PolynomialForm, *inputs: np.ndarray) -> float:
    """Return the largest ``c`` such that ``c * inputs`` stay in the domain of every polynomial of ``form``.

    The owner calls it in the clear, before anything is encrypted, and divides the result by ``c`` to the power
    ``homogeneity(form.definition)``. It is below 1 where an input is beyond a promised domain, and 1 where nothing
    depends on it, as for a flat image. Raises DomainError when the definition is not homogeneous, and, with the nodes
    and numbers, when no ``c`` fits all domains.

    >>> from privis.program import Input, trace
    >>> from privis.readings import polynomialise
    >>> form = polynomialise(trace(lambda x: (x[1:] - x[:-1]).compare(0.0, exact=False), Input((4,))))
    >>> round(stretch(form, np.array([0.0, 1.0, 0.0, 2.0])), 3)
    127.5
    """
    if homogeneity(form.definition) is None:
        remedy = "do not stretch it: its result depends on the scale of its input"
        raise DomainError(Problem("stretch", "a program that is not homogeneous", "a homogeneous one", remedy))
    degrees = _degrees(form.definition)
    operands = _operands(form, inputs)
    limits = []
    for error in form.errors:
        node = form.definition.nodes[error.node]
        degree = (degrees[node.operands[0]] or 0.0) * (2 if isinstance(node.op, ops.Normalise) else 1)
        limits.append((error.where, *_factors(operands[error.node], error.domain, degree)))
    most = min((high for _, _, high in limits), default=math.inf)
    least = max((low for _, low, _ in limits), default=0.0)
    if most < least:
        problems = [
            Problem(where, f"values that need a factor from {low:.3g} to {high:.3g}", "one factor for all nodes")
            for where, low, high in limits
            if high == most or low == least
        ]
        raise DomainError(*problems)
    return max(1.0, least) if most == math.inf else max(least, most * SAFETY)


def _operands(form: PolynomialForm, inputs: tuple[np.ndarray, ...]) -> dict[int, tuple[float, float]]:
    """The range of what each replaced node reads; sums of squares for ``Normalise``."""
    wanted = {error.node for error in form.errors}
    seen: dict[int, tuple[float, float]] = {}

    def rule(index: int, node: Node, values: list[np.ndarray]) -> np.ndarray:
        if index in wanted:
            x = values[0]
            x = (x * x).sum(-1) if isinstance(node.op, ops.Normalise) else x
            seen[index] = float(x.min()), float(x.max())
        return np.asarray(evaluate_op(node.op, values, np))

    with np.errstate(all="ignore"):
        form.definition.read(rule, [np.asarray(x, np.float64) for x in inputs])
    return seen


def _factors(values: tuple[float, float], domain: tuple[float, float], degree: float) -> tuple[float, float]:
    """The factors of the input that keep ``values`` in ``domain``: from, to."""
    if degree == 0.0:
        return 0.0, math.inf
    least, most = 0.0, math.inf
    for value in values:
        if value:
            low, high = sorted(bound / value for bound in domain)
            least, most = max(least, low), min(most, high)
        elif not domain[0] <= 0 <= domain[1]:
            most = -math.inf
    if most < 0:
        return math.inf, 0.0
    return max(least, 0.0) ** (1 / degree), most ** (1 / degree)


def _degrees(program: Program) -> list[Degree]:
    return program.read(lambda _, node, operands: _degree(node.op, operands), [1.0] * len(program.inputs))


def _degree(op: Op, operands: list[Degree]) -> Degree:
    """The degree of a result; whatever is computed from values of degree 0 alone has degree 0."""
    if all(k == 0.0 for k in operands):
        return 0.0
    k = operands[0]
    if k is None or any(other is None for other in operands):
        return None
    match op:
        case ops.Mul() | ops.MatMul():
            return sum(other for other in operands if other is not None)
        case ops.Affine(_, bias) if np.any(bias):
            return None
        case ops.Pad(_, value) if value != 0:
            return None
        case ops.Compare(threshold):
            return 0.0 if not np.any(threshold) else None
        case ops.Normalise(domain, inside, outside):
            guarded = inside > NEGLIGIBLE * domain[0] or outside > NEGLIGIBLE * math.sqrt(domain[0])
            return None if guarded else 0.0
        case ops.Nonlinear():
            return _nonlinear(op, k)
        case ops.Poly(coefficients, domain):
            is_linear = domain[0] == -domain[1] and not any((*coefficients[:1], *coefficients[2:]))
            return k if is_linear else None
        case ops.ArgMax():
            return 0.0
        case ops.Histogram() | ops.TopK():
            return None
        case _:
            return k if len(set(operands)) == 1 else None


def _nonlinear(op: ops.Nonlinear, k: float) -> Degree:
    match op.kind:
        case Kind.ABS:
            return k
        case Kind.CLIP:
            return k if {op.a, op.b} <= {0.0, math.inf, -math.inf} else None
        case Kind.SQRT:
            return k / 2
        case Kind.RECIPROCAL:
            return -k if op.a == 0 else None
        case Kind.RSQRT:
            return -k / 2 if op.a == 0 else None
        case _:
            return None


__all__ = ["homogeneity", "stretch"]
