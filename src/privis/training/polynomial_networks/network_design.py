"""What a network with squares consists of, and what fits a number of levels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from privis.errors import ParameterError, Problem, refuse
from privis.identity import LATER
from privis.validation import whole_number

LEAST_LEVELS = 3
"""A matrix, squares and a matrix."""
MOST_LEVELS = 21
"""Ten squares; beyond, 128-bit secure parameters leave too few bits for a level."""
MOST_FILTERS = 64
_DENSE_SIDE = 8  # largest side of planes that a matrix reads: more numbers make it large


@dataclass(frozen=True)
class Convolution:
    """One convolution with as many results as ``filters``, each squared.

    Args:
        filters: planes that it makes.
        side: of its windows, in pixels.
        stride: between windows, in pixels.
        padding: zeros around a plane, in pixels.
    """

    identifier: ClassVar[str] = "privis.convolution-layer/1"

    filters: int
    side: int = 3
    stride: int = 1
    padding: int = 1


@dataclass(frozen=True)
class NetworkDesign:
    """Convolutions, then one hidden layer or the mean of every plane, then a matrix; squares in between.

    Args:
        shape: of an image, (planes, height, width): 1 plane for grey, 3 for colour.
        classes: how many there are.
        convolutions: each followed by a shifted square.
        hidden: squares of the hidden layer; 0: the mean of every plane instead.
        border: pixels at each side that are not read, and need not be sent.

    Raises:
        ParameterError: naming everything that is wrong.

    >>> NetworkDesign((1, 64, 64), 6, (Convolution(8, 8, 4, 0),), hidden=64).levels
    5
    """

    identifier: ClassVar[str] = "privis.network-design/1"

    shape: tuple[int, int, int]
    classes: int
    convolutions: tuple[Convolution, ...] = ()
    hidden: int = 64
    border: int = field(default=0, metadata=LATER)

    def __post_init__(self) -> None:
        problems = []
        if len(self.shape) != 3 or self.shape[0] not in (1, 3) or min(self.shape) < 1:
            problems.append(Problem("NetworkDesign.shape", str(self.shape), "(1 or 3, height, width) in pixels"))
        problems += whole_number("NetworkDesign.classes", self.classes)
        if self.classes == 1:
            problems.append(Problem("NetworkDesign.classes", "1", "at least two"))
        if type(self.hidden) is not int or self.hidden < 0:
            problems.append(Problem("NetworkDesign.hidden", repr(self.hidden), "an integer of at least 0"))
        if type(self.border) is not int or self.border < 0:
            problems.append(Problem("NetworkDesign.border", repr(self.border), "an integer of at least 0"))
        if not self.convolutions and not self.hidden:
            problems.append(Problem("NetworkDesign", "no layer with squares", "a convolution, or hidden of at least 1"))
        refuse(ParameterError, problems)
        if min(self.planes[-1]) < 1:
            remedy = "larger images, a smaller border, or fewer or smaller convolutions"
            raise ParameterError(Problem("NetworkDesign.convolutions", f"planes of {self.planes[-1]}", "some", remedy))

    @property
    def levels(self) -> int:
        """Products one after the other on ciphertexts: two for each layer with squares, and the last matrix."""
        return 2 * (len(self.convolutions) + bool(self.hidden)) + 1

    @property
    def planes(self) -> tuple[tuple[int, int, int], ...]:
        """Shapes (planes, height, width) of the image without its border and of what each convolution makes."""
        count, height, width = self.shape
        made = [(count, height - 2 * self.border, width - 2 * self.border)]
        for layer in self.convolutions:
            _, *sides = made[-1]
            height, width = ((side + 2 * layer.padding - layer.side) // layer.stride + 1 for side in sides)
            made.append((layer.filters, height, width))
        return tuple(made)


def design_for(
    levels: int, shape: tuple[int, int, int], classes: int, *, filters: int = 8, hidden: int = 64
) -> NetworkDesign:
    """Design a network that takes at most ``levels`` levels.

    Up to four levels it has one hidden layer, with five one convolution of large windows in front of it. With more,
    convolutions of 3 x 3 follow one another, whose filters double as the sides of planes halve; from eight squares on
    (17 levels) the means of planes take the place of the hidden layer.

    Args:
        levels: budget, 3 to 21; an even one leaves one unused.
        shape: of an image, (planes, height, width).
        classes: how many there are.
        filters: planes of the first convolution.
        hidden: squares of the hidden layer.

    Returns:
        The design.

    Raises:
        ParameterError: a budget out of range, or images that are too small for it.

    >>> design_for(5, (1, 64, 64), 6).planes
    ((1, 64, 64), (8, 15, 15))
    >>> [planes[1] for planes in design_for(21, (3, 32, 32), 10, filters=16).planes]
    [32, 32, 32, 32, 32, 32, 16, 16, 16, 16, 16]
    """
    problems = whole_number("levels", levels)
    if not problems and not LEAST_LEVELS <= levels <= MOST_LEVELS:
        remedy = "for deeper networks use MPC: --under aby3 runs any ONNX network"
        problems.append(Problem("levels", str(levels), f"{LEAST_LEVELS} to {MOST_LEVELS}", remedy))
    refuse(ParameterError, problems)
    squares = (levels - 1) // 2
    if squares == 1:
        return NetworkDesign(shape, classes, (), hidden)
    side = min(shape[1:])
    if squares == 2:
        window = max(3, min(8, side // 4))
        return NetworkDesign(shape, classes, (Convolution(filters, window, max(1, window // 2), 0),), hidden)
    pooled = squares >= 8
    count = squares if pooled else squares - 1
    halvings = min(count, max(0, (-(-side // _DENSE_SIDE) - 1).bit_length()))
    made, width = [], filters
    for number in range(count):
        # strides stand at even distances, so that the last ones come before the last convolutions
        halves = halvings * (number + 1) // (count + (halvings < count)) > halvings * number // (
            count + (halvings < count)
        )
        width = min(MOST_FILTERS, 2 * width) if halves and number else width
        made.append(Convolution(width, 3, 2 if halves else 1, 1))
    return NetworkDesign(shape, classes, tuple(made), 0 if pooled else hidden)
