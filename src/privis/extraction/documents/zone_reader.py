"""From a picture of a document to its machine-readable zone, read and checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Self

import numpy as np

from privis.errors import ParameterError, Problem
from privis.extraction.documents.character_reader import CharacterReader, Probabilities
from privis.extraction.images import listed_images
from privis.features.image_ops import grey
from privis.io.images import decode
from privis.run.protocol import Executor
from privis.tasks.documents.located_zone import LocatedZone, locate_zone
from privis.tasks.documents.zone_finding import ZoneArea
from privis.tasks.documents.zone_reading import SURE, CheckDigits, Zone, zone_of_probabilities

_TURNS = (0, 1, 3, 2)
"""Quarters by which a picture is turned, in the order in which they are tried."""
_READABLE = 0.5
"""Share of characters without doubt from which what was found is taken for a zone."""


@dataclass(frozen=True, eq=False)
class ReadZone:
    """The machine-readable zone of one picture.

    Args:
        zone: its lines, fields, and what check digits say.
        area: where it is in the picture, upright as its EXIF data have it; the corners follow the text.
        turns: quarters, counterclockwise, by which that picture has to be turned for the text to be upright.
    """

    zone: Zone
    area: ZoneArea = field(repr=False)
    turns: int = 0


@dataclass(frozen=True)
class ZoneReader:
    """Finds, cuts out and reads the machine-readable zone of documents, at their owner.

    Only the reading of characters is left to ``reader``, whose executor may hold them encrypted or shared. Finding the
    zone, cutting it into characters and judging check digits are the owner's. Keys, parties and connections are kept
    from picture to picture; `close` or a ``with`` block ends them.

    No guarantee: a zone is called `CheckDigits.VALID` or `CheckDigits.REPAIRED` only where its check digits agree and
    no character is in doubt; they do not cover names and codes of countries.

    Args:
        reader: of characters.

    Raises:
        ParameterError: ``reader`` is none.
    """

    identifier: ClassVar[str] = "privis.zone-reader/1"

    reader: CharacterReader = field(default_factory=CharacterReader)

    def __post_init__(self) -> None:
        if not isinstance(self.reader, CharacterReader):
            raise ParameterError(Problem("ZoneReader.reader", repr(self.reader), "a CharacterReader"))

    def __call__(self, image: Any) -> ReadZone | None:
        """Read the zone of one picture.

        Args:
            image: a path, a PIL image or a uint8 array (H, W) or (H, W, 3) RGB.

        Returns:
            The zone; None where nothing looks like one.

        Raises:
            ImageError: the picture cannot be read.
            UnsupportedError: the executor cannot run the network.
        """
        return self.many([image])[0]

    def many(self, images: Iterable[Any]) -> list[ReadZone | None]:
        """Read the zones of many pictures.

        Args:
            images: paths, PIL images or uint8 arrays (H, W) or (H, W, 3) RGB.

        Returns:
            For each picture its zone, or None.

        Raises:
            ParameterError: no images.
            ImageError: a picture cannot be read.
            UnsupportedError: the executor cannot run the network.
        """
        return [self._read(grey(decode.load(image))) for image in listed_images(images)]

    def of(self, located: LocatedZone) -> Zone:
        """Read a zone that was found before.

        Args:
            located: as `privis.tasks.documents.locate_zone` gives it.

        Returns:
            The zone.

        Raises:
            UnsupportedError: the executor cannot run the network.
        """
        return zone_of_probabilities(self._beliefs(located))

    def _read(self, pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> ReadZone | None:
        best: ReadZone | None = None
        for turns in _TURNS:
            if turns == 2 and best is None:  # on its head a zone is found as it is upright
                break
            located = locate_zone(pixels, turns)
            if located is None:
                continue
            beliefs = self._beliefs(located)
            read = ReadZone(zone_of_probabilities(beliefs), located.area, turns)
            clear = float(np.mean(np.concatenate(beliefs).max(1) >= SURE))
            if read.zone.format is not None and (
                clear >= _READABLE or read.zone.check_digits is not CheckDigits.UNSURE
            ):
                return read
            if turns == 0:
                best = read
        return best

    def _beliefs(self, located: LocatedZone) -> list[Probabilities]:
        """Probabilities of the characters of every line, of one page in one call."""
        lengths = [len(line.glyphs) for line in located.lines]
        found = self.reader(np.concatenate([line.glyphs for line in located.lines]))
        return np.split(found, np.cumsum(lengths)[:-1])

    def close(self) -> None:
        """End what the reader of characters runs; twice is once."""
        self.reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_zone(image: Any, *, under: Executor | None = None) -> ReadZone | None:
    """Read the machine-readable zone of one picture of a document.

    Args:
        image: a path, a PIL image or a uint8 array (H, W) or (H, W, 3) RGB.
        under: who reads the characters; None: `Clear`. Only characters are hidden from it: the owner finds and cuts
            them, and judges what was read.

    Returns:
        The zone; None where nothing looks like one.

    Raises:
        ImageError: the picture cannot be read.
        UnsupportedError: the executor cannot run the network.

    >>> read_zone(np.full((200, 300), 255, np.uint8)) is None
    True
    """
    with ZoneReader(CharacterReader(under=under)) as reader:
        return reader(image)
