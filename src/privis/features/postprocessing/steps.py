"""Public steps after a feature: normalisation, projection, quantisation."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import reduce
from operator import attrgetter
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.features.feature import Array, Feature, Image, core_shape, traced_after
from privis.features.image_ops import Size
from privis.features.norms import BoundedStep, Norms, largest_norms
from privis.program import Program, Value, ops
from privis.program.shapes import Shape

NOTHING = 1e-30  # squared length below which a vector has no direction in a program
FINEST, COARSEST = 2.0**-100, 2.0**100  # steps of quantisation: any float32 over them stays finite


def of_feature(attribute: str) -> Any:
    """Make a wrapper's attribute that of the feature it wraps.

    A property in truth, typed as anything: what is a constant of other features' classes is the wrapped one's here.
    """
    return property(attrgetter(f"feature.{attribute}"), doc=f"The ``{attribute}`` of the feature.")


@runtime_checkable
class Step(Protocol):
    """A fixed, public function of the last axis: a frozen dataclass whose ``repr`` says everything it depends on."""

    def __call__(self, values: Array) -> NDArray[np.float32]:
        """Give float32 of the same shape but for the last axis, finite for every finite input."""
        ...

    def names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Name the components of the result.

        Args:
            names: of the components of the vector that the step is given.

        Returns:
            The names of those that it gives, one for each.
        """
        ...


@runtime_checkable
class TracedStep(Protocol):
    """A step that a program can compute, for what follows the feature on hidden values."""

    def traced(self, values: Value) -> Value:
        """Append the step to a program that is being traced.

        Args:
            values: vector, (components,).

        Returns:
            What the step makes of it.
        """
        ...


@dataclass(frozen=True)
class L1:
    """Scale every vector to absolute sum 1; zero vectors stay zero, vectors with NaN or infinity become zero.

    >>> L1()(np.array([1.0, -3.0])).tolist()
    [0.25, -0.75]
    """

    identifier: ClassVar[str] = "privis.l1/1"

    def __call__(self, values: Array) -> NDArray[np.float32]:
        """Divide the last axis by its absolute sum: float32 of the same shape."""
        direction = _direction(values)
        return _over(direction, np.abs(direction).sum(-1, keepdims=True)).astype(np.float32)

    def largest_norms(self, before: Norms | None, given: int, made: int) -> Norms:
        """Bound what comes out: an absolute sum of 1, whatever comes in."""
        return Norms(1.0, 1.0)

    def names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Keep the names: components stay at their places."""
        return names


@dataclass(frozen=True)
class L2:
    """Scale every vector to Euclidean length 1; zero vectors stay zero, vectors with NaN or infinity become zero.

    >>> L2()(np.array([3.0, -4.0])).round(3).tolist()
    [0.6000000238418579, -0.800000011920929]
    """

    identifier: ClassVar[str] = "privis.l2/1"

    def __call__(self, values: Array) -> NDArray[np.float32]:
        """Divide the last axis by its Euclidean length: float32 of the same shape."""
        direction = _direction(values)
        return _over(direction, np.sqrt((direction * direction).sum(-1, keepdims=True))).astype(np.float32)

    def traced(self, values: Value) -> Value:
        """Append the step to a program; vectors shorter than 1e-15 come out shorter than 1.

        Args:
            values: the vector, in a program that is being traced.

        Returns:
            It over its length.
        """
        return values >> ops.Normalise((0.0, math.inf), inside=NOTHING)

    def largest_norms(self, before: Norms | None, given: int, made: int) -> Norms:
        """Bound what comes out: a Euclidean length of 1, whatever comes in."""
        return Norms.of_blocks(1, made)

    def names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Keep the names: components stay at their places."""
        return names


