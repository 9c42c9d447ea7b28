"""One file painted over: read at its own depth, painted page by page, written from pixels alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from privis.errors import ImageError, Problem
from privis.extraction.redaction.redactor import Redacted, Redactor
from privis.io.atomic import replacing
from privis.io.images.decode import MAX_PIXELS
from privis.io.images.pages import as_written, pages, still_format, write_pages
from privis.tasks.redaction.painting import painted_mask
from privis.tasks.redaction.regions import ImageRegion, RegionKind


@dataclass(frozen=True)
class PageRedaction:
    """What was painted on one page.

    Args:
        regions: as they were found or given, without margins.
        share: of the page that is painted, in [0, 1].
        passes: how often detectors looked.
        settled: whether they found nothing new in the end.
        size: (height, width) in pixels.
    """

    regions: tuple[ImageRegion, ...] = field(repr=False)
    share: float
    passes: int
    settled: bool
    size: tuple[int, int]


@dataclass(frozen=True)
class FileRedaction:
    """What was painted in one file, and whether it was written.

    Args:
        pages: one for each page, in order.
        missing: kinds that had to be there and of which nothing was found.
        written: whether the output has its name; it has not where a page is not settled or a kind is missing.
    """

    pages: tuple[PageRedaction, ...]
    missing: tuple[RegionKind, ...]
    written: bool

    @property
    def painted(self) -> int:
        """How many regions were painted, of all pages."""
        return sum(len(page.regions) for page in self.pages)

    @property
    def settled(self) -> bool:
        """Whether nothing new was found in the end, on every page."""
        return all(page.settled for page in self.pages)


class HeldBack(Exception):
    """Ends the writing of a file that must not get its name."""


def redact_file(
    redactor: Redactor,
    source: Path | str,
    output: Path,
    given: Mapping[int, Sequence[ImageRegion]] | None = None,
    *,
    required: frozenset[RegionKind] = frozenset(),
    max_pixels: int = MAX_PIXELS,
    look: Callable[[int, NDArray[Any], Redacted], None] | None = None,
    before: Callable[[FileRedaction, Path], None] | None = None,
) -> FileRedaction:
    """Write a painted copy of one file, in the same format, all pages of a TIFF.

    Whatever happens, ``output`` is either as before or the whole painted file: what is written meanwhile has another
    name, and holds painted pages only.

    Args:
        redactor: what is painted.
        source: the file; it is only read.
        output: its painted copy.
        given: the user's own regions by number of the page, from 0, in pixels of the upright page.
        required: kinds of which a file has to show at least one, or it is held back.
        max_pixels: most pixels of a page.
        look: is given number, pixels and result of every page.
        before: is given the result and the path of the finished file just before that gets its name.

    Returns:
        What was painted; ``written`` is False where the file was held back.

    Raises:
        ImageError: the file cannot be read, is an animation, or a given region lies outside of its page.
        OutputError: the output cannot be written.
    """
    stored, boxes = still_format(source), dict(given or {})
    made: list[PageRedaction] = []

    def painted_pages() -> Iterator[NDArray[Any]]:
        for number, pixels in enumerate(pages(source, max_pixels=max_pixels)):
            own = boxes.pop(number, ())
            refuse_outside(str(source), own, pixels.shape)
            done = redactor(pixels, own, lambda made: as_written(made, stored))
            made.append(PageRedaction(done.regions, done.share, done.passes, done.settled, pixels.shape[:2]))
            if look is not None:
                look(number, pixels, done)
            yield done.pixels

    result = None
    try:
        with replacing(output) as temporary:
            with open(temporary, "w+b") as file:
                write_pages(painted_pages(), stored, file)
            if boxes:
                got = f"regions of page {max(boxes) + 1}"
                raise ImageError(Problem(str(source), got, f"pages 1 to {len(made)}"))
            found = {region.kind for page in made for region in page.regions}
            missing = tuple(kind for kind in RegionKind if kind in required - found)
            settled = all(page.settled for page in made)
            result = FileRedaction(tuple(made), missing, settled and not missing)
            if not result.written:
                raise HeldBack
            if before is not None:
                before(result, temporary)
    except HeldBack:
        pass
    assert result is not None
    return result


def refuse_outside(where: str, given: Sequence[ImageRegion], shape: Sequence[int]) -> None:
    """Refuse a given region that paints nothing: it hides nothing, and its numbers are those of another picture.

    Args:
        where: the picture, in messages.
        given: regions in pixels of it.
        shape: (height, width, …) of it.

    Raises:
        ImageError: naming all that lie outside.
    """
    outside = [region for region in given if not painted_mask(shape, [region]).any()]
    if outside:
        boxes = ", ".join(str(tuple(round(value) for value in region.box)) for region in outside)
        got = f"regions {boxes} outside of {shape[1]} x {shape[0]} pixels"
        raise ImageError(Problem(where, got, "x, y, width and height in pixels of the upright picture"))
