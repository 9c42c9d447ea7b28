"""``NetworkModel``: a network with its head as a detection model, which runs under any executor."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.features.cnn import CNN
from privis.features.feature import NamedTensor, named_tensors
from privis.identity import UNIDENTIFIED
from privis.program import Program
from privis.program.shapes import Shape
from privis.tasks.detection.boxes import DetectedBoxes
from privis.tasks.detection.detection_model import PictureView, PlacedCopy
from privis.tasks.detection.networks.detector_network import DetectorNetwork, Pixels
from privis.tasks.detection.networks.encodings import Size
from privis.tasks.detection.networks.letterbox import Letterbox

MOST_SIZES = 4
"""Translated networks that are kept, one for each size of input."""


@dataclass(frozen=True)
class NetworkModel:
    """A network that is translated to a program: the letterboxed picture is its one view.

    Its outputs are revealed to whoever decodes. That is meant to be the owner of the picture, who suppresses and keeps
    the boxes; the owner of the network learns nothing of it.

    Args:
        network: with its head.

    Raises:
        ParameterError: the network is wrong.
        UnsupportedError: naming every node without a translation: suppression inside, above all.
        ProgramError: the network's outputs are not those of the head.
    """

    identifier: ClassVar[str] = "privis.network-model/1"

    network: DetectorNetwork
    _made: Any = field(init=False, repr=False, compare=False, metadata=UNIDENTIFIED)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_made", lru_cache(MOST_SIZES)(self._translated))
        side = self.network.head.reads.multiple
        size = self.network.size or (side, side)
        blank = {tensor.name: np.zeros(tensor.shape) for tensor in self._made(size)[1]}
        self.network.decode(blank, Letterbox(size, size, self.network.head.reads.fit))

    @property
    def labels(self) -> tuple[str, ...]:
        """What it can find."""
        return self.network.classes

    def feature(self, shape: Shape) -> CNN:
        """The network for one size of input.

        Args:
            shape: (planes, height, width) of the input.

        Returns:
            The feature.
        """
        made: CNN = self._made((shape[1], shape[2]))[0]
        return made

    def views(self, shape: Shape) -> tuple[PictureView, ...]:
        """The letterboxed picture: see `DetectionModel.views`.

        Args:
            shape: (H, W) or (H, W, 3) of the picture in pixels.

        Returns:
            One view.
        """
        box = self.network.letterbox((shape[0], shape[1]))
        (top, left), (height, width) = box.offset, box.drawn
        core = self.feature((3, *box.size)).shape
        return (PictureView(core, box.picture, (PlacedCopy(top, left, height, width),)),)

    def before(self, image: Pixels, view: PictureView) -> NDArray[Any]:
        """Lay the picture into the input: see `DetectionModel.before`.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB, upright.
            view: one of `views`.

        Returns:
            uint8 (planes, height, width), in the network's order of planes.
        """
        return self.feature(view.shape).before(self.network.drawn(image, self.network.letterbox(view.picture)))

    def program(self, shape: Shape) -> Program:
        """The network: see `DetectionModel.program`.

        Args:
            shape: of a view.

        Returns:
            A program of one input and one output, all tensors of the network one after another.
        """
        return self.feature(shape).program(shape)

    def decode(self, values: NDArray[Any], view: PictureView) -> DetectedBoxes:
        """Read the network's outputs: see `DetectionModel.decode`.

        Args:
            values: the output of the program.
            view: that it is of.

        Returns:
            Boxes in pixels of the picture, not yet suppressed.

        Raises:
            ParameterError: the output is of another shape.
        """
        box = self.network.letterbox(view.picture)
        if box.size != view.shape[1:]:
            raise ParameterError(Problem("NetworkModel.decode.view", f"an input of {view.shape}", f"{box.size}"))
        outputs = named_tensors(self._made(box.size)[1], np.asarray(values).reshape(-1))
        return self.network.decode(outputs, box)

    def _translated(self, size: Size) -> tuple[CNN, tuple[NamedTensor, ...]]:
        feature = self.network.feature(size)
        return feature, feature.tensors(feature.shape)

    def __reduce__(self) -> tuple[type[NetworkModel], tuple[DetectorNetwork]]:
        return NetworkModel, (self.network,)  # a copy, in whatever process, translates again
