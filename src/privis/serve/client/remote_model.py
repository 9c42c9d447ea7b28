"""``PrivateModel``, ``PrivateProgram`` and ``PrivateHead``: what a server keeps, as features on the owner's side."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.features.cnn import CNN, Channels
from privis.features.feature import Array, Feature, Image, NamedTensor, core_shape, numbered, vector
from privis.features.image_ops import luma
from privis.features.postprocessing.steps import of_feature
from privis.identity import UNIDENTIFIED
from privis.program import Input, Program, trace
from privis.program.shapes import Shape
from privis.tasks.decisions import Link, Predictions, Revealed, decided


@dataclass(frozen=True)
class PrivateModel:
    """The ``outputs`` values of somebody else's program for images of ``shape``: (H, W) grey, or (C, H, W), C 1 or 3.

    Only `Remote` can compute it. Its owner prepares images as `CNN` does: pixels 0..255, resized; to normalise them is
    a part of the program. ``specification`` is the digest of the server's offer.

    >>> PrivateModel((3, 32, 32), 10).names((3, 32, 32))[:2]
    ('model_0', 'model_1')
    """

    identifier: ClassVar[str] = "privis.private-model/1"

    name: ClassVar[str] = "model"
    luma_only: ClassVar[bool] = False

    shape: Shape
    outputs: int
    channels: Channels = Channels.RGB
    specification: str = ""
    layout: tuple[NamedTensor, ...] = field(default=(), repr=False, compare=False, metadata=UNIDENTIFIED)

    def __post_init__(self) -> None:
        planes = self.shape[0] if len(self.shape) == 3 else 1
        if len(self.shape) not in (2, 3) or planes not in (1, 3) or min(self.shape) < 1 or self.outputs < 1:
            got = f"shape {self.shape}, {self.outputs} outputs"
            expected = "a shape (H, W), (1, H, W) or (3, H, W), and at least one output"
            raise ParameterError(Problem("PrivateModel", got, expected))
        refuse(ParameterError, _layout_problems("PrivateModel.layout", self.layout, self.outputs))

    @property
    def size(self) -> tuple[int, int]:
        """Images are resized to this (height, width) in pixels."""
        return (self.shape[-2], self.shape[-1])

    def before(self, image: Image) -> Array:
        """Resize; uint8 of ``shape``, planes in the network's order."""
        if len(self.shape) == 2:
            return luma(image, self.size)
        return CNN(self.program(self.shape), channels=self.channels).before(image)

    def core_shape(self, image_shape: Shape) -> Shape:
        """That of the server's program, whatever the image."""
        return tuple(map(int, self.shape))

    def program(self, shape: Shape) -> Program:
        """The input alone: the program is the server's."""
        return trace(lambda x: x, Input(shape))

    def after(self, values: Array) -> Array:
        """Flatten the outputs to a vector."""
        return vector(values)

    def tensors(self, shape: Shape) -> tuple[NamedTensor, ...]:
        """Name and shape of every output, as the server says; of one that says nothing, the vector."""
        return self.layout or (NamedTensor("model", (self.outputs,)),)

    def names(self, shape: Shape) -> tuple[str, ...]:
        """``model_0``, ``model_1``, …"""
        return numbered("model", (self.outputs,))


@dataclass(frozen=True)
class PrivateProgram:
    """Outputs of somebody else's program of several images: the two faces of a pair, say.

    Only `Remote` can compute it. Its owner puts the images one below the other (`privis.features.stack`); each is
    prepared as `PrivateModel` does, and all are encrypted as one flat input. Answers come with names and shapes.

    Args:
        shapes: of the program's inputs, each (H, W) grey or (C, H, W), C 1 or 3.
        outputs: names and shapes of the program's outputs.
        channels: order in which colour planes are read.
        specification: digest of the server's offer.

    Raises:
        ParameterError: a shape is no image's, or names repeat.

    >>> pair = PrivateProgram(((3, 8, 8), (3, 8, 8)), (NamedTensor("distance", ()),))
    >>> pair.size, pair.core_shape((16, 8, 3)), pair.names((384,))
    ((16, 8), (384,), ('distance',))
    """

    identifier: ClassVar[str] = "privis.private-program/1"

    name: ClassVar[str] = "program"
    luma_only: ClassVar[bool] = False
    flattens: ClassVar[bool] = True

    shapes: tuple[Shape, ...]
    outputs: tuple[NamedTensor, ...]
    channels: Channels = Channels.RGB
    specification: str = ""

    def __post_init__(self) -> None:
        total = sum(math.prod(tensor.shape) for tensor in self.outputs)
        problems = _layout_problems("PrivateProgram.outputs", self.outputs, total)
        if not self.shapes or total < 1:
            got = f"{len(self.shapes)} inputs, {total} outputs"
            problems.append(Problem("PrivateProgram", got, "at least one of each"))
        refuse(ParameterError, problems)
        self._models()

    def _models(self) -> list[PrivateModel]:
        return [PrivateModel(shape, 1, self.channels) for shape in self.shapes]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels of the stack of all images."""
        height = max(shape[-2] for shape in self.shapes)
        return len(self.shapes) * height, max(shape[-1] for shape in self.shapes)

    def before(self, image: Image) -> Array:
        """Cut the stack and prepare every image; all of them one after another, flat."""
        height = self.size[0] // len(self.shapes)
        cuts = [np.ascontiguousarray(image[number * height :][:height]) for number in range(len(self.shapes))]
        return np.concatenate([np.ravel(model.before(cut)) for model, cut in zip(self._models(), cuts, strict=True)])

    def core_shape(self, image_shape: Shape) -> Shape:
        """(elements,) of all inputs, whatever the image."""
        return (sum(math.prod(shape) for shape in self.shapes),)

    def program(self, shape: Shape) -> Program:
        """The input alone: the program is the server's."""
        return trace(lambda x: x, Input(shape))

    def after(self, values: Array) -> Array:
        """Return all outputs one after another, float32."""
        return vector(values)

    def tensors(self, shape: Shape) -> tuple[NamedTensor, ...]:
        """Name and shape of every output, in order."""
        return self.outputs

    def names(self, shape: Shape) -> tuple[str, ...]:
        """Name every number after its output; of one that is a single number, the output's name."""
        return tuple(name for tensor in self.outputs for name in numbered(tensor.name, tensor.shape))


