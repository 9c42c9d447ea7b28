"""Faces in a picture by any ONNX network whose head is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.extraction.prepared.prepare import Prepared, prepare
from privis.features.cnn import CNN, Channels
from privis.features.feature import named_tensors
from privis.features.image_ops import colour
from privis.identity import UNIDENTIFIED
from privis.tasks.faces.detected_faces import DetectedFaces
from privis.tasks.faces.detector_heads import YUNET, DetectorHead
from privis.validation import whole_number

SCALES = (1.0, 0.5)
"""Shares of the network's input that a picture fills, one after another until a face is found: detectors do not see
faces that fill their input."""


class FindsFaces(Protocol):
    """What finds faces in a picture, whatever it is made of."""

    def detect(self, image: NDArray[np.uint8]) -> DetectedFaces:
        """Find the faces of one picture.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB, upright.

        Returns:
            What was found, in pixels of ``image``.
        """
        ...


@dataclass(frozen=True)
class FaceDetector:
    """A network that finds faces with five landmarks, and how its outputs are read.

    A picture keeps its proportions: a large one is fitted into the network's input, a small one is enlarged until its
    shorter side has ``shortest`` pixels, and the rest is black. Where no face is found, it is tried once more at half
    that size. The network runs in the clear, at the owner of the picture.

    Args:
        network: the network, with as many pixels as it reads; its normalisation is that of the head.
        head: what its outputs mean.
        least: score of a face, in (0, 1].
        overlap: intersection over union from which two boxes are one face.
        shortest: pixels of the shorter side to which smaller pictures are enlarged, as far as the input has room: a
            face in them is then neither smaller nor larger than those that detectors are trained on.

    Raises:
        ParameterError: naming everything that does not fit.
        ProgramError: the network's outputs are not those of the head.
    """

    identifier: ClassVar[str] = "privis.face-detector/1"

    network: CNN
    head: DetectorHead = YUNET
    least: float = 0.6
    overlap: float = 0.3
    shortest: int = 256
    _prepared: Prepared = field(init=False, repr=False, compare=False, metadata=UNIDENTIFIED)

    def __post_init__(self) -> None:
        problems = whole_number("FaceDetector.shortest", self.shortest)
        for name in ("least", "overlap"):
            if not 0 < getattr(self, name) <= 1:
                problems.append(Problem(f"FaceDetector.{name}", repr(getattr(self, name)), "a number in (0, 1]"))
        if not isinstance(self.network, CNN) or not isinstance(self.head, DetectorHead):
            got = f"{type(self.network).__name__} and {type(self.head).__name__}"
            problems.append(Problem("FaceDetector", got, "a CNN and a DetectorHead", "try FaceDetector.from_onnx"))
            raise ParameterError(*problems)
        refuse(ParameterError, problems)
        layout = {tensor.name: np.zeros(tensor.shape) for tensor in self.network.tensors(self.network.shape)}
        self.head.decode(layout, self.size)  # a head that does not fit is refused here, not at the first picture
        object.__setattr__(self, "_prepared", prepare(self.network))

    @classmethod
    def from_onnx(
        cls, path: str | Path, head: DetectorHead = YUNET, *, size: tuple[int, int] | None = None, least: float = 0.6
    ) -> FaceDetector:
        """Read a detector from an ONNX file.

        Args:
            path: of the file.
            head: what its outputs mean.
            size: (height, width) of its input in pixels, where the network leaves it open; None there: (640, 640).
            least: score of a face.

        Returns:
            The detector.

        Raises:
            ParameterError: a parameter is wrong, or the file cannot be read.
            ProgramError: the model is damaged, or its outputs are not those of the head.
            UnsupportedError: naming every node without a translation.
        """
        order = Channels.RGB if head.channels == "rgb" else Channels.BGR
        mean = tuple(value / head.deviation for value in head.mean)
        planes = mean * 3 if len(mean) == 1 else mean
        try:
            network = CNN.from_onnx(path, size=size, divisor=head.deviation, mean=planes, channels=order)
        except ParameterError as error:
            if size is not None or not any(problem.where == "CNN.size" for problem in error.problems):
                raise
            network = CNN.from_onnx(path, size=(640, 640), divisor=head.deviation, mean=planes, channels=order)
        return cls(network, head, least)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the network's input in pixels."""
        return self.network.shape[1], self.network.shape[2]

    def detect(self, image: NDArray[np.uint8]) -> DetectedFaces:
        """Find the faces of one picture.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB, upright.

        Returns:
            Every face once, by falling score, in pixels of ``image``.

        Raises:
            ProgramError: the outputs are not those of the head.
        """
        height, width = image.shape[:2]
        fit = min(self.size[0] / height, self.size[1] / width, max(1.0, self.shortest / min(height, width)))
        for scale in SCALES:
            found = self._found(colour(image), fit * scale)
            if len(found):
                return found
        return DetectedFaces.none()

    def _found(self, pixels: NDArray[np.uint8], scale: float) -> DetectedFaces:
        import cv2

        height, width = (max(1, round(length * scale)) for length in pixels.shape[:2])
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        canvas = np.zeros((*self.size, 3), np.uint8)
        canvas[:height, :width] = cv2.resize(pixels, (width, height), interpolation=how)
        result = self._prepared(canvas)
        tensors = {name: values[0] for name, values in named_tensors(result.layout, result.features).items()}
        return self.head.decode(tensors, self.size, self.least).suppressed(self.overlap).scaled(1 / scale)
