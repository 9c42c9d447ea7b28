"""Which tiles of a slide are read: public, and the same for every slide of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from privis.errors import ParameterError, Problem, refuse

SMALLEST, LARGEST = 16, 8192


@dataclass(frozen=True)
class Tiling:
    """A grid over a slide, from its upper left corner; tiles that would reach over its edge are left out.

    Args:
        size: pixels of a side of a tile.
        overlap: pixels that tiles side by side share.
        tissue: least share of a tile that has to be tissue, as `privis.io.images.slides.tissue` finds it; 0: all tiles.
        mpp: microns per pixel of the tiles; None: as ``downsample`` says.
        downsample: how many pixels of level 0 a pixel of a tile is wide; None: as ``mpp`` says, without it 1.

    Raises:
        ParameterError: what makes no grid; everything at once.

    >>> Tiling(256, tissue=0.5).words
    '256,tissue=0.5'
    """

    size: int
    overlap: int = 0
    tissue: float = 0.0
    mpp: float | None = None
    downsample: float | None = None

    def __post_init__(self) -> None:
        problems = []
        if not SMALLEST <= self.size <= LARGEST:
            problems.append(Problem("tiles", str(self.size), f"{SMALLEST} to {LARGEST} pixels a side"))
        if not 0 <= self.overlap < max(1, self.size):
            problems.append(Problem("overlap", str(self.overlap), f"0 to {self.size - 1}, less than a tile"))
        if not 0 <= self.tissue <= 1:
            problems.append(Problem("tissue", str(self.tissue), "a share of a tile, 0 to 1"))
        if self.mpp is not None and not (math.isfinite(self.mpp) and 0.01 <= self.mpp <= 1000):
            problems.append(Problem("mpp", str(self.mpp), "0.01 to 1000 microns per pixel"))
        if self.downsample is not None and not (math.isfinite(self.downsample) and 1 <= self.downsample <= 65536):
            problems.append(Problem("downsample", str(self.downsample), "1 to 65536"))
        if self.mpp is not None and self.downsample is not None:
            problems.append(Problem("mpp", "also downsample", "one of the two"))
        refuse(ParameterError, problems)

    @property
    def words(self) -> str:
        """The grid in the name of a part (`privis.io.images.file_parts`)."""
        said = {field.name: getattr(self, field.name) for field in fields(self)[1:]}
        return ",".join([str(self.size), *(f"{name}={value}" for name, value in said.items() if value)])

    @classmethod
    def named(cls, words: str) -> Tiling:
        """Take the grid out of the name of a part.

        Args:
            words: as the property gives them.

        Returns:
            The grid.

        Raises:
            ParameterError: no such words.

        >>> Tiling.named("256,overlap=32,mpp=0.5")
        Tiling(size=256, overlap=32, tissue=0.0, mpp=0.5, downsample=None)
        """
        size, *others = words.split(",")
        kinds = {"overlap": int, "tissue": float, "mpp": float, "downsample": float}
        try:
            pairs = [other.split("=") for other in others]
            return cls(int(size), **{name: kinds[name](value) for name, value in pairs})
        except (ValueError, KeyError, TypeError):
            expected = "a size, then overlap=, tissue=, mpp= or downsample="
            raise ParameterError(Problem("tiles", repr(words), expected)) from None
