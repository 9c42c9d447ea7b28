"""What a head does to a vector, stage by stage: scaling, a matrix, division by its length, squares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import Problem
from privis.program import Value, ops

Floats = npt.NDArray[np.float64]

NOTHING = 1e-20
"""Share of the longest vector's squared length below which a vector has no direction in a program."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """``scale * x + shift`` for every component: standardisation, bringing to a range.

    Args:
        scale: float64 (components,).
        shift: float64 (components,).
    """

    identifier: ClassVar[str] = "privis.scaling/1"

    scale: Floats = field(repr=False)
    shift: Floats = field(repr=False)

    def __call__(self, rows: Floats) -> Floats:
        """Scale and shift rows (rows, components)."""
        return rows * self.scale + self.shift

    def traced(self, x: Value, longest: float) -> Value:
        """Append the stage to a program that is being traced.

        Args:
            x: the vector, (components,).
            longest: its Euclidean length at most.

        Returns:
            What the stage makes of it.
        """
        return x >> ops.Affine(self.scale, self.shift)


@dataclass(frozen=True, eq=False)
class LinearMap:
    """``matrix @ x + bias``.

    Args:
        matrix: float64 (results, components).
        bias: float64 (results,).
    """

    identifier: ClassVar[str] = "privis.linear/1"

    matrix: Floats = field(repr=False)
    bias: Floats = field(repr=False)

    def __call__(self, rows: Floats) -> Floats:
        """Map rows (rows, components) to (rows, results)."""
        return rows @ self.matrix.T + self.bias

    def traced(self, x: Value, longest: float) -> Value:
        """Append the stage to a program that is being traced.

        Args:
            x: the vector, (components,).
            longest: its Euclidean length at most.

        Returns:
            What the stage makes of it.
        """
        made = x >> ops.Dense(self.matrix)
        return made >> ops.Affine(1.0, self.bias) if self.bias.any() else made


@dataclass(frozen=True)
class UnitLength:
    """``x`` over its Euclidean length; zero stays zero."""

    identifier: ClassVar[str] = "privis.unit-length/1"

    def __call__(self, rows: Floats) -> Floats:
        """Divide every row by its length."""
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)

    def traced(self, x: Value, longest: float) -> Value:
        """Append the stage to a program that is being traced.

        Args:
            x: the vector, (components,).
            longest: its Euclidean length at most; infinite where nothing bounds it.

        Returns:
            The vector over its length.
        """
        nothing = NOTHING * longest * longest if math.isfinite(longest) else NOTHING
        return x >> ops.Normalise((0.0, math.inf), inside=nothing)  # to the end that analysis of ranges proves


@dataclass(frozen=True)
class Square:
    """``x * x`` for every component: between two matrices, a network of one hidden layer whose activation is a square.

    It is what ciphertexts compute without an approximation. Reference: Gilad-Bachrach et al., "CryptoNets: applying
    neural networks to encrypted data with high throughput and accuracy", ICML 2016.
    """

    identifier: ClassVar[str] = "privis.square/1"

    def __call__(self, rows: Floats) -> Floats:
        """Square rows (rows, components)."""
        return rows * rows

    def traced(self, x: Value, longest: float) -> Value:
        """Append the stage to a program that is being traced.

        Args:
            x: the vector, (components,).
            longest: its Euclidean length at most.

        Returns:
            Its squares.
        """
        return x * x


Stage = Scaling | LinearMap | UnitLength | Square


def folded(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """Merge neighbouring stages that are affine into one: the same function, with fewer products one after another.

    >>> half = Scaling(np.full(2, 0.5), np.ones(2))
    >>> (one,) = folded([half, half, LinearMap(np.eye(2), np.zeros(2))])
    >>> one.matrix.tolist(), one.bias.tolist()
    ([[0.25, 0.0], [0.0, 0.25]], [1.5, 1.5])
    """
    made: list[Stage] = []
    for stage in stages:
        before = made[-1] if made else None
        if isinstance(before, Scaling | LinearMap) and isinstance(stage, Scaling | LinearMap):
            made[-1] = _merged(before, stage)
        elif not (isinstance(stage, UnitLength) and isinstance(before, UnitLength)):
            made.append(stage)
    return tuple(made)


def _merged(first: Scaling | LinearMap, then: Scaling | LinearMap) -> Scaling | LinearMap:
    match first, then:
        case Scaling(), Scaling():
            return Scaling(first.scale * then.scale, first.shift * then.scale + then.shift)
        case Scaling(), LinearMap():
            return LinearMap(then.matrix * first.scale, then.matrix @ first.shift + then.bias)
        case LinearMap(), Scaling():
            return LinearMap(first.matrix * then.scale[:, None], first.bias * then.scale + then.shift)
        case LinearMap(), LinearMap():
            return LinearMap(then.matrix @ first.matrix, then.matrix @ first.bias + then.bias)
    raise AssertionError


def given(stage: Stage) -> int | None:
    """Components of what a stage reads; None: any number."""
    match stage:
        case Scaling():
            return len(stage.scale)
        case LinearMap():
            return stage.matrix.shape[1]
    return None


def made(stage: Stage) -> int | None:
    """Components of what a stage makes; None: as many as it reads."""
    return len(stage.matrix) if isinstance(stage, LinearMap) else given(stage)


def longest(stage: Stage, most: float) -> float:
    """Largest Euclidean length of what a stage makes of vectors no longer than ``most``.

    >>> longest(Scaling(np.array([2.0, 1.0]), np.array([0.0, 3.0])), 1.0)
    5.0
    """
    match stage:
        case Scaling():
            return float(np.abs(stage.scale).max()) * most + float(np.linalg.norm(stage.shift))
        case LinearMap():
            rows = (
                stage.matrix @ stage.matrix.T
                if stage.matrix.shape[0] < stage.matrix.shape[1]
                else (stage.matrix.T @ stage.matrix)
            )
            grown = math.sqrt(max(0.0, float(np.linalg.eigvalsh(rows)[-1])))
            return (grown * most if grown else 0.0) + float(np.linalg.norm(stage.bias))
        case Square():
            return most * most
    return 1.0


def stage_problems(where: str, stages: Any) -> list[Problem]:
    """Everything that keeps ``stages`` from being those of a head."""
    if not isinstance(stages, tuple) or not stages or not isinstance(stages[-1], LinearMap):
        return [Problem(where, repr(stages), "a tuple of stages of which the last is LinearMap")]
    length = None
    for index, stage in enumerate(stages):
        place = f"{where}[{index}]"
        if not isinstance(stage, Stage):
            return [Problem(place, repr(stage), "Scaling, LinearMap, UnitLength or Square")]
        if not _is_whole(stage):
            return [Problem(place, f"arrays of shapes {_shapes(stage)}", "finite float64 numbers of fitting shapes")]
        if None not in (length, given(stage)) and length != given(stage):
            return [Problem(place, f"{given(stage)} components", f"{length}, as the stage before makes")]
        length = length if made(stage) is None else made(stage)
    return []


def _is_whole(stage: Stage) -> bool:
    match stage:
        case Scaling(scale, shift):
            arrays, fits = (scale, shift), np.ndim(scale) == 1 and np.shape(scale) == np.shape(shift)
        case LinearMap(matrix, bias):
            arrays, fits = (matrix, bias), np.ndim(matrix) == 2 and np.shape(bias) == np.shape(matrix)[:1]
        case _:
            return True
    good = all(isinstance(a, np.ndarray) and a.dtype == np.float64 and np.isfinite(a).all() for a in arrays)
    return fits and good and arrays[0].size > 0


def _shapes(stage: Stage) -> str:
    return ", ".join(str(np.shape(value)) for value in vars(stage).values())
