"""Heads of two tensors, boxes and classes with a background: those of SSD, decoded by the network or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from privis.errors import ParameterError, Problem
from privis.tasks.detection.boxes import DetectedBoxes, Floats
from privis.tasks.detection.networks.detection_heads import (
    MOST_LISTED,
    SLACK,
    NetworkReading,
    Tensors,
    read_boxes,
    refuse_misfit,
    single_picture,
)
from privis.tasks.detection.networks.encodings import BoxEncoding, PriorGrid, Size, corners_of, prior_boxes
from privis.tasks.detection.networks.letterbox import Fit


@dataclass(frozen=True)
class SSDHead:
    """A head of two tensors, boxes (priors, 4) and classes (priors, classes + 1), the first class the background.

    Args:
        name: what messages and commands call it.
        boxes: corners as shares of the sides, where the network decodes them itself, or offsets from priors.
        grids: of the priors, where boxes are offsets from them.
        side: of the square input that the priors are for, in pixels.
        variances: of offsets and of logarithms of sizes.
        reads: how its network reads a picture.
        least: score from which a box counts where nobody says another.
        overlap: intersection over union from which two boxes of one class are one.

    Raises:
        ParameterError: naming everything that does not fit.
    """

    identifier: ClassVar[str] = "privis.ssd-head/1"

    name: str
    boxes: BoxEncoding = BoxEncoding.CORNER_SHARES
    grids: tuple[PriorGrid, ...] = ()
    side: int = 300
    variances: tuple[float, float] = (0.1, 0.2)
    reads: NetworkReading = NetworkReading(Fit.STRETCHED, mean=(127.0,), deviation=128.0)
    least: float = 0.4
    overlap: float = 0.45

    @property
    def suppressed(self) -> bool:
        """Its networks leave suppression to others."""
        return False

    def __post_init__(self) -> None:
        wanted = (BoxEncoding.CORNER_SHARES, BoxEncoding.PRIOR_OFFSETS)
        if self.boxes not in wanted or (self.boxes is BoxEncoding.PRIOR_OFFSETS) != bool(self.grids):
            got = f"boxes as {self.boxes!r} with {len(self.grids)} grids of priors"
            expected = "CORNER_SHARES without priors, or PRIOR_OFFSETS with them"
            raise ParameterError(Problem("SSDHead.boxes", got, expected))

    def misfit(self, tensors: Tensors, size: Size, classes: int | None = None) -> str:
        """Say what outputs of this head look like, where ``tensors`` do not: see `DetectionHead.misfit`.

        Args:
            tensors: the network's outputs by name, for one picture.
            size: (height, width) of the network's input in pixels.
            classes: how many there are without the background, where that is known.

        Returns:
            What was expected; empty where they fit.
        """
        pair = self._pair(tensors)
        count = sum(grid.count for grid in self.grids)
        if pair is not None:
            boxes, scores = pair
            named = scores.shape[1] >= 2 if classes is None else scores.shape[1] == classes + 1
            own = len(boxes) == count and size == (self.side, self.side) if self.grids else len(boxes) > MOST_LISTED
            if named and own:
                return ""
        width = "classes + 1" if classes is None else str(classes + 1)
        many = f"{count} of an input of {self.side} x {self.side} pixels" if self.grids else f"over {MOST_LISTED}"
        return f"tensors (boxes, 4) and (boxes, {width}) with {many} boxes"

    def class_count(self, tensors: Tensors, size: Size) -> int | None:
        """How many classes outputs of this head tell apart, without the background.

        Args:
            tensors: the network's outputs by name, which fit.
            size: (height, width) of the network's input in pixels.

        Returns:
            The number.
        """
        pair = self._pair(tensors)
        return None if pair is None else pair[1].shape[1] - 1

    def decode(self, tensors: Tensors, size: Size, least: float, classes: Sequence[str] = ()) -> DetectedBoxes:
        """Read what a network said of one picture: see `DetectionHead.decode`. Logits become probabilities.

        Args:
            tensors: the network's outputs by name.
            size: (height, width) of the network's input in pixels.
            least: score below which nothing is read.
            classes: names in the network's order, without the background.

        Returns:
            Boxes in pixels of the input, by falling score: one a prior, of its likeliest class.

        Raises:
            ProgramError: the tensors are not those of this head.
        """
        refuse_misfit(self, tensors, size, len(classes) or None)
        pair = self._pair(tensors)
        assert pair is not None
        boxes, values = pair
        if (np.abs(values.sum(1) - 1) > SLACK).any() or (values < -SLACK).any():  # logits
            values = np.exp(values - values.max(1, keepdims=True))
            values = values / values.sum(1, keepdims=True)
        priors = prior_boxes(self.grids, self.side) if self.grids else None
        corners = corners_of(boxes, self.boxes, size, priors=priors, variances=self.variances)
        numbers = values[:, 1:].argmax(1)
        scores = values[np.arange(len(numbers)), numbers + 1]
        return read_boxes(self.name, corners, scores, numbers.astype(np.float64), least, classes)

    def _pair(self, tensors: Tensors) -> tuple[Floats, Floats] | None:
        """Boxes and classes; where both have four columns, names tell them apart, and otherwise their order."""
        arrays = single_picture(tensors)
        if len(arrays) != 2 or any(array.ndim != 2 for array in arrays) or len(arrays[0]) != len(arrays[1]):
            return None
        widths = [array.shape[1] for array in arrays]
        if 4 not in widths:
            return None
        first = widths.index(4)
        if widths == [4, 4]:
            named = [any(word in name.lower() for word in ("box", "loc")) for name in tensors]
            first = named.index(True) if named.count(True) == 1 else 0
        return arrays[first], arrays[1 - first]