@dataclass(frozen=True)
class Hellinger:
    """Signed square roots of the vector of absolute sum 1: Euclidean length 1, distances of Hellinger's kernel.

    Zero vectors stay zero, vectors with NaN or infinity become zero. Reference: Arandjelović and Zisserman, "Three
    things everyone should know to improve object retrieval", 2012, doi:10.1109/CVPR.2012.6248018 (RootSIFT).

    >>> Hellinger()(np.array([1.0, -3.0])).tolist()
    [0.5, -0.8660253882408142]
    """

    identifier: ClassVar[str] = "privis.hellinger/1"

    def __call__(self, values: Array) -> NDArray[np.float32]:
        """Divide the last axis by its absolute sum and take signed roots: float32 of the same shape."""
        direction = _direction(values)
        shares = _over(direction, np.abs(direction).sum(-1, keepdims=True))
        return (np.sign(shares) * np.sqrt(np.abs(shares))).astype(np.float32)

    def largest_norms(self, before: Norms | None, given: int, made: int) -> Norms:
        """Bound what comes out: a Euclidean length of 1, whatever comes in."""
        return Norms.of_blocks(1, made)

    def names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Keep the names: components stay at their places."""
        return names


@dataclass(frozen=True)
class Quantise:
    """Round every component to the nearest multiple of ``step``, a public number in the feature's units.

    Halves go to the even multiple; what float32 cannot hold stays at its largest number.

    Args:
        step: 2**-100 to 2**100, in the feature's units.

    Raises:
        ParameterError: the step is out of its range.

    >>> Quantise(0.5)(np.array([0.2, 0.3, -0.9])).tolist()
    [0.0, 0.5, -1.0]
    """

    identifier: ClassVar[str] = "privis.quantise/1"

    step: float

    def __post_init__(self) -> None:
        good = isinstance(self.step, int | float | np.number) and not isinstance(self.step, bool)
        if not good or not FINEST <= self.step <= COARSEST:
            raise ParameterError(Problem("Quantise.step", repr(self.step), "a number from 2**-100 to 2**100"))
        object.__setattr__(self, "step", float(self.step))

    def __call__(self, values: Array) -> NDArray[np.float32]:
        """Round every component to a multiple of ``step``: float32 of the same shape."""
        limit = np.finfo(np.float32).max
        multiples = np.rint(finite(values) / self.step) * self.step + 0.0  # no negative zeros
        return np.clip(multiples, -limit, limit).astype(np.float32)

    def largest_norms(self, before: Norms | None, given: int, made: int) -> Norms | None:
        """Bound what comes out: no component grows by more than half a step, or to more than twice itself."""
        if before is None:
            return None
        half = self.step / 2
        l1, l2 = before.l1 + half * made, before.l2 + half * math.sqrt(made)
        return Norms(min(l1, 2 * before.l1), min(l2, 2 * before.l2))

    def names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Keep the names: components stay at their places."""
        return names


