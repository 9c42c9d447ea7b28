"""Names of parts of files: a frame, a page, a tile, each of which stands wherever a path does.

=================================  =================================================================================
``scan.dcm#frame=2``               the second frame of a DICOM file
``report.tif#page=2``              the second page of a TIFF
``slide.svs#tile=1024,512,0,256``  256 x 256 pixels of level 0 of a slide, the first of them 1024 pixels from the left
                                   and 512 from the top of level 0; a fifth number: pixels a side before they are scaled
``slide.svs#tiles=256``            a slide that gave no tile: reading it says why
``clip.mp4#time=1.5``              the frame of a video that is first shown 1.5 s from its start, to the microsecond;
                                   several times are frames below each other, in one picture
``clip.mp4#times=1,0,,1``          a video that gave no frame: reading it says why
=================================  =================================================================================
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Self

from privis.errors import ParameterError, Problem

FRAME, PAGE, TILE, TILES, TIME, TIMES = "frame", "page", "tile", "tiles", "time", "times"
_NUMBER = "(?:0|[1-9][0-9]{0,8})"
_COUNT = "[1-9][0-9]{0,8}"
_SECONDS = _NUMBER + r"(?:\.[0-9]{0,5}[1-9])?"
_PART = re.compile(
    rf"(?P<path>.+)#(?:(?P<frame>frame={_COUNT})|(?P<page>page={_COUNT})"
    rf"|(?P<tile>tile={_NUMBER},{_NUMBER},{_NUMBER},{_COUNT}(?:,{_COUNT})?)|(?P<tiles>tiles=[0-9a-z.,=+-]+)"
    rf"|(?P<time>time={_SECONDS}(?:,{_SECONDS})*)|(?P<times>times=[0-9,/]+))",
    re.DOTALL,
)


@dataclass(frozen=True)
class FilePart:
    """A file, and which part of it is meant.

    Args:
        path: of the file.
        kind: one of ``frame``, ``page``, ``tile``, ``tiles``, ``time`` and ``times``; empty: the file as such.
        words: what stands behind the kind.
    """

    path: str
    kind: str = ""
    words: str = ""

    @property
    def numbers(self) -> tuple[int, ...]:
        """The words as whole numbers; of ``tiles`` and ``times`` there are none, of ``time`` its microseconds."""
        if self.kind == TIME:
            return tuple(round(Fraction(word) * 10**6) for word in self.words.split(","))
        words = [] if self.kind in (TILES, TIMES) or not self.words else self.words.split(",")
        return tuple(int(word) for word in words)

    @property
    def name(self) -> str:
        """What stands for the part wherever a path does.

        >>> FilePart("scan.tif", "page", "2").name
        'scan.tif#page=2'
        """
        return f"{self.path}#{self.kind}={self.words}" if self.kind else self.path


def file_part(path: str | os.PathLike[str]) -> FilePart:
    """Take the name of a part apart; a file that has such a name itself is that file.

    Args:
        path: of a file, or the name of a part.

    Returns:
        The file and its part.

    >>> file_part("slide.svs#tile=1024,512,0,256").numbers
    (1024, 512, 0, 256)
    >>> file_part("photo.png").kind
    ''
    """
    name = os.fspath(path)
    return FilePart(name) if "#" in name and os.path.lexists(name) else part_of_source(name)


def part_of_source(name: str) -> FilePart:
    """Take the name of a part apart without a look at any file, as for sources that are not on this machine.

    Args:
        name: of a source, or of a part of one.

    Returns:
        The source and its part.

    >>> part_of_source("s3://scans/a.dcm#frame=2").path
    's3://scans/a.dcm'
    """
    found = _PART.fullmatch(name) if "#" in name else None
    if found is None:
        return FilePart(name)
    for kind in (FRAME, PAGE, TILE, TILES, TIME, TIMES):
        if found[kind]:
            return FilePart(found["path"], kind, found[kind].partition("=")[2])
    return FilePart(name)


def part_named(path: str | os.PathLike[str], frame: int) -> str:
    """Name one frame of a file.

    Args:
        path: of the file.
        frame: its number, from 1.

    Returns:
        What stands for the frame wherever a path does.

    >>> part_named("scan.dcm", 2)
    'scan.dcm#frame=2'
    """
    return FilePart(os.fspath(path), FRAME, str(frame)).name


def file_and_frame(path: str | os.PathLike[str]) -> tuple[str, int | None]:
    """Take the name of a frame apart.

    Args:
        path: of a file, or what `part_named` made.

    Returns:
        Path of the file, and the number of the frame, from 1; None where none is named.

    >>> file_and_frame("scan.dcm#frame=2"), file_and_frame("scan.dcm")
    (('scan.dcm', 2), ('scan.dcm', None))
    """
    part = file_part(path)
    return (part.path, part.numbers[0]) if part.kind == FRAME else (os.fspath(path), None)


ALL = "all"
_MOST_DIGITS = 9


@dataclass(frozen=True)
class PartNumbers:
    """Which parts of every file are read, each as an image of its own.

    Args:
        number: from 1; None: all that a file has.

    Raises:
        ParameterError: a number below 1, or of more than nine digits.
    """

    what: ClassVar[str] = "parts"

    number: int | None = 1

    def __post_init__(self) -> None:
        if self.number is not None and not 1 <= self.number < 10**_MOST_DIGITS:
            raise ParameterError(Problem(self.what, str(self.number), f"a number from 1, or {ALL}"))

    @classmethod
    def named(cls, word: str) -> Self:
        """Read what users write.

        Args:
            word: a number from 1, or ``all``.

        Returns:
            The parts.

        Raises:
            ParameterError: it is neither.

        >>> PartNumbers.named("all")
        PartNumbers(number=None)
        """
        if word == ALL:
            return cls(None)
        if not (word.isascii() and word.isdigit() and len(word) <= _MOST_DIGITS):
            raise ParameterError(Problem(cls.what, repr(word), f"a number from 1, or {ALL}"))
        return cls(int(word))

    def of(self, path: str) -> list[str]:
        """Name the parts of one file; what has only one keeps its name.

        Args:
            path: of the file.

        Returns:
            Paths, or names of parts.
        """
        raise NotImplementedError

    def of_all(
        self, paths: Sequence[str], subjects: Sequence[str] | None = None
    ) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
        """Name the parts of several files, in their order.

        Args:
            paths: of files.
            subjects: whose each is; None: not known.

        Returns:
            Paths or names of parts, and the subject of each.
        """
        found = [self.of(path) for path in paths]
        named = tuple(name for names in found for name in names)
        if subjects is None:
            return named, None
        return named, tuple(subject for names, subject in zip(found, subjects, strict=True) for _ in names)
