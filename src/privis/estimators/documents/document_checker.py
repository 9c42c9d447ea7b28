"""``DocumentChecker``: what a picture of a document shows, and whether a selfie shows the person in its portrait."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, ParameterError, Problem
from privis.estimators.documents.portraits import TURNS, Box, Portraits, find_portraits, portrait_cut
from privis.estimators.faces.face_comparison import Verification
from privis.estimators.faces.verifier import Verifier
from privis.extraction.documents.zone_reader import ReadZone, ZoneReader
from privis.extraction.faces.cascade_detector import CascadeDetector
from privis.extraction.faces.face_detector import FindsFaces
from privis.extraction.faces.face_networks import has_face_networks, yunet
from privis.extraction.faces.face_templates import RefusedFace
from privis.io.images import decode
from privis.tasks.documents.picture_kinds import PictureKind, picture_kind
from privis.tasks.documents.zone_reading import CheckDigits, Zone
from privis.tasks.faces.quality import FindingKind

Pixels = NDArray[np.uint8]

LEAST = 64
"""Pixels of the shorter side of a picture of a document."""
BLANK = 2.0
"""Standard deviation of grey levels below which nothing is in a picture."""
SURELY_A_FACE = 0.85
"""Score from which a face says that a picture of paper is no receipt."""
_PAPER = (PictureKind.RECEIPT, PictureKind.X_RAY)


@dataclass(frozen=True, eq=False)
class DocumentCheck:
    """What was found in the picture of a document; fields of the zone are personal data and not part of the repr.

    Boxes are x, y, width, height in pixels of the picture upright as its EXIF data have it, origin top left.

    Args:
        kind: document, receipt, photograph or X-ray.
        turns: quarters, counterclockwise, by which the picture has to be turned for the document to be upright.
        portrait: box of the face; None where there is none.
        ghost: box of the smaller, second picture of it.
        zone: the machine-readable zone; None where there is none.
        verification: whether the selfie shows the person in the portrait; None where there was no selfie.
    """

    kind: PictureKind
    turns: int = 0
    portrait: Box | None = None
    ghost: Box | None = None
    zone: ReadZone | None = field(default=None, repr=False)
    verification: Verification | None = None

    @property
    def zone_box(self) -> Box | None:
        """Upright box around the zone, from the picture's edges inwards; None where there is no zone."""
        if self.zone is None:
            return None
        x, y, width, height = self.zone.area.box
        return max(0, x), max(0, y), width + min(0, x), height + min(0, y)


