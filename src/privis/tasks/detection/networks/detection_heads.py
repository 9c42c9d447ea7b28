"""What a detector's network reads and what its outputs mean: what every head has, and what all of them share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, ProgramError, refuse
from privis.tasks.detection.boxes import DetectedBoxes, Floats
from privis.tasks.detection.networks.encodings import Size
from privis.tasks.detection.networks.letterbox import Fit

Tensors = Mapping[str, npt.NDArray[Any]]
MOST_CANDIDATES = 3000
"""Boxes of one picture that are handed on, those of the highest scores."""
MOST_LISTED = 1000
"""Boxes that a network with suppression inside gives at most; more are those of grids, before any suppression."""
SLACK = 1e-3
"""By which rounding takes a probability out of [0, 1]."""


@dataclass(frozen=True)
class NetworkReading:
    """How the network of a detector reads a picture.

    Args:
        fit: where the picture goes in the input.
        fill: grey level of the rest, 0 to 255.
        channels: order of the colour planes, "rgb" or "bgr".
        mean: subtracted from pixels 0 to 255, one number or one per plane in that order.
        deviation: divides what is left.
        multiple: of which the sides of the input are one, in pixels, where the network leaves them open and the picture
            keeps its own size; 0: an open input gets a fixed size.

    Raises:
        ParameterError: naming everything that does not fit.
    """

    identifier: ClassVar[str] = "privis.network-reading/1"

    fit: Fit = Fit.CENTRED
    fill: int = 114
    channels: str = "rgb"
    mean: tuple[float, ...] = (0.0,)
    deviation: float = 255.0
    multiple: int = 0

    def __post_init__(self) -> None:
        problems = []
        if not isinstance(self.fit, Fit) or not 0 <= self.fill <= 255 or self.multiple < 0:
            got = f"{self.fit!r}, fill {self.fill}, multiple {self.multiple}"
            problems.append(Problem("NetworkReading", got, "a Fit, a grey level of 0 to 255, a multiple of at least 0"))
        if self.channels not in ("rgb", "bgr") or len(self.mean) not in (1, 3) or not self.deviation > 0:
            got = f"{self.channels!r}, mean {self.mean}, deviation {self.deviation}"
            expected = '"rgb" or "bgr", a mean of 1 or 3 numbers, a deviation above 0'
            problems.append(Problem("NetworkReading", got, expected))
        refuse(ParameterError, problems)


class DetectionHead(Protocol):
    """How to read the outputs of a detector."""

    @property
    def name(self) -> str:
        """What messages and commands call it."""
        ...

    @property
    def reads(self) -> NetworkReading:
        """How its network reads a picture."""
        ...

    @property
    def least(self) -> float:
        """Score from which a box counts where nobody says another."""
        ...

    @property
    def overlap(self) -> float:
        """Intersection over union from which two boxes of one class are one."""
        ...

    @property
    def suppressed(self) -> bool:
        """Whether the network itself keeps one box an object."""
        ...

    def misfit(self, tensors: Tensors, size: Size, classes: int | None = None) -> str:
        """Say what outputs of this head look like, where ``tensors`` do not.

        Args:
            tensors: the network's outputs by name, for one picture.
            size: (height, width) of the network's input in pixels.
            classes: how many there are, where that is known.

        Returns:
            What was expected; empty where they fit.
        """
        ...

    def class_count(self, tensors: Tensors, size: Size) -> int | None:
        """How many classes outputs of this head tell apart.

        Args:
            tensors: the network's outputs by name, which fit.
            size: (height, width) of the network's input in pixels.

        Returns:
            The number; None where the outputs are a list that names classes by number.
        """
        ...

    def decode(self, tensors: Tensors, size: Size, least: float, classes: Sequence[str] = ()) -> DetectedBoxes:
        """Read what a network said of one picture.

        Args:
            tensors: the network's outputs by name.
            size: (height, width) of the network's input in pixels.
            least: score below which nothing is read.
            classes: names in the network's order; without them class 7 is called ``class_7``.

        Returns:
            Boxes in pixels of the input, by falling score.

        Raises:
            ProgramError: the tensors are not those of this head.
        """
        ...


def single_picture(tensors: Tensors) -> list[Floats]:
    """The outputs for one picture, without a batch axis of one.

    Args:
        tensors: by name.

    Returns:
        The arrays, in their order.
    """
    arrays = [np.asarray(tensor, np.float64) for tensor in tensors.values()]
    return [array[0] if array.ndim > 2 and len(array) == 1 else array for array in arrays]


def shapes_of(tensors: Tensors) -> str:
    """Names and shapes of outputs, for messages.

    Args:
        tensors: by name.

    Returns:
        In one line.
    """
    return ", ".join(f"{name} {tuple(np.shape(tensor))}" for name, tensor in tensors.items()) or "no tensors"


def refuse_misfit(head: DetectionHead, tensors: Tensors, size: Size, classes: int | None) -> None:
    """Refuse outputs that are not those of a head.

    Args:
        head: what they are read as.
        tensors: the network's outputs by name.
        size: (height, width) of the network's input in pixels.
        classes: how many there are, where that is known.

    Raises:
        ProgramError: naming the outputs and what was expected.
    """
    expected = head.misfit(tensors, size, classes)
    if expected:
        named = "" if classes is None else f" of {classes} classes"
        where = f"outputs of a detector{named}, read as {head.name}"
        remedy = "name the head that it has, the size that it was exported for, and its own class names"
        raise ProgramError(Problem(where, shapes_of(tensors), f"for {size[0]} x {size[1]} pixels {expected}", remedy))


def refuse_scores(name: str, values: Floats) -> None:
    """Refuse scores that are no probabilities: of another head, or before the function that makes them so.

    Args:
        name: of the head.
        values: what should be within [0, 1].

    Raises:
        ProgramError: naming the range.
    """
    finite = values[np.isfinite(values)]
    if finite.size and (finite.min() < -SLACK or finite.max() > 1 + SLACK):
        got = f"scores from {finite.min():.4g} to {finite.max():.4g}"
        remedy = "name the head that the network has, or export it with the sigmoid of its scores"
        raise ProgramError(Problem(f"outputs of a detector, read as {name}", got, "probabilities, 0 to 1", remedy))


def read_boxes(
    name: str, corners: Floats, scores: Floats, numbers: Floats, least: float, classes: Sequence[str]
) -> DetectedBoxes:
    """Make boxes of what was decoded.

    Args:
        name: of the head.
        corners: (boxes, 4), left, top, right and bottom.
        scores: (boxes,), within [0, 1]; -inf where a row is no box.
        numbers: (boxes,), of the classes.
        least: score below which a box is left out.
        classes: names; empty: class 7 is called ``class_7``.

    Returns:
        Boxes by falling score, at most `MOST_CANDIDATES`; those that are not finite or have no area are left out.

    Raises:
        ProgramError: a score is no probability, or a class has no name.
    """
    refuse_scores(name, scores)
    with np.errstate(invalid="ignore"):
        kept = np.isfinite(corners).all(1) & (corners[:, 2:] > corners[:, :2]).all(1) & (scores >= least)
    rows = np.flatnonzero(kept & np.isfinite(numbers))
    rows = rows[np.argsort(-scores[rows], kind="stable")][:MOST_CANDIDATES]
    chosen = np.rint(numbers[rows]).astype(np.int64)
    if len(chosen) and (chosen.min() < 0 or (len(classes) and chosen.max() >= len(classes))):
        got, expected = (
            f"class {chosen.min()} to {chosen.max()}",
            f"0 to {len(classes) - 1}" if classes else "0 or more",
        )
        remedy = "name the head that the network has, and its own class names"
        raise ProgramError(Problem(f"outputs of a detector, read as {name}", got, f"a class of {expected}", remedy))
    labels = tuple(str(classes[i]) if len(classes) else f"class_{i}" for i in chosen.tolist())
    return DetectedBoxes.of_corners(corners[rows], scores[rows].clip(0, 1), labels)
