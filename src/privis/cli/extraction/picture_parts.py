"""Options of files that hold more than one picture: tiles of whole slides, pages of TIFFs, frames of videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from privis.cli.console import err
from privis.errors import ParameterError, Problem, refuse
from privis.io.images.decode import MAX_PIXELS
from privis.io.images.file_parts import TILE, TIME, file_part
from privis.io.images.slides.tiles import tiles_of_all
from privis.io.images.slides.tiling import Tiling
from privis.io.images.tiff_pages import Pages
from privis.io.images.videos.frame_parts import frames_of_all
from privis.io.video.frame_choice import FrameChoice
from privis.validation import integer_problem

Tiles = Annotated[
    int | None,
    typer.Option(help="Inputs are whole slides: a row for each tile of this many pixels a side."),
]
Overlap = Annotated[int, typer.Option(help="Pixels that tiles side by side share.")]
Tissue = Annotated[float, typer.Option(help="Only tiles of which this share is tissue, as 0.5.")]
MicronsPerPixel = Annotated[float | None, typer.Option("--mpp", help="Scale of tiles in microns per pixel.")]
Downsample = Annotated[float | None, typer.Option(help="Scale of tiles: pixels of the finest level to one of a tile.")]
PageWords = Annotated[
    str | None, typer.Option("--pages", help="Pages of TIFFs to read: all, a row for each, or the number of one.")
]
Every = Annotated[
    str | None,
    typer.Option(help="Inputs are videos: a row for the first frame of every so many seconds, as 1s or 500ms."),
]
Start = Annotated[str | None, typer.Option("--from", help="Frames of videos from this time on, as 90s or 1:30.")]
End = Annotated[str | None, typer.Option("--to", help="Frames of videos before this time.")]
Stack = Annotated[
    int, typer.Option(help="Frames of videos in one row, below each other in one picture, for features of motion.")
]


@dataclass(frozen=True)
class PartWords:
    """What the command line says of parts of files.

    Args:
        tiles: pixels of a side of a tile; None: inputs are no slides.
        overlap: of tiles, in pixels.
        tissue: least share of a tile.
        mpp: microns per pixel.
        downsample: pixels of level 0 to one of a tile.
        pages: of TIFFs.
        every: interval of frames; None: inputs are no videos.
        start: of the period that frames are chosen from.
        end: of the period.
        stack: frames of one picture.

    Raises:
        ParameterError: what says nothing, or contradicts itself.
    """

    tiles: int | None = None
    overlap: int = 0
    tissue: float = 0.0
    mpp: float | None = None
    downsample: float | None = None
    pages: str | None = None
    every: str | None = None
    start: str | None = None
    end: str | None = None
    stack: int = 1

    def __post_init__(self) -> None:
        names = ("overlap", "tissue", "mpp", "downsample")
        problems = [
            Problem(f"--{name}", "no --tiles", "tiles of whole slides", "add --tiles 256, or leave it out")
            for name in names
            if self.tiles is None and getattr(self, name)
        ]
        given = (("--from", self.start), ("--to", self.end), ("--stack", None if self.stack == 1 else self.stack))
        problems += [
            Problem(name, "no --every", "frames of videos", "add --every 1s, or leave it out")
            for name, value in given
            if self.every is None and value is not None
        ]
        problems += integer_problem("--stack", self.stack, 1, 1000)
        kinds = [
            name
            for name, value in (("--tiles", self.tiles), ("--pages", self.pages), ("--every", self.every))
            if value is not None
        ]
        if len(kinds) > 1:
            remedy = "slides have tiles, TIFFs have pages, videos have frames"
            problems.append(Problem(kinds[1], f"also {kinds[0]}", "one of the two", remedy))
        refuse(ParameterError, problems)
        if self.tiles is not None:
            Tiling(self.tiles, self.overlap, self.tissue, self.mpp, self.downsample)
        elif self.pages is not None:
            Pages.named(self.pages)
        elif self.every is not None:
            self._choice()

    def _choice(self) -> FrameChoice:
        return FrameChoice.named(self.every, self.start, self.end)

    @property
    def given(self) -> bool:
        """Whether parts are asked for."""
        return self.tiles is not None or self.pages is not None or self.of_videos

    @property
    def of_videos(self) -> bool:
        """Whether inputs are videos."""
        return self.every is not None

    def check(self, released: bool, of_patients: bool = False) -> None:
        """Refuse what tells of a slide without being covered by noise, and say what is hidden.

        Args:
            released: whether results are noised.
            of_patients: whether subjects come from headers of DICOM files, which tiles and frames are read without.

        Raises:
            ParameterError: tiles chosen by their tissue, or tiles that share pixels; tiles or frames with subjects of
                headers.
        """
        if of_patients and (self.tiles is not None or self.of_videos):
            also = "--tiles" if self.tiles is not None else "--every"
            raise ParameterError(Problem("--subject-from", f"also {also}", "one of the two", "use --subject-column"))
        if not released or not self.given:
            return
        problems = []
        if self.tissue:
            got = "tiles chosen by what they show: which there are stands in the table, and no noise covers it"
            problems.append(Problem("--tissue", got, "all tiles, with --release", "leave --tissue out"))
        if self.overlap:
            got = "tiles that share pixels: a change of one pixel changes several rows"
            problems.append(Problem("--overlap", got, "tiles side by side, with --release", "leave --overlap out"))
        refuse(ParameterError, problems)
        what = "tile" if self.tiles is not None else "page" if self.pages is not None else "picture of frames"
        told = f"every {what} is an image of its own: a guarantee of an image hides a {what}, not its whole file"
        if self.of_videos:
            told += ", and nobody who is seen in several"
        err.print(f"privis: {told} (--unit person:IMAGES hides that)", markup=False, soft_wrap=True)

    def of(
        self, paths: Sequence[str], subjects: Sequence[str] | None = None, max_pixels: int = MAX_PIXELS
    ) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
        """Name the parts of files.

        Args:
            paths: of files.
            subjects: whose each is; None: not known.
            max_pixels: most pixels of a frame.

        Returns:
            Paths or names of parts, and the subject of each.

        Raises:
            MissingExtraError: openslide, or PyAV, is not installed.
        """
        if self.tiles is not None:
            tiling = Tiling(self.tiles, self.overlap, self.tissue, self.mpp, self.downsample)
            found = tiles_of_all(paths, tiling, subjects)
            tiles = [part.path for part in map(file_part, found[0]) if part.kind == TILE]
            slides = len(set(tiles))
            of = "1 slide" if slides == 1 else f"{slides:,} slides"
            told = f"{len(tiles):,} tiles of {of}; labels and overviews of slides are not read"
            err.print(f"privis: {told}", markup=False, soft_wrap=True)
            return found
        if self.pages is not None:
            return Pages.named(self.pages).of_all(paths, subjects)
        if self.of_videos:
            found = frames_of_all(paths, self._choice(), subjects, stack=self.stack, max_pixels=max_pixels)
            frames = [part.path for part in map(file_part, found[0]) if part.kind == TIME]
            videos = len(set(frames))
            of = "1 video" if videos == 1 else f"{videos:,} videos"
            each = "frames" if self.stack == 1 else f"pictures of {self.stack} frames"
            err.print(f"privis: {len(frames):,} {each} of {of}, by the times at which they are shown", markup=False)
            return found
        return tuple(paths), None if subjects is None else tuple(subjects)
