"""A picture, painted over until detectors find nothing new in what will be written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.extraction.redaction.picture_finders import FindsRegions
from privis.tasks.redaction.left_regions import FaceVerdict, without_left
from privis.tasks.redaction.painting import covered, eight_bit_view, paint, painted_mask
from privis.tasks.redaction.regions import ImageRegion, Margins
from privis.validation import whole_number

_COVERED, _EDGES = 0.95, 0.5
"""Shares of a region that is painted: less than the first is painted further; what is painted more than the second is
what detectors see in the edges of paint, and does not say that something is still there."""


@dataclass(frozen=True, eq=False)
class Redacted:
    """What became of one picture.

    Args:
        pixels: painted over, of the type and shape of what was given.
        regions: as they were found or given, without margins, each painted place once.
        mask: bool (height, width), which pixels were painted.
        passes: how often detectors looked.
        settled: whether they found nothing new the last time.
        left: faces of selected people, which stay.
    """

    pixels: NDArray[Any] = field(repr=False)
    regions: tuple[ImageRegion, ...] = field(repr=False)
    mask: NDArray[np.bool_] = field(repr=False)
    passes: int
    settled: bool
    left: tuple[ImageRegion, ...] = field(default=(), repr=False)

    @property
    def painted(self) -> int:
        """How many regions were painted."""
        return len(self.regions)

    @property
    def share(self) -> float:
        """Share of the picture that is painted, in [0, 1]."""
        return float(self.mask.mean())


class JudgesFaces(Protocol):
    """What decides which faces stay."""

    def judge(self, image: NDArray[np.uint8], regions: Iterable[ImageRegion]) -> list[FaceVerdict]:
        """Decide of regions of one picture.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB, upright.
            regions: of any kind, in pixels of it.

        Returns:
            For each whether it stays.
        """
        ...


@dataclass(frozen=True)
class Redactor:
    """Paints over what detectors find, then looks again at the result, until there is nothing new.

    Its guarantee is that of paint, not of detectors: pixels of a painted region are one colour, whatever was there.
    What no detector finds stays. Measured shares are in docs/redaction.md.

    Args:
        finders: each gives regions of a picture; none: only given regions are painted. One that also has
            ``find_again(image)`` is asked that of painted pictures, whose edges it would mistake for something.
        margins: how far around them is painted.
        colour: red, green and blue, 0 to 255 each.
        passes: how often detectors look at most; 1: nobody checks the result.
        judge: decides which of the faces stay, with the people whose heads they are; None: none does.

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
    judge: JudgesFaces | None = None

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
        count, left, new = 0, (), list[ImageRegion]()
        while count < self.passes and self.finders and (new or not count):
            count += 1
            seen = painted if as_written is None else as_written(painted)
            image = eight_bit_view(seen)
            new = self.new_regions(image, mask, left, count > 1)
            if self.judge is not None and count == 1:  # later looks see half-painted surroundings
                left = self.left_of(image, new)
                new = list(without_left(new, left))
            settled = not self.fresh(new, mask) if count > 1 else not new
            if new:
                regions += new
                mask |= painted_mask(pixels.shape, self.margins.around(new))
                painted = paint(pixels, mask, self.colour)
        return Redacted(painted, tuple(regions), mask, count, settled, left)

    def left_of(self, image: NDArray[np.uint8], regions: Sequence[ImageRegion]) -> tuple[ImageRegion, ...]:
        """Find the faces that stay.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB, upright.
            regions: what was found in it.

        Returns:
            Those of them that the judge leaves; none where there is no judge.
        """
        if self.judge is None:
            return ()
        verdicts = self.judge.judge(image, regions)
        return tuple(each for each, said in zip(regions, verdicts, strict=True) if said is FaceVerdict.LEAVE)

    def new_regions(
        self, image: NDArray[np.uint8], mask: NDArray[np.bool_], left: Sequence[ImageRegion] = (), again: bool = False
    ) -> list[ImageRegion]:
        """Find what is not painted yet; of regions on each other the surest.

        Args:
            image: uint8 (H, W) or (H, W, 3) RGB, upright.
            mask: bool (H, W) of what is painted.
            left: faces that stay.
            again: whether the picture is painted already.

        Returns:
            Regions without margins, by falling score.
        """
        looks = [getattr(each, "find_again", each.find) if again else each.find for each in self.finders]
        found = without_left([region for look in looks for region in look(image)], left)
        kept, seen = [], mask.copy()
        for region in sorted(found, key=lambda each: -each.score):
            if covered(region, seen) < _COVERED:
                kept.append(region)
                seen |= painted_mask(mask.shape, self.margins.around([region]))
        return kept

    def fresh(self, regions: Iterable[ImageRegion], mask: NDArray[np.bool_]) -> list[ImageRegion]:
        """Take out what detectors see in the edges of paint.

        Args:
            regions: that were found in a painted picture.
            mask: bool (H, W) of what is painted in it.

        Returns:
            Those that lie in unpainted pixels by more than half.
        """
        return [region for region in regions if covered(region, mask) < _EDGES]
