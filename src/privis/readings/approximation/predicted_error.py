"""How far an executor's results are from the definition: a number before anything private is touched."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import Problem
from privis.program import Input, Program
from privis.readings.evaluate import evaluate

MOST_OPERATIONS = 2**27  # of a program that is evaluated on all kinds of made-up inputs; above, on two


@dataclass(frozen=True)
class PredictedError:
    """The largest distance of a result from the definition's, of its largest magnitude.

    ``relative`` is None where it is not known. ``basis`` says how it was found: a bound, or the largest found on
    made-up inputs, which is none. ``causes`` name what it comes from, node by node.
    """

    relative: float | None
    basis: str
    causes: tuple[str, ...] = ()

    def problems(self, where: str, most: float | None) -> list[Problem]:
        """A problem where more than ``most`` is predicted; None: no limit.

        >>> PredictedError(0.03, "found on made-up inputs").problems("CKKS.most_error", 0.01)[0].got
        'a predicted error of 0.03 of the largest value (found on made-up inputs)'
        """
        if most is None or (self.relative is not None and self.relative <= most):
            return []
        remedy = "use another executor or activation, or a larger limit"
        return [Problem(where, f"a predicted error of {self.words}", f"at most {most:g}", remedy)]

    @property
    def words(self) -> str:
        """The number and its basis.

        >>> PredictedError(0.0, "exact arithmetic").words
        'none (exact arithmetic)'
        """
        if self.relative is None:
            return f"unknown size ({self.basis})"
        size = "none" if self.relative == 0 else f"{self.relative:.2g} of the largest value"
        return f"{size} ({self.basis})"


def typical(declared: Input) -> list[NDArray[np.float64]]:
    """Inputs of all kinds that pictures have: flat, noisy, ramps, edges, and smooth noise. Made by no secret."""
    rng = np.random.default_rng(0)
    shape, spread = declared.shape, declared.high - declared.low
    noise = rng.random(shape)
    axes = np.meshgrid(*(np.linspace(0, 1, n) for n in shape), indexing="ij") if shape else [np.array(0.5)]
    smooth = np.mean([np.sin(6 * a * (k + 1) + k) for k, a in enumerate(axes)], axis=0) / 2 + 0.5
    kinds = [np.full(shape, 0.5), np.full(shape, 0.95), noise, axes[-1], (axes[-1] > 0.5) * 1.0, smooth]
    return [declared.low + spread * kind for kind in kinds]


def made_up(program: Program, operations: int) -> list[tuple[NDArray[np.float64], ...]]:
    """Typical inputs of ``program``: on its declared grids, and two of them where it takes many ``operations``."""
    kinds = [[_on_grid(x, declared) for x in typical(declared)] for declared in program.inputs]
    found = list(zip(*kinds, strict=True))
    return found if operations <= MOST_OPERATIONS else [found[2], found[5]]


def _on_grid(x: NDArray[np.float64], declared: Input) -> NDArray[np.float64]:
    if not declared.step:
        return x
    return np.clip(np.round(x / declared.step) * declared.step, declared.low, declared.high)


def largest_error(
    program: Program, approximate: Callable[..., Sequence[Any]], inputs: Sequence[tuple[NDArray[np.float64], ...]]
) -> float:
    """Compare ``approximate`` with the definition on ``inputs``: the largest distance over the largest magnitude.

    >>> from privis.program import trace
    >>> doubled = trace(lambda x: x * 2.0, Input((3,)))
    >>> largest_error(doubled, lambda x: [x * 2.02], [(np.array([1.0, 2.0, 4.0]),)])
    0.01
    """
    off = size = 0.0
    with np.errstate(all="ignore"):
        for sample in inputs:
            exact = evaluate(program, *sample)
            exact = exact if isinstance(exact, tuple) else (exact,)
            for got, wanted in zip(approximate(*sample), exact, strict=True):
                distance = np.abs(np.asarray(got, np.float64) - wanted)
                if not np.isfinite(distance).all():
                    return math.inf
                off = max(off, float(distance.max(initial=0.0)))
                size = max(size, float(np.abs(wanted).max(initial=0.0)))
    return round(off / size if size else off, 12)


__all__ = ["PredictedError", "largest_error", "made_up", "typical"]
