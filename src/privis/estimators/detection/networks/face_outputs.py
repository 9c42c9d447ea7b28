"""Heads of face detectors, read as those of detectors of anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from privis.errors import ProgramError
from privis.tasks.detection import DetectedBoxes
from privis.tasks.detection.networks import HEADS, DetectionHead, Fit, NetworkReading
from privis.tasks.detection.networks.detection_heads import Tensors, refuse_misfit
from privis.tasks.detection.networks.encodings import Size
from privis.tasks.faces import RETINAFACE, SCRFD, YUNET, DetectorHead


@dataclass(frozen=True)
class FaceOutputs:
    """A head of faces with landmarks, of which the boxes are kept.

    Args:
        head: of the faces.

    >>> FaceOutputs(YUNET).name
    'yunet'
    """

    identifier: ClassVar[str] = "privis.face-outputs/1"

    head: DetectorHead

    @property
    def name(self) -> str:
        """What messages and commands call it."""
        return self.head.name.lower()

    @property
    def reads(self) -> NetworkReading:
        """The picture at the top left, the rest black; networks of open size read multiples of their last stride."""
        head = self.head
        return NetworkReading(Fit.CORNER, 0, head.channels, head.mean, head.deviation, max(head.strides))

    @property
    def least(self) -> float:
        """Score from which a box counts where nobody says another."""
        return 0.6

    @property
    def overlap(self) -> float:
        """Intersection over union from which two boxes are one face."""
        return 0.3

    @property
    def suppressed(self) -> bool:
        """Its networks leave suppression to others."""
        return False

    def misfit(self, tensors: Tensors, size: Size, classes: int | None = None) -> str:
        """Say what outputs of this head look like, where ``tensors`` do not.

        Args:
            tensors: the network's outputs by name, for one picture.
            size: (height, width) of the network's input in pixels.
            classes: how many there are, where that is known.

        Returns:
            What was expected; empty where they fit.
        """
        shapes = {name: np.zeros(np.shape(tensor)) for name, tensor in tensors.items()}
        try:
            self.head.decode(shapes, size)
        except ProgramError as error:
            return error.problems[0].expected.partition("pixels ")[2]
        return "" if classes in (None, 1) else "one class"

    def class_count(self, tensors: Tensors, size: Size) -> int | None:
        """How many classes it tells apart.

        Args:
            tensors: the network's outputs by name.
            size: (height, width) of the network's input in pixels.

        Returns:
            One.
        """
        return 1

    def decode(self, tensors: Tensors, size: Size, least: float, classes: Sequence[str] = ()) -> DetectedBoxes:
        """Read what a network said of one picture.

        Args:
            tensors: the network's outputs by name.
            size: (height, width) of the network's input in pixels.
            least: score below which nothing is read, in (0, 1].
            classes: what a face is called; without it ``face``.

        Returns:
            Boxes in pixels of the input, by falling score.

        Raises:
            ProgramError: the tensors are not those of this head.
        """
        refuse_misfit(self, tensors, size, len(classes) or None)
        faces = self.head.decode(tensors, size, least)
        called = str(classes[0]) if len(classes) else "face"
        return DetectedBoxes(faces.boxes, faces.scores, (called,) * len(faces))


DETECTION_HEADS: Mapping[str, DetectionHead] = MappingProxyType(
    {**{head.name: head for head in map(FaceOutputs, (YUNET, SCRFD, RETINAFACE))}, **HEADS}
)
"""All heads by the names that commands know."""
