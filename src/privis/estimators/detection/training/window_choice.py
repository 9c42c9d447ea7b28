"""Which window shows things of given boxes: its shape, what lies around the thing, and the sizes that are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from privis.errors import ParameterError, Problem, refuse
from privis.estimators.detection.training.window_samples import Floats
from privis.features.dalal_triggs import BLOCK, CELL
from privis.tasks.detection.pyramid import Pyramid
from privis.tasks.detection.window_model import CHANNELS, WindowMargins, WindowModel

AREA = 96 * 38
"""Square pixels of a thing inside its window: of a person in the window of Dalal and Triggs."""
SURROUNDINGS = 16
"""Pixels around a thing that belong to its window, at least."""
LONGEST = 96
SHORTEST = 16
"""Sides of a thing in a window, in pixels."""
ENLARGED = 2.0
"""Most that pictures are enlarged, for things that are smaller than in the window."""
SEEN = (0.05, 0.98)
"""Quantiles of the heights of boxes: those beyond are too few to pay for the levels that show them."""
SLACK = 1.1
"""Factor by which sizes may go beyond these."""
LARGEST_WINDOW = 512
"""Pixels of a side."""


@dataclass(frozen=True)
class WindowChoice:
    """A window, and the sizes of things that it is looked for in.

    Args:
        window: (height, width) in pixels.
        thing: (height, width) of the thing in its middle, in pixels.
        heights: least and largest height of things in pixels of pictures.
        step: factor from one level of the pyramid to the next.
        border: pixels around each level.

    Raises:
        ParameterError: naming everything that does not fit.
    """

    window: tuple[int, int]
    thing: tuple[float, float]
    heights: tuple[float, float]
    step: float = 1.1
    border: int = 32

    def __post_init__(self) -> None:
        problems = []
        if any(side % CELL or not BLOCK <= side <= LARGEST_WINDOW for side in self.window):
            expected = f"(height, width), multiples of {CELL} from {BLOCK} to {LARGEST_WINDOW} pixels"
            problems.append(Problem("window", f"{self.window[0]}x{self.window[1]}", expected))
        elif any(not 0 < own <= side for own, side in zip(self.thing, self.window, strict=True)):
            got = f"{self.thing[0]:g}x{self.thing[1]:g} in {self.window[0]}x{self.window[1]}"
            problems.append(Problem("thing in the window", got, "a part of it", "take a larger window"))
        refuse(ParameterError, problems)

    @property
    def margins(self) -> WindowMargins:
        """What of the window lies around the thing."""
        down, across = ((1 - own / side) / 2 for own, side in zip(self.thing, self.window, strict=True))
        return WindowMargins(across, down, across, down)

    def model(self, label: str, weights: Floats | None = None, bias: float = 0.0) -> WindowModel:
        """Make the model of a window.

        Args:
            label: what it shows.
            weights: (block columns, block rows, 36); None: zeros.
            bias: of the score.

        Returns:
            The model.
        """
        rows, columns = (side // CELL - 1 for side in self.window)
        own = np.zeros((columns, rows, CHANNELS)) if weights is None else weights
        pyramid = Pyramid(self.step, self.border, min(ENLARGED, self.thing[0] / self.heights[0]))
        return WindowModel(own, bias, label, self.window, pyramid, self.margins)


def choose_window(boxes: Sequence[Floats], window: tuple[int, int] | None = None) -> WindowChoice:
    """Choose a window by the boxes of the things.

    Args:
        boxes: of each picture (n, 4), each x, y, width, height in pixels.
        window: (height, width) in pixels; None: by the boxes.

    Returns:
        The window, in which things have the boxes' middle shape.

    Raises:
        ParameterError: there is no box, or the window does not fit.

    >>> choose_window([np.array([[0.0, 0.0, 100.0, 250.0]] * 3)]).window
    (128, 72)
    """
    every = np.concatenate([np.zeros((0, 4)), *boxes])
    if not len(every):
        raise ParameterError(Problem("boxes", "none", "at least one", "draw boxes around the things"))
    aspect = float(np.exp(np.median(np.log(every[:, 2] / every[:, 3]))))
    low, high = np.quantile(every[:, 3], SEEN)
    heights = float(low / SLACK), float(high * SLACK)
    if window is None:
        longest = min(LONGEST, ENLARGED * heights[0] * max(1.0, aspect))
        height = min(float(np.sqrt(AREA / aspect)), longest / max(1.0, aspect))
        height = max(height, SHORTEST / min(1.0, aspect) if aspect > 1 / 4 else SHORTEST)
        thing = round(height), max(1, round(height * aspect))
        sides = [-(-(side + 2 * SURROUNDINGS) // CELL) * CELL for side in thing]
        return WindowChoice((sides[0], sides[1]), (float(thing[0]), float(thing[1])), heights)
    room = [max(CELL, side - 2 * SURROUNDINGS) for side in window]
    height = min(room[0], room[1] / aspect)
    return WindowChoice(window, (height, height * aspect), heights)
