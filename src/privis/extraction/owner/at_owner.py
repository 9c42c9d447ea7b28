"""A feature that its owner extracts in the clear: what follows it runs on the hidden vector."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from privis.errors import ImageError, ParameterError, Problem, refuse
from privis.features.feature import (
    Array,
    Feature,
    Image,
    NamedTensor,
    core_shape,
    is_counts,
    tensors,
    traced_after,
    vector,
)
from privis.features.norms import Norms, largest_norms
from privis.features.postprocessing.steps import of_feature
from privis.identity import UNIDENTIFIED
from privis.program import Input, Program, Value, trace
from privis.program.shapes import Shape
from privis.readings import ranges
from privis.run.clear import Clear
from privis.validation import positive_number

_MOST_SHAPES = 8
_ROUNDING = 1e-5  # of the bound: features are float32


@dataclass(frozen=True)
class AtOwner:
    """``feature``, extracted by the image's owner; its core passes the vector on.

    The feature is public, so whoever holds an image can extract it alone, whatever its last step is. What is encrypted
    or shared is the vector: a few numbers instead of an image, and a ``head`` behind it is the only part that runs on
    hidden values (``AtOwner(feature) >> head``). Who sees what stays the same; only the work moves.

    Args:
        feature: whose vector is hidden; with a ``size``, so that its range is known.
        bound: largest absolute value of a component, in the feature's units, where neither the feature's program nor
            its norms tell; None: they do.

    Raises:
        ParameterError: the feature is none or has no size; nothing tells how large its components are.

    >>> from privis import LBP, GLCM
    >>> AtOwner(LBP(density=True, size=(64, 64))).program((256,)).inputs
    (Input(shape=(256,), low=0.0, high=1.0, step=None),)
    """

    identifier: ClassVar[str] = "privis.at-owner/1"

    feature: Feature
    bound: float | None = None
    _bounds: tuple[float, float] = field(
        default=(0.0, 0.0), init=False, repr=False, compare=False, metadata=UNIDENTIFIED
    )
    _prepared: dict[Shape, Callable[..., Any]] = field(
        default_factory=dict, init=False, repr=False, compare=False, metadata=UNIDENTIFIED
    )

    name: ClassVar[str] = of_feature("name")
    luma_only: ClassVar[bool] = of_feature("luma_only")
    flattens: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if isinstance(self.feature, type) or not isinstance(self.feature, Feature):
            raise ParameterError(Problem("AtOwner.feature", repr(self.feature), "a feature, as in HOG(size=(64, 64))"))
        problems = [] if self.bound is None else positive_number("AtOwner.bound", self.bound)
        if self.feature.size is None:
            remedy = "pass size=(height, width) to the feature: what is hidden has one length and one range"
            problems.append(Problem("AtOwner.feature", f"{self.feature.name} without a size", "one", remedy))
        refuse(ParameterError, problems)
        low, high = self._range()
        object.__setattr__(self, "_bounds", (low, high))
        if not (math.isfinite(low) and math.isfinite(high)):
            remedy = "pass bound=, the largest absolute value of a component"
            raise ParameterError(Problem("AtOwner", f"components in [{low:g}, {high:g}]", "a known range", remedy))

    def __reduce__(self) -> tuple[type[AtOwner], tuple[Feature, float | None]]:
        return AtOwner, (self.feature, self.bound)  # programs are prepared again

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) in pixels that the feature resizes images to."""
        return self.feature.size

    @property
    def _core(self) -> Shape:
        assert self.feature.size is not None
        return core_shape(self.feature, (*self.feature.size, 3))

    def _range(self) -> tuple[float, float]:
        """Bounds of every component: the caller's, or those of the program, or the largest norm."""
        if self.bound is not None:
            return -float(self.bound), float(self.bound)
        core = self.feature.program(self._core)
        if len(core.outputs) == 1:
            made: list[bool] = []

            def behind(values: Value) -> Value:
                found = traced_after(self.feature, values, self._core)
                made.append(found is not None)
                return values if found is None else found

            whole = core >> trace(behind, Input(core.output_shapes[0], -math.inf, math.inf, None))
            if made[0]:
                return ranges(whole)[whole.outputs[0]].bounds
        norms = largest_norms(self.feature, self._core)
        most = math.inf if norms is None else norms.l2
        return -most, most

    def before(self, image: Image) -> Array:
        """Extract the feature from an image of its size: the vector, float32.

        Args:
            image: decoded, uint8 (H, W) or (H, W, 3) RGB.

        Returns:
            Float32 (components,).

        Raises:
            ImageError: a component is larger than ``bound``.
        """
        core = self.feature.before(image)
        if core.shape not in self._prepared:
            while len(self._prepared) >= _MOST_SHAPES:
                self._prepared.pop(next(iter(self._prepared)), None)
            self._prepared[core.shape] = Clear().prepare(self.feature.program(core.shape))
        found = np.asarray(self.feature.after(self._prepared[core.shape](core)), np.float32)
        low, high = self._bounds
        slack = _ROUNDING * max(abs(low), abs(high))
        if not (np.isfinite(found).all() and low - slack <= found.min() and found.max() <= high + slack):
            got, expected = f"components from {found.min():g} to {found.max():g}", f"within [{low:g}, {high:g}]"
            raise ImageError(Problem(f"AtOwner({self.feature.name})", got, expected, "pass a larger bound="))
        return np.clip(found, low, high).astype(np.float32)

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return (components,): the core reads the vector."""
        return (len(self.feature.names(core_shape(self.feature, image_shape))),)

    def program(self, shape: Shape) -> Program:
        """Pass the vector on, declared in the feature's own range; counts are whole numbers."""
        low, high = self._bounds
        return trace(lambda x: x, Input(shape, low, high, 1.0 if is_counts(self.feature) else None))

    def after(self, values: Array) -> Array:
        """Return the vector, float32."""
        return vector(values)

    def tensors(self, shape: Shape) -> tuple[NamedTensor, ...]:
        """Name and shape of what lies in the vector, as the feature says.

        Args:
            shape: of the core's input.

        Returns:
            The tensors, in the order of the vector.
        """
        return tensors(self.feature, self._core)

    def largest_norms(self, shape: Shape) -> Norms | None:
        """Bound the vector as the feature does."""
        return largest_norms(self.feature, self._core)

    def names(self, shape: Shape) -> tuple[str, ...]:
        """Name components as the feature does."""
        return self.feature.names(self._core)
