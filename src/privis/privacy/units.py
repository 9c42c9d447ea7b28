"""Privacy units: which change of an image a release hides."""

from __future__ import annotations

from dataclasses import dataclass

from privis.errors import ParameterError, refuse
from privis.privacy.parameters import whole_number


@dataclass(frozen=True)
class WholeImage:
    """Hide everything in the image but its dimensions (the default, and the strongest unit).

    >>> WholeImage().relation
    'one whole image replaced by any other of the same dimensions'
    """

    @property
    def relation(self) -> str:
        """The neighbouring relation, in words."""
        return "one whole image replaced by any other of the same dimensions"


@dataclass(frozen=True)
class Pixels:
    """Hide any change of at most ``count`` pixels, wherever they lie (a pixel is all channels of one
    position).

    Raises ``ParameterError`` when count is not an integer of at least 1. Source: Fan, "Image pixelization
    with differential privacy", doi:10.1007/978-3-319-95729-6_10.

    >>> Pixels(16).relation
    'images that differ in at most 16 pixels'
    """

    count: int

    def __post_init__(self) -> None:
        refuse(ParameterError, whole_number("Pixels.count", self.count))
        object.__setattr__(self, "count", int(self.count))  # numpy's integers may overflow, Python's may not

    @property
    def relation(self) -> str:
        """The neighbouring relation, in words."""
        return f"images that differ in at most {self.count} pixel{'s' if self.count > 1 else ''}"


@dataclass(frozen=True)
class Patch:
    """Hide any change inside one aligned patch of ``side`` x ``side`` pixels; the image is pixelised to such
    patches.

    Raises ``ParameterError`` when side is not an integer of at least 1.

    >>> Patch(4).relation
    'images that differ inside one aligned patch of 4 x 4 pixels'
    """

    side: int

    def __post_init__(self) -> None:
        refuse(ParameterError, whole_number("Patch.side", self.side))
        object.__setattr__(self, "side", int(self.side))

    @property
    def relation(self) -> str:
        """The neighbouring relation, in words."""
        return f"images that differ inside one aligned patch of {self.side} x {self.side} pixels"


Unit = WholeImage | Pixels | Patch
