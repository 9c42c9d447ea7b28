"""An ONNX network that detects, with its head: how a picture gets in, and how boxes come out; it runs nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.features.cnn import CNN, Channels
from privis.features.image_ops import colour
from privis.identity import UNIDENTIFIED
from privis.program.onnx.inputs import network_input
from privis.program.onnx.translate import parse_onnx
from privis.tasks.detection.boxes import DetectedBoxes
from privis.tasks.detection.networks.detection_heads import DetectionHead
from privis.tasks.detection.networks.encodings import Size
from privis.tasks.detection.networks.letterbox import Letterbox, padded_size
from privis.validation import size_problem, whole_number

Pixels = NDArray[np.uint8]
OPEN_SIZE = (640, 640)
"""(height, width) of an input that the file leaves open, in pixels, where nobody says another."""
LARGEST_SIDE = 8192
"""Pixels of a side of an input at most: a file that declares more would fill the memory."""
LONGEST = 1280
"""Pixels of the longer side of a picture that keeps its own size."""


@dataclass(frozen=True)
class DetectorNetwork:
    """A network and its head.

    Args:
        content: the ONNX model.
        head: what its outputs mean.
        classes: names in the network's order.
        size: (height, width) of the input in pixels; None: the network's own, or where it is open the picture's, up to
            a multiple of what the head says, or else 640 x 640.
        least: score from which a box counts; None: that of the head.
        longest: pixels of the longer side of a picture that keeps its own size; a larger one is made smaller.

    Raises:
        ParameterError: naming everything that does not fit.
        ProgramError: the model is damaged, or its input is no image.
    """

    identifier: ClassVar[str] = "privis.detector-network/1"

    content: bytes = field(repr=False, compare=False, metadata=UNIDENTIFIED)  # by its digest
    head: DetectionHead
    classes: tuple[str, ...]
    size: Size | None = None
    least: float | None = None
    longest: int = LONGEST
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        where = "DetectorNetwork"
        problems = [*size_problem(f"{where}.size", self.size), *whole_number(f"{where}.longest", self.longest)]
        if self.least is not None and not 0 < self.least <= 1:
            problems.append(Problem(f"{where}.least", repr(self.least), "a number in (0, 1]"))
        if not self.classes or len(set(self.classes)) != len(self.classes):
            got = f"{len(self.classes)} names, {len(set(self.classes))} of them different"
            problems.append(Problem(f"{where}.classes", got, "different names, at least one"))
        refuse(ParameterError, problems)
        fixed = own_size(self.content)
        if self.size is not None and any(own not in (None, n) for own, n in zip(fixed, self.size, strict=True)):
            raise ParameterError(Problem(f"{where}.size", str(self.size), f"the network's own {fixed}", "leave it out"))
        if self.size is None and (None not in fixed or not self.head.reads.multiple):
            object.__setattr__(self, "size", usual_size(fixed))
        if max(self.size or (self.longest,)) > LARGEST_SIDE:
            got = f"a side of {max(self.size or (self.longest,))} pixels"
            raise ParameterError(Problem(f"{where}.size", got, f"at most {LARGEST_SIDE}"))
        object.__setattr__(self, "sha256", hashlib.sha256(self.content).hexdigest())

    @property
    def score(self) -> float:
        """Score from which a box counts."""
        return self.head.least if self.least is None else self.least

    def letterbox(self, picture: Size) -> Letterbox:
        """How a picture is laid into the input.

        Args:
            picture: (height, width) in pixels.

        Returns:
            The letterbox, of the input's size.
        """
        reads = self.head.reads
        if self.size is not None:
            return Letterbox(picture, self.size, reads.fit)
        return Letterbox(picture, padded_size(picture, reads.multiple, self.longest), reads.fit, enlarges=False)

    def drawn(self, image: Pixels, box: Letterbox) -> Pixels:
        """Lay a picture into the input.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB, upright.
            box: how.

        Returns:
            uint8 (height, width, 3) RGB of the input's size.
        """
        return box.painted(colour(image), self.head.reads.fill)

    def decode(self, outputs: Mapping[str, NDArray[Any]], box: Letterbox) -> DetectedBoxes:
        """Read what the network said of a picture.

        Args:
            outputs: by name.
            box: how the picture lay in the input.

        Returns:
            Boxes in pixels of the picture, not yet suppressed unless the network did it.

        Raises:
            ProgramError: the outputs are not those of the head.
        """
        return box.to_picture(self.head.decode(outputs, box.size, self.score, self.classes))

    def feature(self, size: Size) -> CNN:
        """The network as a feature, which any executor computes.

        Args:
            size: (height, width) of the input in pixels.

        Returns:
            The feature.

        Raises:
            ParameterError: another size than the network's own.
            UnsupportedError: naming every node without a translation.
        """
        reads, own = self.head.reads, network_input(parse_onnx(self.content))
        order = Channels.RGB if reads.channels == "rgb" else Channels.BGR
        if own.whole or own.planes == 1:
            mean = 0.0 if own.whole else float(np.mean(reads.mean)) / reads.deviation
            return CNN(self.content, None, size, mean, 1.0, None if own.whole else reads.deviation)
        scaled = tuple(value / reads.deviation for value in reads.mean)
        return CNN(self.content, None, size, scaled * 3 if len(scaled) == 1 else scaled, 1.0, reads.deviation, order)


def own_size(content: bytes) -> tuple[int | None, int | None]:
    """(height, width) of a network's input in pixels, None where the file leaves one open.

    Args:
        content: the ONNX model.

    Returns:
        Both lengths.

    Raises:
        ProgramError: the model is damaged, or its input is no image.
        ParameterError: its input is a vector.
    """
    own = network_input(parse_onnx(content))
    if own.flat is not None:
        raise ParameterError(Problem("ONNX input", "a vector", "an image: a detector has to know where pixels are"))
    return own.height, own.width


def usual_size(fixed: tuple[int | None, int | None]) -> Size:
    """A size for an input that may be open.

    Args:
        fixed: (height, width) in pixels, None where open.

    Returns:
        The same, with 640 where it is open.

    >>> usual_size((None, 320))
    (640, 320)
    """
    height, width = (own or usual for own, usual in zip(fixed, OPEN_SIZE, strict=True))
    return height, width
