"""How secure the keys of an offer are: its ring and modulus, beside the tables of `privis.run.he.security`."""

from __future__ import annotations

from privis.errors import ParameterError, Problem
from privis.run.he.compiler.program_specification import Spec
from privis.run.he.engine import Parameters
from privis.run.he.matching.decision_specification import DecisionSpec
from privis.run.he.matching.matching_specification import PARAMETERS
from privis.run.he.security import SecurityStandard
from privis.serve.offerings.offering import Terms


def parameters_of(terms: Terms) -> Parameters:
    """Ring degree and primes of the keys of an offer.

    Args:
        terms: of a program or of a gallery.

    Returns:
        Its parameters.

    Raises:
        ProtocolError: terms that are damaged or of another version.
    """
    if "gallery" not in terms.words:
        return Spec.from_json(terms.specification).parameters
    decides = terms.words["gallery"].get("answers") == "decisions"
    return DecisionSpec.from_json(terms.specification).parameters if decides else PARAMETERS


def require_standard(terms: Terms, wanted: SecurityStandard | None) -> None:
    """Refuse an offer whose parameters do not meet a table.

    Args:
        terms: of a program or of a gallery.
        wanted: the table; None: any that there is.

    Raises:
        ParameterError: they are beyond it.
    """
    parameters = parameters_of(terms)
    if wanted is not None and wanted not in parameters.standards:
        remedy = f"ask whoever offers it for privis serve --standard {wanted.value}"
        raise ParameterError(Problem(f"offer {terms.name}", parameters.security, wanted.title, remedy))
