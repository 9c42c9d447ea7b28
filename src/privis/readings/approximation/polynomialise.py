"""Reading ``polynomialise``: the program with polynomials in place of what is not linear, and the error that makes."""

from __future__ import annotations

from dataclasses import dataclass

from privis.errors import DomainError, UnsupportedError, refuse
from privis.program import Program, Value, trace
from privis.program.graph import Node, apply
from privis.readings.analysis.ranges import domain_problems, ranges
from privis.readings.approximation.deviations import deviation, excess
from privis.readings.approximation.nodes import Effort, Moved, NodeError, Site, no_form, replacement
from privis.readings.transform.region_alternatives import alternative
from privis.readings.transform.simplify import simplified

PRECISION, CAPPED_PRECISION = 2.0**-9, 0.01


@dataclass(frozen=True, eq=False)
class PolynomialForm:
    """A program of additions and multiplications only, and the error of every replaced node.

    ``definition`` is what was replaced: the program with the polynomial alternatives of its regions in place; its
    nodes are those that ``errors`` count. ``deviations`` bounds, per output, the largest distance from ``definition``
    on inputs whose comparisons are all decided (to first order; infinite where nothing can be said), in the output's
    units.
    """

    program: Program
    errors: tuple[NodeError, ...]
    definition: Program
    deviations: tuple[float, ...]


def polynomialise(
    program: Program,
    *,
    promised: bool = False,
    precision: float | None = None,
    stages: int | tuple[int, ...] | None = None,
    sign_degree: int = 7,
    normalise_domain: tuple[float, float] | None = None,
    normalise_degree: int | None = None,
    normalise_error: float | None = None,
    alternatives: bool = True,
) -> PolynomialForm:
    """Replace every non-linear node of ``program`` by polynomials on its domain.

    ``precision`` is the largest distance of a decided comparison from 0 or 1: 2**-9 or, where ``stages`` caps what it
    may take, 0.01, for less precision leaves less undecided. ``stages`` is the largest number of
    polynomials of ``sign_degree`` in a comparison, or all their degrees: where they cannot decide the declared step,
    more values around the threshold are blurred, and ``NodeError.blur`` says which.
    ``normalise_domain`` and ``normalise_degree`` replace what ``Normalise`` nodes declare (a domain other than the
    declared one is for owners who ``stretch`` their input into it), and ``normalise_error`` is the largest relative
    error of a length: where the degree is too low for it, short vectors are left shorter. ``alternatives=False`` keeps
    the definition where a feature states a polynomial alternative.

    Raises DomainError when a node may be asked outside its declared domain, where polynomials explode: a degree-31 one
    has answered 1e21. ``promised=True`` accepts declared domains that analysis cannot prove; each input must then pass
    ``broken_promises``. Raises UnsupportedError for nodes without a polynomial form, all of them at once.

    >>> from privis.program import Input
    >>> form = polynomialise(trace(lambda x: x.compare(128.0), Input((4,))))
    >>> [type(node.op).__name__ for node in form.program.nodes][:2]
    ['Affine', 'Poly']
    """
    definition = alternative(program) if alternatives else Program(program.inputs, program.nodes, program.outputs)
    found = [no_form(definition.where(i), n.op) for i, n in enumerate(definition.nodes)]
    refuse(UnsupportedError, [problem for problem in found if problem])
    if not promised:
        refuse(DomainError, domain_problems(program))
    precision = precision or (PRECISION if stages is None else CAPPED_PRECISION)
    effort = Effort(precision, stages, sign_degree, normalise_domain, normalise_degree, normalise_error)
    known, shapes = ranges(definition), definition.shapes
    errors: list[NodeError] = []
    moved: list[Moved] = [Moved()] * len(definition.inputs)

    def build(*inputs: Value) -> tuple[Value, ...]:
        def rule(index: int, node: Node, operands: list[Value]) -> Value:
            first = node.operands[0]
            site = Site(index, definition.where(index), known[first], moved[first], effort, errors)
            replaced = replacement(node.op, operands, site)
            if replaced:
                moved.append(replaced[1])
                return replaced[0]
            taken, sizes = [known[i] for i in node.operands], [shapes[i] for i in node.operands]
            before = [moved[i] for i in node.operands]
            decided = deviation(node.op, [m.decided for m in before], taken, sizes)
            same = len(set(node.operands)) == 1
            moved.append(Moved(decided, excess(node.op, [m.excess for m in before], taken, sizes, same)))
            return apply(node.op, *operands)

        values = definition.read(rule, list(inputs))
        return tuple(values[output] for output in definition.outputs)

    form = simplified(trace(build, *definition.inputs))
    return PolynomialForm(
        form, tuple(errors), definition, tuple(moved[output].decided for output in definition.outputs)
    )


__all__ = ["NodeError", "PolynomialForm", "polynomialise"]
