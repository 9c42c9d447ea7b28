"""``PrivateModel``: a network or program that a server keeps, as a feature on the owner's side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from privis.errors import ParameterError, Problem
from privis.features.cnn import CNN, Channels
from privis.features.feature import Array, Image, numbered, vector
from privis.features.image_ops import luma
from privis.program import Input, Program, trace
from privis.program.shapes import Shape


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

    def __post_init__(self) -> None:
        planes = self.shape[0] if len(self.shape) == 3 else 1
        if len(self.shape) not in (2, 3) or planes not in (1, 3) or min(self.shape) < 1 or self.outputs < 1:
            got = f"shape {self.shape}, {self.outputs} outputs"
            expected = "a shape (H, W), (1, H, W) or (3, H, W), and at least one output"
            raise ParameterError(Problem("PrivateModel", got, expected))

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

    def names(self, shape: Shape) -> tuple[str, ...]:
        """``model_0``, ``model_1``, …"""
        return numbered("model", (self.outputs,))