def _layout_problems(where: str, layout: tuple[NamedTensor, ...], total: int) -> list[Problem]:
    """What keeps names and shapes from being those of ``total`` numbers; none at all are fine."""
    names = [tensor.name for tensor in layout]
    shapes = [tensor.shape for tensor in layout]
    whole = all(isinstance(n, int) and n > 0 for shape in shapes for n in shape)
    good = whole and len(set(names)) == len(names) and all(isinstance(name, str) and name for name in names)
    if layout and not (good and sum(map(math.prod, shapes)) == total):
        return [Problem(where, f"tensors {names} of shapes {shapes}", f"different names, {total} numbers together")]
    return []


@dataclass(frozen=True)
class PrivateHead:
    """Scores of a classifier that a server keeps, behind a public ``feature``.

    Only `Remote` can compute them. The owner prepares images as the feature does; with `AtOwner` it extracts the
    feature, too, and encrypts the vector.

    Args:
        feature: public, on the owner's side.
        classes: names, one for each score, or two for one score.
        scores: how many the server gives for an image.
        link: how probabilities and the decision follow from the scores.
        specification: digest of the server's offer.

    Raises:
        ParameterError: names and scores do not fit.

    >>> from privis.features.colour import ColourHistogram
    >>> PrivateHead(ColourHistogram(size=(8, 8)), ("well", "ill"), 1).names((3, 8, 8))
    ('ill',)
    """

    identifier: ClassVar[str] = "privis.private-head/1"

    feature: Feature
    classes: tuple[str, ...]
    scores: int
    link: Link = Link.LARGEST
    specification: str = ""

    luma_only: ClassVar[bool] = of_feature("luma_only")
    flattens: ClassVar[bool] = True

    def __post_init__(self) -> None:
        binary = self.scores == 1 and len(self.classes) == 2
        good = all(isinstance(name, str) and name for name in self.classes) and isinstance(self.link, Link)
        if not good or len(set(self.classes)) != len(self.classes) or not (binary or self.scores == len(self.classes)):
            got = f"{len(self.classes)} names and {self.scores} scores"
            raise ParameterError(Problem("PrivateHead", got, "different names, one for each score"))

    @property
    def name(self) -> str:
        """Name of the feature, and that these are scores."""
        return f"{self.feature.name}_scores"

    @property
    def size(self) -> tuple[int, int] | None:
        """Images are resized to this (height, width) in pixels."""
        return self.feature.size

    def before(self, image: Image) -> Array:
        """Prepare an image as the feature does."""
        return self.feature.before(image)

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return the shape that the feature's core reads."""
        return core_shape(self.feature, image_shape)

    def program(self, shape: Shape) -> Program:
        """The feature's input alone: the head is the server's."""
        return trace(lambda x: x, *self.feature.program(shape).inputs)

    def after(self, values: Array) -> Array:
        """Return the scores as a float32 vector."""
        return vector(values)

    def names(self, shape: Shape) -> tuple[str, ...]:
        """Name every score after its class."""
        return self.classes[-self.scores :]

    def decide(self, features: npt.NDArray[np.floating]) -> Predictions:
        """Read decrypted scores, at their owner.

        Args:
            features: (images, scores).

        Returns:
            Names of classes, and probabilities where the head has them.

        Raises:
            ParameterError: they are of another shape.
        """
        return decided(self.classes, self.scores, self.link, features, Revealed.SCORES)
