"""Reading ``measured``: how far a polynomial form is from its program on given inputs, where bounds say too little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from privis.errors import ParameterError, Problem
from privis.program import Program
from privis.readings.approximation.homogeneity import homogeneity, stretch
from privis.readings.approximation.polynomialise import PolynomialForm
from privis.readings.evaluate import evaluate


@dataclass(frozen=True)
class Measured:
    """Distances found on ``samples`` inputs: no bound for any other.

    ``largest`` and ``root_mean_square`` count elements of the outputs, in their units; ``least_cosine`` is the least
    cosine between the outputs of one input, flat, and the program's (1 where both are zero).
    """

    samples: int
    largest: float
    root_mean_square: float
    least_cosine: float


def measured(
    program: Program, form: PolynomialForm, samples: Sequence[np.ndarray], *, stretched: bool = False
) -> Measured:
    """Compare ``form`` with ``program``, the definition it was made from, on ``samples`` of its one input.

    ``stretched`` scales each sample by ``stretch`` first and the result back, as its owner may. What it finds includes
    blurred comparisons and the differences of polynomial alternatives, which ``PolynomialForm.deviations`` leave out.
    Raises ParameterError without samples, and what ``stretch`` raises.

    >>> from privis.program import Input, trace
    >>> from privis.readings import polynomialise
    >>> program = trace(lambda x: x.compare(128.0), Input((256,)))
    >>> found = measured(program, polynomialise(program, stages=3), [np.arange(256.0)])
    >>> found.samples, 0.5 < found.largest < 1, 0.99 < found.least_cosine < 1
    (1, True, True)
    """
    if not samples:
        raise ParameterError(Problem("measured.samples", "none", "at least one input"))
    degree = homogeneity(form.definition) if stretched else None
    largest, squares, count, cosine = 0.0, 0.0, 0, 1.0
    for sample in samples:
        x = np.asarray(sample, np.float64)
        factor = stretch(form, x) if stretched else 1.0
        ours = _flat(evaluate(form.program, factor * x)) / factor ** (degree or 0.0)
        exact = _flat(evaluate(program, x))
        off = np.abs(ours - exact)
        largest = max(largest, float(off.max(initial=0.0)))
        squares, count = squares + float(off @ off), count + off.size
        cosine = min(cosine, _cosine(ours, exact))
    return Measured(len(samples), largest, float(np.sqrt(squares / max(count, 1))), cosine)


def _flat(outputs: np.ndarray | tuple[np.ndarray, ...]) -> np.ndarray:
    parts = outputs if isinstance(outputs, tuple) else (outputs,)
    return np.concatenate([np.asarray(part).ravel() for part in parts])


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    if lengths == 0:
        return 1.0 if not a.any() and not b.any() else 0.0
    return float(a @ b) / lengths


__all__ = ["Measured", "measured"]