@dataclass(frozen=True)
class Posted:
    """``feature``, ended with public ``steps`` in order: ``L1``, ``L2``, ``Hellinger``, ``Quantise``, ``Projection``.

    A step is fixed before any private image is seen and looks at one vector only. So it costs no privacy wherever the
    noise is: a release on pixels comes before the steps, which are post-processing of it; a release of the feature (or
    of its direction) comes after them and is calibrated to the norm that it clips to itself, whatever it is given. What
    a step was learned from is a different matter: see ``Projection``.

    ``name``, ``luma_only``, ``size`` and the core are the feature's own.

    Args:
        feature: whose vector the steps are applied to.
        steps: public functions of one vector, in order.

    Raises:
        ParameterError: naming everything that is no step; from `program` and `names`, a projection is for vectors of
            another length.

    >>> from privis.features.hog import HOG
    >>> from privis.features.postprocessing.projection import Projection
    >>> short = Posted(HOG(), (Projection.random(2916, 3), L2()))
    >>> short.names((64, 64))
    ('random_0', 'random_1', 'random_2')
    """

    feature: Feature
    steps: tuple[Step, ...]

    name: ClassVar[str] = of_feature("name")
    identifier: ClassVar[str] = "privis.posted/1"
    luma_only: ClassVar[bool] = of_feature("luma_only")

    def __post_init__(self) -> None:
        steps = tuple(self.steps) if isinstance(self.steps, list | tuple) else (self.steps,)
        problems = []
        if isinstance(self.feature, type) or not isinstance(self.feature, Feature):
            problems.append(Problem("Posted.feature", repr(self.feature), "a feature, as in HOG()"))
        if not steps:
            problems.append(Problem("Posted.steps", "no step", "at least one", "use the feature itself"))
        for index, step in enumerate(steps):
            if isinstance(step, type) or not dataclasses.is_dataclass(step) or not isinstance(step, Step):
                remedy = "make an instance: L2()" if isinstance(step, type) else ""
                problems.append(Problem(f"Posted.steps[{index}]", repr(step), "a step, as in L2()", remedy))
        refuse(ParameterError, problems)
        object.__setattr__(self, "steps", steps)

    @property
    def size(self) -> Size | None:
        """(height, width) in pixels that the feature resizes images to; None: it keeps theirs."""
        return self.feature.size

    def before(self, image: Image) -> Array:
        """Turn ``image`` into the core's input as the feature does."""
        return self.feature.before(image)

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return the shape that the feature's core reads."""
        return core_shape(self.feature, image_shape)

    def program(self, shape: Shape) -> Program:
        """Return the feature's own core; steps come after it."""
        self.names(shape)  # a projection that does not fit is refused before anything is released
        return self.feature.program(shape)

    def after(self, values: Array) -> Array:
        """Turn the core's output into the feature's vector and apply all steps: float32."""
        return posted(self.feature.after(values), self.steps)

    def traced_after(self, values: Value, shape: Shape) -> Value | None:
        """Write down what `after` computes, where the feature and every step can: `L2` and `Projection` can.

        Args:
            values: output of the core, in a program that is being traced.
            shape: of the core's input.

        Returns:
            The vector, (components,); None where one cannot.
        """
        traced = traced_after(self.feature, values, shape)
        for step in self.steps:
            if traced is None or not isinstance(step, TracedStep):
                return None
            traced = step.traced(traced)
        return traced

    def largest_norms(self, shape: Shape) -> Norms | None:
        """Bound the vector step by step; a step that says nothing of itself may return anything."""
        given, found = self.feature.names(shape), largest_norms(self.feature, shape)
        for step in self.steps:
            made = step.names(given)
            found = step.largest_norms(found, len(given), len(made)) if isinstance(step, BoundedStep) else None
            given = made
        return found

    def names(self, shape: Shape) -> tuple[str, ...]:
        """What the steps make of the feature's names."""
        return reduce(lambda names, step: step.names(names), self.steps, self.feature.names(shape))


def posted(values: Array, steps: tuple[Step, ...]) -> Array:
    """Apply ``steps`` to the last axis of ``values``: for vectors that were released before.

    >>> posted(np.array([[0.0, 5.0], [0.0, 0.0]]), (L2(), Quantise(0.5))).tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """
    return reduce(lambda vectors, step: step(vectors), steps, np.asarray(values))


def finite(values: Array) -> NDArray[np.float64]:
    """Double precision; a vector with NaN or infinity is no measurement and becomes zero, as in every release."""
    reals = np.asarray(values, np.float64)
    return np.where(np.isfinite(reals).all(-1, keepdims=True), reals, 0.0)


def _direction(values: Array) -> NDArray[np.float64]:
    """Vectors whose largest component is 1 or -1, so that no square overflows or vanishes; zero where they are zero."""
    reals = finite(values)
    return _over(reals, np.abs(reals).max(-1, keepdims=True, initial=0.0))


def _over(values: NDArray[np.float64], length: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(values, length, out=np.zeros_like(values), where=length > 0)
