"""How a picture of any size is laid into the fixed input of a network, and boxes are brought back from there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.tasks.detection.boxes import DetectedBoxes

Size = tuple[int, int]


class Fit(Enum):
    """Where a picture goes in an input of other proportions; exporters differ, and boxes come out wrong with another.

    >>> Fit("stretched")
    <Fit.STRETCHED: 'stretched'>
    """

    STRETCHED = "stretched"
    """It fills the input, and its proportions change."""
    CENTRED = "centred"
    """In the middle, as large as there is room for; the rest is on both sides."""
    CORNER = "corner"
    """At the top left, as large as there is room for; the rest is at the right and below."""


@dataclass(frozen=True)
class Letterbox:
    """A picture of one size in a network's input of another.

    Args:
        picture: (height, width) in pixels.
        size: (height, width) of the input in pixels.
        fit: where the picture goes.
        enlarges: whether a picture smaller than the input is enlarged; of no meaning where it is stretched.

    Raises:
        ParameterError: a length below 1.

    >>> box = Letterbox((100, 200), (640, 640), Fit.CENTRED)
    >>> box.drawn, box.offset
    ((320, 640), (160, 0))
    >>> box.to_picture(DetectedBoxes([[0, 160, 640, 320]], [1.0], "all")).boxes.tolist()
    [[0.0, 0.0, 200.0, 100.0]]
    """

    picture: Size
    size: Size
    fit: Fit
    enlarges: bool = True

    def __post_init__(self) -> None:
        problems = [
            Problem(f"Letterbox.{name}", str(lengths), "(height, width) in pixels, both at least 1")
            for name, lengths in (("picture", self.picture), ("size", self.size))
            if len(lengths) != 2 or min(lengths) < 1
        ]
        refuse(ParameterError, problems)

    @property
    def drawn(self) -> Size:
        """(height, width) that the picture has in the input, in pixels."""
        if self.fit is Fit.STRETCHED:
            return self.size
        scale = min(self.size[0] / self.picture[0], self.size[1] / self.picture[1])
        scale = scale if self.enlarges else min(scale, 1.0)
        return max(1, round(self.picture[0] * scale)), max(1, round(self.picture[1] * scale))

    @property
    def offset(self) -> Size:
        """(top, left) of the picture in the input, in pixels."""
        if self.fit is not Fit.CENTRED:
            return 0, 0
        return (self.size[0] - self.drawn[0]) // 2, (self.size[1] - self.drawn[1]) // 2

    def painted(self, image: npt.NDArray[np.uint8], fill: int = 0) -> npt.NDArray[np.uint8]:
        """Draw the picture into the input, resized with linear interpolation as the exporters do.

        Args:
            image: uint8 (H, W, 3) of the size ``picture``.
            fill: grey level of the rest, 0 to 255.

        Returns:
            uint8 (height, width, 3) of the input's size.

        Raises:
            ParameterError: the image has another size.
        """
        import cv2

        if image.shape[:2] != self.picture:
            raise ParameterError(Problem("Letterbox.painted.image", f"{image.shape[:2]} pixels", f"{self.picture}"))
        resized = image
        if self.drawn != self.picture:
            resized = np.asarray(cv2.resize(image, self.drawn[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)
        if self.drawn == self.size:
            return np.ascontiguousarray(resized)
        canvas = np.full((*self.size, 3), fill, np.uint8)
        (top, left), (height, width) = self.offset, self.drawn
        canvas[top : top + height, left : left + width] = resized
        return canvas

    def to_picture(self, boxes: DetectedBoxes) -> DetectedBoxes:
        """Bring boxes back into the picture, and cut them at its sides.

        Args:
            boxes: in pixels of the input.

        Returns:
            Boxes in pixels of the picture; those outside it are left out.
        """
        top, left = self.offset
        scale = (self.picture[1] / self.drawn[1], self.picture[0] / self.drawn[0])
        return boxes.moved(-left, -top).scaled(scale).within(self.picture)


def padded_size(picture: Size, multiple: int, longest: int) -> Size:
    """The input for a network of open size that wants multiples of its largest stride.

    Args:
        picture: (height, width) in pixels.
        multiple: of which both lengths of the input are one, in pixels.
        longest: of the picture's sides at most, in pixels; a larger picture is made smaller.

    Returns:
        (height, width) of the input in pixels: the picture's own, rounded up.

    >>> padded_size((375, 500), 32, 1280), padded_size((3000, 4000), 32, 1280)
    ((384, 512), (960, 1280))
    """
    scale = min(1.0, longest / max(picture))
    height, width = (-(-max(1, round(length * scale)) // multiple) * multiple for length in picture)
    return height, width
