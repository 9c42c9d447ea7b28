"""Where a fixed camera sees more motion than is usual there: without examples of what is unusual.

Motion is the mean absolute difference of one frame from the one before, in cells. Who is faster or larger than the
others moves more pixels at once: a cyclist, a cart, somebody who falls or is chased. How much is usual grows with how
near people are to the camera, so that it is taken of each row of cells over the whole recording: of a row, and not of a
cell, as in a short recording what is unusual may be most of what passes a cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.validation import integer_problem, positive_number

Floats = npt.NDArray[np.float32]
Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class UnusualMotionPlan:
    """How unusual motion is measured.

    Args:
        cells: along the shorter side of the picture.
        region: height and width, in cells, over which motion is taken together: about those of somebody standing.
        share: of all moments of a cell that are to have no more motion than what counts as much there, in (0, 1).
        smoothing: cells by which what is usual is smoothed.
        floor: grey levels that are added to what is usual: below it there is no telling motion from noise.

    Raises:
        ParameterError: a value is out of its range; all at once.
    """

    identifier: ClassVar[str] = "privis.unusual-motion-plan/1"

    cells: int = 30
    region: tuple[int, int] = (4, 3)
    share: float = 0.9
    smoothing: float = 4.0
    floor: float = 1.0

    def __post_init__(self) -> None:
        problems = integer_problem("UnusualMotionPlan.cells", self.cells, 4, 256)
        if len(self.region) != 2:
            problems.append(Problem("UnusualMotionPlan.region", repr(self.region), "(height, width) in cells"))
        else:
            problems += [each for side in self.region for each in integer_problem("UnusualMotionPlan.region", side, 1)]
        if not 0 < self.share < 1:
            problems.append(Problem("UnusualMotionPlan.share", repr(self.share), "a share in (0, 1)"))
        problems += positive_number("UnusualMotionPlan.smoothing", self.smoothing)
        problems += positive_number("UnusualMotionPlan.floor", self.floor)
        refuse(ParameterError, problems)

    def grid(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Say how many cells a picture has.

        Args:
            shape: (height, width) in pixels.

        Returns:
            Rows and columns.

        >>> UnusualMotionPlan().grid((240, 360))
        (30, 45)
        """
        side = min(shape) / self.cells
        return max(1, round(shape[0] / side)), max(1, round(shape[1] / side))


class UnusualRegion(NamedTuple):
    """The most unusual region of one frame.

    Attributes:
        score: how many times as much motion as is usual there; 0: nothing moves.
        x: left side, in pixels.
        y: upper side.
        w: width.
        h: height.
    """

    score: float
    x: float
    y: float
    w: float
    h: float


def motion_in_cells(before: Grey, after: Grey, plan: UnusualMotionPlan = UnusualMotionPlan()) -> Floats:
    """Measure motion between two frames, around each cell.

    Args:
        before: luma, uint8 (H, W).
        after: luma of the next frame, of the same shape.
        plan: how.

    Returns:
        Float32 (rows, columns): mean absolute difference of the region around each cell, in grey levels; nothing moves
        beyond the border.

    Raises:
        ParameterError: the shapes differ.

    >>> still, moved = np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint8)
    >>> moved[:10, :10] = 80
    >>> motion_in_cells(still, moved, UnusualMotionPlan(cells=4, region=(1, 1)))[:2, :2].tolist()
    [[80.0, 0.0], [0.0, 0.0]]
    """
    import cv2

    if before.shape != after.shape or before.ndim != 2:
        got = f"frames of shapes {before.shape} and {after.shape}"
        raise ParameterError(Problem("motion_in_cells", got, "two luma pictures (H, W) of one size"))
    rows, columns = plan.grid((before.shape[0], before.shape[1]))
    difference = cv2.absdiff(before, after).astype(np.float32)
    cells = cv2.resize(difference, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.blur(cells, plan.region[::-1], borderType=cv2.BORDER_CONSTANT), np.float32)


def usual_motion(motion: npt.NDArray[np.floating], plan: UnusualMotionPlan = UnusualMotionPlan()) -> Floats:
    """Say how much motion is much, but usual, in each row of cells.

    Args:
        motion: (moments, rows, columns), as of `motion_in_cells`.
        plan: how.

    Returns:
        Float32 (rows,), in grey levels.

    Raises:
        ParameterError: motion has another shape.

    >>> usual_motion(np.full((3, 4, 5), 2.0, np.float32)).round(3).tolist()
    [2.0, 2.0, 2.0, 2.0]
    """
    import cv2

    if np.ndim(motion) != 3 or not np.size(motion):
        raise ParameterError(Problem("usual_motion", f"shape {np.shape(motion)}", "(moments, rows, columns), some"))
    rows = [np.quantile(motion[:, row].astype(np.float32), plan.share, axis=0) for row in range(motion.shape[1])]
    much = np.stack(rows).astype(np.float32)
    smooth = cv2.GaussianBlur(much, (0, 0), plan.smoothing, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(smooth.mean(1), np.float32)


def unusualness(
    motion: npt.NDArray[np.floating], usual: Floats, plan: UnusualMotionPlan = UnusualMotionPlan()
) -> Floats:
    """Compare motion around each cell with what is usual in its row.

    Args:
        motion: (..., rows, columns), as of `motion_in_cells`.
        usual: (rows,), as of `usual_motion`.
        plan: how.

    Returns:
        Float32 (..., rows, columns): about 1 where there is as much as is much in that row.

    >>> unusualness(np.full((1, 2), 9.0, np.float32), np.full(1, 2.0, np.float32)).tolist()
    [[3.0, 3.0]]
    """
    return np.asarray(motion / (usual[:, None] + plan.floor), np.float32)


def most_unusual_region(unusual: Floats, shape: tuple[int, int]) -> UnusualRegion:
    """Find the region of one frame that is the most unusual.

    Args:
        unusual: of one moment, (rows, columns).
        shape: (height, width) of the frame in pixels.

    Returns:
        The box around all cells that hang together with the most unusual one and are at least half as unusual.

    >>> unusual = np.zeros((4, 4), np.float32)
    >>> unusual[1, 1:3] = 3.0, 2.0
    >>> most_unusual_region(unusual, (40, 80))
    UnusualRegion(score=3.0, x=20.0, y=10.0, w=40.0, h=10.0)
    """
    import cv2

    peak = float(unusual.max())
    if peak <= 0:
        return UnusualRegion(0.0, 0.0, 0.0, 0.0, 0.0)
    row, column = np.unravel_index(int(unusual.argmax()), unusual.shape)
    _, parts = cv2.connectedComponents((unusual >= peak / 2).astype(np.uint8), connectivity=4)
    rows, columns = np.nonzero(parts == parts[row, column])
    high, wide = shape[0] / unusual.shape[0], shape[1] / unusual.shape[1]
    left, top = float(columns.min() * wide), float(rows.min() * high)
    right, bottom = float((columns.max() + 1) * wide), float((rows.max() + 1) * high)
    return UnusualRegion(peak, left, top, right - left, bottom - top)
