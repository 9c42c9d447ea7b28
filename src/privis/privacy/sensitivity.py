"""How far neighbouring images can be apart on the integer grid that noise is added on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from privis.privacy.units import Patch, Pixels, WholeImage

Norm = Literal["L1", "L2"]
_WHITE = 255
ImageUnit = WholeImage | Pixels | Patch


@dataclass(frozen=True)
class Sensitivity:
    """Largest distance between two neighbours on the grid.

    ``squared`` is the square of the L1 or L2 distance, an exact integer. At most ``coordinates`` grid values
    differ between two neighbours, each by at most ``largest``. ``reason`` says where the bound comes from.
    """

    norm: Norm
    squared: int
    coordinates: int
    largest: int
    reason: str

    @property
    def value(self) -> float:
        """The distance in grid steps, never rounded down."""
        root = math.isqrt(self.squared)
        if root * root == self.squared and root < 2**53:
            return float(root)
        return math.nextafter(math.sqrt(self.squared) * (1 + 2**-50), math.inf)

    def times(self, images: int) -> Sensitivity:
        """Give the sensitivity of ``images`` releases taken together, of which each has this one.

        Their distances add up in L1, their squares in L2: an adversary may choose every image after having seen
        what was released before, and every one moves by the full distance.

        >>> feature_sensitivity("L1", 1000, 128).times(4).value, feature_sensitivity("L2", 1000, 128).times(4).value
        (8000.0, 4000.0)
        """
        if images == 1:
            return self
        squared = self.squared * (images * images if self.norm == "L1" else images)
        reason = f"{self.reason}; {images} images of one person taken together"
        return replace(self, squared=squared, coordinates=self.coordinates * images, reason=reason)


def pixel_sensitivity(norm: Norm, unit: ImageUnit, block: int, shape: tuple[int, ...]) -> Sensitivity:
    """Sensitivity of the block sums of a uint8 image of ``shape``, (H, W) or (H, W, C).

    The grid holds one integer per block and channel, the sum of the block's pixels. Let a_j be the number of
    changed pixels in block j. Each channel of the sum then moves by at most 255 a_j, and both bounds are
    attained (black against white): L1 = 255 C sum_j a_j and L2 = 255 sqrt(C sum_j a_j^2). Hence with areas
    A_j (smaller at borders):

    - whole image: a_j = A_j;
    - m pixels: sum_j a_j = min(m, H W) and a_j <= A_j. sum_j a_j^2 is convex and is largest when the changed
      pixels fill the largest blocks one after the other: that vector majorises every other one that is
      possible;
    - patch: one block, a_j = max A.

    >>> pixel_sensitivity("L1", Pixels(1), 1, (28, 28)).value
    255.0
    >>> pixel_sensitivity("L2", Pixels(16), 4, (28, 28)).value == 255 * 16
    True
    """
    height, width, *rest = shape
    channels = math.prod(rest)
    areas = _block_areas(height, width, block)
    changed = _changed(unit, areas, height * width)
    if norm == "L1":
        squared = (_WHITE * channels * sum(area * count for area, count in changed)) ** 2
    else:
        squared = _WHITE**2 * channels * sum(area * area * count for area, count in changed)
    blocks = sum(count for _, count in areas)
    # Fewest pixels per block reach most blocks, most pixels per block move one furthest.
    reach = min(unit.count, blocks) if isinstance(unit, Pixels) else sum(count for _, count in changed)
    return Sensitivity(norm, squared, reach * channels, _WHITE * changed[0][0], _reason(unit, block, channels))


def feature_sensitivity(norm: Norm, radius: int, coordinates: int) -> Sensitivity:
    """Sensitivity of an integer vector whose norm is at most ``radius`` when the image is replaced.

    Both vectors lie in the ball, so their distance is at most its diameter, 2 * radius (triangle inequality).

    >>> feature_sensitivity("L2", 1000, 128).value
    2000.0
    """
    reason = f"the {norm} norm is clipped to {radius} grid steps, and two such vectors are at most twice that apart"
    return Sensitivity(norm, (2 * radius) ** 2, coordinates, 2 * radius, reason)


def count_sensitivity(norm: Norm, moved: int, bins: int, reason: str) -> Sensitivity:
    """Sensitivity of ``bins`` counts of which ``moved`` may go from one bin to another.

    Each takes 1 from one bin and gives 1 to another: a difference of L1 norm 2 and L2 norm sqrt(2). Both add up at
    most (triangle inequality), to 2 moved and sqrt(2) moved, and do so when all go from the same bin to the same
    other bin. A single bin has nowhere to move its counts to, but its total may shrink to nothing.

    >>> count_sensitivity("L1", 16, 256, "").value, count_sensitivity("L2", 16, 256, "").squared
    (32.0, 512)
    """
    squared = (2 * moved) ** 2 if norm == "L1" else 2 * moved**2
    return Sensitivity(norm, squared, min(bins, 2 * moved), moved, reason)


def _block_areas(height: int, width: int, block: int) -> list[tuple[int, int]]:
    """(area, number of blocks of that area), largest area first."""
    rows = [(block, height // block), (height % block, 1)]
    columns = [(block, width // block), (width % block, 1)]
    kinds = [(tall * wide, many * more) for tall, many in rows for wide, more in columns if tall * wide * many * more]
    return sorted(kinds, reverse=True)


def _changed(unit: ImageUnit, areas: list[tuple[int, int]], pixels: int) -> list[tuple[int, int]]:
    """Worst case: (changed pixels in a block, number of such blocks), most changed pixels first."""
    if isinstance(unit, Patch):
        return [(areas[0][0], 1)]
    if not isinstance(unit, Pixels):
        return areas
    left, changed = min(unit.count, pixels), []
    for area, count in areas:
        full = min(count, left // area)
        left -= full * area
        if full:
            changed.append((area, full))
        if full < count:
            return changed + ([(left, 1)] if left else [])
    return changed


def _reason(unit: ImageUnit, block: int, channels: int) -> str:
    grid = "every pixel" if block == 1 else f"every sum over {block} x {block} pixels"
    each = "" if channels == 1 else f" in each of {channels} channels"
    if isinstance(unit, Pixels):
        worst = "" if block == 1 else ", worst when they fill as few blocks as possible"
        return f"noise is on {grid}; changed pixels: at most {unit.count}, each by up to 255{each}{worst}"
    if isinstance(unit, Patch):
        return f"noise is on {grid}; changed pixels: those of one patch, each by up to 255{each}"
    return f"noise is on {grid}; changed pixels: all, each by up to 255{each}"