@dataclass(frozen=True, eq=False)
class DocumentChecker:
    """Check pictures of identity documents, at their owner: kind, portrait, machine-readable zone, person.

    No guarantee that a document is genuine: what is printed is read, and nothing more. The rate at which another
    person's selfie matches is that of ``verifier``, whose table was measured on photographs and not on prints.

    Args:
        detector: finds faces; None: `yunet`, or without the extra ``faces`` a `CascadeDetector`.
        reader: reads the zone; its executor may hold the characters encrypted or shared.
        verifier: compares portrait and selfie; None: selfies are refused.

    Raises:
        ParameterError: a part is of another type; a network is another file.
    """

    detector: FindsFaces | None = None
    reader: ZoneReader = field(default_factory=ZoneReader)
    verifier: Verifier | None = None

    def __post_init__(self) -> None:
        problems = []
        if self.detector is not None and not callable(getattr(self.detector, "detect", None)):
            problems.append(Problem("DocumentChecker.detector", type(self.detector).__name__, "a FaceDetector"))
        if not isinstance(self.reader, ZoneReader):
            problems.append(Problem("DocumentChecker.reader", type(self.reader).__name__, "a ZoneReader"))
        if self.verifier is not None and not isinstance(self.verifier, Verifier):
            problems.append(Problem("DocumentChecker.verifier", type(self.verifier).__name__, "a Verifier"))
        if problems:
            raise ParameterError(*problems)
        if self.detector is None:
            object.__setattr__(self, "detector", yunet() if has_face_networks() else CascadeDetector())

    def check(self, image: Any, selfie: Any = None) -> DocumentCheck:
        """Tell what a picture shows.

        Args:
            image: a path, a PIL image or a uint8 array (H, W) or (H, W, 3) RGB.
            selfie: a picture of one person, to be compared with the portrait; None: no comparison.

        Returns:
            What was found.

        Raises:
            ImageError: a picture cannot be read, is blank or smaller than 64 pixels; two documents are in it; there is
                a selfie, and no portrait or no single good face in the selfie.
            ParameterError: there is a selfie and no verifier, or its calibration does not support the rate.
            UnsupportedError: an executor cannot run a network.
        """
        if selfie is not None and self.verifier is None:
            raise ParameterError(
                Problem("selfie", "a picture", "none without a verifier", "DocumentChecker(verifier=…)")
            )
        named = _named(image, "document")
        pixels = _picture(image, named)
        if selfie is not None:
            self._refuse_selfie(selfie)  # before the work
        zone = self.reader(pixels)
        kind = picture_kind(pixels) if zone is None or zone.zone.format is None else PictureKind.DOCUMENT
        sure = zone is not None and zone.zone.check_digits is not CheckDigits.UNSURE
        assert self.detector is not None
        found = find_portraits(pixels, self.detector, (zone.turns,) if zone is not None and sure else TURNS)
        if kind in _PAPER:
            shows_one = kind is PictureKind.RECEIPT and SURELY_A_FACE <= found.score < 1
            kind, found = (PictureKind.DOCUMENT, found) if shows_one else (kind, Portraits(0))
        if kind is PictureKind.DOCUMENT and found.second is not None:
            got = f"two portraits of one size, at {found.portrait} and {found.second}"
            raise ImageError(Problem(named, got, "one document", "cut out the one that is meant"))
        turned = found.turns if found.portrait is not None else 0
        if zone is not None and zone.zone.format is not None and found.score < SURELY_A_FACE:
            turned = zone.turns
        if zone is not None and zone.turns != turned:
            zone = ReadZone(Zone((), None, {}, CheckDigits.UNSURE), zone.area, turned)  # read upside down
        if zone is not None and zone.zone.format is None and kind is not PictureKind.DOCUMENT:
            zone = None  # lines of something else
        verification = None if selfie is None else self._verified(pixels, found, selfie, named)
        return DocumentCheck(kind, turned, found.portrait, found.ghost, zone, verification)

    def _refuse_selfie(self, selfie: Any) -> None:
        """A selfie shows one face; another half as large is another person."""
        assert self.verifier is not None
        strict = replace(self.verifier.extractor, refused=frozenset(FindingKind))
        made = strict.crop(selfie, _named(selfie, "selfie"))
        if isinstance(made, RefusedFace):
            raise made.error

    def _verified(self, pixels: Pixels, found: Portraits, selfie: Any, named: str) -> Verification:
        assert self.verifier is not None
        if found.portrait is None:
            remedy = "take the side of the document with the portrait"
            raise ImageError(Problem(named, "no portrait", "one, to compare the selfie with", remedy))
        cut = portrait_cut(pixels, found)
        made = self.verifier.extractor.crop(cut, f"portrait of {named}")
        if isinstance(made, RefusedFace):
            raise made.error
        return self.verifier.verify(cut, selfie)


def _named(image: Any, otherwise: str) -> str:
    return os.fspath(image) if isinstance(image, str | os.PathLike) else otherwise


def _picture(image: Any, named: str) -> Pixels:
    if isinstance(image, str | os.PathLike):
        _refuse_pages(image)
    pixels = decode.load(image)
    height, width = pixels.shape[:2]
    if min(height, width) < LEAST:
        expected, remedy = f"at least {LEAST} on either side", "take a larger picture; a zone needs about 500 across"
        raise ImageError(Problem(named, f"{width} x {height} pixels", expected, remedy))
    if float(pixels.std()) < BLANK:
        raise ImageError(Problem(named, "a blank picture", "a document", "check that the camera or scanner saw it"))
    return pixels


def _refuse_pages(path: str | os.PathLike[str]) -> None:
    """Of several pages of a TIFF only the first would be looked at, and nobody would know."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=["TIFF"]) as opened:
            pages = int(getattr(opened, "n_frames", 1))
    except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError):
        return  # whatever it is, decoding says what is wrong with it
    if pages > 1:
        got = f"{pages} pages"
        raise ImageError(
            Problem(os.fspath(path), got, "one picture of one side", "save every page as a file of its own")
        )
