"""A feature of an image that its owner changes first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from privis.errors import Problem
from privis.features.feature import Array, Feature, Image, NamedTensor, is_counts, tensors, traced_after
from privis.features.image_ops import Size, owner_image
from privis.features.norms import Norms, largest_norms
from privis.features.postprocessing.steps import of_feature
from privis.former_names import former_names
from privis.program import Program, Value
from privis.program.shapes import Shape


@dataclass(frozen=True)
class Preprocessed:
    """``feature`` of what ``prepare`` makes of an image; everything but ``before`` is the feature's own.

    Images are brought to the feature's size, and to luma where it reads no more, before ``prepare`` sees them.

    Args:
        feature: what is extracted afterwards.
    """

    identifier: ClassVar[str] = "privis.prepared/1"

    feature: Feature

    name: ClassVar[str] = of_feature("name")
    luma_only: ClassVar[bool] = of_feature("luma_only")

    @property
    def counts(self) -> bool:
        """Whether the feature's vector is counts, by its own word."""
        return is_counts(self.feature)

    @property
    def size(self) -> Size | None:
        """(height, width) in pixels that the feature resizes images to; None: it keeps theirs."""
        return self.feature.size

    def prepare(self, image: Image) -> Image:
        """The image, uint8, that the feature is to read.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB, or luma where the feature reads no colour.

        Returns:
            The prepared image, uint8.
        """
        raise NotImplementedError

    def before(self, image: Image) -> Array:
        """What the feature makes of the prepared image."""
        return self.feature.before(self.prepare(owner_image(self, image)))

    def program(self, shape: Shape) -> Program:
        """Return the feature's own core: images are changed before it."""
        return self.feature.program(shape)

    def after(self, values: Array) -> Array:
        """Turn the core's output into a vector as the feature does."""
        return self.feature.after(values)

    def traced_after(self, values: Value, shape: Shape) -> Value | None:
        """Write down what `after` computes, where the feature can.

        Args:
            values: output of the core, in a program that is being traced.
            shape: of the core's input.

        Returns:
            The vector, (components,); None where it cannot.
        """
        return traced_after(self.feature, values, shape)

    def tensors(self, shape: Shape) -> tuple[NamedTensor, ...]:
        """Name and shape of what lies in the vector, as the feature says.

        Args:
            shape: of the core's input.

        Returns:
            The tensors, in the order of the vector.
        """
        return tensors(self.feature, shape)

    def largest_norms(self, shape: Shape) -> Norms | None:
        """Bound the vector as the feature does, whatever image it is given."""
        return largest_norms(self.feature, shape)

    def names(self, shape: Shape) -> tuple[str, ...]:
        """Name components as the feature does: the core is its own."""
        return self.feature.names(shape)

    def feature_problems(self) -> list[Problem]:
        """Return a problem in a list unless ``feature`` is a feature.

        Returns:
            What is wrong with ``feature``: at most one problem.
        """
        if isinstance(self.feature, type) or not isinstance(self.feature, Feature):
            where = f"{type(self).__name__}.feature"
            return [Problem(where, repr(self.feature), "a feature, as in HOG()")]
        return []


__getattr__ = former_names(__name__)
