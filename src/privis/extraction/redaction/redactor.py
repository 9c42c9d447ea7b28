"""A picture, painted over until detectors find nothing new in what will be written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.extraction.redaction.picture_finders import FindsRegions
from privis.tasks.redaction.painting import covered, eight_bit_view, paint, painted_mask
from privis.tasks.redaction.regions import ImageRegion, Margins
from privis.validation import whole_number

_COVERED, _PAINTED = 0.95, 0.5
"""Shares of a region that is painted already: at first nearly all has to be, later half, because then detectors see
edges of what was painted, too."""


@dataclass(frozen=True, eq=False)
class Redacted:
    """What became of one picture.

    Args:
        pixels: painted over, of the type and shape of what was given.
        regions: as they were found or given, without margins, each painted place once.
        mask: bool (height, width), which pixels were painted.
        passes: how often detectors looked.
        settled: whether they found nothing new the last time.
    """

    pixels: NDArray[Any] = field(repr=False)
    regions: tuple[ImageRegion, ...] = field(repr=False)
    mask: NDArray[np.bool_] = field(repr=False)
    passes: int
    settled: bool

    @property
    def painted(self) -> int:
        """How many regions were painted."""
        return len(self.regions)

    @property
    def share(self) -> float:
        """Share of the picture that is painted, in [0, 1]."""
        return float(self.mask.mean())


@dataclass(frozen=True)
class Redactor:
    """Paints over what detectors find, then looks again at the result, until there is nothing new.

    Its guarantee is that of paint, not of detectors: pixels of a painted region are one colour, whatever was there.
    What no detector finds stays. Measured shares are in docs/redaction.md.

    Args:
        finders: each gives regions of a picture; none: only given regions are painted.
        margins: how far around them is painted.
        colour: red, green and blue, 0 to 255 each.
        passes: how often detectors look at most; 1: nobody checks the result.

    Raises:
        ParameterError: naming everything that does not fit.

    >>> from privis.tasks.redaction.regions import RegionKind
    >>> redacted = Redactor(())(np.full((4, 4), 9, np.uint8), [ImageRegion.of_box(RegionKind.GIVEN, 0, 0, 2, 2)])
    >>> redacted.pixels.tolist()
    [[0, 0, 9, 9], [0, 0, 9, 9], [9, 9, 9, 9], [9, 9, 9, 9]]
    """

    identifier: ClassVar[str] = "privis.redactor/1"

    finders: tuple[FindsRegions, ...]
    margins: Margins = Margins()
    colour: tuple[int, int, int] = (0, 0, 0)
    passes: int = 8

    def __post_init__(self) -> None:
        object.__setattr__(self, "finders", tuple(self.finders))
        problems = whole_number("Redactor.passes", self.passes)
        for finder in self.finders:
            if not callable(getattr(finder, "find", None)):
                problems.append(Problem("Redactor.finders", type(finder).__name__, "something with find(image)"))
        if problems:
            raise ParameterError(*problems)
        paint(np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.bool_), self.colour)

    def __call__(
        self,
        pixels: NDArray[Any],
        given: Iterable[ImageRegion] = (),
        as_written: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
    ) -> Redacted:
        """Paint one picture.

        Args:
            pixels: uint8 or uint16, (H, W) or (H, W, 3) RGB, upright.
            given: regions of the user's own, painted without margins.
            as_written: what a file format makes of pixels, so that the check sees what readers of the file will see;
                None: nothing changes.

        Returns:
            The result; ``settled`` says whether the last look found nothing new.

        Raises:
            ParameterError: pixels of another type or shape.
        """
        boxes = tuple(given)
        mask, regions = painted_mask(pixels.shape, boxes), list(boxes)
        painted, settled = paint(pixels, mask, self.colour), not self.finders
        count = 0
        while not settled and count < self.passes:
            count += 1
            seen = painted if as_written is None else as_written(painted)
            new = self._new(eight_bit_view(seen), mask, _COVERED if count == 1 else _PAINTED)
            settled = not new
            if new:
                regions += new
                mask |= painted_mask(pixels.shape, self.margins.around(new))
                painted = paint(pixels, mask, self.colour)
        return Redacted(painted, tuple(regions), mask, count, settled)

    def _new(self, image: NDArray[np.uint8], mask: NDArray[np.bool_], enough: float) -> list[ImageRegion]:
        """What is found where nothing is painted yet; of regions on each other the surest."""
        found = [region for finder in self.finders for region in finder.find(image)]
        kept, seen = [], mask.copy()
        for region in sorted(found, key=lambda each: -each.score):
            if covered(region, seen) < enough:
                kept.append(region)
                seen |= painted_mask(mask.shape, self.margins.around([region]))
        return kept
