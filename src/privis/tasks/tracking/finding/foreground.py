"""What moves before a fixed camera: the median of samples as background, differences from it, shadows taken out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem
from privis.validation import positive_number

Picture = npt.NDArray[np.uint8]
FEWEST_SAMPLES = 3
LARGEST_NOISE = 12.0
"""Levels of 255 of the worst cameras; more is a picture that moves."""
LEAST_LIGHT = 1.0
"""Squared length of a background colour below which nothing can lie in its shadow."""


@dataclass(frozen=True)
class ForegroundPlan:
    """When a pixel counts as moving.

    A shadow keeps the colour of the ground and takes light away: a pixel of which ``alpha`` times the background is
    the nearest multiple lies in shadow where ``alpha`` is within ``shadow`` and the rest is small. Reference:
    Horprasert, Harwood and Davis, "A statistical approach for real-time robust background subtraction and shadow
    detection", 1999.

    Args:
        least_difference: levels, of 255, by which the most different colour plane must differ.
        noise_factor: and standard deviations of the camera's noise.
        shadow: share of the light that a shadow leaves, from and to.
        shadow_colour: largest distance of a shadow's colour from the background's, as a share of its length.

    Raises:
        ParameterError: naming everything that does not fit.
    """

    least_difference: float = 24.0
    noise_factor: float = 5.0
    shadow: tuple[float, float] = (0.7, 0.95)
    shadow_colour: float = 0.05

    def __post_init__(self) -> None:
        problems = [
            problem
            for name in ("least_difference", "noise_factor", "shadow_colour")
            for problem in positive_number(f"ForegroundPlan.{name}", getattr(self, name))
        ]
        if len(self.shadow) != 2 or not 0 <= self.shadow[0] <= self.shadow[1] <= 1:
            problems.append(Problem("ForegroundPlan.shadow", str(self.shadow), "two rising shares within [0, 1]"))
        if problems:
            raise ParameterError(*problems)


@dataclass(frozen=True, eq=False)
class Background:
    """What a fixed camera sees where nothing moves.

    Args:
        pixels: uint8 (H, W, 3).
        noise: standard deviation of a pixel that nothing moves at, in levels of 255.
    """

    pixels: Picture = field(repr=False)
    noise: float

    @classmethod
    def learned(cls, samples: Sequence[Picture]) -> Background:
        """Take the median of every pixel: right where something stands in less than half of the samples.

        Args:
            samples: frames uint8 (H, W, 3) of one size, spread over time.

        Returns:
            The background.

        Raises:
            ParameterError: there are fewer than three, or their shapes differ.

        >>> frames = [np.full((4, 6, 3), level, np.uint8) for level in (10, 10, 200)]
        >>> int(Background.learned(frames).pixels.max())
        10
        """
        shapes = {np.shape(sample) for sample in samples}
        if len(samples) < FEWEST_SAMPLES or len(shapes) != 1 or np.ndim(samples[0]) != 3:
            got = f"{len(samples)} samples of shapes {sorted(shapes)}"
            raise ParameterError(Problem("Background.learned", got, "at least 3 frames (H, W, 3) of one size"))
        stack = np.stack(samples)
        middle = len(samples) // 2
        pixels = np.partition(stack, middle, axis=0)[middle]
        # of a grid of pixels: the noise is one number of the camera
        some = stack[:, ::4, ::4].astype(np.int16) - pixels[None, ::4, ::4]
        return cls(pixels, min(float(1.4826 * np.median(np.abs(some))), LARGEST_NOISE))

    def foreground(self, frame: Picture, plan: ForegroundPlan = ForegroundPlan()) -> Picture:
        """Say which pixels of a frame differ from the background and are no shadow on it.

        Args:
            frame: uint8 (H, W, 3).
            plan: when a pixel counts as moving.

        Returns:
            uint8 (H, W): 1 where something moves, else 0.

        Raises:
            ParameterError: the frame is of another shape than the background.

        >>> dark = Background(np.full((4, 6, 3), 100, np.uint8), 1.0)
        >>> frame = np.full((4, 6, 3), 100, np.uint8)
        >>> frame[1, 1], frame[2, 2] = (200, 30, 30), (80, 80, 80)  # something red, and a shadow
        >>> np.argwhere(dark.foreground(frame)).tolist()
        [[1, 1]]
        """
        import cv2

        if frame.shape != self.pixels.shape or frame.dtype != np.uint8:
            expected = f"uint8 values of shape {self.pixels.shape}"
            raise ParameterError(Problem("frame", f"{frame.dtype} values of shape {frame.shape}", expected))
        planes = cv2.split(cv2.absdiff(frame, self.pixels))
        least = max(plan.least_difference, plan.noise_factor * self.noise)
        moving = (cv2.max(cv2.max(planes[0], planes[1]), planes[2]) > least).astype(np.uint8)
        rows, columns = np.nonzero(moving)
        seen = frame[rows, columns].astype(np.float32)
        ground = self.pixels[rows, columns].astype(np.float32)
        light = np.einsum("ij,ij->i", ground, ground)
        alpha = np.einsum("ij,ij->i", seen, ground) / np.maximum(light, LEAST_LIGHT)
        rest = seen - alpha[:, None] * ground
        distance = np.einsum("ij,ij->i", rest, rest)
        low, high = plan.shadow
        shadow = (alpha >= low) & (alpha <= high) & (distance < plan.shadow_colour**2 * light)
        moving[rows[shadow], columns[shadow]] = 0
        return moving


def closed_foreground(moving: Picture, height: float) -> Picture:
    """Leave out single pixels, and join what belongs to one person.

    Args:
        moving: uint8 (H, W): 1 where something moves.
        height: of a person in pixels.

    Returns:
        uint8 (H, W), likewise.

    >>> mask = np.zeros((40, 20), np.uint8)
    >>> mask[5:15, 5:10], mask[18:30, 5:10], mask[35, 15] = 1, 1, 1
    >>> closed = closed_foreground(mask, 30.0)
    >>> closed[16, 6], closed[35, 15]
    (1, 0)
    """
    import cv2

    opened = cv2.morphologyEx(moving, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    kernel = np.ones((max(3, round(height * 0.16)), 3), np.uint8)
    return np.asarray(cv2.morphologyEx(opened, cv2.MORPH_CLOSE, kernel), np.uint8)
