"""From words to what `privis redact` paints: kinds, detectors, the user's own boxes."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

from privis.cli.console import err
from privis.cli.faces.face_options import HeadName
from privis.cli.faces.face_words import detector_of
from privis.errors import MissingExtraError, ParameterError, Problem, refuse
from privis.extraction.faces.cascade_detector import CascadeDetector
from privis.extraction.faces.face_detector import FindsFaces
from privis.extraction.faces.face_networks import yunet
from privis.extraction.redaction.face_search import FaceSearch
from privis.extraction.redaction.picture_finders import FindsRegions, PlateSearch, TextSearch, ZoneSearch
from privis.file_formats import FileFormat, misfit
from privis.io.images.same_files import file_identity
from privis.tasks.redaction.regions import ImageRegion, RegionKind

HAAR = "haar"
HAAR_WARNING = (
    "--detector haar sees frontal faces only: of 27 in photographs it missed 2 (7 %, with 95 % confidence up to 24 %), "
    "and it painted 18 % of the rest; check every picture by eye, or install the extra: pip install 'privis[faces]'"
)
_TABLE = "a CSV file with the columns path, x, y, w, h"
BoxesOfFiles = dict[Hashable, dict[int, list[ImageRegion]]]


@dataclass(frozen=True)
class Kinds:
    """Which kinds are looked for."""

    faces: bool
    plates: bool
    mrz: bool
    text: bool

    def names(self) -> list[str]:
        """Of those that are, as regions call them."""
        pairs = (("face", self.faces), ("plate", self.plates), ("mrz", self.mrz), ("text", self.text))
        return [name for name, wanted in pairs if wanted]


def finders_of(kinds: Kinds, detector: str | None, head: HeadName, least: float) -> tuple[FindsRegions, ...]:
    """Build what looks for the chosen kinds.

    Raises:
        MissingExtraError: faces are wanted, and neither the extra nor a detector is there.
        ParameterError: the detector cannot be read, or is given without faces.
    """
    if detector is not None and not kinds.faces:
        raise ParameterError(Problem("--detector", detector, "--faces, which it is for"))
    finders: list[FindsRegions] = []
    if kinds.faces:
        finders.append(FaceSearch(_detector(detector, head, least)))
    if kinds.plates:
        finders.append(PlateSearch())
    if kinds.mrz:
        finders.append(ZoneSearch())
    if kinds.text:
        finders.append(TextSearch())
    return tuple(finders)


def _detector(named: str | None, head: HeadName, least: float) -> FindsFaces:
    if named == HAAR:
        err.print(f"privis: warning: {HAAR_WARNING}", markup=False, soft_wrap=True)
        return CascadeDetector()
    if named is not None:
        return detector_of(Path(named), head, least)
    try:
        return yunet(least=least)
    except MissingExtraError as error:
        (problem,) = error.problems
        remedy = f"{problem.remedy}, or name a detector: --detector FILE.onnx, or --detector {HAAR} (misses many)"
        raise MissingExtraError(Problem("--faces", problem.got, problem.expected, remedy)) from None


def detector_digest(named: str | None) -> str:
    """What tells detectors apart: a word, or the digest of a file."""
    if named in (None, HAAR):
        return named or "yunet"
    try:
        return hashlib.sha256(Path(str(named)).read_bytes()).hexdigest()
    except OSError as error:
        raise ParameterError(Problem("--detector", f"{named} ({error.strerror})", "an ONNX file, or haar")) from None


def given_boxes(table: Path, sources: Sequence[str]) -> BoxesOfFiles:
    """Read the user's own boxes: a CSV file with the columns path, x, y, w, h and, for a TIFF, page (from 1).

    Paths begin in this folder or in that of the file. Other columns, as ``privis detect`` writes, do not matter.

    Raises:
        ParameterError: it cannot be read, a number is none, or a path is none of the pictures: all at once.
    """
    try:
        with open(table, newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            rows = list(csv.DictReader(file))
            columns = set(rows[0]) if rows else set()
    except (OSError, csv.Error) as error:
        got = getattr(error, "strerror", None) or str(error)
        raise ParameterError(misfit(table, FileFormat.LIST, got, _TABLE)) from None
    if missing := [name for name in ("path", "x", "y", "w", "h") if name not in columns]:
        got = f"a list without {', '.join(missing)}" if rows else "a list without rows"
        raise ParameterError(misfit(table, FileFormat.LIST, got, _TABLE))
    known = {file_identity(source) for source in sources}
    found: BoxesOfFiles = {}
    problems = []
    for number, row in enumerate(rows, 2):
        where = f"{table} line {number}"
        names = [row["path"] or "", os.path.join(table.parent, row["path"] or "")]
        keys = [key for key in map(file_identity, names) if key in known]
        try:
            x, y, width, height = (float(row[name] or "") for name in ("x", "y", "w", "h"))
            page = int(row.get("page") or 1)
            if not (width > 0 and height > 0 and page > 0):
                raise ValueError
            region = ImageRegion.of_box(RegionKind.GIVEN, x, y, width, height)
        except ValueError:
            got = ",".join(str(row[name]) for name in ("x", "y", "w", "h"))
            problems.append(Problem(where, got, "numbers of pixels; w, h and page above 0"))
            continue
        if not keys:
            problems.append(Problem(where, f"{row['path']}, none of the pictures", "the path of a picture of this run"))
            continue
        found.setdefault(keys[0], {}).setdefault(page - 1, []).append(region)
    refuse(ParameterError, problems)
    return found
